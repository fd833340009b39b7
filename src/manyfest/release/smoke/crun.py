"""The smoke test by crun alone: images are unpacked, and containers are told by documents of ours,
so that neither a daemon nor any store of images is needed."""

from __future__ import annotations

import json
import os
import platform as this
import shlex
import shutil
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import msgspec

from manyfest.build.backends.running import dying_with_us
from manyfest.build.workspace import remove_tree
from manyfest.errors import StoreError
from manyfest.oci.machine import platform_of_machine
from manyfest.oci.platform import Platform
from manyfest.progress import Progress
from manyfest.release.smoke.account import account_of
from manyfest.release.smoke.bundle import HOSTNAME, config
from manyfest.release.smoke.guard import guarded
from manyfest.release.smoke.layers import Layers
from manyfest.release.smoke.program import Program
from manyfest.release.smoke.refusal import refusal
from manyfest.release.smoke.rootfs import files_of, lay_out
from manyfest.release.smoke.tool import Tool
from manyfest.release.smoke.trial import Ran, Subject, Trial
from manyfest.stores.base import Source

_HOSTS = f"127.0.0.1 localhost\n::1 localhost\n127.0.1.1 {HOSTNAME}\n"
_GROUPS = Path("/sys/fs/cgroup")
_LIMITED_BY = {"memory", "pids"}


class Crun:
    """crun, as root or as anybody."""

    name = "crun"

    def why_not(self) -> str:
        """See :class:`~manyfest.release.smoke.runtime.SmokeRuntime`."""
        if sys.platform != "linux":
            return "it needs Linux"
        if shutil.which(self.name) is None:
            return "it is not installed"
        try:
            Tool(self.name, {}).run("--version")
        except StoreError as error:
            return error.what
        return ""

    @cached_property
    def here(self) -> Platform | None:
        return platform_of_machine(this.machine())

    is_local = True

    @contextmanager
    def session(
        self, source: Source, subjects: Sequence[Subject], room: Path, progress: Progress
    ) -> Iterator[CrunSession]:
        """See :class:`~manyfest.release.smoke.runtime.SmokeRuntime`."""
        room = room.absolute()
        (room / "files").mkdir()
        (room / "state").mkdir()
        (room / "hosts").write_text(_HOSTS)
        (room / "hosts").chmod(0o644)
        layers = Layers(source, subjects, room / "files", progress)
        session = CrunSession(layers, room)
        with guarded(_clearing(self.name, room), environment={}, say=progress.say):
            yield session


class CrunSession:
    """Containers of the images, each in a folder of its own in ``room``."""

    def __init__(self, layers: Layers, room: Path) -> None:
        self._layers = layers
        self._room = room
        self._has_groups = has_groups(_GROUPS)
        self._running: set[Program] = set()
        self._stopped = False
        self._lock = threading.Lock()

    def run(self, subject: Subject, trial: Trial) -> Ran:
        """See :class:`~manyfest.release.smoke.runtime.Session`."""
        bundle = self._room / subject.platform.suffix
        bundle.mkdir()
        try:
            self._write(bundle, subject, trial)
            return self._run(bundle, trial)
        finally:
            remove_tree(bundle)

    def stop(self) -> None:
        """See :class:`~manyfest.release.smoke.runtime.Session`."""
        self._layers.stop()
        with self._lock:
            self._stopped = True
            for program in self._running:
                program.stop()

    def _write(self, bundle: Path, subject: Subject, trial: Trial) -> None:
        run = subject.run
        layers = self._layers.of(subject)
        tree = files_of(layers, [*filter(None, [run.working_dir]), *run.volumes])
        account = account_of(tree, run.user)  # read before the files are moved
        lay_out(tree, layers, bundle / "rootfs")
        group = f"/{self._id(bundle)}" if self._has_groups else ""
        document = config(
            subject.words(trial), run, account, hosts=self._room / "hosts", cgroup=group
        )
        (bundle / "config.json").write_text(json.dumps(document))

    def _run(self, bundle: Path, trial: Trial) -> Ran:
        log = bundle / "log"
        tool = Tool(Crun.name, {})
        common = [f"--root={self._room / 'state'}"]
        manager = "cgroupfs" if self._has_groups else "disabled"
        program = Program(
            [*dying_with_us(), tool.program, *common, f"--cgroup-manager={manager}",
             f"--log={log}", "--log-format=json", "run", f"--bundle={bundle}", self._id(bundle)],
            environment={},
            expect=trial.expect,
            timeout=trial.timeout,
            end=lambda: tool.try_to(*common, "kill", self._id(bundle), "KILL"),
        )  # fmt: skip
        with self._lock:
            self._running.add(program)
            if self._stopped:
                program.stop()
        try:
            program.run()
        finally:
            with self._lock:
                self._running.discard(program)
        lines = program.lines(trial.hidden)
        return Ran(
            trouble="" if program.timed_out else _trouble(log),
            refused=refusal(program.status, lines),
            status=program.status,
            expected=program.found,
            timed_out=program.timed_out,
            lines=lines,
        )

    def _id(self, bundle: Path) -> str:
        return f"manyfest-smoke-{self._room.name.rpartition('-')[2]}-{bundle.name}"


class _Line(msgspec.Struct, frozen=True):
    """A line of crun's log."""

    level: str
    msg: str


def _trouble(log: Path) -> str:
    """The first error that crun tells of itself; of the program it tells nothing there."""
    if not log.exists():
        return ""
    try:
        lines = [msgspec.json.decode(line, type=_Line) for line in log.read_bytes().splitlines()]
    except msgspec.DecodeError:
        return "its log is not understood"
    return next((line.msg for line in lines if line.level == "error"), "")


def has_groups(root: Path) -> bool:
    """Whether we may make groups of processes whose memory and number is limited (Linux, "Control
    Group v2", and the older "Control Groups")."""
    if os.geteuid() != 0:
        return False
    unified = root / "cgroup.subtree_control"
    if unified.exists():
        return os.access(unified, os.W_OK) and set(unified.read_text().split()) >= _LIMITED_BY
    return all(os.access(root / name, os.W_OK) for name in _LIMITED_BY)


def _clearing(program: str, room: Path) -> str:
    """A script that ends all containers and forgets them."""
    state = shlex.quote(f"--root={room / 'state'}")
    crun = f"{shlex.quote(program)} {state}"
    return (
        f"for id in $({crun} list --quiet); do {crun} delete --force $id || status=1; done\n"
        "exit ${status:-0}"
    )
