"""The seam between the registry store and whatever carries its requests.

A transport takes a :class:`Request` and gives a :class:`Response`. The transports of this package
wrap one another, each with one duty; from the outside in::

    AuthTransport        401 becomes a token, and the request goes out again    auth/
    RedirectTransport    follows what may be followed                           redirects.py
    RetryTransport       waits and repeats                                      retry.py
    LimitedTransport     so many at a time to one host                          admission.py
    CurlTransport        the network                                            curl/

:class:`FunctionTransport` stands in for the network in tests.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from functools import cached_property, lru_cache
from typing import Protocol, Self
from urllib.parse import urljoin, urlsplit

from msgspec import Struct, field

from manyfest.errors import ConnectionFailed, RegistryError
from manyfest.stores.base import Reader
from manyfest.stores.registry.addresses import Place, place_of
from manyfest.stores.registry.headers import Headers

LARGEST_SMALL = 1024 * 1024
"""Bytes of content up to which a transfer is no ``bulk``: manifests, configurations."""

_DEFAULT_PORTS = {"http": 80, "https": 443}
_LONGEST_URL = 16 * 1024
_USABLE, _IN_FRONT = r"[!-\[\]-~]", r"[!\"$-.0->@-\[\]-~]"
_ADDRESS = re.compile(rf"((?:{_IN_FRONT}*//)?{_IN_FRONT}*){_USABLE}*")
"""Printable ASCII without blanks and backslashes; first all that comes before the path."""


class LastingFailure(ConnectionFailed):
    """No connection, for a reason that does not pass: a certificate, a forbidden address."""


class AnswersPlainHttp(LastingFailure):
    """A registry that was spoken to by https answers without TLS."""


class Unreachable(ConnectionFailed):
    """Nobody is there: no such host, or nothing listens. It may be starting, so it is tried again,
    but not for long."""


class Origin(Struct, frozen=True):
    """Scheme, host and port: who a request is sent to, and whom credentials belong to."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Origin:
        """The origin of an address; raises :class:`RegistryError` if it is not one to connect to.

        User names in addresses are refused: they are a way to make one host look like another.
        """
        found = _ADDRESS.fullmatch(url)
        if len(url) > _LONGEST_URL or found is None:
            raise RegistryError(
                "the address has characters that no address may have, or is too long"
            )
        try:
            return _origin_of_front(found[1])
        except ValueError as error:
            raise RegistryError(f"{show_url(url)!r} {error}") from None

    def __str__(self) -> str:
        """``HOST`` or ``HOST:PORT``, as it stands in a reference."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


@lru_cache(maxsize=256)
def _origin_of_front(front: str) -> Origin:
    """The origin in an address's scheme and authority. Raises ``ValueError`` that says what they
    are not."""
    try:
        parts = urlsplit(front)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"is not an address: {error}") from None
    if parts.scheme not in _DEFAULT_PORTS or not host:
        raise ValueError("is not an http or https address")
    if "@" in parts.netloc:
        raise RegistryError("an address with a user name in it is not trusted", where=host)
    return Origin(parts.scheme, host, _DEFAULT_PORTS[parts.scheme] if port is None else port)


class Body(Struct, frozen=True):
    """Content to send that can be opened again, for a second attempt.

    ``size`` is in bytes; ``None`` if it is not known, which makes a chunked transfer.
    """

    size: int | None
    open: Callable[[], Reader]


class Request(Struct, frozen=True, kw_only=True, dict=True):
    """One request. It says what it needs; the transports arrange for it.

    - ``repeatable``: may be sent again after a failure that leaves unclear what arrived. ``False``
      for what adds to an upload (PATCH, and the PUT of a blob into its session): the caller asks
      the registry how far it came, or begins a new upload.
    - ``before_repeat``: called after the pause, just before it is sent again. What it raises ends
      the request: a tag may have been set by somebody else meanwhile.
    - ``scopes``: what the token must allow, such as ``repository:library/alpine:pull``
      (Docker Registry v2 token authentication); two for a mount.
    - ``follow``: whether redirects are followed.
    - ``places``: the kinds of address it may connect to; ``None`` for what the user named.
    - ``urgent``: others wait for this one, so it does not queue behind them.
    - ``bulk``: it moves much content and may take long, so it queues with its like only.
    - ``spare``: it goes if there is a place for it at once, or not at all
      (:class:`~manyfest.stores.registry.admission.NoPlace`).
    - ``given_up``: asked now and then while waiting; once it says yes, the request ends with
      :class:`ConnectionFailed`. It is how another thread ends a request.
    """

    method: str
    url: str
    headers: Headers = field(default_factory=Headers)
    body: bytes | Body | None = None
    repeatable: bool = True
    before_repeat: Callable[[], None] | None = None
    scopes: tuple[str, ...] = ()
    follow: bool = True
    places: frozenset[Place] | None = None
    urgent: bool = False
    bulk: bool = False
    spare: bool = False
    given_up: Callable[[], bool] | None = None

    @cached_property
    def origin(self) -> Origin:
        """Raises :class:`RegistryError` if ``url`` is not one to connect to."""
        return Origin.of(self.url)

    def __repr__(self) -> str:
        return f"<Request {self.method} {show_url(self.url)}>"


class Response:
    """An answer whose body is read as it comes. It must be closed; ``with`` does that.

    ``url`` is where it came from, after redirects. ``peer`` is the IP address that answered, or
    the empty string if that is not known, as it is behind a proxy.
    """

    def __init__(
        self,
        status: int,
        body: bytes | Reader = b"",
        *,
        headers: Headers | None = None,
        url: str = "",
        peer: str = "",
    ) -> None:
        self.status = status
        self.headers = headers or Headers()
        self.url = url
        self.peer = peer
        self.reader: Reader = BytesReader(body) if isinstance(body, bytes) else body

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes of the body; the empty string at its end.

        Raises :class:`ConnectionFailed` if the answer breaks off.
        """
        return self.reader.read(size)

    def read_all(self, limit: int, *, seconds: float = 300.0) -> bytes:
        """The whole body, and the answer is closed.

        Raises :class:`RegistryError` beyond ``limit`` bytes, and :class:`ConnectionFailed` if it
        takes longer than ``seconds``.
        """
        deadline = time.monotonic() + seconds
        parts: list[bytes] = []
        left = limit
        with self:
            while chunk := self.read(min(left + 1, 1024 * 1024)):
                parts.append(chunk)
                left -= len(chunk)
                if left < 0:
                    raise RegistryError(
                        f"the answer is longer than {limit} bytes",
                        where=show_host(self.url),
                        status=self.status,
                    )
                if time.monotonic() > deadline:
                    raise ConnectionFailed(
                        f"the answer took longer than {seconds:.0f} seconds",
                        where=show_host(self.url),
                    )
        return b"".join(parts)

    def close(self) -> None:
        """Let go of the connection. Harmless when repeated."""
        self.reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Response {self.status} {show_url(self.url)}>"


class Transport(Protocol):
    """Something that carries requests. Every transport may be used by many threads at once."""

    def send(self, request: Request) -> Response:
        """The answer, once its headers are here, whatever its status.

        Raises :class:`ConnectionFailed` if there is none. What the request's own body raises
        while it is read comes out unchanged.
        """
        ...

    def close(self) -> None: ...


class FunctionTransport:
    """A transport that asks a function instead of a network, and keeps what it was asked."""

    def __init__(self, handler: Callable[[Request], Response]) -> None:
        self._handler = handler
        self.requests: list[Request] = []

    def send(self, request: Request) -> Response:
        self.requests.append(request)
        response = self._handler(request)
        response.url = response.url or request.url
        return response

    def close(self) -> None:
        """Nothing is open."""


def check_place(request: Request, address: str) -> None:
    """Raise :class:`LastingFailure` if the request may not go to ``address``, an IP address or a
    host name, for where it lies."""
    place = place_of(address)
    if request.places is None or place is None or place in request.places:
        return
    raise LastingFailure(
        f"the registry sends to {address}, a {place.value} address, where it may not send to",
        where=str(request.origin),
        mend="if it is your own registry, reach it under an address of the same network",
    )


def place_of_answer(response: Response) -> Place:
    """Where the one that answered lies. What is behind a proxy counts as public, unless its name
    says otherwise."""
    return place_of(response.peer) or place_of(Origin.of(response.url).host) or Place.PUBLIC


class BytesReader:
    """A :class:`Reader` of bytes in memory."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def read(self, size: int, /) -> bytes:
        chunk = self._content[self._at : self._at + size]
        self._at += len(chunk)
        return chunk

    def close(self) -> None:
        self._content = b""


def join_url(url: str, reference: str) -> str:
    """The address that a reference in an answer from ``url`` means, whether relative or whole
    (RFC 3986, section 5). Raises :class:`RegistryError` if it means none."""
    try:
        return urljoin(url, reference)
    except ValueError as error:
        raise RegistryError(f"{show_url(reference)!r} is not an address: {error}") from None


def show_url(url: str) -> str:
    """An address fit to be shown: no query, which may be signed, no user name, no control
    characters, and not too long."""
    bare = url.partition("?")[0].partition("#")[0]
    scheme, sep, rest = bare.partition("://")
    authority, slash, path = rest.partition("/")
    shown = f"{scheme}{sep}{authority.rpartition('@')[2]}{slash}{path}" if sep else bare
    return "".join(c if c.isprintable() and c.isascii() else "?" for c in shown[:200])


def show_host(url: str) -> str:
    """The host of an address, for a message; whatever can be shown if it has none."""
    try:
        return str(Origin.of(url))
    except RegistryError:
        return show_url(url)
