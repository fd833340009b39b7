"""Runs a program whose output may be of any length: it is looked through, and the end is kept."""

from __future__ import annotations

import os
import selectors
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from subprocess import DEVNULL, PIPE, Popen
from typing import IO

from manyfest.printable import printable
from manyfest.processes import GRACE, has_ended, signal_group

_PORTION = 64 * 1024
_LOOK = 0.1
_KEPT = 64 * 1024
"""Bytes of the end of the output."""

_LINES = 10
_SHOWN = 300
"""Lines that are shown, and characters of each."""


class Program:
    """One run of a program, in a process group of its own and with nothing to read.

    ``end`` is called once, when it is stopped or takes longer than ``timeout`` seconds; it should
    end what the program has started elsewhere. A little later the program is killed.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        expect: str,
        timeout: float,
        end: Callable[[], None],
    ) -> None:
        self.timed_out = False
        self.status = 0
        self._command = command
        self._environment = environment
        self._timeout = timeout
        self._end = end
        self._stop = threading.Event()
        self._ended_at: float | None = None
        self._seen = {name: _Search(expect.encode()) for name in ("stdout", "stderr")}
        self._tail = b""

    @property
    def found(self) -> bool:
        """Whether the text that was expected is in one of its two streams."""
        return any(search.found for search in self._seen.values())

    def lines(self, hidden: Sequence[bytes] = ()) -> tuple[str, ...]:
        """The last lines that it printed, without what is ``hidden``."""
        text = self._tail
        if len(text) == _KEPT:  # what is hidden may have lost its beginning
            text = text[max(map(len, hidden), default=0) :]
        for part in sorted(hidden, key=len, reverse=True):
            text = text.replace(part, b"***")
        lines = [line.rstrip() for line in text.decode(errors="replace").splitlines()]
        return tuple(printable(line[:_SHOWN]) for line in lines if line)[-_LINES:]

    def stop(self) -> None:
        """Have it ended; from any thread."""
        self._stop.set()

    def run(self) -> None:
        """Run it to its end, which ``status`` then tells. Raises ``OSError`` if it cannot be
        started."""
        if self._stop.is_set():
            return
        with Popen(
            self._command, env={**os.environ, **self._environment},
            stdin=DEVNULL, stdout=PIPE, stderr=PIPE, start_new_session=True,
        ) as process:  # fmt: skip
            try:
                self._read(process)
            finally:
                signal_group(process, signal.SIGKILL)
        self.status = process.returncode

    def _read(self, process: Popen[bytes]) -> None:
        latest = time.monotonic() + self._timeout
        with selectors.DefaultSelector() as selector:
            for name, pipe in (("stdout", process.stdout), ("stderr", process.stderr)):
                selector.register(_raw(pipe), selectors.EVENT_READ, self._seen[name])
            while selector.get_map():
                ended = has_ended(process)
                ready = selector.select(0 if ended else _LOOK)
                for key, _ in ready:
                    self._take(selector, key)
                if ended and not ready:
                    return  # a pipe may stay open for ever, in a process that was left behind
                self._end_if_due(process, latest)
        while not has_ended(process):
            time.sleep(_LOOK / 10)
            self._end_if_due(process, latest)

    def _take(self, selector: selectors.BaseSelector, key: selectors.SelectorKey) -> None:
        portion = os.read(key.fd, _PORTION)
        if not portion:
            selector.unregister(key.fileobj)
        key.data.take(portion)
        self._tail = (self._tail + portion)[-_KEPT:]

    def _end_if_due(self, process: Popen[bytes], latest: float) -> None:
        now = time.monotonic()
        if self._ended_at is None and (self._stop.is_set() or now > latest):
            self.timed_out = not self._stop.is_set()
            self._ended_at = now
            self._end()
        if self._ended_at is not None and now > self._ended_at + GRACE:
            signal_group(process, signal.SIGKILL)


class _Search:
    """Looks for a text in a stream, in portions, however long it is."""

    def __init__(self, text: bytes) -> None:
        self.found = not text
        self._text = text
        self._before = b""

    def take(self, portion: bytes) -> None:
        if not self.found:
            seen = self._before + portion
            self.found = self._text in seen
            self._before = seen[-(len(self._text) - 1) or len(seen) :]


def _raw(pipe: IO[bytes] | None) -> int:
    if pipe is None:
        raise ValueError("the program has no pipe")
    return pipe.fileno()
