from __future__ import annotations

import io
import json
from functools import partial

import pytest

from manyfest.errors import (
    AccessDenied,
    DigestMismatch,
    InvalidManifest,
    ManyfestError,
    NotFound,
    PartsMissing,
    RateLimited,
    RegistryError,
)
from manyfest.oci.descriptor import Descriptor
from manyfest.stores.base import Content, Reads, read_all
from manyfest.stores.memory import MemoryStore
from manyfest.stores.registry.http import Request, Response
from tests.images import OCI_INDEX, OCI_MANIFEST, content_of, image
from tests.scripts import (
    BLOB,
    DIGEST,
    OTHER,
    ROOT,
    answer,
    asked,
    manifest_answer,
    scripted,
)


def test_docker_hub_is_asked_where_it_answers() -> None:
    store, transport = scripted(manifest_answer, name="alpine")
    store.resolve("latest")
    url = "https://registry-1.docker.io/v2/library/alpine/manifests/latest"
    assert transport.requests[0].url == url
    assert store.label == "docker.io/library/alpine"


def test_a_head_is_enough_to_resolve() -> None:
    store, transport = scripted(manifest_answer)
    assert store.resolve("v1") == ROOT.descriptor
    assert store.resolve(DIGEST) == ROOT.descriptor
    assert asked(transport) == ["HEAD /manifests/v1", f"HEAD /manifests/{DIGEST}"]
    assert transport.requests[0].headers.get("Accept") == (
        "application/vnd.docker.distribution.manifest.list.v2+json,"
        " application/vnd.docker.distribution.manifest.v2+json,"
        " application/vnd.oci.image.index.v1+json,"
        " application/vnd.oci.image.manifest.v1+json"
    )


@pytest.mark.parametrize("writing", [False, True])
def test_a_store_asks_for_the_right_it_needs(writing: bool) -> None:
    store, transport = scripted(manifest_answer, writing=writing)
    store.resolve("v1")
    actions = "pull,push" if writing else "pull"
    assert transport.requests[0].scopes == (f"repository:team/app:{actions}",)


@pytest.mark.parametrize("name", ["v1", DIGEST])
@pytest.mark.parametrize(
    "changed",
    [
        {"Docker_Content_Digest": ""},
        {"Content_Type": ""},
        {"Content_Type": "application/json"},
        {"length": "chunked"},
        {"length": "9" * 5000},
        {"length": "\xb2"},
        {"length": "-1"},
    ],
)
def test_a_head_that_does_not_say_it_all_is_followed_by_a_get(
    changed: dict[str, str], name: str
) -> None:
    def handler(request: Request) -> Response:
        if request.method == "HEAD":
            return manifest_answer(request, **changed)
        return answer(200, ROOT.raw, Content_Type="application/json")

    store, transport = scripted(handler)
    assert store.resolve(name) == ROOT.descriptor
    assert asked(transport) == [f"HEAD /manifests/{name}", f"GET /manifests/{name}"]


def test_what_a_tag_means_is_read_by_one_request() -> None:
    store, transport = scripted(manifest_answer)
    assert isinstance(store, Reads)
    assert store.read("v1") == ROOT
    assert asked(transport) == ["GET /manifests/v1"]


def test_a_manifest_that_is_not_the_stated_one_is_not_read() -> None:
    store, _ = scripted(lambda request: manifest_answer(request, Docker_Content_Digest=OTHER))
    with pytest.raises(RegistryError, match=f"asked for {DIGEST}, the registry answers with"):
        store.read("v1")


def test_what_is_no_tag_is_not_asked_for() -> None:
    store, transport = scripted(manifest_answer)
    with pytest.raises(NotFound, match="is no tag"):
        store.read("../v1")
    assert asked(transport) == []


def test_a_content_type_may_have_parameters() -> None:
    store, _ = scripted(
        lambda request: manifest_answer(request, Content_Type=f"{OCI_MANIFEST}; charset=utf-8")
    )
    assert store.resolve("v1").media_type == "application/vnd.oci.image.manifest.v1+json"


def test_a_head_that_answers_with_another_digest_is_a_lie() -> None:
    store, _ = scripted(lambda request: manifest_answer(request, Docker_Content_Digest=OTHER))
    with pytest.raises(RegistryError, match=f"asked for {DIGEST}, the registry answers with"):
        store.resolve(DIGEST)
    with pytest.raises(RegistryError, match=f"asked for {DIGEST}"):
        store.has(ROOT.descriptor)


@pytest.mark.parametrize("digest", ["sha256:", "md5:1", "nonsense", f"sha256:{'G' * 64}"])
def test_a_digest_that_is_none_is_an_error(digest: str) -> None:
    store, _ = scripted(lambda request: manifest_answer(request, Docker_Content_Digest=digest))
    with pytest.raises(RegistryError, match=r"^ghcr\.io/team/app: the registry answers with "):
        store.resolve("v1")


def test_what_was_asked_for_by_sha512_is_not_taken_by_a_sha256_that_the_registry_states() -> None:
    evil = image(MemoryStore(), text="evil")
    wanted = Descriptor.of(ROOT.raw, OCI_MANIFEST, algorithm="sha512")

    def handler(request: Request) -> Response:
        digest = str(evil.descriptor.digest)
        return manifest_answer(request, Docker_Content_Digest=digest, length=str(len(evil.raw)))

    store, _ = scripted(handler)
    assert store.resolve(str(wanted.digest)).digest == wanted.digest


@pytest.mark.parametrize("name", ["v1", DIGEST])
def test_a_get_that_lies_about_its_digest_is_an_error(name: str) -> None:
    evil = image(MemoryStore(), text="evil").raw

    def handler(request: Request) -> Response:
        if request.method == "HEAD":
            return answer(200)
        return answer(200, evil, Content_Type=OCI_MANIFEST, Docker_Content_Digest=DIGEST)

    store, _ = scripted(handler)
    with pytest.raises(RegistryError, match=f"the registry answers with .*{DIGEST[:19]}|asked for"):
        store.resolve(name)


@pytest.mark.parametrize("kind", [OCI_INDEX, "text/html"])
def test_a_body_of_another_kind_than_its_type_is_refused(kind: str) -> None:
    def handler(request: Request) -> Response:
        if request.method == "HEAD":
            return answer(200)
        return answer(200, b'{"config":{},"manifests":[]}', Content_Type=kind)

    store, _ = scripted(handler)
    with pytest.raises(InvalidManifest, match=r"^ghcr\.io/team/app@sha256:"):
        store.resolve("v1")


def test_an_endless_manifest_is_cut_off() -> None:
    class Endless:
        given = 0

        def read(self, size: int, /) -> bytes:
            self.given += size
            return bytes(size)

        def close(self) -> None: ...

    endless = Endless()

    def handler(request: Request) -> Response:
        return Response(200) if request.method == "HEAD" else Response(200, endless)

    store, _ = scripted(handler)
    with pytest.raises(RegistryError, match="the answer is longer than 4194304 bytes"):
        store.resolve("v1")
    assert endless.given < 6_000_000


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, AccessDenied), (403, AccessDenied), (404, NotFound), (429, RateLimited),
     (500, RegistryError), (301, RegistryError)],
)  # fmt: skip
def test_a_refusal_is_the_same_error_wherever_it_comes(
    status: int, error: type[ManyfestError]
) -> None:
    store, _ = scripted(lambda request: answer(status))
    for attempt in (
        lambda: store.resolve("v1"),
        lambda: store.open(ROOT.descriptor),
        lambda: store.open(ROOT.children[0]),
        lambda: list(store.tags()),
    ):
        with pytest.raises(error, match=r"^ghcr\.io/team/app: "):
            attempt()


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, AccessDenied), (403, AccessDenied), (404, RegistryError), (429, RateLimited),
     (500, RegistryError), (301, RegistryError)],
)  # fmt: skip
def test_what_is_written_is_never_not_found(status: int, error: type[ManyfestError]) -> None:
    store, _ = scripted(lambda request: answer(status))
    for attempt in (
        partial(store.put, content_of(ROOT)),
        partial(store.tag, "v1", content_of(ROOT)),
        partial(store.put, BLOB),
    ):
        with pytest.raises(error, match=r"^ghcr\.io/team/app: "):
            attempt()


def test_only_404_means_that_something_is_not_there() -> None:
    store, transport = scripted(lambda request: answer(404))
    assert store.has(ROOT.descriptor) is False
    assert store.has(ROOT.children[0]) is False
    assert asked(transport) == [
        f"HEAD /manifests/{DIGEST}",
        f"HEAD /blobs/{ROOT.children[0].digest}",
    ]
    for status in (301, 400, 401, 403, 429, 500, 503):
        store, _ = scripted(lambda request, status=status: answer(status))  # type: ignore[misc]
        with pytest.raises(RegistryError):
            store.has(ROOT.descriptor)


def test_what_is_opened_is_verified_by_its_digest() -> None:
    blob = Descriptor.of(b"content", "text/plain")
    store, _ = scripted(lambda request: answer(200, b"Content"))
    with pytest.raises(DigestMismatch, match=f"^ghcr.io/team/app: {blob.digest} has the digest"):
        read_all(store, blob)


def test_a_manifest_is_put_with_its_type_and_its_own_bytes() -> None:
    store, transport = scripted(lambda request: answer(201, Docker_Content_Digest=DIGEST))
    store.put(content_of(ROOT))
    store.tag("v1", content_of(ROOT))
    assert asked(transport) == [f"PUT /manifests/{DIGEST}", "PUT /manifests/v1"]
    for request in transport.requests:
        assert request.body == ROOT.raw
        assert request.headers.get("Content-Type") == OCI_MANIFEST
        assert request.repeatable


def test_a_put_that_is_answered_with_another_digest_is_an_error() -> None:
    store, _ = scripted(lambda request: answer(201, Docker_Content_Digest=OTHER))
    with pytest.raises(RegistryError, match=f"asked for {DIGEST}, the registry answers with"):
        store.tag("v1", content_of(ROOT))


@pytest.mark.parametrize("wrong", [ROOT.raw[:-1], ROOT.raw + b" ", b"{}", ROOT.raw[:-1] + b" "])
def test_other_bytes_than_the_manifests_are_not_sent(wrong: bytes) -> None:
    store, transport = scripted(lambda request: answer(201))
    with pytest.raises(DigestMismatch):
        store.tag("v1", Content(ROOT.descriptor, lambda: io.BytesIO(wrong)))
    assert transport.requests == []


@pytest.mark.parametrize(
    ("code", "message"),
    [("MANIFEST_INVALID", "manifest invalid"), ("TAG_INVALID", "the tag is immutable")],
)
def test_why_a_manifest_is_refused_can_be_read(code: str, message: str) -> None:
    body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
    store, _ = scripted(lambda request: answer(400, body))
    with pytest.raises(RegistryError) as caught:
        store.tag("v1", content_of(ROOT))
    assert not isinstance(caught.value, PartsMissing)
    assert str(caught.value) == f"ghcr.io/team/app: the manifest v1 failed (400 {code} {message})"


@pytest.mark.parametrize("status", [400, 404])
@pytest.mark.parametrize("code", ["MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN", "MANIFEST_UNKNOWN"])
@pytest.mark.parametrize(
    ("details", "digests"),
    [
        ([], ()),
        ([OTHER], (OTHER,)),
        ([{"digest": OTHER}], (OTHER,)),
        ([{"Digest": OTHER}, {"digest": OTHER}], (OTHER,)),
        ([OTHER, f"sha256:{'1' * 64}"], (OTHER, f"sha256:{'1' * 64}")),
        ([DIGEST], ()),
        (["sha256:short", 7, None], ()),
    ],
)
def test_what_a_manifest_points_at_and_is_not_there_is_named(
    status: int, code: str, details: list[object], digests: tuple[str, ...]
) -> None:
    errors = [{"code": code, "message": "unknown", "detail": detail} for detail in details]
    body = json.dumps({"errors": errors or [{"code": code, "message": "unknown"}]}).encode()
    store, _ = scripted(lambda request: answer(status, body))
    with pytest.raises(PartsMissing) as caught:
        store.put(content_of(ROOT))
    assert caught.value.digests == digests
    assert (caught.value.status, caught.value.code) == (status, code)
    assert str(caught.value) == (
        f"ghcr.io/team/app: the manifest {DIGEST} points at what the registry does not have"
        f" ({status} {code} unknown); run it again: what is missing is sent then"
    )
