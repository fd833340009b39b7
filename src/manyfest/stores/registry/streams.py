"""One stream of a blob's bytes that goes on where it broke off."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from msgspec import Struct

from manyfest.errors import ConnectionFailed
from manyfest.stores.registry.http import Response
from manyfest.stores.registry.ranges import Blob, takes_ranges
from manyfest.stores.registry.retry import DEFAULT_POLICY, RetryPolicy, retry_delay

PROGRESS = 1024 * 1024
"""Bytes after which a failure counts as the first one again."""


class Patience(Struct, frozen=True, kw_only=True):
    """How failures are waited out."""

    policy: RetryPolicy = DEFAULT_POLICY
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random


class BlobStream:
    """A blob read over one connection at a time, in the thread that reads.

    When the answer breaks off, the rest is asked for; redirects are followed anew then, because
    signed addresses expire. A failure counts as the first again after each :data:`PROGRESS`.
    """

    def __init__(self, blob: Blob, patience: Patience) -> None:
        self._blob = blob
        self._patience = patience
        self._response: Response | None = None
        self._at = 0
        self._end: int | None = None
        self._reach: int | None = None
        self._to_pass_over = 0
        self._failures = 0
        self._failed_at = 0
        self.takes_ranges = False

    def open(self) -> None:
        """Ask for the whole. Raises :class:`~manyfest.errors.NotFound` if there is no such blob."""
        self._take(self._blob.whole(), 0)

    def move(self, start: int, end: int | None = None) -> None:
        """Go on at ``start`` with the next read, and to ``end``, if what follows is read otherwise.

        The answer that is being read is kept if it leads there.
        """
        reaches = self._reach is None or (end is not None and end <= self._reach)
        if start != self._at or not reaches:
            self.close()
        self._at, self._end = start, end

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes; the empty string at the end of what the registry has.

        Raises :class:`ConnectionFailed` when it breaks off too often, and
        :class:`~manyfest.errors.RegistryError` when it cannot be gone on with.
        """
        size = size if self._end is None else min(size, self._end - self._at)
        if self._response is None and self._at >= self._blob.size:
            return b""
        while size:
            response = self._response or self._go_on()
            try:
                chunk = self._next(response, size)
            except ConnectionFailed as failure:
                if self._at >= self._blob.size:
                    return b""  # nothing was missing any more
                self._wait_after(failure)
                continue
            if chunk or self._is_at_end(response):
                self._at += len(chunk)
                return chunk
            self._wait_after(ConnectionFailed("the answer ended too early", where=self._blob.where))
        return b""

    def close(self) -> None:
        """Let go of the connection."""
        if self._response is not None:
            self._response.close()
            self._response = None

    def _go_on(self) -> Response:
        """Ask for what was not read yet. Repeating the request is the transport's business."""
        return self._take(*self._blob.rest(self._at, self._end))

    def _take(self, response: Response, to_pass_over: int) -> Response:
        self._response = response
        self._to_pass_over = to_pass_over
        self._reach = None if response.status == 200 else self._end
        self.takes_ranges = takes_ranges(response)
        return response

    def _next(self, response: Response, size: int) -> bytes:
        """The next bytes of the answer, behind those that were read from an earlier one."""
        while self._to_pass_over:
            passed = response.read(min(self._to_pass_over, PROGRESS))
            if not passed:
                return b""
            self._to_pass_over -= len(passed)
        return response.read(size)

    def _is_at_end(self, response: Response) -> bool:
        """Whether the answer was all there is: of the size promised, or of one that the registry
        says it has. That it is the right size is for the reader to check."""
        if self._at >= self._blob.size:
            return True
        is_all = self._to_pass_over > 0 or "Content-Length" in response.headers
        return response.status == 200 and is_all

    def _wait_after(self, failure: ConnectionFailed) -> None:
        """Raise the failure, or return when it is time to go on."""
        self.close()
        if self._at - self._failed_at >= PROGRESS:
            self._failures = 0
        self._failures += 1
        self._failed_at = self._at
        delay = retry_delay(
            self._failures,
            failure,
            now=time.time(),
            jitter=self._patience.jitter(),
            policy=self._patience.policy,
        )
        if delay is None:
            raise failure
        self._patience.sleep(delay)
