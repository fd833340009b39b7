"""Servers on this machine: Debian's ``docker-registry``, and a line that is slow to answer."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.tools import HERE, find

CONFIG = """\
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{{cache}filesystem: {{rootdirectory: {data}}}, delete: {{enabled: true}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""
CACHE = "cache: {blobdescriptor: inmemory}, "
"""As Debian's own configuration has it."""


class Server:
    """A process that listens on a port of its own, on loopback."""

    def __init__(self, port: int = 0) -> None:
        self.port = port or free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """``host:port``."""
        return f"127.0.0.1:{self.port}"

    @property
    def processor(self) -> float:
        """The seconds of processors that it has used; 0 if it does not run."""
        if self._process is None:
            return 0
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        user, system = fields[11:13]  # proc(5): utime and stime, fields 14 and 15
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    @property
    def most_memory(self) -> int:
        """The most bytes of memory that it has had; 0 if it does not run."""
        if self._process is None:
            return 0
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024

    def run(self, command: Sequence[str]) -> None:
        """Start it, and wait until it answers."""
        self.stop()
        self._process = subprocess.Popen(
            command, cwd=HERE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and self._process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.01)
        raise SystemExit(f"{command[0]} did not start")

    def stop(self) -> None:
        """Stop it, if it runs."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None


class Registry(Server):
    """A registry whose content, in ``folder``, can be thrown away. With a ``cache`` it keeps in
    memory what it knows of blobs."""

    def __init__(self, folder: Path, *, cache: bool = False) -> None:
        super().__init__()
        self._cache = CACHE if cache else ""
        self.data = folder / "data"
        self._config = folder / "config.yml"

    def start(self) -> None:
        """Start it with the content that there is."""
        self.data.mkdir(parents=True, exist_ok=True)
        self._config.write_text(CONFIG.format(data=self.data, port=self.port, cache=self._cache))
        self.run([find("docker-registry") or "docker-registry", "serve", str(self._config)])

    def restart_empty(self) -> None:
        """Start it with nothing, neither on disk nor in its memory."""
        self.empty()
        self.start()

    def empty(self) -> None:
        """Stop it, and throw its content away."""
        self.stop()
        shutil.rmtree(self.data, ignore_errors=True)


class SlowLine(Server):
    """Leads to another server; an answer takes ``milliseconds`` longer."""

    def __init__(self, to: Server, milliseconds: int) -> None:
        super().__init__()
        self._to = to
        self._milliseconds = milliseconds

    def start(self) -> None:
        """Open it."""
        self.run(
            [sys.executable, "-m", "benchmarks.delay",
             str(self.port), str(self._to.port), str(self._milliseconds)]
        )  # fmt: skip


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
