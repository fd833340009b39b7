"""PostgreSQL, from Debian's programs: a server of the test's own, on a socket in a folder."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import real

_LIBRARY = Path("/usr/lib/postgresql")
_USER = "postgres"
"""Who runs it where the tests run as root: PostgreSQL refuses to be root's."""

_SETTINGS = (
    "listen_addresses=",
    "shared_buffers=32MB",
    "max_connections=60",
    "fsync=off",  # the machine does not lose power, and the tests kill the server alone
    "autovacuum=off",
)


class Server:
    """A server, which may be stopped and started again. ``folder`` has its socket."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self.folder = folder
        self._programs = programs
        self._process: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        """Make what it keeps its data in, in a language whose order is not that of bytes."""
        if os.geteuid() == 0:
            shutil.chown(self.folder, _USER, _USER)
        command = [str(self._programs / "initdb"), "--auth=trust", "--username=manyfest"]
        command += ["--no-sync", "--encoding=UTF8", "--locale=C.UTF-8"]
        command += ["--locale-provider=icu", "--icu-locale=en", f"--pgdata={self.folder / 'data'}"]
        done = subprocess.run(
            _as_somebody(command), capture_output=True, text=True, check=False, cwd=self.folder
        )
        assert done.returncode == 0, done.stderr

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = [str(self._programs / "postgres"), "-D", str(self.folder / "data")]
        for setting in (*_SETTINGS, f"unix_socket_directories={self.folder}"):
            command += ["-c", setting]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                _as_somebody(command), stdout=log, stderr=log, cwd=self.folder
            )
        real.wait_until(self._answers, "postgres")

    def stop(self) -> None:
        """End it in order: who is connected is cut off."""
        self._end(signal.SIGINT)

    def crash(self) -> None:
        """End it as a machine that fails would: nothing is finished."""
        self._end(signal.SIGQUIT)

    def new_database(self) -> str:
        """The URL of an empty one."""
        name = f"history_{uuid.uuid4().hex}"
        command = [str(self._programs / "createdb"), "-h", str(self.folder), "-U", "manyfest"]
        subprocess.run([*command, name], check=True, capture_output=True)
        return f"postgresql://manyfest@/{name}?host={self.folder}"

    def _answers(self) -> bool:
        asking = [str(self._programs / "pg_isready"), "-q", "-h", str(self.folder)]
        return subprocess.run(asking, check=False).returncode == 0

    def _end(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(60)
            self._process = None


@contextmanager
def running_postgresql() -> Iterator[Server]:
    """A server that runs while the block does."""
    found = sorted(_LIBRARY.glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    real.need("postgresql not installed", met=bool(found))
    folder = Path(tempfile.mkdtemp(prefix="pg-"))  # short: the path of a socket must be
    server = Server(found[-1].parent, folder)
    try:
        server.prepare()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


def _as_somebody(command: list[str]) -> list[str]:
    if os.geteuid() != 0:
        return command
    become = ["setpriv", f"--reuid={_USER}", f"--regid={_USER}", "--clear-groups"]
    return [*become, "--pdeathsig=INT", *command]
