"""One request under way: libcurl's callbacks on one side, a reader on the other.

Nothing runs in the background. libcurl works only while the calling thread is inside
:meth:`Transfer.start` or :meth:`Transfer.read`, and what it receives waits in a queue that is
empty whenever libcurl is called again. That is what bounds the memory of a stream.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from manyfest.errors import ConnectionFailed
from manyfest.stores.registry.curl.faults import connection_failure
from manyfest.stores.registry.curl.head import ResponseHead
from manyfest.stores.registry.curl.options import (
    Network,
    is_plain,
    is_proxied,
    set_for_origin,
    set_for_request,
)
from manyfest.stores.registry.curl.pool import Line
from manyfest.stores.registry.curl.stalls import StallWatch
from manyfest.stores.registry.curl.upload import Upload
from manyfest.stores.registry.http import Request, check_place

if TYPE_CHECKING:
    import pycurl

T = TypeVar("T")

TRANSFER_SECONDS = 60.0
"""How long a body may stand still."""

ANSWER_SECONDS = 60.0
"""How long a registry may think about a request."""

COMMIT_SECONDS = 600.0
"""How long it may think about what was uploaded: it hashes it, and some move it elsewhere."""

_LONGEST_WAIT = 1.0
_LONGEST_WAIT_IF_GIVEN_UP = 0.1
"""Seconds between two looks at whether a request that can be given up was."""

_MOST_EARLY_ANSWER = 1024 * 1024


class Transfer:
    """The body of an answer as a :class:`~manyfest.stores.base.Reader`, and its head.

    ``on_end`` gets the line back as soon as the transfer is over, which is when its last byte has
    arrived: not when it is read or closed.
    """

    def __init__(
        self, line: Line, request: Request, network: Network, *, on_end: Callable[[Line], None]
    ) -> None:
        self.head = ResponseHead(where=str(request.origin))
        self.peer = ""
        self._line = line
        self._over = False
        self._request = request
        self._on_end = on_end
        self._upload = Upload(request) if request.body is not None else None
        self._lines: list[bytes] = []
        self._chunks: deque[bytes] = deque()
        self._failure: BaseException | None = None
        self._taken = 0
        self._watch: StallWatch | None = None
        if not line.is_set:
            set_for_origin(line.easy, request.origin, network)
        set_for_request(line.easy, request)
        self._set_callbacks(line.easy)
        # What a plain request has set, the next one sets as well. All else must be taken back.
        line.is_set = is_plain(request)
        line.multi.add_handle(line.easy)

    def start(self) -> None:
        """Send the request; return when the head of the answer is here.

        With a body to send, that is when all of it was sent or refused.
        """
        while self._work() and not self._has_answer():
            self._wait()
        if not self._over:
            self.peer = _peer(self._line.easy)

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes of the answer's body; the empty string at its end."""
        if self._failure is not None:
            raise self._failure
        while not self._chunks and not self._over:
            if self._work() and not self._chunks:
                self._wait()
        return self._take(size) if self._chunks else b""

    def close(self) -> None:
        """End the transfer. A short rest of the answer is taken off the connection first, so that
        the next request can use it."""
        if not self._over:
            if self.head.complete and self._failure is None:
                self._line.multi.perform()
            self._end()
        self._chunks.clear()

    def _has_answer(self) -> bool:
        """Whether the caller can go on: for an upload only once it is over, but an answer that
        comes early and is long must not fill the memory."""
        if self._request.body is None:
            return self.head.complete
        return self.head.complete and sum(map(len, self._chunks)) > _MOST_EARLY_ANSWER

    def _work(self) -> bool:
        """Let libcurl do what it can without waiting; whether there is more to come."""
        _, running = self._line.multi.perform()
        if self._lines:
            self._guarded(self._read_head)
        if self._failure is not None:
            self._end()
            raise self._failure
        if not running:
            self._finish()
        return bool(running)

    def _wait(self) -> None:
        """Until the connection has something to do; at most a second, so that a signal is seen."""
        milliseconds = self._line.multi.timeout()
        longest = self._longest_wait()
        if milliseconds >= 0:
            longest = min(milliseconds / 1000, longest)
        begun = time.monotonic()
        try:
            ready = self._line.multi.select(longest)
        except InterruptedError:
            return
        waited = time.monotonic() - begun
        if ready <= 0 and waited < longest / 2:
            # Nothing to select on: a name is being looked up.
            time.sleep(min(longest, 0.002))
            waited = time.monotonic() - begun
        self._check_stall(waited)

    def _longest_wait(self) -> float:
        """In seconds; raises :class:`ConnectionFailed` if the request was given up."""
        given_up = self._request.given_up
        if given_up is None:
            return _LONGEST_WAIT
        if given_up():
            raise ConnectionFailed("it was given up", where=str(self._request.origin))
        return _LONGEST_WAIT_IF_GIVEN_UP

    def _check_stall(self, waited: float) -> None:
        """Raise :class:`ConnectionFailed` when too little moved in the time that was waited."""
        moved = self._taken + (self._upload.sent if self._upload else 0)
        watch = self._phase_watch()
        if watch.is_stalled(waited=waited, moved=moved):
            raise ConnectionFailed(
                f"nothing moved for {watch.seconds:.0f} seconds", where=str(self._request.origin)
            )

    def _phase_watch(self) -> StallWatch:
        """Sending and receiving must go on; for an answer after an upload there is more time."""
        if self.head.complete or (self._upload and not self._upload.is_sent):
            seconds = TRANSFER_SECONDS
        else:
            seconds = COMMIT_SECONDS if self._upload else ANSWER_SECONDS
        if self._watch is None or self._watch.seconds != seconds:
            self._watch = StallWatch(seconds=seconds)
        return self._watch

    def _finish(self) -> None:
        """The transfer is over: let go of the line, and raise if it failed."""
        _, _, failed = self._line.multi.info_read()
        os_error = self._line.easy.getinfo(self._line.easy.OS_ERRNO) if failed else 0
        self._end()
        for _, number, message in failed:
            self._failure = connection_failure(self._request, number, message, os_error=os_error)
            raise self._failure

    def _end(self) -> None:
        self._over = True
        self.peer = self.peer or _peer(self._line.easy)
        self._line.multi.remove_handle(self._line.easy)
        self._on_end(self._line)
        if self._upload:
            self._upload.close()

    def _take(self, size: int) -> bytes:
        """From the queue: whole pieces while they fit, else a part of the first."""
        parts: list[bytes] = []
        while self._chunks and len(self._chunks[0]) <= size:
            parts.append(self._chunks.popleft())
            size -= len(parts[-1])
        if not parts:
            first = self._chunks.popleft()
            self._chunks.appendleft(first[size:])
            parts.append(first[:size])
        taken = b"".join(parts)
        self._taken += len(taken)
        return taken

    def _set_callbacks(self, easy: pycurl.Curl) -> None:
        easy.setopt(easy.WRITEFUNCTION, self._chunks.append)
        easy.setopt(easy.HEADERFUNCTION, self._lines.append)
        if self._upload is not None:
            easy.setopt(easy.READFUNCTION, partial(self._on_body_wanted, self._upload))
            easy.setopt(easy.SEEKFUNCTION, partial(self._on_start_over, self._upload))
        if self._request.places is not None and not is_proxied(self._request.origin, os.environ):
            easy.setopt(easy.PREREQFUNCTION, self._on_connected)

    def _read_head(self) -> None:
        """Take in the header lines that came since the last time. libcurl stops at 300 KB."""
        for line in self._lines:
            self.head.add(line)
        self._lines.clear()

    def _on_body_wanted(self, upload: Upload, size: int) -> bytes | int:
        import pycurl

        chunk = self._guarded(lambda: upload.read(size))
        return pycurl.READFUNC_ABORT if chunk is None else chunk

    def _on_start_over(self, upload: Upload, offset: int, origin: int) -> int:
        import pycurl

        if offset or origin:
            return int(pycurl.SEEKFUNC_CANTSEEK)
        self._guarded(upload.rewind)
        return int(pycurl.SEEKFUNC_FAIL if self._failure else pycurl.SEEKFUNC_OK)

    def _on_connected(self, address: str, *_: object) -> int:
        import pycurl

        self._guarded(lambda: check_place(self._request, address))
        return int(pycurl.PREREQFUNC_ABORT if self._failure else pycurl.PREREQFUNC_OK)

    def _guarded(self, call: Callable[[], T]) -> T | None:
        """``call()``, or ``None`` if it raises or something did before.

        What a callback raises, pycurl would print and forget. So it is kept, libcurl is told to
        stop, and :meth:`_work` raises it again.
        """
        if self._failure is not None:
            return None
        try:
            return call()
        except BaseException as error:  # noqa: BLE001
            self._failure = error
            return None


def _peer(easy: pycurl.Curl) -> str:
    """The address at the other end; the empty string if that is a proxy or there is none."""
    if easy.getinfo(easy.USED_PROXY):
        return ""
    return str(easy.getinfo(easy.PRIMARY_IP) or "")
