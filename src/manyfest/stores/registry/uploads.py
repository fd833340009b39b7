"""How a blob gets into a registry (OCI distribution specification, "Pushing Blobs").

One POST begins an upload, one PUT carries the bytes. A registry, or what stands before it, that
refuses so large a body gets it in chunks. When an upload breaks off, the registry is asked how far
it came, and gets the rest in chunks; what a chunk's own answer says of that is not trusted, since
some registries are behind with it. A registry that cannot tell gets a new upload.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from urllib.parse import urlencode

from manyfest.errors import (
    AccessDenied,
    ConnectionFailed,
    DigestMismatch,
    ManyfestError,
    NotFound,
    RegistryError,
)
from manyfest.oci.descriptor import Descriptor
from manyfest.stores.base import Content
from manyfest.stores.registry.answers import expect, no_such_repository
from manyfest.stores.registry.chunks import Chunks
from manyfest.stores.registry.http import Body, Request, Response
from manyfest.stores.registry.retry import RetryPolicy, retry_delay
from manyfest.stores.registry.upload_sessions import Session, received, session_request

ATTEMPTS = 3
"""Failures of one upload before giving up; a failure after :data:`PROGRESS` is the first again."""

PROGRESS = 1024 * 1024
"""Bytes more that the registry must have got."""

CHUNK_BYTES = 64 * 1024 * 1024
"""Bytes of one chunk: under the 100 MiB that some front ends allow a request. Where that is too
much as well, a quarter of it is tried, and so on down to 1 MiB."""

_SMALLER = (1, 4, 16, 64)
_CREATED = frozenset({201, 204})
_ACCEPTED = frozenset({201, 202, 204})
"""Of a chunk. The specification says 202; ECR says 201."""

_LOST = 404
_OUT_OF_STEP = 416
_TOO_LARGE = 413
_MAYBE_THERE = frozenset({400, 404, 409, 416})
"""What registries answer to the slower of two that upload the same blob."""

_POLICY = RetryPolicy(attempts=ATTEMPTS)

Send = Callable[[Request], Response]


class Uploader:
    """Uploads to one repository, ``where``, whose uploads begin at ``url``.

    ``has`` says whether a blob is in the repository. It may be used by many threads at once; what
    it learns of the registry's limits holds for all of them.
    """

    def __init__(
        self,
        send: Send,
        url: str,
        *,
        scopes: tuple[str, ...],
        where: str,
        has: Callable[[Descriptor], bool],
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.send = send
        self.where = where
        self.sleep = sleep
        self.jitter = jitter
        self.largest_body: int | None = None
        self._start = Session(url, scopes)
        self._has = has
        self._closed: set[str] = set()
        self._lock = threading.Lock()

    def mount(self, descriptor: Descriptor, repository: str, scope: str) -> Session | bool:
        """Take the blob over from ``repository`` of the same registry.

        ``True`` if that worked; else the upload that the registry began instead, or ``False`` if
        it began none. A repository that was denied is not asked for again.
        """
        if repository in self._closed:
            return False
        query = urlencode({"mount": str(descriptor.digest), "from": repository}, safe=":/")
        scopes = (*self._start.scopes, scope)
        request = session_request("POST", Session(f"{self._start.url}?{query}", scopes))
        try:
            with self.send(request) as response:
                if response.status == 201:
                    return True
                if response.status == 202:
                    return self._start.next(request, response, where=self.where)
                denied = response.status in (401, 403)
        except AccessDenied:
            denied = True
        if denied:
            self._closed.add(repository)
        # The bytes are sent after all. Docker Hub answers 400 to what it cannot mount.
        return False

    def upload(self, content: Content, session: Session | None = None) -> None:
        """Send the blob; ``session`` is an upload that was begun already.

        Raises :class:`~manyfest.errors.DigestMismatch` if the registry got other bytes.
        """
        _Upload(self, content, session).run()

    def cancel(self, session: Session) -> None:
        """Tell the registry that an upload will not go on."""
        self.send(session_request("DELETE", session)).close()

    def begin(self) -> Session:
        """A new upload.

        Raises :class:`~manyfest.errors.RegistryError`, for a repository that is not there too.
        """
        request = session_request("POST", self._start)
        response = self.send(request)
        if response.status == _LOST:
            response.close()
            raise no_such_repository(response.status, where=self.where)
        with expect(response, 202, doing="an upload", where=self.where):
            return self._start.next(request, response, where=self.where)

    def shrink(self, refused: int, least: int) -> bool:
        """Send smaller bodies from now on than one of ``refused`` bytes, but not chunks of fewer
        than ``least``; ``False`` if there is nothing to try."""
        with self._lock:
            if self.largest_body is not None and max(self.largest_body, least) < refused:
                return True  # another upload was refused first
            sizes = (CHUNK_BYTES // divisor for divisor in _SMALLER)
            smaller = next((size for size in sizes if size and least <= size < refused), None)
            self.largest_body = smaller or self.largest_body
            return smaller is not None

    def is_there(self, descriptor: Descriptor) -> bool:
        """Whether the blob got there all the same. Where that cannot be told, it is sent again."""
        with suppress(ManyfestError):
            return self._has(descriptor)
        return False


class _Upload:
    """One blob on its way.

    ``_sent`` is how much of it the registry is known to have, ``_most`` the most that it ever had
    when something failed, ``_body_size`` how much went into the last request.
    """

    def __init__(self, uploader: Uploader, content: Content, session: Session | None) -> None:
        self._uploader = uploader
        self._content = content
        self._descriptor = content.descriptor
        self._session = session
        self._sent = 0
        self._most = 0
        self._body_size = 0
        self._is_resumed = False
        self._can_resume = True

    def run(self) -> None:
        """Send it, whatever it takes within :data:`ATTEMPTS`."""
        attempt = 1
        while True:
            outcome = self._try()
            if isinstance(outcome, Response) and outcome.status in _CREATED:
                outcome.close()
                return
            delay = self._delay(attempt, outcome)
            if delay is None:
                break
            if isinstance(outcome, Response):
                outcome.close()
            self._uploader.sleep(delay)
            if self._is_done_after(outcome):
                return
            attempt = 1 if self._has_progressed() else attempt + 1
        self._fail(outcome)

    def _try(self) -> Response | ConnectionFailed:
        """Send what is not there yet, in smaller pieces each time that one is too large."""
        while True:
            session = self._session or self._begin()
            try:
                response = self._send(session)
            except ConnectionFailed as error:
                return error
            if response.status != _TOO_LARGE or not self._uploader.shrink(
                self._body_size, session.smallest_chunk
            ):
                return response
            response.close()
            self._forget()

    def _begin(self) -> Session:
        self._session = self._uploader.begin()
        return self._session

    def _forget(self) -> None:
        """Begin a new upload next."""
        self._session = None
        self._sent = 0
        self._is_resumed = False

    def _send(self, session: Session) -> Response:
        largest = self._uploader.largest_body
        if not self._sent and (largest is None or self._descriptor.size <= largest):
            self._body_size = self._descriptor.size
            body = Body(self._body_size, self._content.open)
            return self._uploader.send(
                session_request("PUT", session.closing(self._descriptor.digest), body=body)
            )
        return self._send_in_chunks(session, max(largest or CHUNK_BYTES, session.smallest_chunk))

    def _send_in_chunks(self, session: Session, largest: int) -> Response:
        """The answer that ends the upload, or the first that refuses a chunk."""
        size = self._descriptor.size
        with closing(Chunks(self._content)) as chunks:
            while self._sent < size:
                length = self._body_size = min(largest, size - self._sent)
                fields = (("Content-Range", f"{self._sent}-{self._sent + length - 1}"),)
                body = chunks.body(self._sent, length)
                request = session_request("PATCH", session, fields, body=body)
                answer = self._uploader.send(request)
                if answer.status not in _ACCEPTED:
                    return answer
                with answer:
                    session = session.next(request, answer, where=self._uploader.where)
                self._session = session
                self._sent += length
        self._body_size = 0
        return self._uploader.send(session_request("PUT", session.closing(self._descriptor.digest)))

    def _delay(self, attempt: int, outcome: Response | ConnectionFailed) -> float | None:
        """Seconds until the upload goes on, or ``None`` to leave it at ``outcome``."""
        if isinstance(outcome, Response) and self._is_worth_a_new_one(outcome.status):
            outcome = ConnectionFailed("the upload was forgotten")
        return retry_delay(
            attempt, outcome, now=time.time(), jitter=self._uploader.jitter(), policy=_POLICY
        )

    def _is_worth_a_new_one(self, status: int) -> bool:
        """Whether a new upload may succeed where this one did not: the registry forgot it, in a
        restart or because another of its machines answered, or it will not go on with it."""
        if status in (_LOST, _OUT_OF_STEP):
            return True
        return self._is_resumed and status not in (401, 403, 429) and status < 500

    def _is_done_after(self, outcome: Response | ConnectionFailed) -> bool:
        """Find out how far a failed upload came; whether it is all there after all."""
        if isinstance(outcome, Response) and self._is_worth_a_new_one(outcome.status):
            self._can_resume = self._can_resume and not self._is_resumed
            sent = None
        else:
            try:
                sent = self._ask()
            except ConnectionFailed:
                self._forget()  # no more questions: a new upload will tell whether anybody is there
                return False
        if sent is None:
            self._forget()
            return self._uploader.is_there(self._descriptor)
        self._sent, self._is_resumed = sent, True
        return False

    def _ask(self) -> int | None:
        """How many bytes the registry has, and where it wants the rest; ``None`` if it cannot
        tell."""
        session = self._session
        if session is None or not self._can_resume:
            return None
        request = session_request("GET", session, body=None)
        with self._uploader.send(request) as response:
            sent = received(response)
            if sent is None or sent > self._descriptor.size:
                return None
            if response.headers.get("Location"):
                self._session = session.next(request, response, where=self._uploader.where)
            return sent

    def _has_progressed(self) -> bool:
        """Whether the registry has so much more than ever before that failures count anew."""
        if self._sent - self._most < PROGRESS:
            return False
        self._most = self._sent
        return True

    def _fail(self, outcome: Response | ConnectionFailed) -> None:
        """Raise the error, unless another upload of the same blob was faster."""
        if isinstance(outcome, ConnectionFailed):
            raise outcome
        doing, where = f"the upload of {self._descriptor.digest}", self._uploader.where
        try:
            expect(outcome, *_CREATED, doing=doing, where=where).close()
        except ManyfestError as error:
            is_mixed_up = isinstance(error, DigestMismatch)
            may_be_there = outcome.status in _MAYBE_THERE and not is_mixed_up
            if may_be_there and self._uploader.is_there(self._descriptor):
                return
            if isinstance(error, NotFound) or (is_mixed_up and self._is_resumed):
                # Neither is said of the blob: it is the upload that is gone, or mixed up.
                raise RegistryError(
                    f"the registry lost {doing} each time", where=where, status=outcome.status
                ) from None
            raise
