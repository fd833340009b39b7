"""Runs a shell command and ends all that it started, whatever happens."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

GRACE = 3.0
"""Seconds that a command has to end in when it is asked to, before it is killed."""

MAX_LINE = 4096
"""Bytes of a line that are shown; the rest of a longer one makes lines of its own."""

_LOOK = 0.1
_PORTION = 64 * 1024


class Shell:
    """One run of a command by ``/bin/sh``, in a process group of its own.

    The run is over when the shell ends. What it leaves in the background is killed then, so a
    command that starts a server cannot hold up a release, nor outlive it.
    """

    def __init__(self, command: str, *, folder: Path, environment: Mapping[str, str]) -> None:
        self._command = command
        self._folder = folder
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped_at: float | None = None
        self._lock = threading.Lock()

    def run(
        self, show: Callable[[str], None], idle: Callable[[], None] = lambda: None
    ) -> int | None:
        """Run it to its end; ``show`` is given each line it prints, on stdout or stderr, that is
        not blank, and ``idle`` is called every moment in between. The exit status, negative for a
        signal, or ``None`` if it was stopped.

        Raises ``OSError`` or ``ValueError`` if it cannot be started.
        """
        process = self._start()
        if process is None or process.stdout is None:
            return None
        lines = _Lines(process.stdout.fileno(), show)
        try:
            while not _has_ended(process):
                lines.take(wait=_LOOK)
                idle()
                self._kill_if_overdue(process)
        finally:
            _signal(process, signal.SIGKILL)
            status = process.wait()
            with process.stdout:
                lines.drain()
        return None if self._stopped_at else status

    def stop(self) -> None:
        """Ask the command, and all that it started, to end; from any thread."""
        with self._lock:
            self._stopped_at = time.monotonic()
            process = self._process
        if process is not None and process.returncode is None:
            _signal(process, signal.SIGTERM)

    def _start(self) -> subprocess.Popen[bytes] | None:
        with self._lock:
            if self._stopped_at:
                return None
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", self._command],
                cwd=self._folder,
                env={**os.environ, **self._environment},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            return self._process

    def _kill_if_overdue(self, process: subprocess.Popen[bytes]) -> None:
        if self._stopped_at and time.monotonic() > self._stopped_at + GRACE:
            _signal(process, signal.SIGKILL)


class _Lines:
    """A pipe's lines. One end of the pipe may stay open for ever, so reading never waits for the
    other to be closed."""

    def __init__(self, pipe: int, show: Callable[[str], None]) -> None:
        self._pipe = pipe
        self._show = show
        self._rest = b""
        self._poll = select.poll()
        self._poll.register(pipe, select.POLLIN)

    def take(self, *, wait: float) -> bool:
        """Show what comes within ``wait`` seconds; whether anything came."""
        if not self._poll.poll(wait * 1000):
            return False
        portion = os.read(self._pipe, _PORTION)
        if not portion:
            self._poll = select.poll()  # closed: from now on, only wait
            return False
        *whole, self._rest = (self._rest + portion).replace(b"\r", b"\n").split(b"\n")
        for line in whole:
            self._say(line)
        while len(self._rest) > MAX_LINE:
            self._say(self._rest[:MAX_LINE])
            self._rest = self._rest[MAX_LINE:]
        return True

    def drain(self) -> None:
        """Show what is there already, and a last line that has no end."""
        latest = time.monotonic() + 1
        while time.monotonic() < latest and self.take(wait=0):
            pass
        self._say(self._rest)

    def _say(self, line: bytes) -> None:
        text = line.decode(errors="replace").rstrip()
        if text:
            self._show(text)


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether the shell has ended. It is left to be waited for: until then its number, which is
    its group's, belongs to nobody else, and the group can be signalled."""
    try:
        ended = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:  # whoever started us ignores SIGCHLD
        return True
    return ended is not None


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
