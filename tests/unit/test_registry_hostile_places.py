"""Registries that lead elsewhere: into this machine, into its cloud, to plain http, to whoever
would like to have the credentials."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from manyfest.errors import RegistryError
from manyfest.stores.registry.auth.secret import Credential, Secret
from manyfest.stores.registry.http import LastingFailure, Request, Response
from tests.images import content, make
from tests.quirks import PUBLIC, Between, Send, fields, refused, said


@pytest.fixture
def registry() -> Iterator[Between]:
    between = Between()
    make(between.store(), "image")
    yield between
    between.close()


ELSEWHERE = [
    ("https://127.0.0.1/latest", "a loopback address"),
    ("https://localhost/latest", "a loopback address"),
    ("https://[::1]/latest", "a loopback address"),
    ("https://[::ffff:127.0.0.1]/latest", "a loopback address"),
    ("https://0.0.0.0/latest", "a loopback address"),
    ("https://169.254.169.254/latest/meta-data", "a link-local address"),
    ("https://[fe80::1]/latest", "a link-local address"),
    ("http://storage.example/latest", "from https to plain http"),
    ("http://registry.example/v2/", "from https to plain http"),
    ("file:///etc/passwd", "is not an http or https address"),
    ("gopher://storage.example/", "is not an http or https address"),
    ("https://user:secret@storage.example/", "with a user name in it"),
    ("https://storage.example\\@evil.example/", "characters that no address may have"),
    ("https://" + "a" * 20_000, "too long"),
    ("https://[::1/", "is not an address"),
    ("https://[:1]/", "is not an address"),
    ("https://storage.example:99999/", "is not an address"),
]


@pytest.mark.parametrize(("location", "why"), ELSEWHERE)
@pytest.mark.parametrize("what", ["/manifests/", "/blobs/"])
def test_a_redirect_to_where_it_may_not_lead(
    registry: Between, what: str, location: str, why: str
) -> None:
    def leads(request: Request, send: Send) -> Response:
        return said(307, Location=location) if what in request.url else send(request)

    registry.quirk = leads
    line = refused(registry, RegistryError, LastingFailure)
    assert why in line
    assert "secret" not in line
    assert {request.origin.host for request in registry.requests} <= {PUBLIC, "localhost"}


@pytest.mark.parametrize(("location", "why"), ELSEWHERE)
def test_an_upload_that_leads_to_where_it_may_not(
    registry: Between, location: str, why: str
) -> None:
    def leads(request: Request, send: Send) -> Response:
        response = send(request)
        return fields(response, Location=location) if request.method == "POST" else response

    registry.quirk = leads
    before = len(registry.requests)
    with pytest.raises((RegistryError, LastingFailure), match=re.escape(why)):
        registry.client(host=PUBLIC).put(content(b"layer"))
    assert [request.method for request in registry.requests[before:]] == ["POST"]


class Keys:
    def find(self, host: str, repository: str = "") -> Credential | None:
        return Credential(username="jane", password=Secret("hunter2"), source="test")


class Credulous:
    """Asks for credentials, then leads elsewhere; notes who was sent what."""

    def __init__(self, *, upload: str = "", download: str = "") -> None:
        self.upload = upload
        self.download = download
        self.seen: list[tuple[str, str]] = []

    def __call__(self, request: Request, send: Send) -> Response:
        authorization = request.headers.get("Authorization")
        self.seen.append((request.origin.host, authorization.partition(" ")[0]))
        if request.origin.host != PUBLIC:
            if "again" in request.url:
                return said(401, WWW_Authenticate=f'Basic realm="{PUBLIC}"')
            return Response(200, b"layer") if request.method == "GET" else said(201)
        if not authorization:
            return said(401, WWW_Authenticate='Basic realm="x"')
        if request.method == "POST" and self.upload:
            return said(202, Location=self.upload)
        if request.method == "GET" and self.download:
            return said(307, Location=self.download)
        return send(request)


def test_an_upload_at_another_host_gets_the_bytes_and_no_credentials(registry: Between) -> None:
    """CVE-2026-50151."""
    credulous = Credulous(upload="https://storage.example/upload?sig=1")
    registry.quirk = credulous
    over = registry.everything(Keys())
    registry.client(host=PUBLIC, over=over).put(content(b"layer"))
    assert credulous.seen == [(PUBLIC, ""), (PUBLIC, "Basic"), ("storage.example", "")]


def test_an_upload_at_another_host_gets_no_credentials_even_if_it_asks(registry: Between) -> None:
    """CVE-2026-50151: its login for that host is the user's, and no business of the registry."""
    credulous = Credulous(upload="https://storage.example/again?sig=1")
    registry.quirk = credulous
    client = registry.client(host=PUBLIC, over=registry.everything(Keys()))
    with pytest.raises(RegistryError, match="401"):
        client.put(content(b"layer"))
    client.require_push()
    assert ("storage.example", "") in credulous.seen
    assert ("storage.example", "Basic") not in credulous.seen


def test_a_download_at_another_host_gets_no_credentials_even_if_it_asks(registry: Between) -> None:
    """GHSA-vh4v-2xq2-g5cg."""
    credulous = Credulous(download="https://storage.example/again?sig=1")
    registry.quirk = credulous
    client = registry.client(host=PUBLIC, over=registry.everything(Keys()))
    with pytest.raises(RegistryError, match="401"):
        client.open(content(b"layer").descriptor)
    assert ("storage.example", "Basic") not in credulous.seen


@pytest.mark.parametrize(
    "realm",
    ["https://127.0.0.1/token", "https://169.254.169.254/token", "http://registry.example/token",
     "http://evil.example/token", "https://10.0.0.1/token", "file:///token", ""],
)  # fmt: skip
def test_a_token_service_that_may_not_have_the_password_gets_nothing(
    registry: Between, realm: str
) -> None:
    """CVE-2026-33540, CVE-2026-48978."""
    registry.quirk = lambda request, send: said(
        401, WWW_Authenticate=f'Bearer realm="{realm}",service="x"'
    )
    before = len(registry.requests)
    client = registry.client(host=PUBLIC, over=registry.everything(Keys()))
    with pytest.raises((RegistryError, LastingFailure)) as caught:
        client.resolve("v1")
    assert "hunter2" not in str(caught.value)
    assert [request.origin.host for request in registry.requests[before:]] == [PUBLIC]


def test_redirects_in_a_circle(registry: Between) -> None:
    registry.quirk = lambda request, send: said(307, Location=request.url)
    assert "it redirects more than 5 times" in refused(registry, RegistryError)


@pytest.mark.parametrize(
    "link",
    ["https://evil.example/", "http://registry.example/", "file:///etc/passwd", "//x/", "//[:1]/"],
)
def test_a_list_of_tags_that_goes_on_elsewhere(registry: Between, link: str) -> None:
    registry.quirk = lambda request, send: said(
        200, body=b'{"tags":["v1"]}', Link=f'<{link}>; rel="next"'
    )
    with pytest.raises(RegistryError):
        list(registry.client(host=PUBLIC).tags())
    assert {request.origin.host for request in registry.requests} <= {PUBLIC, "localhost"}
