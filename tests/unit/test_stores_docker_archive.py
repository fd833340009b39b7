"""Archives in Docker's old form: ``manifest.json``, and no manifests."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from manyfest.errors import DigestMismatch, ManyfestError, NotFound
from manyfest.layers.compression import Compression
from manyfest.layers.decompress import decompress
from manyfest.layers.streams import Reader
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Image, Manifest
from manyfest.oci.parse import parse_manifest
from manyfest.stores.archives.store import ArchiveStore
from manyfest.stores.base import read_all
from tests.images import layer
from tests.tars import Member, link, saved, tar

APP, BASE = (layer("app", b"linux/amd64 "), layer("etc/base", b"shared by all"))
CONFIG = "7b521a9a2116198db4e91afd408d1acbab15bd9a74a2d72dc0b90cf55c73db69"
MANIFEST = "sha256:a891ccb0dbf6990486fa7b758b85c564f16dc10dd1ab4fd8a8953008dd69e69b"
PLAIN = "application/vnd.oci.image.layer.v1.tar"

Files = list[tuple[str, bytes]]
Write = Callable[..., ArchiveStore]


@pytest.fixture
def archive(tmp_path: Path) -> Write:
    """Writes an archive with these members, and opens it."""

    def write(*members: Member) -> ArchiveStore:
        path = tmp_path / "app.tar"
        path.write_bytes(tar(*members))
        return ArchiveStore(path, label="app.tar")

    return write


def with_layers(members: Files, *layers: bytes) -> Files:
    """The members, with other files for the first layers."""
    names = [name for name, _ in members if name.endswith("layer.tar")]
    others = dict(zip(names, layers, strict=False))
    return [(name, others.get(name, data)) for name, data in members]


def listing(*images: dict[str, object]) -> tuple[str, bytes]:
    return ("manifest.json", json.dumps(images).encode())


def manifest_of(store: ArchiveStore, name: str = "") -> Manifest:
    return parse_manifest(read_all(store, store.resolve(name)))


def image_of(store: ArchiveStore, name: str = "") -> Image:
    return manifest_of(store, name).image


def refusal(store: ArchiveStore, name: str = "") -> str:
    """Why an archive is refused, before anything in it is copied."""
    with pytest.raises(ManyfestError) as caught, store:
        store.resolve(name)
    return str(caught.value)


def test_an_image_is_seen_as_an_oci_image(archive: Write) -> None:
    with archive(*saved(("", ["team/app:v1"]))) as store:
        manifest = manifest_of(store)
        assert store.is_synthesized
        assert manifest.descriptor.media_type == "application/vnd.oci.image.manifest.v1+json"
        assert manifest.image.config.media_type == "application/vnd.oci.image.config.v1+json"
        assert manifest.image.config.digest == Digest("sha256", CONFIG)
        assert [part.media_type for part in manifest.image.layers] == [PLAIN, PLAIN]
        assert [read_all(store, part) for part in manifest.image.layers] == [BASE, APP]
        for part in (manifest.descriptor, *manifest.children):
            assert store.has(part)


def test_an_image_has_the_same_manifest_whoever_wrote_it(archive: Write) -> None:
    docker = saved(("", ["team/app:v1"]))
    others = [
        listing({"Layers": ["base", "app"], "Config": "config.json", "Parent": "", "x": [1]}),
        ("config.json", next(data for name, data in docker if name.startswith(CONFIG))),
        ("base", BASE),
        ("app", APP),
    ]
    for members in (docker, others):
        with archive(*members) as store:
            assert str(store.resolve("").digest) == MANIFEST


@pytest.mark.parametrize(
    "name",
    ["", "team/app:v1", "docker.io/team/app:v1", "index.docker.io/team/app:v1", "v1", "latest",
     "team/app", "ghcr.io/team/app:v2", "@0", f"sha256:{CONFIG}", MANIFEST],
)  # fmt: skip
def test_an_image_is_found_by_each_of_its_names(archive: Write, name: str) -> None:
    names = ["team/app:v1", "docker.io/team/app:latest", "ghcr.io/team/app:v2"]
    with archive(*saved(("", names))) as store:
        assert str(store.resolve(name).digest) == MANIFEST


def test_names_are_listed_as_docker_shows_them(archive: Write) -> None:
    one = ("one", ["docker.io/team/app:v1", "docker.io/library/app:v1", "ghcr.io/app:v1"])
    with archive(*saved(one, ("two", []), ("three", ["app:v2"]))) as store:
        assert list(store.tags()) == ["team/app:v1", "app:v1", "ghcr.io/app:v1", "app:v2"]


SEVERAL: tuple[tuple[str, list[str]], ...] = (
    ("one", ["app:v1"]),
    ("two", ["app:v2", "app:latest"]),
    ("three", []),
)


@pytest.mark.parametrize(
    ("name", "text"),
    [("app:v1", "one"), ("app", "two"), ("v2", "two"), ("@0", "one"), ("@1", "two"),
     ("@2", "three")],
)  # fmt: skip
def test_one_of_several_images_is_found(archive: Write, name: str, text: str) -> None:
    with archive(*saved(*SEVERAL)) as store:
        found = image_of(store, name).layers[1]
        assert read_all(store, found) == layer("app", f"linux/amd64 {text}".encode())


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "app.tar: it holds 3 images; name one of app:v1, app:v2, app:latest"),
        ("app:v3", "app.tar: 'app:v3' is not in it; name one of app:v1, app:v2, app:latest"),
        ("@3", "app.tar: '@3' is not in it; name one of app:v1, app:v2, app:latest"),
        ("@-1", "app.tar: '@-1' is not in it; name one of app:v1, app:v2, app:latest"),
        (
            f"sha256:{'0' * 64}",
            f"app.tar: 'sha256:{'0' * 64}' is not in it; name one of app:v1, app:v2, app:latest",
        ),
    ],
)
def test_what_is_not_there_is_said(archive: Write, name: str, message: str) -> None:
    with archive(*saved(*SEVERAL)) as store, pytest.raises(NotFound) as caught:
        store.resolve(name)
    assert str(caught.value) == message


def test_a_tag_that_two_images_have_is_told_apart(archive: Write) -> None:
    with archive(*saved(("one", ["a:v1"]), ("two", ["b:v1"]))) as store:
        assert refusal(store, "v1") == "app.tar: 'v1' names 2 images in it; name one of a:v1, b:v1"


def test_an_archive_with_no_images_is_read(archive: Write) -> None:
    with archive(("manifest.json", b"[]")) as store:
        assert list(store.tags()) == []
        assert refusal(store) == "app.tar: it holds no image"


# Layers


def test_a_layer_may_be_a_link_to_another(archive: Write) -> None:
    members = saved(("one", ["app:v1"]), ("two", ["app:v2"]))
    names = [name for name, _ in members if name.endswith("layer.tar")]
    first = names[0]
    linked: list[Member] = [member for member in members if member[0] != first]
    for made in (link(first, "base.tar"), link(first, "../base.tar", symbolic=True)):
        with archive(("base.tar", BASE), *linked, made) as store:
            for name in ("app:v1", "app:v2"):
                assert read_all(store, image_of(store, name).layers[0]) == BASE


@pytest.mark.parametrize(
    ("pack", "media_type"),
    [
        (gzip.compress, "application/vnd.oci.image.layer.v1.tar+gzip"),
        (zstandard.compress, "application/vnd.oci.image.layer.v1.tar+zstd"),
    ],
)
def test_compressed_layers_stay_as_they_are(
    archive: Write, pack: Callable[[bytes], bytes], media_type: str
) -> None:
    packed = [pack(BASE), pack(APP)]
    with archive(*with_layers(saved(("", ["team/app:v1"])), *packed)) as store:
        layers = image_of(store).layers
        assert [part.media_type for part in layers] == [media_type, media_type]
        assert [read_all(store, part) for part in layers] == packed


def test_a_compressed_layer_of_several_images_is_read_once(
    archive: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = []

    def counted(source: Reader, compression: Compression, *, limit: int, where: str) -> Reader:
        reads.append(source)
        return decompress(source, compression, limit=limit, where=where)

    monkeypatch.setattr("manyfest.stores.archives.docker_view.decompress", counted)
    images = saved(
        ("one", ["app:v1"]), ("two", ["app:v2"]), ("two", ["app:v3"]), pack=gzip.compress
    )
    with archive(*images) as store:
        assert image_of(store, "app:v1").layers[0] == image_of(store, "app:v2").layers[0]
        assert len(reads) == 3  # the layer that all have, that of "one", and that of "two"


def test_a_compressed_layer_with_another_content_is_refused(archive: Write) -> None:
    other = layer("app", b"evil")
    members = with_layers(saved(("", ["app:v1"])), gzip.compress(other))
    message = refusal(archive(*members))
    assert message.startswith("app.tar: ")
    assert message.endswith(
        f"/layer.tar unpacks to {Digest.of(other)}, but the configuration says {Digest.of(BASE)}"
    )


def test_a_plain_layer_with_another_content_is_told_when_it_is_read(archive: Write) -> None:
    members = with_layers(saved(("", ["app:v1"])), b"?" + BASE[1:], APP[:-1])
    with archive(*members) as store:
        first, second = image_of(store).layers
        with pytest.raises(DigestMismatch, match=f"{Digest.of(BASE)} has the digest sha256:"):
            read_all(store, first)
        with pytest.raises(DigestMismatch, match=f"{Digest.of(APP)} has the digest sha256:"):
            read_all(store, second)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            gzip.compress(APP, mtime=0)[:-1],
            "layer.tar: is truncated: its last gzip member is not whole",
        ),
        (b"\x1f\x8b" + b"?" * 90, "layer.tar: is not gzip, or damaged"),
        (zstandard.compress(APP)[:-1], "layer.tar: is truncated: its last zstd frame is not whole"),
        (bz2.compress(APP), "layer.tar is compressed with bzip2, which no registry takes"),
        (lzma.compress(APP), "layer.tar is compressed with xz, which no registry takes"),
    ],
)
def test_a_compressed_layer_that_is_damaged_is_refused(
    archive: Write, data: bytes, message: str
) -> None:
    assert message in refusal(archive(*with_layers(saved(("", ["app:v1"])), data)))


def test_layers_that_unpack_to_far_too_much_together_are_refused(
    archive: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("manyfest.stores.archives.allowance.FREE", 5_000_000)
    bombs = [zstandard.compress(bytes(size)) for size in (3_000_000, 3_000_001)]
    images = saved(("", ["app:v1"]))
    assert "but the configuration says" in refusal(archive(*with_layers(images, bombs[0])))
    assert refusal(archive(*with_layers(images, *bombs))).endswith("it is a decompression bomb")


def test_layers_of_one_digest_and_two_sizes_are_refused(archive: Write) -> None:
    config = {"rootfs": {"type": "layers", "diff_ids": [str(Digest.of(BASE))] * 2}}
    members = [
        listing({"Config": "c", "Layers": ["a", "b"]}),
        ("c", json.dumps(config).encode()),
        ("a", BASE),
        ("b", BASE + bytes(512)),
    ]
    assert refusal(archive(*members)) == (
        f"app.tar: b and a differ in size, but both should be {Digest.of(BASE)}"
    )


# What is refused


@pytest.mark.parametrize(
    ("listed", "message"),
    [
        (b"", "app.tar, manifest.json: the list of images is not JSON"),
        (b"{}", "app.tar, manifest.json: the list of images: Expected `array`, got `object`"),
        (b"[1]", "app.tar, manifest.json: the list of images: Expected `object`, got `int`"),
        (b"[{}]", "the list of images: Object missing required field `Config` - at `$[0]`"),
        (b'[{"Config":1}]', "the list of images: Expected `str`, got `int` - at `$[0].Config`"),
        (b'[{"Config":"a","Layers":"b"}]', "Expected `array`, got `str` - at `$[0].Layers`"),
        (b'[{"Config":"a","Config":"b"}]', "key 'Config' appears twice"),
        (b'[{"Config":"a","config":"b"}]', "key 'Config' appears twice"),
        (b'[{"config":"a"}]', "it has the key 'config' where it means 'Config'"),
        (b"[" * 100_000, "app.tar, manifest.json: the list of images is"),
        (b'[{"Config":"../a"}]', "app.tar, manifest.json: the name '../a' climbs out with '..'"),
        (b'[{"Config":""}]', "app.tar, manifest.json: an entry has no name"),
        (b'[{"Config":"/etc/passwd"}]', "app.tar: manifest.json names 'etc/passwd', which is not"),
        (b'[{"Config":"none"}]', "app.tar: manifest.json names 'none', which is not in it"),
        (b'[{"Config":"README"}]', "app.tar, README: the configuration is not JSON"),
        (b'[{"Config":"index"}]', "app.tar, index: the configuration"),
        (b'[{"Config":"c","Layers":["none"]}]', "manifest.json names 'none', which is not in it"),
        (b'[{"Config":"c","Layers":["../../c"]}]', "the name '../../c' climbs out with '..'"),
        (b'[{"Config":"c","Layers":[]}]', "app.tar: c has 1 layers, manifest.json names 0"),
        (b'[{"Config":"c","Layers":["l","l"]}]', "app.tar: c has 1 layers, manifest.json names 2"),
        (b'[{"Config":"c","RepoTags":["app"]}]', "it names an image 'app', which has no tag"),
        (b'[{"Config":"c","RepoTags":["A:1"]}]', "it names an image 'A:1': repository 'library/A'"),
        (b'[{"Config":"c","RepoTags":[""]}]', "it names an image '': the reference is empty"),
        (b'[{"Config":"circle"}]', "app.tar: circle is a link to 'circle', which is no file in it"),
        (
            b'[{"Config":"outside"}]',
            "app.tar: outside is a link to '/etc/passwd', which is no file",
        ),
        (
            b'[{"Config":"%s.json"}]' % (b"a" * 64),
            "app.tar: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.json has the"
            " digest sha256:",
        ),
    ],
)
def test_a_list_that_is_wrong_is_refused(archive: Write, listed: bytes, message: str) -> None:
    config = json.dumps({"rootfs": {"type": "layers", "diff_ids": [str(Digest.of(BASE))]}}).encode()
    members: list[Member] = [
        ("manifest.json", listed),
        ("README", b"hello"),
        ("index", b'{"manifests":[]}'),
        ("c", config),
        ("l", BASE),
        (f"{'a' * 64}.json", config),
        link("circle", "circle", symbolic=True),
        link("outside", "/etc/passwd", symbolic=True),
    ]
    assert message in refusal(archive(*members))


def test_a_list_that_names_very_much_is_refused(archive: Write) -> None:
    many = [f"app:v{number}" for number in range(4097)]
    assert "it has 4097 names, more than the 4096 allowed" in refusal(
        archive(listing({"Config": "c", "RepoTags": many}), ("c", b"{}"))
    )
    layers: dict[str, object] = {"Config": "c", "Layers": ["l"] * 4000}
    assert "it names 104000 layers, more than the 100000 allowed" in refusal(
        archive(listing(*[layers] * 26), ("c", b"{}"), ("l", b""))
    )
    assert "manifest.json is 4194305 bytes, more than the 4194304 allowed" in refusal(
        archive(("manifest.json", b" " * 4194305))
    )


def test_a_large_configuration_is_refused_before_it_is_read(archive: Write) -> None:
    members = [listing({"Config": "c"}), ("c", b" " * 4194305)]
    assert refusal(archive(*members)) == (
        "app.tar: c is 4194305 bytes, more than the 4194304 allowed"
    )
