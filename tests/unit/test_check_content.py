from __future__ import annotations

import io

import msgspec
import pytest

from manyfest.check.image import check_image
from manyfest.errors import ConnectionFailed
from manyfest.layers.compression import Compression
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.platform import Platform
from manyfest.stores.base import Reader
from tests.unit.check_images import (
    Images,
    Layer,
    file,
    lines,
    one,
    platforms,
    program,
    whole,
)


def test_a_truncated_layer() -> None:
    store = Images()
    layer = store.layer(program("app")).descriptor
    root = one(store, Layer(layer, layer.digest))
    store.blobs[layer.digest] = store.blobs[layer.digest][:50]
    assert lines(check_image(store, root)) == [
        f"linux/amd64 layer 1 {layer.digest}: ends after 50 of {layer.size} bytes;"
        " the content is damaged: get it again from where it came from"
    ]


def test_a_flipped_bit_in_each_place_is_told_by_the_digest() -> None:
    store = Images()
    layer = store.layer(program("app"), file("text", bytes(range(256)) * 8))
    root = one(store, layer)
    good = store.blobs[layer.descriptor.digest]
    for place in range(0, len(good), 7):
        damaged = bytearray(good)
        damaged[place] ^= 1
        store.blobs[layer.descriptor.digest] = bytes(damaged)
        (line,) = lines(check_image(store, root))
        assert f"layer 1 {layer.descriptor.digest}: has the digest sha256:" in line


def test_a_large_damaged_layer_is_told_by_the_digest_not_by_what_inflating_said() -> None:
    store = Images()
    layer = store.layer(file("noise", bytes(3_000_000)), compression=Compression.NONE)
    root = one(store, layer)
    damaged = bytearray(store.blobs[layer.descriptor.digest])
    damaged[0:512] = b"x" * 512
    store.blobs[layer.descriptor.digest] = bytes(damaged)
    (line,) = lines(check_image(store, root))
    assert "has the digest sha256:" in line


def test_a_missing_layer() -> None:
    store = Images()
    layer = store.layer(program("app"))
    root = one(store, layer)
    del store.blobs[layer.descriptor.digest]
    assert lines(check_image(store, root)) == [
        f"linux/amd64 layer 1 {layer.descriptor.digest}: is missing"
    ]


def test_a_shared_layer_that_is_damaged_is_named_for_each_platform() -> None:
    store = Images()
    root = whole(store)
    shared = store.layer(file("etc/motd", b"hello")).descriptor.digest
    store.blobs[shared] = b""
    found = [(finding.platform, finding.where) for finding in check_image(store, root).findings]
    assert found == [
        ("linux/amd64", f"layer 1 {shared}"),
        ("linux/arm64", f"layer 1 {shared}"),
    ]


def test_a_layer_with_the_right_digest_that_is_no_archive() -> None:
    store = Images()
    blob = store.blob(b"no archive", "application/vnd.oci.image.layer.v1.tar+gzip")
    (line,) = lines(check_image(store, one(store, Layer(blob, blob.digest))))
    assert line.startswith(f"linux/amd64 layer 1 {blob.digest}, byte 0: is not gzip, or damaged")


def test_a_layer_that_cannot_be_unpacked() -> None:
    store = Images()
    layer = store.layer(file("a"), file("a/b"))
    assert lines(check_image(store, one(store, layer))) == [
        f"linux/amd64 layer 1 {layer.descriptor.digest}: has 'a/b' below something that is no"
        " directory"
    ]


def test_a_diff_id_that_is_not_the_layers() -> None:
    store = Images()
    layer, other = store.layer(file("a", b"a")), store.layer(file("b", b"b"))
    root = one(store, Layer(layer.descriptor, other.diff_id))
    assert lines(check_image(store, root)) == [
        f"linux/amd64 layer 1 {layer.descriptor.digest}: unpacks to {layer.diff_id}, but the"
        f" configuration's diff_id is {other.diff_id}; build the image again: its configuration"
        " and its layers are not of one build"
    ]


def test_a_foreign_layer_is_not_called_fine() -> None:
    store = Images()
    own = store.layer(program("app"))
    foreign = msgspec.structs.replace(
        own.descriptor,
        media_type="application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        urls=("https://example.org/layer",),
    )
    root = store.index(store.image(Layer(foreign, own.diff_id), own, entrypoint=("/none",)))
    assert lines(check_image(store, root)) == [
        f"linux/amd64 layer 1 {foreign.digest}: was not checked: it is a foreign layer, which lies"
        " elsewhere; store it in the registry as others are"
    ]


@pytest.mark.parametrize(("part", "name"), [("manifest", "manifest"), ("config", "configuration")])
def test_a_damaged_document(part: str, name: str) -> None:
    store = Images()
    entry = store.image(store.layer(program("app")))
    config = next(
        digest for digest, data in store.blobs.items() if data.startswith(b'{"architecture"')
    )
    root = store.index(entry)
    damaged = entry.digest if part == "manifest" else config
    store.blobs[damaged] = store.blobs[damaged][:-1] + b" "
    first = lines(check_image(store, root, platforms=platforms("amd64")))[0]
    assert first.startswith(f"linux/amd64 {name} {damaged}: has the digest sha256:")


def test_a_damaged_index() -> None:
    store = Images()
    root = whole(store)
    store.blobs[root.digest] = b"{}"
    assert lines(check_image(store, root)) == [
        f"index manifest {root.digest}: ends after 2 of {root.size} bytes;"
        " the content is damaged: get it again from where it came from"
    ]


def test_faults_of_documents_are_findings() -> None:
    store = Images()
    config = store.blob(
        b'{"architecture":"amd64","os":"linux","created":"now",'
        b'"rootfs":{"type":"layers","diff_ids":[]}}',
        "application/vnd.oci.image.config.v1+json",
    )
    image = (
        b'{"schemaVersion":3,"config":{"mediaType":"%s","digest":"%s","size":%d},"layers":[]}'
        % (config.media_type.encode(), str(config.digest).encode(), config.size)
    )
    entry = store.blob(image, "application/vnd.oci.image.manifest.v1+json")
    listed = Platform(os="linux", architecture="amd64")
    root = store.index(msgspec.structs.replace(entry, platform=listed))
    assert [line.partition(" ")[2] for line in lines(check_image(store, root))] == [
        f"manifest {entry.digest}, $.schemaVersion: is 3; expected 2",
        f'configuration {config.digest}, $.created: is "now", no time; expected RFC 3339,'
        " such as 2006-01-02T15:04:05Z",
    ]


def test_a_manifest_that_does_not_parse() -> None:
    store = Images()
    entry = store.blob(b'{"schemaVersion":2}', "application/vnd.oci.image.manifest.v1+json")
    listed = Platform(os="linux", architecture="amd64")
    root = store.index(msgspec.structs.replace(entry, platform=listed))
    found = lines(check_image(store, root, platforms=platforms("amd64")))
    assert found == [
        f"linux/amd64 manifest {entry.digest}, $.config: is missing; expected an object",
        f"linux/amd64 manifest {entry.digest}, $.layers: is missing; expected a list",
    ]


def test_indexes_within_indexes_are_bounded() -> None:
    store = Images()
    root = whole(store)
    for _ in range(9):
        root = store.index(root)
    (line,) = lines(check_image(store, root))
    assert line == (
        f"index {root.digest}: has over 20000 parts, or indexes more than 8 deep: not all of it was"
        " read"
    )


def test_a_store_that_does_not_answer_is_an_error_and_no_finding() -> None:
    class Down(Images):
        def open(self, descriptor: Descriptor) -> Reader:
            if "tar" in descriptor.media_type:
                raise ConnectionFailed("no answer", where="registry.example.org")
            return super().open(descriptor)

    store = Down()
    with pytest.raises(ConnectionFailed, match="no answer"):
        check_image(store, whole(store))


def test_a_store_that_fails_within_a_damaged_layer_is_an_error() -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() >= 600:
                raise ConnectionFailed("broke off", where="registry.example.org")
            return b"x" * 512 if self.tell() else super().read(600)

    class Flaky(Images):
        def open(self, descriptor: Descriptor) -> Reader:
            reader = super().open(descriptor)
            return Broken(reader.read(-1)) if "tar" in descriptor.media_type else reader

    store = Flaky()
    layer = store.layer(file("a", bytes(10_000)), compression=Compression.NONE)
    store.blobs[layer.descriptor.digest] = b"x" * layer.descriptor.size
    with pytest.raises(ConnectionFailed, match="broke off"):
        check_image(store, one(store, layer))
