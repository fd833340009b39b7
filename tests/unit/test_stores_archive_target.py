"""What is in an archive that was written, whichever way its bytes went."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from manyfest.errors import InvalidManifest, StoreError
from manyfest.graph import read_graph
from manyfest.oci.manifest import Image, Manifest
from manyfest.oci.platform import Platform
from manyfest.stores.archives.names import Naming
from manyfest.stores.archives.store import ArchiveStore
from manyfest.stores.archives.writer import ArchiveWriter
from tests.images import (
    OCI_EMPTY,
    OCI_MANIFEST,
    artifact,
    content_of,
    image,
    make,
    put,
    put_manifest,
)

NAMING = Naming("ghcr.io/team/app")


def listed(path: Path) -> list[list[str]]:
    """The names of each image in ``manifest.json``."""
    with tarfile.open(path) as archive:
        file = archive.extractfile("manifest.json")
        assert file is not None
        return [entry["RepoTags"] for entry in json.load(file)]


def top(path: Path) -> list[dict[str, object]]:
    """The entries of ``index.json``."""
    with tarfile.open(path) as archive:
        file = archive.extractfile("index.json")
        assert file is not None
        entries: list[dict[str, object]] = json.load(file)["manifests"]
        return entries


def test_dockers_list_points_at_the_layouts_blobs_and_nothing_is_there_twice(
    tmp_path: Path,
) -> None:
    path = tmp_path / "image.tar"
    with ArchiveWriter(path, naming=Naming("app", Platform.parse("linux/arm64"))) as writer:
        root = make(writer, "index with attestations")
    with tarfile.open(path) as archive:
        names = archive.getnames()
        file = archive.extractfile("manifest.json")
        assert file is not None
        entries = json.load(file)
    assert len(names) == len(set(names))
    assert [entry["RepoTags"] for entry in entries] == [
        ["docker.io/library/app:v1-amd64"],
        ["docker.io/library/app:v1", "docker.io/library/app:v1-arm64"],
    ]
    with ArchiveStore(path) as store:
        for entry, descriptor in zip(entries, root.index.images, strict=True):
            image = read_graph(store, descriptor).root.image
            assert entry["Config"] == f"blobs/sha256/{image.config.digest.hex}"
            assert entry["Layers"] == [f"blobs/sha256/{e.digest.hex}" for e in image.layers]
            assert {entry["Config"], *entry["Layers"]} <= set(names)


def test_a_whole_name_is_a_tag_and_a_name_of_dockers(tmp_path: Path) -> None:
    path = tmp_path / "image.tar"
    with ArchiveWriter(path, naming=NAMING) as writer:
        root = make(writer, "image", "other/app:1.2")
    assert top(path)[0]["annotations"] == {
        "io.containerd.image.name": "docker.io/other/app:1.2",
        "org.opencontainers.image.ref.name": "1.2",
    }
    assert listed(path) == [["docker.io/other/app:1.2"]]
    with ArchiveStore(path) as store:
        assert store.resolve("1.2").digest == root.descriptor.digest
        assert store.resolve("other/app:1.2").digest == root.descriptor.digest


def test_two_repositories_may_use_one_tag(tmp_path: Path) -> None:
    path = tmp_path / "image.tar"
    with ArchiveWriter(path) as writer:
        one, two = image(writer, text="one"), image(writer, text="two")
        writer.tag("team/one:v1", content_of(one))
        writer.tag("team/two:v1", content_of(two))
    assert listed(path) == [["docker.io/team/one:v1"], ["docker.io/team/two:v1"]]
    with ArchiveStore(path) as store:
        assert store.resolve("team/one:v1").digest == one.descriptor.digest
        assert store.resolve("team/two:v1").digest == two.descriptor.digest


def test_where_no_repository_is_known_docker_names_it_after_the_file(tmp_path: Path) -> None:
    with ArchiveWriter(tmp_path / "ruff-0.17.6.tar") as writer:
        make(writer, "image")
    assert listed(tmp_path / "ruff-0.17.6.tar") == [["docker.io/library/ruff-0.17.6:v1"]]


def test_a_file_whose_name_is_no_repositorys_gives_docker_no_name(tmp_path: Path) -> None:
    path = tmp_path / "My Image.tar"
    with ArchiveWriter(path) as writer:
        make(writer, "image")
    assert listed(path) == [[]]
    assert top(path)[0]["annotations"] == {"org.opencontainers.image.ref.name": "v1"}


def test_what_docker_cannot_load_has_no_list(tmp_path: Path) -> None:
    path = tmp_path / "image.tar"
    with ArchiveWriter(path) as writer:
        make(writer, "artifact")
    with tarfile.open(path) as archive:
        assert "manifest.json" not in archive.getnames()


def test_the_bytes_do_not_depend_on_which_name_is_set_first(tmp_path: Path) -> None:
    tags = ["1", "1.2", "1.2.3", "latest", f"sha256-{'a' * 64}.sig"]
    written_so = []
    for order in (tags, tags[::-1]):
        with ArchiveWriter(tmp_path / "image.tar") as writer:
            root = image(writer)
            for tag in order:
                writer.tag(tag, content_of(root))
        written_so.append((tmp_path / "image.tar").read_bytes())
    assert written_so[0] == written_so[1]
    with ArchiveStore(tmp_path / "image.tar") as store:
        assert list(store.tags()) == tags


def test_a_name_that_is_set_again_means_the_last(tmp_path: Path) -> None:
    path = tmp_path / "image.tar"
    with ArchiveWriter(path, naming=NAMING) as writer:
        old, new = image(writer, text="old"), image(writer, text="new")
        for each in (old, new):
            writer.tag("v1", content_of(each))
    assert listed(path) == [["ghcr.io/team/app:v1"]]
    with ArchiveStore(path) as store:
        assert store.resolve("v1").digest == new.descriptor.digest


def test_images_without_names_are_all_in_it(tmp_path: Path) -> None:
    path = tmp_path / "image.tar"
    with ArchiveWriter(path) as writer:
        one, two = image(writer, text="one"), image(writer, text="two")
        writer.tag("", content_of(one))
        writer.tag("", content_of(two))
        writer.tag("v2", content_of(two))
    assert [entry["digest"] for entry in top(path)] == [
        str(one.descriptor.digest),
        str(two.descriptor.digest),
    ]
    assert listed(path) == [[], ["docker.io/library/image:v2"]]


def test_what_refers_to_an_image_is_found_and_is_not_taken_for_one(tmp_path: Path) -> None:
    path = tmp_path / "image.tar"
    with ArchiveWriter(path, naming=NAMING) as writer:
        bill = artifact(writer)
        root = image(writer)
        writer.tag("v1", content_of(root))
        writer.attach(root.descriptor, bill.descriptor)
    assert top(path)[1] == {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": str(bill.descriptor.digest),
        "size": bill.descriptor.size,
        "artifactType": "application/vnd.example.sbom",
    }
    assert listed(path) == [["ghcr.io/team/app:v1"]]
    with ArchiveStore(path) as store:
        (referrer,) = store.referrers(root.descriptor.digest)
        assert referrer.digest == bill.descriptor.digest
        assert store.resolve("").digest == root.descriptor.digest
        assert list(store.tags()) == ["v1"]


def test_a_signature_under_cosigns_tag_is_no_image_of_dockers(tmp_path: Path) -> None:
    path = tmp_path / "image.tar"
    with ArchiveWriter(path, naming=NAMING) as writer:
        root, signature = image(writer), image(writer, text="stands for a signature")
        tag = f"sha256-{root.descriptor.digest.hex}.sig"
        writer.tag(tag, content_of(signature))
        writer.tag("v1", content_of(root))
    assert listed(path) == [["ghcr.io/team/app:v1"]]
    assert [entry["annotations"] for entry in top(path)] == [
        {
            "io.containerd.image.name": "ghcr.io/team/app:v1",
            "org.opencontainers.image.ref.name": "v1",
        },
        {"org.opencontainers.image.ref.name": tag},
    ]


def test_what_is_no_manifest_is_refused_as_one(tmp_path: Path) -> None:
    with (
        pytest.raises(InvalidManifest, match=r"image\.tar: the manifest is not JSON"),
        ArchiveWriter(tmp_path / "image.tar") as writer,
    ):
        put(writer, b"no manifest", OCI_MANIFEST)


def fill_with_names(path: Path, count: int) -> None:
    with ArchiveWriter(path) as writer:
        root = content_of(image(writer))
        for number in range(count):
            writer.tag(str(number), root)


def test_it_takes_no_more_names_than_can_be_read_again(tmp_path: Path) -> None:
    path = tmp_path / "image.tar"
    with pytest.raises(StoreError, match="its index has 4096 entries and can have no more"):
        fill_with_names(path, 4097)
    fill_with_names(path, 4096)
    with ArchiveStore(path) as store:
        assert len(list(store.tags())) == 4096


def test_an_index_that_could_not_be_read_again_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "image.tar"
    with (
        pytest.raises(StoreError, match="more than the 4194304 that are read"),
        ArchiveWriter(path) as writer,
    ):
        refer_to_image(writer, [{"org.example.text": "x" * 3_000_000, "n": str(n)} for n in (1, 2)])
    assert list(tmp_path.iterdir()) == []


def refer_to_image(writer: ArchiveWriter, annotations: Sequence[dict[str, str]]) -> None:
    """An image and what refers to it, with these annotations."""
    root = make(writer, "image")
    for each in annotations:
        body = Image(
            schema_version=2,
            media_type=OCI_MANIFEST,
            config=put(writer, b"{}", OCI_EMPTY),
            layers=(),
            subject=root.descriptor,
            annotations=each,
        )
        referrer = put_manifest(writer, Manifest.of_image(body))
        writer.attach(root.descriptor, referrer.descriptor)
