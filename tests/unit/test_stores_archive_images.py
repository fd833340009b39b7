"""Archives with ``index.json`` and ``manifest.json`` both, as Docker has written since 25 and as we
write: what the one does not name is found by the other."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from manyfest.errors import ManyfestError, NotFound
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Manifest
from manyfest.stores.archives.store import ArchiveStore
from manyfest.stores.memory import MemoryStore
from tests.images import entry, image, index, platforms
from tests.tars import blob_name, tar

REF = "org.opencontainers.image.ref.name"
CONTAINERD = "io.containerd.image.name"
INDEX = "application/vnd.oci.image.index.v1+json"

Write = Callable[..., ArchiveStore]


@pytest.fixture
def archive(tmp_path: Path) -> Write:
    """Writes an archive with everything in a store, these entries of ``index.json`` and these of
    ``manifest.json``, and opens it."""

    def write(
        store: MemoryStore, entries: list[Descriptor], listed: list[dict[str, object]] | None
    ) -> ArchiveStore:
        top = Manifest.of_index(index(MemoryStore(), entries).index)
        files = [("index.json", top.raw), ("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')]
        files += [(blob_name(digest), data) for digest, data in store.blobs.items()]
        if listed is not None:
            files.append(("manifest.json", json.dumps(listed).encode()))
        path = tmp_path / "app.tar"
        path.write_bytes(tar(*files))
        return ArchiveStore(path, label="app.tar")

    return write


def config_of(store: MemoryStore, digest: Digest) -> Digest:
    """The configuration of an image in a store."""
    return Digest.parse(json.loads(store.blobs[digest])["config"]["digest"])


def listing(store: MemoryStore, digest: Digest, *names: str) -> dict[str, object]:
    """An entry of ``manifest.json``."""
    manifest = json.loads(store.blobs[digest])
    return {
        "Config": blob_name(Digest.parse(manifest["config"]["digest"])),
        "RepoTags": list(names),
        "Layers": [blob_name(Digest.parse(each["digest"])) for each in manifest["layers"]],
    }


def docker_entry(manifest: Manifest, name: str) -> Descriptor:
    """An entry of ``index.json`` as Docker writes it."""
    tag = name.rpartition(":")[2]
    return entry(manifest, **{CONTAINERD: name, REF: tag})


@pytest.mark.parametrize(
    ("name", "which"),
    [("a:v1", 0), ("docker.io/library/a:v1", 0), ("v1", 0), ("b", 1), ("latest", 1), ("@0", 0),
     ("@1", 1)],
)  # fmt: skip
def test_docker_25s_images_are_found_by_every_name(archive: Write, name: str, which: int) -> None:
    store = MemoryStore()
    images = [image(store, text=text) for text in ("one", "two")]
    names = ("docker.io/library/a:v1", "docker.io/library/b:latest")
    entries = [docker_entry(each, name) for each, name in zip(images, names, strict=True)]
    listed = [listing(store, images[0].descriptor.digest, "a:v1"),
              listing(store, images[1].descriptor.digest, "b:latest")]  # fmt: skip
    with archive(store, entries, listed) as opened:
        assert opened.resolve(name).digest == images[which].descriptor.digest
        assert list(opened.tags()) == ["v1", "latest"]
        assert not opened.is_synthesized


def test_an_image_of_an_index_is_found_by_its_docker_name_alone(archive: Write) -> None:
    """This is how an archive of ours has platforms for Docker."""
    store = MemoryStore()
    root = platforms(store)
    amd64, arm64, _ = (child.digest for child in root.children)
    listed = [
        listing(store, amd64, "team/app:v1-amd64", "team/app:v1"),
        listing(store, arm64, "team/app:v1-arm64"),
    ]
    with archive(store, [docker_entry(root, "docker.io/team/app:v1")], listed) as opened:
        for name, digest in {
            "": root.descriptor.digest,
            "v1": root.descriptor.digest,
            "team/app:v1": root.descriptor.digest,
            "team/app:v1-amd64": amd64,
            "docker.io/team/app:v1-arm64": arm64,
            "@0": amd64,
            "@1": arm64,
        }.items():
            assert opened.resolve(name).digest == digest
        with pytest.raises(NotFound) as caught:
            opened.resolve("team/app:v2")
    assert str(caught.value) == "app.tar: 'team/app:v2' is not in it; name one of team/app:v1"


@pytest.mark.parametrize("listed", [None, []])
def test_an_image_is_found_by_the_id_that_docker_shows(
    archive: Write, listed: list[dict[str, object]] | None
) -> None:
    store = MemoryStore()
    inner = platforms(store)
    root = index(store, [entry(inner), entry(image(store, text="other"))])
    with archive(store, [entry(root)], listed) as opened:
        for child in inner.children:
            found = opened.resolve(str(config_of(store, child.digest)))
            assert (found.digest, found.media_type) == (child.digest, child.media_type)


def test_an_index_without_all_its_images_is_searched(archive: Write) -> None:
    store = MemoryStore()
    root = platforms(store)
    gone, child = root.children[0], root.children[1]
    del store.blobs[gone.digest]
    with archive(store, [entry(root)], None) as opened:
        config = config_of(store, child.digest)
        assert opened.resolve(str(config)).digest == child.digest


def test_what_is_neither_a_manifest_nor_a_configuration_is_told(archive: Write) -> None:
    store = MemoryStore()
    root = image(store)
    layer = root.image.layers[0].digest
    with archive(store, [entry(root)], None) as opened, pytest.raises(ManyfestError) as caught:
        opened.resolve(str(layer))
    assert str(caught.value).startswith(f"app.tar, {layer}: the manifest is not JSON")


def test_an_image_in_the_list_alone_is_refused(archive: Write) -> None:
    store = MemoryStore()
    root, other = image(store, text="one"), image(store, text="two")
    listed = [listing(store, other.descriptor.digest, "app:v2")]
    with archive(store, [entry(root)], listed) as opened:
        assert opened.resolve("") == root.descriptor
        with pytest.raises(ManyfestError) as caught:
            opened.resolve("app:v2")
    assert str(caught.value) == (
        "app.tar: manifest.json has 'app:v2' with the configuration"
        f" {other.image.config.digest}, which no image in it has"
    )


def test_a_list_that_is_wrong_does_not_matter_until_it_is_needed(archive: Write) -> None:
    store = MemoryStore()
    root = image(store)
    with archive(store, [entry(root, **{REF: "v1"})], [{"Config": 1}]) as opened:
        assert opened.resolve("v1") == root.descriptor
        with pytest.raises(ManyfestError, match=r"^app\.tar, manifest\.json: the list of images"):
            opened.resolve("v2")


def test_a_search_ends(archive: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("manyfest.stores.archives.images.MAX_GRAPH_NODES", 3)
    store = MemoryStore()
    root = platforms(store)
    config = store.blobs[config_of(store, root.children[2].digest)]
    with archive(store, [entry(root)], None) as opened, pytest.raises(ManyfestError) as caught:
        opened.resolve(str(Digest.of(config)))
    assert str(caught.value) == "app.tar: it leads to more than 3 manifests"
