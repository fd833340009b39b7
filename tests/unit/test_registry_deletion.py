from __future__ import annotations

from collections.abc import Iterator

import pytest

from manyfest.errors import AccessDenied, ManyfestError, NotFound, RegistryError, Unsupported
from manyfest.stores.base import Deletes
from manyfest.stores.registry.deletion import delete_manifest, delete_tag
from manyfest.stores.registry.http import FunctionTransport, Response
from manyfest.stores.registry.repository import Repository
from tests.images import content_of, make
from tests.quirks import Between, said
from tests.scripts import ROOT


@pytest.fixture
def registry() -> Iterator[Between]:
    between = Between()
    yield between
    between.close()


def repository(answer: Response) -> tuple[Repository, FunctionTransport]:
    transport = FunctionTransport(lambda _: answer)
    return Repository(registry="ghcr.io", name="team/app", transport=transport), transport


def test_a_tag_is_taken_away_and_the_image_stays(registry: Between) -> None:
    store = registry.store()
    root = make(store, "image")
    store.tag("v2", content_of(root))
    assert isinstance(store, Deletes)
    store.untag("v1")
    with pytest.raises(NotFound):
        store.resolve("v1")
    assert store.resolve("v2") == root.descriptor


def test_a_manifest_goes_with_all_its_tags(registry: Between) -> None:
    store = registry.store()
    root = make(store, "image")
    store.delete(root.descriptor.digest)
    with pytest.raises(NotFound):
        store.resolve("v1")
    assert not store.has(root.descriptor)


def test_a_tag_that_is_not_there_is_not_found(registry: Between) -> None:
    make(registry.store(), "image")
    with pytest.raises(NotFound):
        registry.store().untag("v9")


def test_a_deletion_asks_for_the_right_to_delete() -> None:
    asked, transport = repository(said(202))
    delete_tag(asked, "v1")
    delete_manifest(asked, ROOT.descriptor.digest)
    assert [request.method for request in transport.requests] == ["DELETE", "DELETE"]
    scopes = ("repository:team/app:pull,push,delete",)
    assert [request.scopes for request in transport.requests] == [scopes, scopes]


@pytest.mark.parametrize("status", [200, 202, 204])
def test_how_registries_say_that_it_is_done(status: int) -> None:
    delete_tag(repository(said(status))[0], "v1")
    delete_manifest(repository(said(status))[0], ROOT.descriptor.digest)


@pytest.mark.parametrize(
    "answer",
    [said(405), said(405, "UNSUPPORTED"), said(501), said(400, "UNSUPPORTED"),
     said(400, "DIGEST_INVALID"), said(400, "TAG_INVALID"), said(400)],
)  # fmt: skip
def test_a_registry_that_only_deletes_by_digest_is_told_of_with_the_way_out(
    answer: Response,
) -> None:
    with pytest.raises(Unsupported, match="takes no tag away by itself") as caught:
        delete_tag(repository(answer)[0], "v1")
    assert "delete the manifest by its digest" in caught.value.mend


@pytest.mark.parametrize(
    "answer", [said(405), said(405, "UNSUPPORTED"), said(501), said(400, "UNSUPPORTED"), said(400)]
)
def test_a_registry_with_deletion_switched_off_is_told_of_with_the_switch(
    answer: Response,
) -> None:
    with pytest.raises(Unsupported, match="deletion is switched off") as caught:
        delete_manifest(repository(answer)[0], ROOT.descriptor.digest)
    assert "REGISTRY_STORAGE_DELETE_ENABLED=true" in caught.value.mend


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (said(404, "MANIFEST_UNKNOWN"), NotFound),
        (said(401), AccessDenied),
        (said(403, "DENIED"), AccessDenied),
        (said(500), RegistryError),
        (said(409, "TAG_IMMUTABLE"), RegistryError),
    ],
)
def test_any_other_refusal_is_the_error_that_it_stands_for(
    answer: Response, error: type[ManyfestError]
) -> None:
    with pytest.raises(error, match=r"^ghcr\.io/team/app: .*the deletion of the tag v1") as caught:
        delete_tag(repository(answer)[0], "v1")
    assert type(caught.value) is error
    with pytest.raises(error, match="the deletion of sha256:"):
        delete_manifest(repository(answer)[0], ROOT.descriptor.digest)


@pytest.mark.parametrize("name", ["", "../v1", "v1?x", f"{ROOT.descriptor.digest}", "a/b"])
def test_what_is_no_tag_is_not_sent(name: str) -> None:
    asked, transport = repository(said(202))
    with pytest.raises(NotFound, match="is not a tag"):
        delete_tag(asked, name)
    assert transport.requests == []
