from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from manyfest.copy import copy
from manyfest.errors import (
    DigestMismatch,
    InvalidArchive,
    ManyfestError,
    NotFound,
    UsageError,
)
from manyfest.oci.manifest import Manifest
from manyfest.oci.parse import parse_manifest
from manyfest.serve.content import content_at
from manyfest.serve.sources import Sources
from manyfest.serve.storage import Storage
from manyfest.stores.archives.names import Naming
from manyfest.stores.archives.writer import ArchiveWriter
from manyfest.stores.layout import LayoutStore
from manyfest.stores.memory import MemoryStore
from tests.images import content_of, image, make, platforms
from tests.referring import attach, sign
from tests.tars import Member, blob_name, oci_members, saved, tar
from tests.unit.serve_client import Client

Opened = Callable[..., Client]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    """Serves paths; the root of the client is the folder they are in."""
    clients: list[Client] = []

    def open_all(*paths: Path) -> Client:
        client = Client(tmp_path, content=content_at(paths))
        clients.append(client)
        client.registry.prepare()
        return client

    yield open_all
    for client in clients:
        client.registry.content.close()


def archive(path: Path, *tags: str, place: str = "", text: str = "") -> Manifest:
    """Our own archive of an image for three platforms."""
    store = MemoryStore()
    root = platforms(store, text=text)
    store.tag("v1", content_of(root))
    with ArchiveWriter(path, naming=Naming(place=place)) as target:
        copy(store, "v1", target, list(tags))
    return root


def layout(path: Path, kind: str = "index") -> Manifest:
    with LayoutStore(path) as store:
        return make(store, kind)


def written(path: Path, *members: Member) -> Path:
    path.write_bytes(tar(*members))
    return path


def images(client: Client) -> list[str]:
    content = client.registry.content
    assert isinstance(content, Sources)
    return content.images()


def everything(client: Client, repository: str, manifest: Manifest) -> dict[str, int]:
    """The status of each blob that a manifest names."""
    return {
        str(child.digest): client.call("GET", f"{repository}/blobs/{child.digest}").status
        for child in manifest.children
    }


def test_an_archive_is_a_registry_at_once(tmp_path: Path, opened: Opened) -> None:
    root = archive(tmp_path / "app.tar", "v1", place="ghcr.io/team/app")
    client = opened(tmp_path / "app.tar")
    assert images(client) == ["team/app:v1"]
    answer = client.call("GET", "team/app/manifests/v1")
    assert (answer.status, answer.body) == (200, root.raw)
    assert answer.headers.get("docker-content-digest") == str(root.descriptor.digest)
    for platform in root.children:
        body = client.call("GET", f"team/app/manifests/{platform.digest}").body
        assert client.call("HEAD", f"team/app/manifests/{platform.digest}").status == 200
        for child in parse_manifest(body).children:
            blob = client.call("GET", f"team/app/blobs/{child.digest}")
            assert (blob.status, len(blob.body)) == (200, child.size)
            assert child.digest == child.digest.of(blob.body)


def test_a_range_of_a_blob_in_an_archive(tmp_path: Path, opened: Opened) -> None:
    store = MemoryStore()
    root = image(store)
    client = opened(written(tmp_path / "app.tar", *oci_members(store, root)))
    blob = root.image.layers[1]
    answer = client.call("GET", f"app/blobs/{blob.digest}", range="bytes=512-530")
    assert (answer.status, answer.body) == (206, store.blobs[blob.digest][512:531])
    head = client.call("HEAD", f"app/blobs/{blob.digest}")
    assert (head.headers.get("content-length"), head.body) == (str(blob.size), b"")


def test_nothing_can_be_pushed_or_deleted(tmp_path: Path, opened: Opened) -> None:
    root = archive(tmp_path / "app.tar", "v1")
    client = opened(tmp_path / "app.tar")
    before = client.files()
    for method, path in (
        ("POST", "app/blobs/uploads/"),
        ("PATCH", f"app/blobs/uploads/{'0' * 32}"),
        ("PUT", "app/manifests/v2"),
        ("DELETE", "app/manifests/v1"),
        ("DELETE", f"app/manifests/{root.descriptor.digest}"),
    ):
        answer = client.call(method, path, b"{}")
        assert (answer.status, answer.code) == (405, "UNSUPPORTED")
        assert answer.message == (
            "nothing can be pushed to archives and layouts: they are served as they are"
        )
    assert client.files() == before


def test_several_at_once_and_their_tags(tmp_path: Path, opened: Opened) -> None:
    archive(tmp_path / "one.tar", "v1", "latest", place="team/app")
    archive(tmp_path / "two.tar", "v2", place="registry.example.org/team/app", text="two")
    layout(tmp_path / "third")
    client = opened(tmp_path / "one.tar", tmp_path / "two.tar", tmp_path / "third")
    assert images(client) == ["team/app:latest", "team/app:v1", "team/app:v2", "third:v1"]
    assert client.call("GET", "_catalog").json() == {"repositories": ["team/app", "third"]}
    page = client.call("GET", "team/app/tags/list?n=2")
    assert page.json() == {"name": "team/app", "tags": ["latest", "v1"]}
    assert page.headers.get("link") == '</v2/team/app/tags/list?n=2&last=v1>; rel="next"'


def test_one_name_for_two_images_is_refused(tmp_path: Path) -> None:
    archive(tmp_path / "one.tar", "v1", place="team/app")
    archive(tmp_path / "two.tar", "v1", place="team/app", text="two")
    paths = [tmp_path / "one.tar", tmp_path / "two.tar"]
    with pytest.raises(UsageError) as caught:
        content_at(paths).prepare()
    assert str(caught.value) == (
        f"oci-archive:{tmp_path}/two.tar: team/app:v1 is two different images;"
        " serve them one after the other, or at two addresses"
    )


def test_one_image_in_two_archives_is_one(tmp_path: Path, opened: Opened) -> None:
    for name in ("one", "two"):
        archive(tmp_path / f"{name}.tar", "v1", place="team/app")
    assert images(opened(tmp_path / "one.tar", tmp_path / "two.tar")) == ["team/app:v1"]


def test_an_image_without_a_name_has_that_of_its_file(tmp_path: Path, opened: Opened) -> None:
    store = MemoryStore()
    members = oci_members(store, image(store))
    written(tmp_path / "my-app.tar", *members)
    written(tmp_path / "Größe.tar", *members)
    assert images(opened(tmp_path / "my-app.tar")) == ["my-app:latest"]
    assert images(opened(tmp_path / "Größe.tar")) == ["image:latest"]


def test_what_docker_saved_gets_manifests(tmp_path: Path, opened: Opened) -> None:
    path = written(
        tmp_path / "saved.tar",
        *saved(("one", ["team/app:v1", "alpine:3"]), ("two", ["localhost:5000/other:v2"])),
    )
    client = opened(path)
    assert images(client) == ["alpine:3", "other:v2", "team/app:v1"]
    answer = client.call("GET", "alpine/manifests/3")
    digest = answer.headers.get("docker-content-digest")
    assert client.call("GET", f"team/app/manifests/{digest}").body == answer.body
    assert client.call("GET", f"other/manifests/{digest}").code == "MANIFEST_UNKNOWN"
    manifest = parse_manifest(answer.body)
    assert set(everything(client, "alpine", manifest).values()) == {200}


def test_a_repository_has_its_own_blobs_alone(tmp_path: Path, opened: Opened) -> None:
    path = written(tmp_path / "saved.tar", *saved(("one", ["one:v1"]), ("two", ["two:v1"])))
    client = opened(path)
    manifest = parse_manifest(client.call("GET", "one/manifests/v1").body)
    config = manifest.image.config.digest
    assert client.call("GET", f"one/blobs/{config}").status == 200
    assert client.call("GET", f"two/blobs/{config}").code == "BLOB_UNKNOWN"


def test_what_refers_to_an_image_is_served_with_it(tmp_path: Path, opened: Opened) -> None:
    with LayoutStore(tmp_path / "app") as store:
        root = make(store, "index")
        note = attach(store, root, "note")
        tag, signature = sign(store, root)
    client = opened(tmp_path / "app")
    listed = client.call("GET", f"app/referrers/{root.descriptor.digest}")
    assert listed.json() == {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [
            {
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "digest": str(note.descriptor.digest),
                "size": len(note.raw),
                "artifactType": "application/vnd.example.note",
            }
        ],
    }
    assert set(everything(client, "app", note).values()) == {200}
    assert client.call("GET", f"app/manifests/{tag}").body == signature.raw
    assert images(client) == ["app:v1"]


def test_an_index_with_fewer_platforms_than_it_names(tmp_path: Path, opened: Opened) -> None:
    store = MemoryStore()
    root = platforms(store)
    present, *absent = root.children
    for child in absent:
        del store.blobs[child.digest]
    client = opened(written(tmp_path / "app.tar", *oci_members(store, root)))
    assert client.call("GET", "app/manifests/latest").body == root.raw
    assert client.call("GET", f"app/manifests/{present.digest}").status == 200
    assert client.call("GET", f"app/manifests/{absent[0].digest}").code == "MANIFEST_UNKNOWN"


def test_a_layout_is_sent_by_its_files(tmp_path: Path, opened: Opened) -> None:
    root = layout(tmp_path / "app", "image")
    client = opened(tmp_path / "app")
    assert images(client) == ["app:v1"]
    assert client.call("GET", "app/manifests/v1").body == root.raw
    assert set(everything(client, "app", root).values()) == {200}


@pytest.mark.parametrize("missing", ["layer", "config", "manifest"])
def test_a_part_that_is_missing_is_told_at_the_start(tmp_path: Path, missing: str) -> None:
    store = MemoryStore()
    made = image(store)
    lost = {
        "layer": made.image.layers[0].digest,
        "config": made.image.config.digest,
        "manifest": made.descriptor.digest,
    }[missing]
    members = [each for each in oci_members(store, made) if each[0] != blob_name(lost)]
    written(tmp_path / "app.tar", *members)
    with pytest.raises(ManyfestError, match=r"app\.tar") as caught:
        content_at([tmp_path / "app.tar"]).prepare()
    assert lost.hex in str(caught.value)
    assert isinstance(caught.value, InvalidArchive | NotFound)


def test_a_platform_that_was_cut_short_is_told_at_the_start(tmp_path: Path) -> None:
    store = MemoryStore()
    root = platforms(store)
    lost = root.children[1].digest
    store.blobs[lost] = store.blobs[lost][:-1]
    written(tmp_path / "app.tar", *oci_members(store, root))
    with pytest.raises(DigestMismatch, match=lost.hex):
        content_at([tmp_path / "app.tar"]).prepare()


def test_an_archive_that_was_cut_short_is_told_at_the_start(tmp_path: Path) -> None:
    archive(tmp_path / "app.tar", "v1")
    data = (tmp_path / "app.tar").read_bytes()
    (tmp_path / "app.tar").write_bytes(data[: len(data) // 2])
    with pytest.raises(InvalidArchive, match=r"app\.tar"):
        content_at([tmp_path / "app.tar"]).prepare()


def test_what_is_no_archive_is_told_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "app.tar").write_bytes(b"no archive" * 1000)
    with pytest.raises(InvalidArchive, match=r"app\.tar"):
        content_at([tmp_path / "app.tar"]).prepare()


def test_a_registrys_folder_is_told_from_a_layout(tmp_path: Path) -> None:
    layout(tmp_path / "layout")
    Client(tmp_path / "registry").push_image("app", "v1")
    assert isinstance(content_at([tmp_path / "layout"]), Sources)
    assert isinstance(content_at([tmp_path / "registry"]), Storage)
    assert isinstance(content_at([tmp_path / "new"]), Storage)


@pytest.mark.parametrize("name", ["app.tar", "app.tar.gz", "app.tgz", "app.tar.zst"])
def test_an_archive_that_is_not_there_becomes_no_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(NotFound, match="there is no such file"):
        content_at([tmp_path / name])
    assert list(tmp_path.iterdir()) == []


def test_a_registrys_folder_is_served_alone(tmp_path: Path) -> None:
    layout(tmp_path / "layout")
    (tmp_path / "registry").mkdir()
    with pytest.raises(UsageError, match="is a registry's folder, which is served alone"):
        content_at([tmp_path / "layout", tmp_path / "registry"])


def test_an_empty_layout_has_nothing_to_serve(tmp_path: Path) -> None:
    with LayoutStore(tmp_path / "app") as store:
        store.update(lambda top: top)
    with pytest.raises(NotFound, match="it holds no image"):
        content_at([tmp_path / "app"]).prepare()
