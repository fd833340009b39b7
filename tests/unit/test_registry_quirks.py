"""What registries do that a client must put up with: each quirk under its registry's name.

The registry is a real one, in this process, and somebody between it and the client makes it behave
as the named one does. Only the network itself is left out. What they do to
uploads and downloads is in ``test_registry_quirks_transfers.py``.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest

from manyfest.copy import copy, point
from manyfest.errors import DigestMismatch, NotFound, RateLimited, RegistryError
from manyfest.oci.reference import Name
from manyfest.stores.base import read_all
from manyfest.stores.memory import MemoryStore
from manyfest.stores.registry.auth.secret import Credential, Secret
from manyfest.stores.registry.http import Request, Response
from manyfest.stores.registry.store import RegistryStore
from tests.images import content, content_of, image, make
from tests.quirks import HOST, Between, Send, fields, said

DATA = hashlib.shake_256(b"layer").digest(10_000)


@pytest.fixture
def registry() -> Iterator[Between]:
    between = Between()
    yield between
    between.close()


# docker-registry


def test_docker_registry_refuses_a_manifest_while_another_client_puts_its_child(
    registry: Between,
) -> None:
    refusals = [said(400, "DIGEST_INVALID"), said(400, "DIGEST_INVALID")]

    def torn(request: Request, send: Send) -> Response:
        is_put = request.method == "PUT" and "/manifests/" in request.url
        return refusals.pop() if is_put and refusals else send(request)

    registry.quirk = torn
    client = registry.client()
    source = MemoryStore()
    root = make(source, "index")
    copy(source, "v1", client, ["v1"])
    assert client.resolve("v1") == root.descriptor
    assert registry.pauses == [0.1, 0.5]


def test_a_digest_that_is_refused_each_time_is_an_error(registry: Between) -> None:
    registry.quirk = lambda request, send: said(400, "DIGEST_INVALID")
    with pytest.raises(DigestMismatch, match="refuses the manifest v1"):
        registry.client().tag("v1", content_of(image(MemoryStore())))
    assert len(registry.requests) == 3


# Amazon ECR


def test_ecr_wants_repositories_to_be_made_first(registry: Between) -> None:
    registry.quirk = lambda request, send: said(404, "NAME_UNKNOWN")
    client = registry.client()
    line = (
        f"{HOST}/team/app: the registry has no such repository;"
        " make it first, or check its name: this registry does not make it by itself"
    )
    with pytest.raises(RegistryError) as of_a_blob:
        client.put(content(DATA))
    with pytest.raises(RegistryError) as of_a_manifest:
        client.tag("v1", content_of(image(MemoryStore())))
    assert str(of_a_blob.value) == str(of_a_manifest.value) == line
    assert not isinstance(of_a_blob.value, NotFound)
    assert client.has(content(DATA).descriptor) is False


def test_ecr_gives_at_most_a_thousand_tags_a_page(registry: Between) -> None:
    names = [f"v{number:04}" for number in range(2100)]

    def ecr(request: Request, send: Send) -> Response:
        query = parse_qs(urlsplit(request.url).query)
        count = int(query["n"][0])
        if count > 1000:
            return said(400, "UNSUPPORTED")
        last = query.get("last", [""])[0]
        page = [name for name in names if name > last][:count]
        more = {"Link": f'</v2/team/app/tags/list?n={count}&last={page[-1]}>; rel="next"'}
        body = json.dumps({"tags": page}).encode()
        return said(200, body=body, **(more if page[-1] != names[-1] else {}))

    registry.quirk = ecr
    assert list(registry.client().tags()) == names
    assert len(registry.requests) == 3


def test_ecr_with_immutable_tags_takes_an_image_and_its_second_copy(registry: Between) -> None:
    """Each tag is set once, and with nothing but its own image."""
    taken: set[str] = set()

    def immutable(request: Request, send: Send) -> Response:
        name = request.url.rpartition("/")[2]
        if request.method == "PUT" and "/manifests/" in request.url and ":" not in name:
            if name in taken:
                return said(400, "TAG_INVALID")
            taken.add(name)
        return send(request)

    registry.quirk = immutable
    source = MemoryStore()
    root = make(source, "index")
    copy(source, "v1", registry.client(), ["v1"])
    copy(source, "v1", registry.client(), ["v1"])
    assert registry.client().resolve("v1").digest == root.descriptor.digest


# Mounts


def test_quay_wants_to_be_told_where_a_mount_is_from(registry: Between) -> None:
    def quay(request: Request, send: Send) -> Response:
        query = parse_qs(urlsplit(request.url).query)
        if "mount" in query and "from" not in query:
            return said(400)
        return send(request)

    registry.client("team/base").put(content(DATA))
    registry.quirk = quay
    client = registry.client()
    assert client.mount(content(DATA).descriptor, registry.client("team/base")) is True
    assert read_all(client, content(DATA).descriptor) == DATA


def test_docker_hub_gets_no_hint_to_mount_from_another_registry(registry: Between) -> None:
    elsewhere = RegistryStore(Name.parse("quay.io/team/base"), registry)
    assert registry.client().mount(content(DATA).descriptor, elsewhere) is False
    assert registry.requests == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405])
def test_docker_hub_refuses_a_mount_and_the_blob_is_sent(registry: Between, status: int) -> None:
    def hub(request: Request, send: Send) -> Response:
        return said(status) if "mount=" in request.url else send(request)

    registry.client("team/base").put(content(DATA))
    registry.quirk = hub
    source, target = registry.client("team/base"), registry.client()
    root = make(source, "image")
    copy(source, "v1", target, ["v1"])
    assert target.resolve("v1") == root.descriptor


# Tags


def artifactory(request: Request, send: Send) -> Response:
    """A tag that is not there may not be looked at."""
    response = send(request)
    is_tag = "/manifests/" in request.url and "sha256:" not in request.url
    if is_tag and response.status == 404:
        response.close()
        return said(403, "DENIED")
    return response


def test_artifactory_denies_a_tag_that_is_not_there_and_the_tag_is_set(registry: Between) -> None:
    registry.quirk = artifactory
    source = MemoryStore()
    root = make(source, "index")
    copy(source, "v1", registry.client(), ["v1"])
    assert registry.client().resolve("v1") == root.descriptor


def test_ghcr_shows_a_tag_a_little_later(registry: Between) -> None:
    looks = iter([404, 404, 404])

    def late(request: Request, send: Send) -> Response:
        is_look = request.method == "HEAD" and request.url.endswith("/manifests/v1")
        status = next(looks, 0) if is_look else 0
        return said(status) if status else send(request)

    client = registry.client()
    root = image(client)
    registry.quirk = late
    assert point(client, "v1", root) is True
    assert registry.pauses == [0.1, 0.2]  # the first look was before the tag was set


def test_ghcr_shows_what_a_tag_meant_before(registry: Between) -> None:
    client = registry.client()
    old, new = image(client), image(client, text="new")
    client.tag("v1", content_of(old))
    stale = iter([str(old.descriptor.digest)] * 3)

    def late(request: Request, send: Send) -> Response:
        response = send(request)
        if request.method == "HEAD" and request.url.endswith("/manifests/v1"):
            digest = next(stale, "")
            return fields(response, Docker_Content_Digest=digest) if digest else response
        return response

    registry.quirk = late
    assert point(client, "v1", new) is True
    assert client.resolve("v1") == new.descriptor


@pytest.mark.parametrize("missing", ["Docker_Content_Digest", "Content_Length", "Content_Type"])
def test_a_head_without_digest_or_size_is_followed_by_a_get(
    registry: Between, missing: str
) -> None:
    root = make(registry.client(), "image")

    def bare(request: Request, send: Send) -> Response:
        response = send(request)
        return fields(response, **{missing: ""}) if request.method == "HEAD" else response

    registry.quirk = bare
    assert registry.client().resolve("v1") == root.descriptor
    assert registry.client().has(root.descriptor)


# Limits, losses and races


def test_a_rate_limit_on_the_put_of_a_manifest_is_waited_out(registry: Between) -> None:
    limits = iter(["7", "11"])

    def limited(request: Request, send: Send) -> Response:
        if request.method == "PUT" and "/manifests/" in request.url:
            seconds = next(limits, "")
            if seconds:
                return said(429, "TOOMANYREQUESTS", Retry_After=seconds)
        return send(request)

    registry.quirk = limited
    client = registry.client()
    root = make(client, "image")
    assert registry.pauses == [7.0, 11.0]
    assert client.resolve("v1") == root.descriptor


def test_a_rate_limit_that_lasts_is_an_error_with_its_reason(registry: Between) -> None:
    registry.quirk = lambda request, send: said(429, "TOOMANYREQUESTS", Retry_After="3600")
    client = registry.client()
    with pytest.raises(RateLimited, match="limits how often it is asked"):
        client.resolve("v1")
    assert registry.pauses == []


@pytest.mark.parametrize("code", ["MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN"])
@pytest.mark.parametrize("status", [400, 404])
def test_a_blob_that_the_registry_lost_is_sent_again_when_a_manifest_misses_it(
    registry: Between, code: str, status: int
) -> None:
    """It says that it has the blob, and learns of its loss from the manifest."""
    source = MemoryStore()
    root = make(source, "image")
    lost = root.image.layers[0].digest
    uploads: list[str] = []

    def forgetful(request: Request, send: Send) -> Response:
        if request.method == "HEAD" and request.url.endswith(f"/blobs/{lost}"):
            return said(200)
        if request.method == "PUT" and f"digest={lost}" in request.url:
            uploads.append(request.url)
        if request.method == "PUT" and "/manifests/" in request.url and not uploads:
            return said(status, code)
        return send(request)

    registry.quirk = forgetful
    copy(source, "v1", registry.client(), ["v1"])
    assert len(uploads) == 1
    registry.quirk = lambda request, send: send(request)
    client = registry.client()
    assert client.resolve("v1") == root.descriptor
    assert client.has(root.image.layers[0])


def test_two_that_send_one_blob_at_the_same_time_both_succeed(registry: Between) -> None:
    """The first to end takes the other one's upload with it."""
    begun = threading.Barrier(2)
    lock = threading.Lock()
    ended: list[str] = []

    def racing(request: Request, send: Send) -> Response:
        if request.method == "PUT" and not ended:
            begun.wait(10)
        with lock:
            if request.method == "PUT" and ended:
                return said(404, "BLOB_UPLOAD_UNKNOWN")
            response = send(request)
            if request.method == "PUT":
                ended.append(request.url)
            return response

    registry.quirk = racing
    clients = [registry.client(), registry.client()]
    threads = [threading.Thread(target=client.put, args=(content(DATA),)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ended) == 1
    assert [client.has(content(DATA).descriptor) for client in clients] == [True, True]


# Tokens


class OneRepository:
    """Its tokens are for one repository, the first that is asked for, whatever is asked besides."""

    def __init__(self) -> None:
        self.tokens: list[str] = []
        self.refused: list[str] = []

    def __call__(self, request: Request, send: Send) -> Response:
        parts = urlsplit(request.url)
        if parts.path == "/token":
            scope = parse_qs(parts.query)["scope"][0]
            token = scope.split(":")[1].replace("/", ".")
            self.tokens.append(token)
            return said(200, body=json.dumps({"token": token}).encode())
        repository = re.match(r"/v2/(team/\w+)/", parts.path)
        assert repository is not None
        if request.headers.get("Authorization") != f"Bearer {repository[1].replace('/', '.')}":
            self.refused.append(request.url)
            realm = f'Bearer realm="http://{HOST}/token",service="gcr.io"'
            return said(401, WWW_Authenticate=realm)
        return send(request)


class Keys:
    def find(self, host: str, repository: str = "") -> Credential | None:
        return Credential(username="jane", password=Secret("x"), source="test")


def test_gcr_gives_a_token_for_each_repository_and_none_for_two(registry: Between) -> None:
    """A mount asks for two, gets one for one, and that stands in nobody's way afterwards."""
    root = make(registry.client("team/base"), "index")
    gcr = OneRepository()
    registry.quirk = gcr
    over = registry.everything(Keys())
    source, target = registry.client("team/base", over=over), registry.client(over=over)
    copy(source, "v1", target, ["v1"])
    assert target.resolve("v1") == root.descriptor
    first = len(gcr.refused)
    read_all(source, root.descriptor)
    read_all(source, root.index.manifests[0])
    target.put(content(DATA))
    assert len(gcr.refused) == first
