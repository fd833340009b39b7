"""What registries do to uploads and downloads that a client must put up with; see
``test_registry_quirks.py``."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

import pytest

import manyfest.stores.registry.uploads
from manyfest.errors import ConnectionFailed
from manyfest.stores.base import Content, read_all
from manyfest.stores.registry.http import Body, Request, Response
from manyfest.stores.registry.store import RegistryStore
from manyfest.stores.registry.uploads import CHUNK_BYTES
from tests.images import content
from tests.quirks import HOST, Between, Send, fields, said

MIB = 1024 * 1024
DATA = hashlib.shake_256(b"layer").digest(10_000)


@pytest.fixture
def registry() -> Iterator[Between]:
    between = Between()
    yield between
    between.close()


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manyfest.stores.registry.uploads, "CHUNK_BYTES", 4000)


def sent(registry: Between) -> list[str]:
    """The methods of the requests, in order, as one looks at an upload."""
    return [line.partition(" ")[0] for line in registry.asked()]


def arrived(client: RegistryStore, blob: Content) -> bool:
    """Whether the registry has the blob, and its own bytes in it."""
    return read_all(client, blob.descriptor) == DATA


# Amazon ECR


@pytest.mark.usefixtures("small_chunks")
def test_ecr_is_behind_with_the_range_that_it_answers_a_chunk_with(registry: Between) -> None:
    def behind(request: Request, send: Send) -> Response:
        response = send(request)
        return fields(response, Range="0-0") if request.method == "PATCH" else response

    registry.quirk = behind
    client = registry.client()
    client._uploader.largest_body = 4000
    client.put(content(DATA))
    assert sent(registry) == ["POST", "PATCH", "PATCH", "PATCH", "PUT"]
    assert arrived(client, content(DATA))


@pytest.mark.usefixtures("small_chunks")
def test_ecr_answers_a_chunk_with_201(registry: Between) -> None:
    def created(request: Request, send: Send) -> Response:
        response = send(request)
        if request.method == "PATCH" and response.status == 202:
            response.status = 201
        return response

    registry.quirk = created
    client = registry.client()
    client._uploader.largest_body = 4000
    client.put(content(DATA))
    assert arrived(client, content(DATA))


# Google Artifact Registry


def test_google_artifact_registry_takes_no_chunks_and_is_sent_none(registry: Between) -> None:
    def no_chunks(request: Request, send: Send) -> Response:
        return said(404) if request.method == "PATCH" else send(request)

    registry.quirk = no_chunks
    client = registry.client()
    client.put(content(DATA))
    assert sent(registry) == ["POST", "PUT"]


@pytest.mark.parametrize("refusal", [404, 405, 400, 416])
def test_google_artifact_registry_gets_a_broken_upload_again_from_its_start(
    registry: Between, refusal: int
) -> None:
    breaks = iter([True])

    def no_chunks(request: Request, send: Send) -> Response:
        if request.method == "PATCH":
            return said(refusal)
        if request.method == "PUT" and next(breaks, False):
            broken_half(request, send)
            raise ConnectionFailed("it broke off", where=HOST)
        return send(request)

    registry.quirk = no_chunks
    client = registry.client()
    client.put(content(DATA))
    assert sent(registry) == ["POST", "PUT", "GET", "PATCH", "HEAD", "POST", "PUT"]
    assert arrived(client, content(DATA))


def broken_half(request: Request, send: Send) -> None:
    """Half of a body gets to the registry, then the connection breaks off."""
    assert isinstance(request.body, Body)
    with_half = request.body.open().read(len(DATA) // 2)
    url = request.url.partition("?digest=")[0].partition("&digest=")[0]
    send(Request(method="PATCH", url=url, headers=request.headers, body=with_half)).close()


# Resuming


@pytest.mark.usefixtures("small_chunks")
def test_an_upload_goes_on_by_chunk_after_a_broken_connection(registry: Between) -> None:
    breaks = iter([True])

    def broken(request: Request, send: Send) -> Response:
        if request.method == "PUT" and next(breaks, False):
            broken_half(request, send)
            raise ConnectionFailed("it broke off", where=HOST)
        return send(request)

    registry.quirk = broken
    client = registry.client()
    client.put(content(DATA))
    assert arrived(client, content(DATA))
    assert sent(registry)[:6] == ["POST", "PUT", "GET", "PATCH", "PATCH", "PUT"]


class Storage:
    """A registry that sends downloads to signed addresses, each of which is good for one request;
    a body breaks off after 3000 bytes."""

    def __init__(self, *, takes_ranges: bool = True) -> None:
        self.signed = 0
        self.used = 0
        self.takes_ranges = takes_ranges
        self.asked: list[tuple[str, str]] = []

    def __call__(self, request: Request, send: Send) -> Response:
        if "storage.example" in request.url:
            return self.stored(request)
        if request.method == "GET" and "/blobs/" in request.url:
            self.signed += 1
            where = f"https://storage.example/blob?signature={self.signed}"
            return said(307, Location=where)
        return send(request)

    def stored(self, request: Request) -> Response:
        signature = int(request.url.rpartition("=")[2])
        self.asked.append((request.headers.get("Range"), request.headers.get("Authorization")))
        if signature != self.signed or signature == self.used:
            return said(403)
        self.used = signature
        found = re.fullmatch(r"bytes=([0-9]+)-", request.headers.get("Range"))
        if found is None or not self.takes_ranges:
            return Response(200, Broken(DATA if self.used > 3 else DATA[:3000]))
        start = int(found[1])
        answer = said(206, Content_Range=f"bytes {start}-{len(DATA) - 1}/{len(DATA)}")
        answer.reader = Broken(DATA[start : start + 3000])
        return answer


class Broken:
    """Gives what there is, and breaks off before the end of the blob."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def read(self, size: int, /) -> bytes:
        if not self.content:
            raise ConnectionFailed("it broke off", where="storage.example")
        chunk, self.content = self.content[:size], self.content[size:]
        return chunk

    def close(self) -> None: ...


def test_a_download_goes_on_by_range_at_a_new_signed_address(registry: Between) -> None:
    storage = Storage()
    registry.quirk = storage
    blob = content(DATA)
    assert read_all(registry.client(), blob.descriptor) == DATA
    assert [asked for asked, _ in storage.asked] == [
        "", "bytes=3000-", "bytes=6000-", "bytes=9000-",
    ]  # fmt: skip
    assert {authorization for _, authorization in storage.asked} == {""}


def test_a_registry_that_ignores_ranges_sends_everything_again(registry: Between) -> None:
    storage = Storage(takes_ranges=False)
    registry.quirk = storage
    assert read_all(registry.client(), content(DATA).descriptor) == DATA
    assert len(storage.asked) == 4


# Cloudflare and other front ends


def test_cloudflare_takes_bodies_up_to_100_mib_and_a_chunk_is_smaller() -> None:
    assert CHUNK_BYTES == 64 * MIB
    assert CHUNK_BYTES <= 100 * MIB


@pytest.mark.usefixtures("small_chunks")
def test_cloudflare_refuses_a_large_body_and_gets_chunks(registry: Between) -> None:
    """In the test it is a matter of kilobytes."""

    def cloudflare(request: Request, send: Send) -> Response:
        if isinstance(request.body, Body) and (request.body.size or 0) > 6250:
            return said(413, body=b"<html>413 Payload Too Large</html>")
        return send(request)

    registry.quirk = cloudflare
    client = registry.client()
    client.put(content(DATA))
    assert sent(registry) == ["POST", "PUT", "POST", "PATCH", "PATCH", "PATCH", "PUT"]
    assert arrived(client, content(DATA))


@pytest.mark.usefixtures("small_chunks")
def test_a_registry_says_how_small_a_chunk_may_be(registry: Between) -> None:
    """``OCI-Chunk-Min-Length``."""

    def wants(request: Request, send: Send) -> Response:
        if request.method == "PATCH" and isinstance(request.body, Body):
            start, _, end = request.headers.get("Content-Range").partition("-")
            is_last = int(end) == len(DATA) - 1
            if int(end) - int(start) + 1 < 5000 and not is_last:
                return said(416)
        response = send(request)
        if request.method == "POST":
            return fields(response, OCI_Chunk_Min_Length="5000")
        return response

    registry.quirk = wants
    client = registry.client()
    client._uploader.largest_body = 4000
    client.put(content(DATA))
    assert sent(registry) == ["POST", "PATCH", "PATCH", "PUT"]
    assert arrived(client, content(DATA))


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("form", ["relative", "absolute"])
def test_a_location_is_relative_or_absolute(registry: Between, form: str) -> None:
    def located(request: Request, send: Send) -> Response:
        response = send(request)
        location = response.headers.get("Location")
        if not location:
            return response
        path = location.removeprefix(f"http://{HOST}")
        assert path.startswith("/v2/")
        return fields(response, Location=path if form == "relative" else f"http://{HOST}{path}")

    registry.quirk = located
    client = registry.client()
    client._uploader.largest_body = 4000
    client.put(content(DATA))
    assert arrived(client, content(DATA))
