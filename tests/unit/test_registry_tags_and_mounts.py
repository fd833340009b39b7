from __future__ import annotations

import pytest

from manyfest.errors import AccessDenied, NotFound, RegistryError
from manyfest.oci.digest import Digest
from manyfest.oci.reference import Name
from manyfest.stores.memory import MemoryStore
from manyfest.stores.registry.http import Body, FunctionTransport, Request, Response
from manyfest.stores.registry.store import RegistryStore
from tests.images import OCI_MANIFEST
from tests.scripts import BLOB, DIGEST, OTHER, Handler, answer, asked, manifest_answer, scripted


@pytest.mark.parametrize(
    ("reply", "is_meant"),
    [
        (answer(304), True),
        (answer(200, length="9", Content_Type=OCI_MANIFEST, Docker_Content_Digest=DIGEST), True),
        (answer(200, length="9", Content_Type=OCI_MANIFEST, Docker_Content_Digest=OTHER), False),
    ],
)
def test_whether_a_tag_means_a_digest_is_one_conditional_request(
    reply: Response, is_meant: bool
) -> None:
    store, transport = scripted(lambda _: reply)
    assert store.means("v1", Digest.parse(DIGEST)) is is_meant
    assert asked(transport) == ["HEAD /manifests/v1"]
    assert transport.requests[0].headers.get("If-None-Match") == f'"{DIGEST}"'


def test_a_registry_that_leaves_the_digest_out_is_asked_for_the_manifest() -> None:
    store, transport = scripted(lambda request: manifest_answer(request, Docker_Content_Digest=""))
    assert store.means("v1", Digest.parse(DIGEST))
    assert asked(transport) == ["HEAD /manifests/v1", "GET /manifests/v1"]


def test_a_tag_that_is_not_there_means_nothing() -> None:
    store, _ = scripted(lambda _: answer(404))
    with pytest.raises(NotFound):
        store.means("v1", Digest.parse(DIGEST))


def pages(*bodies: bytes, link: str = "/v2/team/app/tags/list?n=1000&last={}") -> Handler:
    """A registry whose list of tags has these pages."""

    def handler(request: Request) -> Response:
        number = int(request.url.rpartition("last=")[2]) if "last=" in request.url else 0
        fields = {}
        if number + 1 < len(bodies):
            fields["Link"] = f'<{link.format(number + 1)}>; rel="next"'
        return answer(200, bodies[number], **fields)

    return handler


@pytest.mark.parametrize("prefix", ["", "https://ghcr.io", "https://GHCR.io:443"])
def test_tags_are_read_page_by_page(prefix: str) -> None:
    link = f"{prefix}/v2/team/app/tags/list?n=1000&last={{}}"
    store, transport = scripted(
        pages(b'{"tags":["a","b"]}', b'{"tags":null}', b'{"tags":["c"]}', link=link)
    )
    assert list(store.tags()) == ["a", "b", "c"]
    assert len(transport.requests) == 3
    assert asked(transport)[0] == "GET /tags/list?n=1000"


def test_only_the_pages_that_are_wanted_are_read() -> None:
    store, transport = scripted(pages(b'{"tags":["a"]}', b'{"tags":["b"]}'))
    assert next(store.tags()) == "a"
    assert len(transport.requests) == 1


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/v2/team/app/tags/list?last={}",
        "//evil.example/?last={}",
        "http://ghcr.io/v2/team/app/tags/list?last={}",
        "https://ghcr.io:8443/v2/team/app/tags/list?last={}",
        "https://ghcr.io@evil.example/?last={}",
        "file:///etc/passwd?last={}",
    ],
)
def test_pages_at_another_host_are_refused(link: str) -> None:
    store, transport = scripted(pages(b'{"tags":["a"]}', b'{"tags":["b"]}', link=link))
    tags = store.tags()
    assert next(tags) == "a"
    with pytest.raises(RegistryError):
        next(tags)
    assert len(transport.requests) == 1


def test_a_list_that_leads_back_to_itself_is_an_error() -> None:
    def handler(request: Request) -> Response:
        return answer(200, b'{"tags":["a"]}', Link='</v2/team/app/tags/list?n=1000>; rel="next"')

    store, transport = scripted(handler)
    with pytest.raises(RegistryError, match="the list of tags does not end"):
        list(store.tags())
    assert len(transport.requests) == 1


def test_a_list_of_another_form_is_an_error() -> None:
    store, _ = scripted(lambda request: answer(200, b"<html>"))
    with pytest.raises(RegistryError, match="the list of tags is not the specified JSON"):
        list(store.tags())


def neighbour(transport: FunctionTransport, name: str = "ghcr.io/team/base") -> RegistryStore:
    return RegistryStore(Name.parse(name), transport)


def test_a_blob_is_mounted_from_another_repository_of_the_registry() -> None:
    store, transport = scripted(lambda request: answer(201))
    assert store.mount(BLOB.descriptor, neighbour(transport)) is True
    (request,) = transport.requests
    assert asked(transport) == [
        f"POST /blobs/uploads/?mount={BLOB.descriptor.digest}&from=team/base"
    ]
    assert request.scopes == ("repository:team/app:pull,push", "repository:team/base:pull")


@pytest.mark.parametrize("name", ["ghcr.io/team/app", "quay.io/team/base", "docker.io/team/base"])
def test_nothing_is_mounted_from_elsewhere_or_from_itself(name: str) -> None:
    store, transport = scripted(lambda request: answer(201))
    assert store.mount(BLOB.descriptor, neighbour(transport, name)) is False
    assert store.mount(BLOB.descriptor, MemoryStore()) is False
    assert transport.requests == []


@pytest.mark.parametrize("status", [400, 403, 404, 405, 500])
def test_a_mount_that_is_refused_becomes_an_upload(status: int) -> None:
    def handler(request: Request) -> Response:
        if "mount=" in request.url:
            return answer(status)
        if request.method == "POST":
            return answer(202, Location="/v2/team/app/blobs/uploads/1")
        return answer(201)

    store, transport = scripted(handler)
    assert store.mount(BLOB.descriptor, neighbour(transport)) is False
    store.put(BLOB)
    assert [request.method for request in transport.requests] == ["POST", "POST", "PUT"]


def test_credentials_that_do_not_reach_the_other_repository_stop_no_upload() -> None:
    def handler(request: Request) -> Response:
        raise AccessDenied("no token for team/base")

    store, transport = scripted(handler)
    assert store.mount(BLOB.descriptor, neighbour(transport)) is False


def test_the_upload_that_a_mount_began_is_used() -> None:
    def handler(request: Request) -> Response:
        if request.method == "POST":
            return answer(202, Location="/v2/team/app/blobs/uploads/1?state=x")
        return answer(201)

    store, transport = scripted(handler)
    assert store.mount(BLOB.descriptor, neighbour(transport)) is False
    store.put(BLOB)
    assert asked(transport)[1:] == [f"PUT /blobs/uploads/1?state=x&digest={BLOB.descriptor.digest}"]
    store.close()
    assert len(transport.requests) == 2


def test_an_upload_that_a_mount_began_and_nobody_used_is_cancelled() -> None:
    def handler(request: Request) -> Response:
        if request.method == "DELETE":
            return answer(500)
        return answer(202, Location="/v2/team/app/blobs/uploads/1")

    store, transport = scripted(handler)
    store.mount(BLOB.descriptor, neighbour(transport))
    store.close()
    store.close()
    assert asked(transport)[1:] == ["DELETE /blobs/uploads/1"]
    assert transport.requests[1].scopes == ("repository:team/app:pull,push",)


def test_a_blob_is_sent_as_it_is_read() -> None:
    def handler(request: Request) -> Response:
        if request.method == "POST":
            return answer(202, Location="/v2/team/app/blobs/uploads/1")
        assert isinstance(request.body, Body)
        assert request.body.size == 7
        assert request.body.open().read(99) == b"content"
        return answer(201)

    store, transport = scripted(handler)
    store.put(BLOB)
    assert asked(transport) == [
        "POST /blobs/uploads/",
        f"PUT /blobs/uploads/1?digest={Digest.of(b'content')}",
    ]
