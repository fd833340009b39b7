"""What holds for every store that knows referrers and from which things can be taken away."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pytest

from manyfest.errors import NotFound
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.stores.base import Attaches, Deletes, Lists, Refers, Store, read_all
from manyfest.stores.referrers import as_referrer
from tests.images import artifact, content_of, image, make
from tests.places import place

UNKNOWN = Digest("sha256", "0" * 64)


class Full(Store, Lists, Refers, Attaches, Deletes, Protocol):
    """A store that can do all of it."""


Open = Callable[[], Full]


@pytest.fixture(params=["memory", "layout", "registry"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Opens the same place each time it is called."""
    where = place(request.param, tmp_path)

    def opened() -> Full:
        store = where.target()
        for capability in (Lists, Refers, Attaches, Deletes):
            assert isinstance(store, capability)
        return store  # type: ignore[return-value]

    return opened


def attached(store: Full) -> tuple[Descriptor, Descriptor]:
    """An image, and something that refers to it."""
    referrer = artifact(store)
    subject = referrer.body.subject
    assert subject is not None
    store.attach(subject, as_referrer(referrer))
    return subject, referrer.descriptor


def test_a_referrer_is_found_from_its_subject_with_its_type(open_store: Open) -> None:
    with open_store() as store:
        subject, referrer = attached(store)
    with open_store() as store:
        (found,) = store.referrers(subject.digest)
        assert found.artifact_type == "application/vnd.example.sbom"
        assert (found.digest, found.size) == (referrer.digest, referrer.size)
        assert len(read_all(store, found)) == referrer.size


def test_what_was_attached_twice_refers_once(open_store: Open) -> None:
    with open_store() as store:
        subject, _ = attached(store)
        assert attached(store)[0] == subject
    with open_store() as store:
        assert len(store.referrers(subject.digest)) == 1


def test_nothing_refers_to_what_is_not_there(open_store: Open) -> None:
    with open_store() as store:
        make(store, "image")
        assert store.referrers(UNKNOWN) == ()


def test_a_deleted_referrer_refers_no_more(open_store: Open) -> None:
    with open_store() as store:
        subject, referrer = attached(store)
    with open_store() as store:
        store.delete(referrer.digest)
    with open_store() as store:
        assert store.referrers(subject.digest) == ()
        assert store.has(subject)
        with pytest.raises(NotFound):
            store.resolve(str(referrer.digest))


def test_a_name_is_taken_away_alone(open_store: Open) -> None:
    with open_store() as store:
        root = image(store)
        for tag in ("1.2.3", "latest"):
            store.tag(tag, content_of(root))
        store.untag("latest")
    with open_store() as store:
        assert list(store.tags()) == ["1.2.3"]
        assert store.resolve("1.2.3") == root.descriptor
        assert all(map(store.has, root.children))


def test_a_manifest_is_taken_away_with_all_its_names(open_store: Open) -> None:
    with open_store() as store:
        root, other = image(store), image(store, text="other")
        for tag in ("1.2.3", "latest"):
            store.tag(tag, content_of(root))
        store.tag("edge", content_of(other))
        store.delete(root.descriptor.digest)
    with open_store() as store:
        assert list(store.tags()) == ["edge"]
        assert not store.has(root.descriptor)
        assert all(map(store.has, other.children))


@pytest.mark.parametrize("tags", [(), ("v1",)])
def test_what_is_not_there_cannot_be_taken_away(open_store: Open, tags: tuple[str, ...]) -> None:
    with open_store() as store:
        root = image(store)
        for tag in tags:
            store.tag(tag, content_of(root))
        with pytest.raises(NotFound):
            store.untag("v2")
        with pytest.raises(NotFound):
            store.delete(UNKNOWN)
        store.delete(root.descriptor.digest)
        with pytest.raises(NotFound):
            store.delete(root.descriptor.digest)


def test_what_was_taken_away_may_come_back(open_store: Open) -> None:
    with open_store() as store:
        root = make(store, "index")
        store.delete(root.descriptor.digest)
        assert make(store, "index") == root
    with open_store() as store:
        assert store.resolve("v1").digest == root.descriptor.digest
        assert all(map(store.has, root.children))
