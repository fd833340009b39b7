"""Real parts: programs that are not Python and that a user may not have.

A test whose part is missing is skipped, with its reason; where ``MANYFEST_REAL_PARTS`` is
``required``, as in CI, it fails.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

PEERS = Path(__file__).parents[1] / ".peers"


def need(reason: str, *, met: bool) -> None:
    """Skip the test, or fail it where real parts are required, unless the need is met."""
    if met:
        return
    if os.environ.get("MANYFEST_REAL_PARTS") == "required":
        pytest.fail(f"required in CI: {reason}")
    pytest.skip(reason)


def need_programs(*names: str) -> None:
    """The programs must be on the PATH."""
    missing = [name for name in names if shutil.which(name) is None]
    need(f"{', '.join(missing)} not installed", met=not missing)


def peer(name: str) -> str:
    """The path of a tool that Debian does not have, and ``make peers`` builds."""
    found = shutil.which(name, path=f"{os.environ['PATH']}{os.pathsep}{PEERS}")
    need(f"{name} not installed; make peers builds it", met=found is not None)
    return str(found)


def need_root() -> None:
    """Starting daemons and registering emulators takes root."""
    need("this needs root", met=os.geteuid() == 0)


def free_port() -> int:
    """A port on loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(ready: Callable[[], bool], what: str, seconds: float = 30) -> None:
    """Wait for a program that was started to be of use."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            pytest.fail(f"{what} was not ready within {seconds} seconds")
        time.sleep(0.05)


def running(line: str) -> list[str]:
    """Processes whose command line ends so."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            continue
        if words.endswith(line):
            found.append(words)
    return found


def is_listening(port: int) -> bool:
    """Whether something accepts connections on this port of loopback."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a program that the test started."""
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def output_of(*command: str | Path, **environment: str) -> str:
    """What a program prints; the test fails, with all it said, if the program does."""
    done = subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout.strip()
