"""Registries that lie, ramble, or lead elsewhere: each is refused in one clear line, after a
bounded number of bytes and requests, and the target of the copy is left as it was."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable, Iterator

import pytest

from manyfest.errors import (
    ConnectionFailed,
    ContentError,
    DigestMismatch,
    InvalidManifest,
    ManyfestError,
    RegistryError,
)
from manyfest.stores.base import read_all
from manyfest.stores.memory import MemoryStore
from manyfest.stores.registry.http import Request, Response
from tests.images import DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, content, content_of, image, make
from tests.quirks import PUBLIC, Between, Send, fields, refused, said

MIB = 1024 * 1024
ROOT = image(MemoryStore())


@pytest.fixture
def registry() -> Iterator[Between]:
    between = Between()
    make(between.store(), "image")
    yield between
    between.close()


def manifests(answer: Callable[[Request, Response], Response]) -> Callable[..., Response]:
    """A registry that is odd about manifests."""

    def quirk(request: Request, send: Send) -> Response:
        response = send(request)
        return answer(request, response) if "/manifests/" in request.url else response

    return quirk


def blobs(body: Callable[[bytes], Response]) -> Callable[..., Response]:
    """A registry that sends other blobs than it was asked for."""

    def quirk(request: Request, send: Send) -> Response:
        response = send(request)
        if request.method != "GET" or "/blobs/" not in request.url:
            return response
        return body(response.read_all(MIB))

    return quirk


class Endless:
    """A body without end; counts what was taken of it."""

    def __init__(self, begin: bytes = b"") -> None:
        self.begin = begin
        self.given = 0

    def read(self, size: int, /) -> bytes:
        chunk, self.begin = self.begin[:size], self.begin[size:]
        self.given += size
        return chunk or b" " * size

    def close(self) -> None: ...


# What it sends is not what it says


@pytest.mark.parametrize("stated", [OCI_INDEX, DOCKER_MANIFEST])
def test_a_manifest_that_comes_as_another_kind_than_it_is(registry: Between, stated: str) -> None:
    registry.quirk = manifests(lambda request, response: fields(response, Content_Type=stated))
    assert re.search(f"says it is|came as|{stated}", refused(registry, InvalidManifest))


@pytest.mark.parametrize("stated", [OCI_INDEX, DOCKER_MANIFEST])
def test_a_manifest_that_changes_its_kind_between_two_requests(
    registry: Between, stated: str
) -> None:
    """CVE-2021-41190."""

    def changes(request: Request, response: Response) -> Response:
        return fields(response, Content_Type=stated) if request.method == "GET" else response

    registry.quirk = manifests(changes)
    line = refused(registry, InvalidManifest)
    assert line == (
        f"{PUBLIC}/team/app@{ROOT.descriptor.digest}: it is listed as {OCI_MANIFEST!r}, but came as"
        f" {stated!r}"
    )


def test_a_document_that_is_at_once_an_index_and_an_image(registry: Between) -> None:
    """CVE-2021-41190."""
    raw = b'{"schemaVersion":2,"manifests":[],"config":{},"layers":[]}'

    def both(request: Request, response: Response) -> Response:
        response.close()
        return said(200, body=raw)

    registry.quirk = manifests(both)
    assert "the manifest is at once an index and an image" in refused(registry, InvalidManifest)


@pytest.mark.parametrize("kind", ["text/html", "application/json", ""])
def test_a_page_in_the_place_of_a_manifest(registry: Between, kind: str) -> None:
    """What a captive portal answers to everything."""
    registry.quirk = lambda request, send: said(200, body=b"<html>Log in", Content_Type=kind)
    line = refused(registry, InvalidManifest)
    assert line.startswith("registry.example/team/app@sha256:")


def test_a_manifest_with_another_digest(registry: Between) -> None:
    evil = image(MemoryStore(), text="evil")

    def evil_instead(request: Request, response: Response) -> Response:
        if request.method == "HEAD":
            return response
        response.close()
        return said(200, body=evil.raw, Content_Type=OCI_MANIFEST)

    registry.quirk = manifests(evil_instead)
    assert str(ROOT.descriptor.digest) in refused(registry, DigestMismatch)


def test_a_head_that_says_another_digest_than_it_was_asked_for(registry: Between) -> None:
    other = image(MemoryStore(), text="evil").descriptor.digest
    registry.quirk = manifests(
        lambda request, response: fields(response, Docker_Content_Digest=str(other))
    )
    client = registry.client(host=PUBLIC)
    digest = ROOT.descriptor.digest
    with pytest.raises(RegistryError, match=f"asked for {digest}, the registry answers with"):
        client.resolve(str(digest))


@pytest.mark.parametrize("stated", ["../../../etc/passwd", "sha256:", "sha256:" + "A" * 64, "x"])
def test_a_digest_that_is_none(registry: Between, stated: str) -> None:
    """CVE-2024-3727."""
    registry.quirk = manifests(
        lambda request, response: fields(response, Docker_Content_Digest=stated)
    )
    assert "the registry answers with" in refused(registry, RegistryError)


@pytest.mark.parametrize(
    ("body", "said_of_it"),
    [
        (lambda raw: Response(200, raw[:-1] + b"?"), "has the digest"),
        (
            lambda raw: fields(Response(200, raw[:-1]), Content_Length=str(len(raw) - 1)),
            "ends after",
        ),
        (lambda raw: Response(200, raw + b"?"), "is longer than"),
        (lambda raw: Response(200, Endless(raw)), "is longer than"),
    ],
    ids=["other bytes", "too short", "too long", "endless"],
)
def test_a_blob_that_is_not_what_its_digest_says(
    registry: Between, body: Callable[[bytes], Response], said_of_it: str
) -> None:
    registry.quirk = blobs(body)
    line = refused(registry, DigestMismatch)
    assert line.startswith("registry.example/team/app: sha256:")
    assert said_of_it in line


def test_a_blob_that_always_breaks_off(registry: Between) -> None:
    registry.quirk = blobs(lambda raw: Response(200, raw[:10]))
    assert "the answer ended too early" in refused(registry, ConnectionFailed)
    assert sum(registry.pauses) < 60


# What does not end


@pytest.mark.parametrize("begin", [b"", b'{"schemaVersion":2,"config":"'])
def test_an_endless_manifest(registry: Between, begin: bytes) -> None:
    endless = Endless(begin)

    def rambles(request: Request, response: Response) -> Response:
        response.close()
        return said(200) if request.method == "HEAD" else Response(200, endless)

    registry.quirk = manifests(rambles)
    assert "the answer is longer than 4194304 bytes" in refused(registry, RegistryError)
    assert endless.given < 6 * MIB


def test_a_manifest_longer_than_its_size(registry: Between) -> None:
    endless = Endless(ROOT.raw)

    def rambles(request: Request, response: Response) -> Response:
        if request.method == "HEAD":
            return response
        response.close()
        return Response(200, endless)

    registry.quirk = manifests(rambles)
    assert "is longer than" in refused(registry, DigestMismatch)
    assert endless.given < 6 * MIB


@pytest.mark.parametrize("size", ["99999999999999999999", "4194305", "-1", "1e3"])
def test_a_size_that_cannot_be(registry: Between, size: str) -> None:
    registry.quirk = manifests(lambda request, response: fields(response, Content_Length=size))
    if size == "4194305":
        assert "more than the 4194304 allowed" in refused(registry, ContentError)
        return
    # It says nothing, so the manifest itself is asked for, and it is right.
    assert registry.client(host=PUBLIC).resolve("v1") == ROOT.descriptor


def test_an_endless_error(registry: Between) -> None:
    endless = Endless(b'{"errors":[{"code":"')
    registry.quirk = lambda request, send: Response(403, endless)
    assert refused(registry, RegistryError).startswith(
        "registry.example/team/app: the registry refuses the manifest v1 (403)"
    )
    assert endless.given < 4 * MIB


def test_a_failure_that_never_passes(registry: Between) -> None:
    registry.quirk = lambda request, send: said(503)
    assert refused(registry, RegistryError).endswith("the manifest v1 failed (503)")
    assert len(registry.pauses) == 4


def test_a_token_that_never_ends(registry: Between) -> None:
    endless = Endless(b'{"token":"')

    def tokens(request: Request, send: Send) -> Response:
        if request.origin.host == "auth.example":
            return Response(200, endless)
        return said(401, WWW_Authenticate='Bearer realm="https://auth.example/token"')

    registry.quirk = tokens
    assert "the answer is longer than 262144 bytes" in refused(registry, RegistryError)
    assert endless.given < 4 * MIB


def test_tags_without_end(registry: Between) -> None:
    count = iter(range(10**9))

    def more(request: Request, send: Send) -> Response:
        number = next(count)
        names = ",".join(f'"{number}-{index}{"x" * 8000}"' for index in range(2000))
        link = f'</v2/team/app/tags/list?last={number}>; rel="next"'
        return said(200, body=f'{{"tags":[{names}]}}'.encode(), Link=link)

    registry.quirk = more
    total = 0

    def take(tag: str) -> None:
        nonlocal total
        total += len(tag)

    with pytest.raises(RegistryError, match="the answer is longer than"):
        deque(map(take, registry.client(host=PUBLIC).tags()), maxlen=0)
    assert total < 300 * MIB


@pytest.mark.parametrize(
    "tag", ["../../other/manifests/v1", "v1?x=1", "v1#", "a b", "\x1b[31m", ""]
)
def test_a_tag_that_is_none_is_not_asked_for(registry: Between, tag: str) -> None:
    """The list of tags came from the registry too."""
    with pytest.raises(ManyfestError, match="is no tag"):
        registry.client(host=PUBLIC).resolve(tag)
    assert registry.requests[-1].method == "PUT"  # of the image, by the test itself


# What it says of what it was sent


def test_a_put_that_is_answered_with_another_digest(registry: Between) -> None:
    other = image(MemoryStore(), text="evil").descriptor.digest
    registry.quirk = manifests(
        lambda request, response: fields(response, Docker_Content_Digest=str(other))
    )
    with pytest.raises(RegistryError, match="do not trust this registry's content"):
        registry.client(host=PUBLIC).tag("v2", content_of(ROOT))


def test_a_registry_that_says_it_has_more_than_it_was_sent(registry: Between) -> None:
    """Not a byte is left out for that: the upload begins anew."""
    breaks = iter([True])

    def boasts(request: Request, send: Send) -> Response:
        if request.method == "PUT" and next(breaks, False):
            raise ConnectionFailed("it broke off", where=PUBLIC)
        if request.method == "GET" and "/uploads/" in request.url:
            return said(204, Range="0-99999")
        return send(request)

    registry.quirk = boasts
    client = registry.client(host=PUBLIC)
    blob = content(b"a layer")
    client.put(blob)
    assert read_all(client, blob.descriptor) == b"a layer"


def test_a_registry_that_says_it_has_the_whole_and_has_not(registry: Between) -> None:
    breaks = iter([True])

    def boasts(request: Request, send: Send) -> Response:
        if request.method == "PUT" and next(breaks, False):
            raise ConnectionFailed("it broke off", where=PUBLIC)
        if request.method == "GET" and "/uploads/" in request.url:
            return said(204, Range="0-6")
        return send(request)

    registry.quirk = boasts
    client = registry.client(host=PUBLIC)
    blob = content(b"a layer")
    client.put(blob)
    assert read_all(client, blob.descriptor) == b"a layer"


def test_what_a_registry_says_is_one_line_and_short(registry: Between) -> None:
    message = "one\n\ttwo \x1b[31m" + "x" * 5000
    body = json.dumps({"errors": [{"code": "DENIED", "message": message}]}).encode()
    registry.quirk = lambda request, send: said(403, body=body)
    line = refused(registry, RegistryError)
    assert "one two" in line
