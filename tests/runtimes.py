"""Podman and containerd, each with images of the tests' own and nobody else's."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import real

Tool = Callable[..., str]
"""Runs a program with these words; what it prints."""


def podman_in(folder: Path) -> Tool:
    """``podman`` with all it keeps in ``folder``, whose path must be short."""
    real.need_programs("podman")
    real.need_root()
    options = ["--root", f"{folder}/root", "--runroot", f"{folder}/run",
               "--storage-driver=vfs", "--cgroup-manager=cgroupfs",
               "--events-backend=file"]  # fmt: skip
    return lambda *words: real.output_of("podman", *options, *words)


@contextmanager
def running_containerd(folder: Path) -> Iterator[Tool]:
    """``ctr``, speaking to a containerd with all it keeps in ``folder``."""
    real.need_programs("containerd", "ctr")
    real.need_root()
    socket, config = f"{folder}/c.sock", folder / "containerd.toml"
    config.write_text(
        f'version = 2\nroot = "{folder}/c"\nstate = "{folder}/c-run"\n'
        f'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n[grpc]\naddress = "{socket}"\n'
    )
    with (folder / "containerd.log").open("wb") as log:
        process = subprocess.Popen(["containerd", "--config", config], stdout=log, stderr=log)
        try:
            real.wait_until(lambda: Path(socket).exists(), "containerd")
            yield lambda *words: real.output_of("ctr", "--address", socket, *words)
        finally:
            real.stop(process)
