"""Connections that are kept open for the next request to the same host."""

from __future__ import annotations

import threading
from collections import defaultdict
from typing import TYPE_CHECKING

from manyfest.stores.registry.http import Origin

if TYPE_CHECKING:
    import pycurl

_MOST_IDLE = 32
"""Idle connections kept for each host: as many as small requests are under way."""


class Line:
    """A libcurl handle with a multi handle of its own, which holds its one connection.

    The multi handle is what lets the calling thread take part of an answer and come back later.
    A line is used by one request at a time, and by any thread. ``is_set`` says that all is set
    that holds for every request to its origin, and nothing that a plain one would not set anew.
    """

    def __init__(self) -> None:
        import pycurl

        self.easy: pycurl.Curl = pycurl.Curl()
        self.multi: pycurl.CurlMulti = pycurl.CurlMulti()
        self.is_set = False

    def close(self) -> None:
        self.multi.close()
        self.easy.close()


class LinePool:
    """Idle lines by host. The one used last is taken first, because it is the likeliest to live."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: defaultdict[Origin, list[Line]] = defaultdict(list)
        self._closed = False

    def take(self, origin: Origin) -> Line:
        with self._lock:
            idle = self._idle[origin]
            if idle:
                return idle.pop()
        return Line()

    def give_back(self, origin: Origin, line: Line) -> None:
        """Keep the line, or close it when there are enough or the pool is closed."""
        if not line.is_set:
            line.easy.reset()
        with self._lock:
            idle = self._idle[origin]
            if not self._closed and len(idle) < _MOST_IDLE:
                idle.append(line)
                return
        line.close()

    def close(self) -> None:
        """Close what is idle; what is in use is closed when it comes back."""
        with self._lock:
            self._closed = True
            lines = [line for idle in self._idle.values() for line in idle]
            self._idle.clear()
        for line in lines:
            line.close()
