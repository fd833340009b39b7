"""What instructions do to an image's configuration. No I/O."""

from __future__ import annotations

import posixpath
from datetime import UTC, datetime
from functools import singledispatch

from msgspec import Struct
from msgspec.structs import replace

from manyfest.build.dockerfile import instructions as ins
from manyfest.build.dockerfile.evaluate import DEFAULT_PATH
from manyfest.build.history import created_by, created_by_command, healthcheck_test
from manyfest.oci.config import Healthcheck, History, RunConfig
from manyfest.oci.platform import Platform

COMMENT = "manyfest"
"""What the history says of who made a step."""

_SHELL = ("/bin/sh", "-c")


class Settings(Struct, frozen=True, kw_only=True):
    """A stage's configuration so far. ``created`` is the time of its steps, RFC 3339;
    ``has_cmd`` tells whether this stage has had a CMD."""

    run: RunConfig
    created: str
    author: str = ""
    history: tuple[History, ...] = ()
    has_cmd: bool = False

    @property
    def workdir(self) -> str:
        return self.run.working_dir or "/"

    def with_step(self, text: str, *, layer: bool = False) -> Settings:
        """The same with one more line of history."""
        step = History(
            created=self.created, created_by=text, comment=COMMENT, empty_layer=not layer
        )
        return replace(self, history=(*self.history, step))


def moment(epoch: int) -> str:
    """Seconds since 1970 as RFC 3339, in UTC."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def from_scratch() -> RunConfig:
    """What BuildKit gives an image that starts from nothing."""
    return RunConfig(working_dir="/")


def begin(settings: Settings, platform: Platform) -> Settings:
    """What holds at the start of a stage: there is a PATH, and no trigger is left over."""
    run = replace(settings.run, on_build=())
    if platform.os != "windows" and not any(pair.startswith("PATH=") for pair in run.env):
        run = replace(run, env=(*run.env, f"PATH={DEFAULT_PATH}"))
    return replace(settings, run=run, has_cmd=False)


def _workdir_after(settings: Settings, instruction: ins.Workdir) -> str:
    """The absolute path that a WORKDIR leads to."""
    path = instruction.path or settings.workdir
    if path.startswith("/"):
        return path
    return posixpath.normpath(f"{settings.workdir.rstrip('/')}/{path}")


def configure(settings: Settings, instruction: ins.Instruction) -> Settings:
    """The settings after an instruction that is expanded, its line of history included.

    For one that makes a layer, that line says so. ONBUILD has no line.
    """
    settings = replace(settings, run=_run(instruction, settings))
    if isinstance(instruction, ins.OnBuild):
        return settings
    if isinstance(instruction, ins.Maintainer):
        settings = replace(settings, author=instruction.name)
    if isinstance(instruction, ins.Cmd):
        settings = replace(settings, has_cmd=True)
    return settings.with_step(
        _text(instruction, settings), layer=_makes_layer(instruction, settings)
    )


def _makes_layer(instruction: ins.Instruction, settings: Settings) -> bool:
    if isinstance(instruction, ins.Workdir):
        return settings.workdir != "/"
    return isinstance(instruction, ins.Copy | ins.Add)


def _text(instruction: ins.Instruction, settings: Settings) -> str:
    if isinstance(instruction, ins.Workdir):
        return f"WORKDIR {settings.workdir}"
    if isinstance(instruction, ins.Cmd):
        return created_by_command("CMD", settings.run.cmd)
    if isinstance(instruction, ins.Entrypoint):
        return created_by_command("ENTRYPOINT", settings.run.entrypoint)
    return created_by(instruction)


@singledispatch
def _run(_instruction: ins.Instruction, settings: Settings) -> RunConfig:
    """ARG, COPY, ADD and MAINTAINER leave it as it is."""
    return settings.run


@_run.register
def _(instruction: ins.Env, settings: Settings) -> RunConfig:
    env = dict(pair.partition("=")[::2] for pair in settings.run.env)
    env.update({pair.key: pair.value for pair in instruction.pairs})
    return replace(settings.run, env=tuple(f"{key}={value}" for key, value in env.items()))


@_run.register
def _(instruction: ins.Label, settings: Settings) -> RunConfig:
    labels = settings.run.labels | {pair.key: pair.value for pair in instruction.pairs}
    return replace(settings.run, labels=labels)


@_run.register
def _(instruction: ins.Cmd, settings: Settings) -> RunConfig:
    return replace(settings.run, cmd=_words(instruction.command, settings), args_escaped=True)


@_run.register
def _(instruction: ins.Entrypoint, settings: Settings) -> RunConfig:
    entrypoint = _words(instruction.command, settings)
    cmd = settings.run.cmd if settings.has_cmd else ()
    return replace(settings.run, entrypoint=entrypoint, cmd=cmd)


@_run.register
def _(instruction: ins.Healthcheck, settings: Settings) -> RunConfig:
    command = instruction.command
    check = Healthcheck(
        test=("NONE",) if command is None else healthcheck_test(command),
        interval=instruction.interval,
        timeout=instruction.timeout,
        start_period=instruction.start_period,
        start_interval=instruction.start_interval,
        retries=instruction.retries,
    )
    return replace(settings.run, healthcheck=check)


@_run.register
def _(instruction: ins.Shell, settings: Settings) -> RunConfig:
    return replace(settings.run, shell=instruction.words)


@_run.register
def _(instruction: ins.Workdir, settings: Settings) -> RunConfig:
    return replace(settings.run, working_dir=_workdir_after(settings, instruction))


@_run.register
def _(instruction: ins.User, settings: Settings) -> RunConfig:
    return replace(settings.run, user=instruction.user)


@_run.register
def _(instruction: ins.Expose, settings: Settings) -> RunConfig:
    ports = settings.run.exposed_ports | {port: {} for port in instruction.ports}
    return replace(settings.run, exposed_ports=ports)


@_run.register
def _(instruction: ins.Volume, settings: Settings) -> RunConfig:
    volumes = settings.run.volumes | {path: {} for path in instruction.paths}
    return replace(settings.run, volumes=volumes)


@_run.register
def _(instruction: ins.StopSignal, settings: Settings) -> RunConfig:
    return replace(settings.run, stop_signal=instruction.signal)


@_run.register
def _(instruction: ins.OnBuild, settings: Settings) -> RunConfig:
    return replace(settings.run, on_build=(*settings.run.on_build, instruction.expression))


def _words(command: ins.CommandLine, settings: Settings) -> tuple[str, ...]:
    """A command as it is run: one for the shell has the shell before it."""
    if not command.in_shell:
        return command.words
    return (*(settings.run.shell or _SHELL), " ".join(command.words))
