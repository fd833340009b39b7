"""Repositories in registries, all through one transport, each with the right scheme."""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from manyfest.errors import AccessDenied, ConnectionFailed, ManyfestError, RegistryError
from manyfest.oci.reference import Name
from manyfest.stores.cache_folder import cache_folder
from manyfest.stores.registry.addresses import Place, place_of
from manyfest.stores.registry.auth.credentials import Credentials, default_credential_store
from manyfest.stores.registry.catalogue import read_catalogue
from manyfest.stores.registry.client import registry_transport
from manyfest.stores.registry.curl.transport import CurlTransport
from manyfest.stores.registry.http import (
    AnswersPlainHttp,
    Request,
    Response,
    Transport,
    Unreachable,
    show_url,
)
from manyfest.stores.registry.manifest_cache import ManifestCache
from manyfest.stores.registry.pacing import HeedingTransport, Pacing
from manyfest.stores.registry.repository import address_of
from manyfest.stores.registry.retry import DEFAULT_POLICY, RetryPolicy
from manyfest.stores.registry.store import RegistryStore


class Registries:
    """Gives out repositories; see :class:`~manyfest.stores.open.Stores` for the parameters.
    ``policy`` says how often something is tried; unless it is ``caching``, no manifest is kept.
    ``around`` may put something around the network that sees each request, repeated ones too.

    A registry is spoken to by https. One that ``plain_http`` names is spoken to by http. One on
    this machine is asked which it speaks, the first time it is used.
    """

    def __init__(  # noqa: PLR0913 - each is named where it is given
        self,
        *,
        plain_http: tuple[str, ...] = (),
        ca_file: Path | None = None,
        log: Callable[[str], None] | None = None,
        warn: Callable[[str], None] | None = None,
        pacing: Pacing | None = None,
        credentials: Credentials | None = None,
        policy: RetryPolicy = DEFAULT_POLICY,
        caching: bool = True,
        around: Callable[[Transport], Transport] | None = None,
    ) -> None:
        self._schemes = dict.fromkeys(plain_http, "http")
        self._lock = threading.Lock()
        self._asking: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._ca_file = str(ca_file) if ca_file else ""
        network: Transport = CurlTransport(ca_file=self._ca_file)
        carrier = registry_transport(
            around(network) if around else network,
            credentials or default_credential_store(os.environ, Path.home()),
            plain_http=frozenset(plain_http),
            policy=policy,
            on_wait=_told(warn) if warn else None,
        )
        kept = cache_folder(os.environ, Path.home()) if caching else None
        self._cache = ManifestCache(kept / "manifests") if kept else None
        if pacing is not None:
            carrier = HeedingTransport(carrier, pacing)
        self._transport: Transport = _Logged(carrier, log) if log else carrier

    def repository(self, name: Name, *, writing: bool = False, hint: str = "") -> RegistryStore:
        """The repository that ``name`` lies in; ``writing`` says what it is wanted for, ``hint``
        what to tell who looks for a name there in vain."""
        scheme = self._scheme(name.registry)
        return RegistryStore(
            name, self._transport, scheme=scheme, writing=writing, cache=self._cache, hint=hint
        )

    def repositories(self, registry: str) -> Iterator[str]:
        """The names of all repositories of ``registry``, as far as the credentials reach.

        Raises :class:`~manyfest.errors.Unsupported` if it gives no such list.
        """
        address = address_of(registry, self._scheme(registry))
        return read_catalogue(self._transport.send, address, registry)

    def ping(self, registry: str) -> Response:
        """The registry's answer to a look at its root, with our credentials."""
        address = address_of(registry, self._scheme(registry))
        return self._transport.send(Request(method="GET", url=f"{address}/v2/"))

    def require_registry(self, registry: str) -> None:
        """Raises :class:`~manyfest.errors.RegistryError` if what answers there is none."""
        try:
            with self.ping(registry) as answer:
                status = answer.status
        except AccessDenied as error:
            status = error.status  # one that lets nobody in
        if status == 404:
            raise RegistryError(
                "what answers there is no registry: it knows nothing of /v2/ (404)",
                where=registry,
                mend="check the name of the host",
                status=status,
            )

    def close(self) -> None:
        """End all connections."""
        self._transport.close()

    def _scheme(self, registry: str) -> str:
        with self._lock:
            asking = self._asking[registry]
        with asking:  # one thread asks, and nobody waits for another registry
            if registry not in self._schemes:
                local = place_of(host_of(registry)) is Place.LOOPBACK
                self._schemes[registry] = self._spoken_by(registry) if local else "https"
            return self._schemes[registry]

    def _spoken_by(self, registry: str) -> str:
        """``http`` if the registry on this machine answers so, else ``https``. Nobody there: then
        the first request will say so."""
        probe = Request(method="GET", url=f"https://{registry}/v2/")
        with closing(CurlTransport(ca_file=self._ca_file)) as transport:
            try:
                transport.send(probe).close()
            except (AnswersPlainHttp, Unreachable):
                return "http"
            except ConnectionFailed:
                return "https"
        return "https"


def host_of(registry: str) -> str:
    """``HOST`` of ``HOST:PORT``; an IPv6 address without its brackets."""
    if registry.startswith("["):
        return registry[1 : registry.index("]")]
    return registry.partition(":")[0]


def _told(
    warn: Callable[[str], None],
) -> Callable[[Request, Response | ConnectionFailed, float], None]:
    """Tells why requests are sent again after a pause: each reason once for each registry, since
    requests that go out together meet the same trouble."""
    told: set[str] = set()

    def on_wait(request: Request, outcome: Response | ConnectionFailed, delay: float) -> None:
        why = f"answers {outcome.status}" if isinstance(outcome, Response) else outcome.what
        reason = f"{request.origin}: {why}"
        if reason not in told:
            told.add(reason)
            warn(f"{reason}; trying again, first in {delay:.1f} s")

    return on_wait


class _Logged:
    """Tells of each request and how it went: no header, no query, so no secret."""

    def __init__(self, inner: Transport, log: Callable[[str], None]) -> None:
        self._inner = inner
        self._log = log

    def send(self, request: Request) -> Response:
        line = f"{request.method} {show_url(request.url)}"
        try:
            response = self._inner.send(request)
        except ManyfestError as error:
            self._log(f"{line} failed: {error}")
            raise
        self._log(f"{line} {response.status}")
        return response

    def close(self) -> None:
        self._inner.close()
