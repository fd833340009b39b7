"""Runs a back end's programs for one platform, and says why one failed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from manyfest.build.dockerfile.instructions import Run
from manyfest.errors import BuildError
from manyfest.oci.platform import Platform
from manyfest.processes import Ending, Process

_TAIL = 3
_DECORATION = re.compile(
    r"^(#[0-9]+ |[0-9.]+ |ERROR: )*(-+$|> .*|\[.*|STEP .*|sha256:[0-9a-f]{64}$)?"
)
"""What builders put before a line, and lines of theirs that give no reason."""

_SHOWN = 100
_LINE = 200
_REASON = 300
"""Characters of an instruction, of a line of output, and of all lines, that go into an error."""

_TIDYING = 60.0
"""Seconds that clearing up may take."""


class Runner:
    """The programs of one platform's build, one after the other.

    Their output is said line by line after the platform, without ``hidden``. All of them together
    have ``timeout`` seconds. ``programs`` are the RUN instructions, to tell which one failed.
    """

    def __init__(
        self,
        platform: Platform,
        *,
        folder: Path,
        say: Callable[[str], None],
        timeout: float | None,
        hidden: Sequence[bytes],
        programs: Sequence[Run],
    ) -> None:
        self._platform = platform
        self._folder = folder
        self._say = say
        self._timeout = timeout
        self._hidden = hidden
        self._programs = programs
        self._began: float | None = None
        self._process: Process | None = None
        self._stopped = threading.Event()
        self._tail: deque[str] = deque(maxlen=_TAIL)
        self._running: Run | None = None

    def run(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        """Run a program to its end.

        Raises :class:`~manyfest.errors.BuildError` if it fails, takes too long or is stopped.
        """
        process = Process(
            [*dying_with_us(), *command],
            folder=self._folder,
            environment=environment or {},
            timeout=self._left(),
            hidden=self._hidden,
        )
        self._process = process
        if self._stopped.is_set():
            process.stop()
        try:
            status = process.run(self._take)
        except (OSError, ValueError) as error:
            raise self._failure("failed", f"{command[0]} cannot be started: {error}") from None
        if process.timed_out:
            raise self._failure(
                f"was stopped after {self._timeout:g} seconds", mend="give it more with --timeout"
            )
        if status is None:
            raise self._failure("was given up")
        if status:
            raise self._failure(
                "failed", Ending(status, _shortened(" / ".join(self._tail), _REASON)).why
            )

    def stop(self) -> None:
        """End what runs, and let nothing else begin; from any thread."""
        self._stopped.set()
        if self._process is not None:
            self._process.stop()

    def tidy(self, command: Sequence[str]) -> None:
        """Run a program that clears up, whatever happened before. What it fails to clear up is
        said, and nothing else of it."""
        process = Process(command, folder=self._folder, environment={}, timeout=_TIDYING)
        lines: list[str] = []
        try:
            status = process.run(lines.append)
        except OSError as error:
            status, lines = 1, [f"{command[0]} cannot be started: {error.strerror}"]
        if status != 0:
            self._say(f"{self._platform} | could not clear up: {' '.join(lines)[:_SHOWN]}")

    def _left(self) -> float | None:
        now = time.monotonic()
        self._began = self._began or now
        return None if self._timeout is None else max(0.0, self._timeout - (now - self._began))

    def _take(self, line: str) -> None:
        words = " ".join(line.split())
        self._running = next(
            (run for run in self._programs if _text(run) in words),
            self._running,
        )
        self._say(f"{self._platform} | {line}")
        reason = _shortened(_DECORATION.sub("", words), _LINE)
        if reason and reason not in self._tail:
            self._tail.append(reason)

    def _failure(self, event: str, why: str = "", mend: str = "") -> BuildError:
        where, at = "", ""
        if self._running is not None:
            where, at = str(self._running.place), f" at {_text(self._running)[:_SHOWN]!r}"
        reason = f": {why}" if why else ""
        return BuildError(
            f"the build for {self._platform} {event}{at}{reason}", where=where, mend=mend
        )


def _text(program: Run) -> str:
    """The instruction as builders show it."""
    return " ".join(program.original.split())


def _shortened(text: str, most: int) -> str:
    """The beginning and the end, which is where a reason stands."""
    begins = most // 3
    return text if len(text) <= most else f"{text[:begins]}…{text[begins + 1 - most :]}"


def dying_with_us() -> list[str]:
    """What a program is run by so that the kernel ends it when we are killed; nothing where that
    cannot be."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig=KILL"] if setpriv else []


def output(command: Sequence[str]) -> str | None:
    """What a program that only tells something prints; ``None`` if it fails or is not there."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=30, env=dict(os.environ)
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
