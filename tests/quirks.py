"""A real registry, in this process, with somebody in between who makes it behave oddly."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from manyfest.copy import copy
from manyfest.errors import ManyfestError
from manyfest.oci.digest import Digest
from manyfest.oci.reference import Name
from manyfest.serve.app import Registry
from manyfest.serve.local import AppTransport
from manyfest.stores.memory import MemoryStore
from manyfest.stores.registry.auth.credentials import Credentials
from manyfest.stores.registry.client import registry_transport
from manyfest.stores.registry.headers import Headers
from manyfest.stores.registry.http import Request, Response, Transport
from manyfest.stores.registry.manifest_cache import ManifestCache
from manyfest.stores.registry.store import RegistryStore

PUBLIC = "registry.example"
"""A registry on the internet, as far as the client can tell."""

Send = Callable[[Request], Response]
Quirk = Callable[[Request, Send], Response]
"""Answers a request in the registry's place, or has it ``send`` one."""

HOST = "localhost:5000"
"""Where the registry is, unless a test says otherwise. On loopback it is spoken to by http."""


def behaved(request: Request, send: Send) -> Response:
    """A registry without any quirk."""
    return send(request)


def without_api(request: Request, send: Send) -> Response:
    """A registry from before version 1.1 of the specification: it knows of no referrers."""
    if "/referrers/" in request.url:
        return said(404)
    return fields(send(request), OCI_Subject="")


class Between:
    """A transport to a registry, by way of a quirk, which may be changed on the way."""

    def __init__(self, quirk: Quirk = behaved) -> None:
        self.quirk = quirk
        self.requests: list[Request] = []
        self.pauses: list[float] = []
        self._folder = tempfile.TemporaryDirectory(prefix="manyfest-test-")
        self._app = AppTransport(Registry(Path(self._folder.name)))

    def send(self, request: Request) -> Response:
        self.requests.append(request)
        response = self.quirk(request, self._app.send)
        response.url = response.url or request.url
        return response

    def close(self) -> None:
        self._folder.cleanup()

    def store(
        self,
        name: str = "team/app",
        *,
        cache: ManifestCache | None = None,
        sleep: Callable[[float], None] = lambda _: None,
    ) -> RegistryStore:
        """A repository of the registry, through a store of its own."""
        parsed = Name.parse(f"{HOST}/{name}")
        return RegistryStore(parsed, self, scheme="http", cache=cache, sleep=sleep)

    def everything(self, credentials: Credentials | None = None) -> Transport:
        """What the command line sends its requests through, but for the network. Its pauses are
        kept and not waited."""
        return registry_transport(self, credentials, sleep=self.pauses.append)

    def client(
        self, name: str = "team/app", *, host: str = HOST, over: Transport | None = None
    ) -> RegistryStore:
        """A repository as the command line sees it, at a ``host`` that the requests only name."""
        parsed = Name.parse(f"{host}/{name}")
        scheme = "http" if host == HOST else "https"
        transport = over or self.everything()
        return RegistryStore(parsed, transport, scheme=scheme, sleep=self.pauses.append)

    def asked(self) -> list[str]:
        """What was asked since the last time: method and path, without what all begin with."""
        lines = [
            f"{each.method} {each.url.removeprefix(f'http://{HOST}/v2/team/app/')}"
            for each in self.requests
        ]
        self.requests.clear()
        return lines


def fields(response: Response, **changed: str) -> Response:
    """The answer with some of its header fields changed; the empty string leaves one out."""
    headers = response.headers
    for name, value in changed.items():
        field = name.replace("_", "-")
        headers = headers.replaced(field, value) if value else headers.without(field)
    response.headers = headers
    return response


def said(status: int, code: str = "", body: bytes = b"", **named: str) -> Response:
    """An answer of the registry's own, with an error ``code`` if there is one."""
    raw = b'{"errors":[{"code":"%s"}]}' % code.encode() if code else body
    return Response(
        status, raw, headers=Headers({n.replace("_", "-"): v for n, v in named.items()})
    )


def refused(registry: Between, *errors: type[ManyfestError]) -> str:
    """The one line that a copy out of a public registry ends with, after a bounded number of
    requests; the target is as it was but for content that is what its digest says."""
    target = MemoryStore()
    before = len(registry.requests)
    with pytest.raises(errors) as caught:
        copy(registry.client(host=PUBLIC), "v1", target, ["v1"])
    line = str(caught.value)
    assert target.names == {}
    assert all(Digest.of(raw) == digest for digest, raw in target.blobs.items())
    assert len(registry.requests) - before < 50
    assert "\n" not in line
    assert len(line) < 600
    return line
