"""Runs other programs: shows what they print, line by line, and ends all that they started,
whatever happens."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from msgspec import Struct

GRACE = 3.0
"""Seconds that a program has to end in when it is asked to, before it is killed."""

MAX_LINE = 4096
"""Bytes of a line that are shown; the rest of a longer one makes lines of its own."""

_SHOWN = 300
"""Characters of a last line that go into an error."""

_LOOK = 0.1
_MOMENT = 1.0
_PORTION = 64 * 1024


class Process:
    """One run of a program, in a process group of its own.

    The run is over when the program ends. What it leaves in the background is killed then, so a
    command that starts a server cannot hold up a release, nor outlive it. ``environment`` is added
    to ours. After ``timeout`` seconds the program is stopped, and ``timed_out`` is true. What is
    ``hidden`` is in no line that is shown.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str],
        timeout: float | None = None,
        hidden: Sequence[bytes] = (),
    ) -> None:
        self.timed_out = False
        self._command = command
        self._folder = folder
        self._environment = environment
        self._timeout = timeout
        self._hidden = hidden
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped_at: float | None = None
        self._lock = threading.Lock()

    def run(
        self, show: Callable[[str], None], idle: Callable[[], None] = lambda: None
    ) -> int | None:
        """Run it to its end; ``show`` is given each line it prints, on stdout or stderr, that is
        not blank, and ``idle`` is called every moment in between. The exit status, negative for a
        signal, or ``None`` if it was stopped.

        Raises ``OSError`` or ``ValueError`` if it cannot be started, or nobody can tell how it
        ended.
        """
        process = self._start()
        if process is None or process.stdout is None:
            return None
        started = time.monotonic()
        lines = _Lines(process.stdout.fileno(), show, self._hidden)
        try:
            while not has_ended(process):
                lines.take(wait=_LOOK)
                idle()
                self._stop_if_late(started)
                self._kill_if_overdue(process)
        finally:
            signal_group(process, signal.SIGKILL)
            status = process.wait()
            with process.stdout:
                lines.drain()
        return None if self._stopped_at else status

    def stop(self) -> None:
        """Ask the program, and all that it started, to end; from any thread."""
        with self._lock:
            self._stopped_at = self._stopped_at or time.monotonic()
            process = self._process
        if process is not None and process.returncode is None:
            signal_group(process, signal.SIGTERM)

    def _start(self) -> subprocess.Popen[bytes] | None:
        with self._lock:
            if self._stopped_at:
                return None
            self._process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                env={**os.environ, **self._environment},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            return self._process

    def _stop_if_late(self, started: float) -> None:
        if self._timeout is None or self._stopped_at:
            return
        if time.monotonic() > started + self._timeout:
            self.timed_out = True
            self.stop()

    def _kill_if_overdue(self, process: subprocess.Popen[bytes]) -> None:
        if self._stopped_at and time.monotonic() > self._stopped_at + GRACE:
            signal_group(process, signal.SIGKILL)


class Ending(Struct, frozen=True):
    """How a program ended: its exit status, ``None`` if it was stopped, and its last line."""

    status: int | None
    last: str

    @property
    def why(self) -> str:
        """The reason of a failure: ``exit status 2: no compiler``."""
        if self.status is None:
            told = "stopped"
        elif self.status < 0:
            told = f"ended by signal {-self.status}"
        else:
            told = f"exit status {self.status}"
        return f"{told}: {self.last[:_SHOWN] or 'it printed nothing'}"


def run_aloud(process: Process, say: Callable[[str], None], prefix: str) -> Ending:
    """Run a program and ``say`` each line it prints, after ``prefix``.

    Of a program that fails, the last line is the best reason there is, and goes into an error. So
    the newest line is held back for a moment: it should not be told twice, nor once for each
    platform when all fail for one reason.

    Raises ``OSError`` or ``ValueError`` if it cannot be started.
    """
    aloud = _Aloud(say, prefix)
    status = process.run(aloud.take, aloud.tell_if_due)
    if status == 0:
        aloud.tell()
    return Ending(status, aloud.last)


class _Aloud:
    def __init__(self, say: Callable[[str], None], prefix: str) -> None:
        self._say = say
        self._prefix = prefix
        self._due: float | None = None
        self.last = ""

    def take(self, line: str) -> None:
        self.tell()
        self.last = line
        self._due = time.monotonic() + _MOMENT

    def tell_if_due(self) -> None:
        if self._due is not None and time.monotonic() >= self._due:
            self.tell()

    def tell(self) -> None:
        if self._due is not None:
            self._due = None
            self._say(f"{self._prefix}{self.last}")


class _Lines:
    """A pipe's lines. One end of the pipe may stay open for ever, so reading never waits for the
    other to be closed."""

    def __init__(self, pipe: int, show: Callable[[str], None], hidden: Sequence[bytes]) -> None:
        self._pipe = pipe
        self._show = show
        self._hidden = sorted(hidden, key=len, reverse=True)
        # A line is cut only where what is hidden would be whole before the cut, or all after it.
        self._longest = MAX_LINE + max(map(len, hidden), default=0)
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
        self._cut()
        return True

    def _cut(self) -> None:
        """Show the beginning of a line that is too long to be waited for."""
        if len(self._rest) > self._longest:
            self._rest = self._without_hidden(self._rest)
        while len(self._rest) > self._longest:
            self._say(self._rest[:MAX_LINE])
            self._rest = self._rest[MAX_LINE:]

    def drain(self) -> None:
        """Show what is there already, and a last line that has no end."""
        latest = time.monotonic() + 1
        while time.monotonic() < latest and self.take(wait=0):
            pass
        self._say(self._rest)

    def _say(self, line: bytes) -> None:
        text = self._without_hidden(line).decode(errors="replace").rstrip()
        if text:
            self._show(text)

    def _without_hidden(self, line: bytes) -> bytes:
        for part in self._hidden:
            line = line.replace(part, b"***")
        return line


def has_ended(process: subprocess.Popen[Any]) -> bool:
    """Whether the program has ended. It is left to be waited for: until then its number, which is
    its group's, belongs to nobody else, and the group can be signalled.

    Raises ``ChildProcessError`` if SIGCHLD is ignored: then nobody is told how it ended.
    """
    options = os.WEXITED | os.WNOHANG | os.WNOWAIT
    return os.waitid(os.P_PID, process.pid, options) is not None


def signal_group(process: subprocess.Popen[Any], number: signal.Signals) -> None:
    """Send a signal to a program that leads a group, and to all that is in it."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
