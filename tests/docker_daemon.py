"""A Docker daemon of the tests' own: no network, nothing of it outside its folder."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from manyfest.errors import StoreError
from manyfest.stores.runtimes.docker.daemon import Daemon
from tests import real

DOCKERD, DOCKER = "/usr/sbin/dockerd", "/usr/bin/docker"


@contextmanager
def running_daemon(
    folder: Path, *options: str, program: str = DOCKERD, **environment: str
) -> Iterator[str]:
    """``dockerd`` with everything in ``folder``; what to set ``DOCKER_HOST`` to.

    The folder's path must be short: that of a socket has at most 107 characters.
    """
    real.need_programs(program, DOCKER)
    real.need_root()
    address = f"unix://{folder}/d.sock"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, "--iptables=false", "--bridge=none", "--storage-driver=vfs",
             f"--data-root={folder}/data", f"--exec-root={folder}/exec",
             f"--pidfile={folder}/pid", f"--host={address}", *options],
            stdout=log, stderr=log, env={**os.environ, **environment},
        )  # fmt: skip
        try:
            real.wait_until(lambda: _answers(address), "dockerd", 60)
            yield address
        finally:
            real.stop(process)


def client_of(address: str) -> list[str]:
    """Docker's own client, speaking to this daemon."""
    return [DOCKER, "--host", address]


def _answers(address: str) -> bool:
    try:
        Daemon(environ={"DOCKER_HOST": address}).info()
    except StoreError:
        return False
    return True
