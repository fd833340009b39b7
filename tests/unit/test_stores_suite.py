"""What holds for every store."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from manyfest.errors import DigestMismatch, ManyfestError, NotFound
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.stores.base import Content, Lists, read_all
from tests.images import content, content_of, image, make, put
from tests.places import KINDS, Place, place

UNKNOWN = Digest("sha256", "0" * 64)
DATA = bytes(range(256)) * 5


@pytest.fixture(params=KINDS)
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return place(request.param, tmp_path)


def test_a_manifest_is_found_by_its_tag_and_by_its_digest(where: Place) -> None:
    with where.target() as target:
        root = make(target, "index", "2.6.1")
    with where.source() as source:
        for name in ("2.6.1", str(root.descriptor.digest)):
            found = source.resolve(name)
            assert found.digest == root.descriptor.digest
            assert found.size == len(root.raw)
            assert found.media_type == "application/vnd.oci.image.index.v1+json"
            assert read_all(source, found) == root.raw


def test_a_manifest_below_the_index_is_found_by_its_digest(where: Place) -> None:
    with where.target() as target:
        root = make(target, "index")
    child = root.children[1]
    with where.source() as source:
        found = source.resolve(str(child.digest))
    assert (found.digest, found.size, found.media_type) == (
        child.digest,
        child.size,
        "application/vnd.oci.image.manifest.v1+json",
    )


@pytest.mark.parametrize("name", ["v2", str(UNKNOWN)])
def test_what_is_not_there_is_not_found(where: Place, name: str) -> None:
    with where.target() as target:
        make(target, "image", "v1")
    with where.source() as source, pytest.raises(NotFound):
        source.resolve(name)


def test_a_blob_that_is_not_there_is_not_opened(where: Place) -> None:
    with where.target() as target:
        make(target, "image", "v1")
    missing = Descriptor(media_type="text/plain", digest=UNKNOWN, size=1)
    with where.source() as source:
        assert not source.has(missing)
        with pytest.raises(NotFound):
            source.open(missing)


@pytest.mark.parametrize("data", [b"", b"x", DATA, DATA * 4000], ids=["none", "one", "few", "many"])
def test_a_blob_comes_back_as_it_was_put(where: Place, data: bytes) -> None:
    with where.target() as target:
        blob = put(target, data)
    with where.source() as source:
        assert source.has(blob)
        assert read_all(source, blob, limit=10_000_000) == data


@pytest.mark.parametrize(
    "wrong",
    [DATA[:-1], b"", DATA + b"!", b"!" + DATA[1:], DATA[:-1] + b"!"],
    ids=["short", "empty", "long", "first byte", "last byte"],
)
def test_wrong_bytes_are_refused_and_not_kept(where: Place, wrong: bytes) -> None:
    promised = Descriptor.of(DATA, "text/plain")
    target = where.target()
    with pytest.raises(ManyfestError, match=r"sha256:|bytes"), target:
        target.put(Content(promised, lambda: io.BytesIO(wrong)))
    if where.is_rewritable:
        assert not target.has(promised)
    else:
        with where.source() as source, pytest.raises(NotFound, match="there is no such file"):
            source.has(promised)


def test_a_flipped_manifest_gets_no_tag(where: Place) -> None:
    elsewhere = place("memory", Path()).target()
    good = image(elsewhere, text="good")
    flipped = good.raw.replace(b'"schemaVersion":2', b'"schemaVersion":3')
    with pytest.raises(DigestMismatch), where.target() as target:
        target.tag("v2", Content(good.descriptor, lambda: io.BytesIO(flipped)))
    with where.source() as source, pytest.raises(NotFound):
        source.resolve("v2")


def test_putting_twice_is_putting_once(where: Place) -> None:
    with where.target() as target:
        first, second = make(target, "index"), make(target, "index")
        assert first == second
        assert target.has(first.descriptor)
    with where.source() as source:
        assert source.resolve("v1").digest == first.descriptor.digest


def test_a_tag_moves(where: Place) -> None:
    with where.target() as target:
        old, new = image(target, text="old"), image(target, text="new")
        target.tag("latest", content_of(old))
        target.tag("2.6", content_of(old))
        target.tag("latest", content_of(new))
    with where.source() as source:
        assert source.resolve("latest").digest == new.descriptor.digest
        assert source.resolve("2.6").digest == old.descriptor.digest
        assert isinstance(source, Lists)
        assert sorted(source.tags()) == ["2.6", "latest"]


def test_a_tag_takes_its_manifest_along(where: Place) -> None:
    other = place("memory", Path())
    with where.target() as target:
        root = image(target)
        retagged = image(other.target(), text="unlike")
        for part in retagged.children:
            target.put(content(read_all(other.source(), part), part.media_type))
        target.tag("v1", content_of(retagged))
        assert root != retagged
    with where.source() as source:
        assert read_all(source, source.resolve("v1")) == retagged.raw


def test_sha512_is_a_digest_like_any_other(where: Place) -> None:
    blob = Descriptor.of(DATA, "text/plain", algorithm="sha512")
    with where.target() as target:
        target.put(Content(blob, lambda: io.BytesIO(DATA)))
    with where.source() as source:
        assert source.has(blob)
        assert read_all(source, blob) == DATA


def test_a_store_says_where_it_is(where: Place, tmp_path: Path) -> None:
    labels = {
        "memory": "memory",
        "layout": f"oci:{tmp_path}/layout",
        "archive": f"oci-archive:{tmp_path}/image.tar",
        "registry": "localhost:5000/team/app",
    }
    assert where.target().label == where.source().label == labels[where.kind]


def test_making_a_store_touches_nothing(where: Place, tmp_path: Path) -> None:
    where.source()
    where.target()
    assert list(tmp_path.iterdir()) == []
