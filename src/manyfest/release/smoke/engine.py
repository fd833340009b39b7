"""What Docker and Podman have in common: images are loaded under names of our own, and containers
made of them by the runtime's own program."""

from __future__ import annotations

import re
import secrets
import shlex
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from msgspec import Struct, field

from manyfest.build.backends.running import dying_with_us
from manyfest.copy import Item, copy_graphs
from manyfest.errors import StoreError
from manyfest.oci.platform import Platform
from manyfest.progress import Progress
from manyfest.release.smoke.guard import guarded
from manyfest.release.smoke.program import Program
from manyfest.release.smoke.refusal import refusal
from manyfest.release.smoke.tool import Tool
from manyfest.release.smoke.trial import MEMORY, PROCESSES, Ran, Subject, Trial
from manyfest.stores.base import Source
from manyfest.stores.runtimes.runtime import Runtime, RuntimeTarget

_LABEL = "org.manyfest.smoke"
_REPOSITORY = "localhost/manyfest-smoke"
_ENDED = {"exited", "stopped"}
_WRONG_PROCESSOR = "exec format error"
_DECORATION = re.compile(r"^(Error: )?(unable to start container [0-9a-f]{64}: )?")


class Engine(Struct, frozen=True):
    """Where images are loaded to, the program that makes containers of them, the platform that it
    runs by itself, and its options for each container."""

    images: Runtime
    tool: Tool
    here: Platform | None
    options: Sequence[str]


@contextmanager
def session_of(
    engine: Engine, source: Source, subjects: Sequence[Subject], progress: Progress
) -> Iterator[EngineSession]:
    """Load the images, and take them away when the block ends, or when this process does."""
    token = secrets.token_hex(8)
    session = EngineSession(engine, token)
    items = [Item(graph=each.graph, tags=(session.name(each),)) for each in subjects]
    script = _clearing(engine.tool, token)
    with guarded(script, environment=engine.tool.environment, say=progress.say):
        with RuntimeTarget(engine.images, label=engine.images.label) as there:
            copy_graphs(source, items, there, progress=progress)
        yield session


class EngineSession:
    """Containers of the images. All that is made has ``token`` in its name."""

    def __init__(self, engine: Engine, token: str) -> None:
        self._engine = engine
        self._tool = engine.tool
        self._token = token
        self._running: set[Program] = set()
        self._stopped = False
        self._lock = threading.Lock()

    def name(self, subject: Subject) -> str:
        """What the image is called there: nothing that a user would call one."""
        return f"{_REPOSITORY}-{self._token}:{subject.platform.suffix.lower()}"

    def run(self, subject: Subject, trial: Trial) -> Ran:
        """See :class:`~manyfest.release.smoke.runtime.Session`."""
        image = self.name(subject)
        container = image.rpartition("/")[2].replace(":", "-")
        try:
            self._tool.run(
                "create", "--pull=never", f"--name={container}", f"--label={_LABEL}={self._token}",
                "--network=none", "--log-driver=none", "--no-healthcheck", *self._engine.options,
                image, *trial.command,
            )  # fmt: skip
            program = self._start(container, trial)
            state = self._tool.tell(
                _State, "inspect", "--type=container", "--format={{json .State}}", container
            )
        except StoreError as error:
            return Ran(trouble=error.what)
        self._tool.try_to("rm", "--force", "--volumes", container)
        return self._ran(subject, trial, program, state)

    def stop(self) -> None:
        """See :class:`~manyfest.release.smoke.runtime.Session`."""
        with self._lock:
            self._stopped = True
            for program in self._running:
                program.stop()

    def _start(self, container: str, trial: Trial) -> Program:
        program = Program(
            [*dying_with_us(), self._tool.program, "start", "--attach", container],
            environment=self._tool.environment,
            expect=trial.expect,
            timeout=trial.timeout,
            end=lambda: self._tool.try_to("kill", container),
        )
        with self._lock:
            self._running.add(program)
            if self._stopped:
                program.stop()
        try:
            program.run()
        finally:
            with self._lock:
                self._running.discard(program)
        return program

    def _ran(self, subject: Subject, trial: Trial, program: Program, state: _State) -> Ran:
        lines = program.lines(trial.hidden)
        if not program.timed_out and (state.error or state.status not in _ENDED):
            reason = state.error or (lines[-1] if lines else f"the container is {state.status}")
            return Ran(trouble=_DECORATION.sub("", reason))
        refused = refusal(state.exit_code, lines)
        if refused == _WRONG_PROCESSOR and self._is_foreign(subject):
            return Ran(trouble=f"no emulator for {subject.platform} is registered where it runs")
        return Ran(
            refused=refused,
            status=state.exit_code,
            expected=program.found,
            timed_out=program.timed_out,
            out_of_memory=state.oom_killed,
            lines=lines,
        )

    def _is_foreign(self, subject: Subject) -> bool:
        here = self._engine.here
        return here is None or subject.platform.architecture != here.architecture


class _State(Struct, frozen=True, rename="pascal"):
    """How a container stands."""

    status: str
    exit_code: int = 0
    oom_killed: bool = field(name="OOMKilled", default=False)
    error: str = ""


def _clearing(tool: Tool, token: str) -> str:
    """A script that removes our containers and our images' names, and with these what nobody else
    has named. What is not there is no failure. Podman lists all names of an image of which one is
    asked for, so that they are looked at again."""
    program, ours = shlex.quote(tool.program), f"{_REPOSITORY}-{token}"
    form = "'{{.Repository}}:{{.Tag}}'"
    return f"""
containers=$({program} ps --all --quiet --filter label={_LABEL}={token}) || exit
[ -z "$containers" ] || {program} rm --force --volumes $containers || exit
names=$({program} images --format {form} --filter reference={ours}) || exit
for name in $names; do
    case $name in {ours}:*) {program} image rm $name || status=1 ;; esac
done
exit ${{status:-0}}
"""


def limits(*, memory: bool, processes: bool) -> list[str]:
    """Options that limit a container, as far as the runtime can."""
    found = [f"--memory={MEMORY}"] if memory else []
    return [*found, f"--pids-limit={PROCESSES}"] if processes else found
