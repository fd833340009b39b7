"""The three runtimes of the smoke test, each with images and containers of the tests' own."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from manyfest.copy import copy_graph
from manyfest.errors import ManyfestError
from manyfest.graph import read_graph
from manyfest.oci.descriptor import Descriptor
from manyfest.progress import NoProgress
from manyfest.release.smoke.run import smoke_test
from manyfest.release.smoke.trial import Trial
from manyfest.stores.base import Source
from manyfest.stores.layout import LayoutStore
from tests import real

_HYBRID = Path("/sys/fs/cgroup/unified/cgroup.controllers")
"""Where version 2 of control groups holds controllers besides version 1, which crun refuses."""


def put_program(folder: Path, name: str, *words: str | Path) -> None:
    """A program ``name``, first on the PATH, that runs another with more words."""
    program = folder / "bin" / name
    program.parent.mkdir(exist_ok=True)
    program.write_text(f'#!/bin/sh\n{_without_hybrid()}exec {" ".join(map(str, words))} "$@"\n')
    program.chmod(0o755)


def _without_hybrid() -> str:
    """In a view of the machine without that part of it."""
    if not _umount():
        return ""
    return f'[ "$APART" ] || APART=1 exec unshare --mount "$0" "$@"\n{_umount()}unset APART\n'


def _umount() -> str:
    has_both = _HYBRID.exists() and _HYBRID.read_text().strip()
    return f"umount {_HYBRID.parent}\n" if has_both else ""


def use_docker(monkeypatch: pytest.MonkeyPatch, address: str, folder: Path) -> None:
    """The tests' daemon, and Docker's own client."""
    (folder / "bin").mkdir(exist_ok=True)
    (folder / "bin" / "docker").symlink_to("/usr/bin/docker")
    monkeypatch.setenv("DOCKER_HOST", address)
    _look_first(monkeypatch, folder)


def use_podman(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Podman with all it keeps in ``folder``, whose path must be short."""
    real.need_programs("/usr/bin/podman", "unshare")
    real.need_root()
    put_program(
        folder, "podman", "/usr/bin/podman", "--root", folder / "root", "--runroot", folder / "run",
        "--storage-driver=vfs", "--cgroup-manager=cgroupfs", "--events-backend=file",
    )  # fmt: skip
    _look_first(monkeypatch, folder)


def use_crun(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """crun, as root."""
    real.need_programs("/usr/bin/crun", "unshare")
    real.need_root()
    put_program(folder, "crun", "/usr/bin/crun")
    _look_first(monkeypatch, folder)


def _look_first(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setenv("PATH", f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}")


def put_layout(source: Source, root: Descriptor, folder: Path) -> None:
    """The image as a layout in ``folder``, for another process to try."""
    with LayoutStore(folder / "layout") as layout:
        copy_graph(source, read_graph(source, root), layout, ["v1"])


def try_layout(path: Path, folder: Path, runtime: str) -> None:
    """Print why a layout that :func:`put_layout` made does not pass. It may go on for long, and its
    processes are told by the folder that they are given."""
    trial = Trial(command=(str(folder),), timeout=100)
    with LayoutStore(path) as layout:
        try:
            smoke_test(
                layout, layout.resolve("v1"), trial, runtime=runtime, folder=folder,
                progress=NoProgress(),
            )  # fmt: skip
        except ManyfestError as error:
            print(error.what, error.excerpt, sep="\n")  # noqa: T201 - for the test that waits


def as_nobody(command: Sequence[str | Path]) -> list[str]:
    """The command, run by a user without any rights."""
    script = f'{_umount()}exec setpriv --reuid=65534 --regid=65534 --clear-groups "$@"'
    return ["unshare", "--mount", "sh", "-ec", script, "sh", *map(str, command)]
