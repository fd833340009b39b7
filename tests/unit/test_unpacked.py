from __future__ import annotations

import gzip

import msgspec
import pytest
import zstandard

from manyfest.errors import DigestMismatch, InvalidArchive
from manyfest.images.unpacked import count, known_size
from manyfest.oci.descriptor import Descriptor
from manyfest.stores.memory import MemoryStore
from tests.images import put
from tests.recorders import Recorded, Recorder

GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"
DOCKER_GZIP = "application/vnd.docker.image.rootfs.diff.tar.gzip"
FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"


@pytest.mark.parametrize(
    ("media_type", "known"),
    [
        ("application/vnd.oci.image.layer.v1.tar", 7),
        ("application/vnd.docker.image.rootfs.diff.tar", 7),
        (GZIP, None),
        (ZSTD, None),
        (DOCKER_GZIP, None),
        (FOREIGN, None),
        ("application/octet-stream", None),
    ],
)
def test_what_a_plain_layer_unpacks_to_is_its_size(media_type: str, known: int | None) -> None:
    assert known_size(Descriptor.of(b"content", media_type)) == known


@pytest.mark.parametrize(
    ("stated", "known"),
    [("123", 123), ("", None), ("-1", None), ("9" * 16, None), ("\u0661", None)],
)
def test_what_estargz_says_of_a_layer_is_believed(stated: str, known: int | None) -> None:
    layer = msgspec.structs.replace(
        Descriptor.of(b"content", GZIP),
        annotations={"io.containers.estargz.uncompressed-size": stated},
    )
    assert known_size(layer) == known


def test_layers_are_read_and_counted_however_they_are_compressed() -> None:
    store = MemoryStore()
    layers = [
        put(store, bytes(10)),
        put(store, gzip.compress(bytes(2000)) + gzip.compress(bytes(500)), GZIP),
        put(store, gzip.compress(bytes(30)), DOCKER_GZIP),
        put(store, zstandard.compress(bytes(4_000_000)), ZSTD),
    ]

    counts = count(store, [("linux/amd64", layer) for layer in layers])

    assert [counts[layer.digest] for layer in layers] == [10, 2500, 30, 4_000_000]


def test_a_layer_that_platforms_share_is_read_once() -> None:
    store = Recorder()
    small, large = put(store, bytes(1)), put(store, bytes(99))

    count(store, [("linux/amd64", small), ("linux/arm64", small), ("linux/arm64", large)])

    assert sorted(store.asked("open")) == sorted([str(large.digest), str(small.digest)])


def test_what_lies_elsewhere_is_left_out() -> None:
    foreign = Descriptor.of(b"not here", FOREIGN)

    assert count(MemoryStore(), [("windows/amd64", foreign)]) == {}


def test_progress_is_told_by_platform_in_bytes_as_they_are_stored() -> None:
    store, told = MemoryStore(), Recorded()
    layer = put(store, gzip.compress(bytes(5000)), GZIP)

    count(store, [("linux/arm64", layer)], told)

    item = str(layer.digest)
    assert told.labels[item] == "linux/arm64"
    assert told.totals[item] == told.moved[item] == layer.size
    assert told.outcomes[item] == ["done"]


def test_a_damaged_layer_is_an_error_with_its_place() -> None:
    store = MemoryStore()
    layer = put(store, gzip.compress(bytes(5000))[:-9], GZIP)

    with pytest.raises(InvalidArchive, match=f"^memory@{layer.digest}: is truncated"):
        count(store, [("linux/amd64", layer)])


def test_a_layer_with_another_digest_is_an_error() -> None:
    store = MemoryStore()
    layer = put(store, bytes(5000))
    store.blobs[layer.digest] = bytes(4999) + b"x"

    with pytest.raises(DigestMismatch, match=f"^memory: {layer.digest} has the digest"):
        count(store, [("linux/amd64", layer)])
