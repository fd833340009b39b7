from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest

from manyfest.errors import StoreError, UsageError
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Manifest
from manyfest.serve.errors import Refusal
from manyfest.serve.memory import ManifestMemory
from manyfest.serve.storage import Storage
from manyfest.stores.base import Content
from manyfest.stores.layout import LayoutStore
from manyfest.stores.registry.http import BytesReader
from tests.unit.serve_client import Client, digest_of, index_of

DATA = b"0123456789"
DIGEST = Digest.of(DATA)


@pytest.fixture
def client(tmp_path: Path) -> Client:
    return Client(tmp_path)


def content(manifest: Manifest) -> Content:
    return Content(manifest.descriptor, lambda: BytesReader(manifest.raw))


def test_preparing_makes_the_folder(tmp_path: Path) -> None:
    Storage(tmp_path / "new/registry").prepare()
    assert [path.name for path in (tmp_path / "new/registry").iterdir()] == ["uploads"]


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be used for a registry"):
        Storage(tmp_path / "file").prepare()


def test_a_layout_is_no_registry(tmp_path: Path) -> None:
    (tmp_path / "oci-layout").touch()
    with pytest.raises(UsageError, match="one OCI layout, not a registry's folder"):
        Storage(tmp_path).prepare()


def test_a_folder_with_other_things_in_it_becomes_no_registry(tmp_path: Path) -> None:
    (tmp_path / "manyfest.yaml").touch()
    with pytest.raises(UsageError, match="has other things in it and is no registry's"):
        Storage(tmp_path).prepare()
    assert [path.name for path in tmp_path.iterdir()] == ["manyfest.yaml"]


def test_a_disks_own_folder_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "lost+found").mkdir()
    Storage(tmp_path).prepare()


def test_a_folder_to_read_from_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no such folder"):
        Client(tmp_path / "none", read_only=True).registry.prepare()


def test_a_file_system_without_hard_links_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(StoreError, match="has no hard links"):
        Storage(tmp_path).prepare()
    assert list((tmp_path / "uploads").iterdir()) == []


def test_only_uploads_that_nobody_went_on_with_are_cleared(client: Client) -> None:
    old, new = client.begin("app"), client.begin("app")
    [path] = client.root.glob(f"uploads/{old.rpartition('/')[2]}-*")
    os.utime(path, (0, 0))
    client.registry.prepare()
    assert client.call("GET", old).status == 404
    assert client.call("GET", new).status == 204


def test_a_blob_at_its_limit_of_links_is_stored_anew(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.push_blob("one", DATA)
    link, shared = os.link, client.root / "blobs/sha256" / DIGEST.hex
    first = shared.stat().st_ino

    def limited(source: str, target: str) -> None:
        if os.stat(source).st_ino == first:
            raise OSError(errno.EMLINK, "Too many links")
        link(source, target)

    monkeypatch.setattr(os, "link", limited)
    answer = client.call("POST", f"two/blobs/uploads/?mount={DIGEST}&from=one")
    assert answer.status == 202
    assert client.call("PUT", f"{answer.location}?digest={DIGEST}", DATA).status == 201
    assert client.call("GET", f"one/blobs/{DIGEST}").body == b"0123456789"
    assert client.call("GET", f"two/blobs/{DIGEST}").body == b"0123456789"
    assert shared.stat().st_ino != first


def test_a_blob_that_was_killed_on_its_way_is_never_written_to(client: Client) -> None:
    location = client.begin("app")
    client.call("PATCH", location, DATA)
    [upload] = client.root.glob("uploads/*-*")
    shared = client.root / "blobs/sha256" / DIGEST.hex
    shared.parent.mkdir(parents=True)
    os.link(upload, shared)
    assert Client(client.root).call("PATCH", location, b"more").status == 404
    assert shared.read_bytes() == b"0123456789"


def test_a_link_that_is_taken_while_a_blob_is_released_wins(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.push_blob("app", DATA)
    shared, taken = client.root / "blobs/sha256" / DIGEST.hex, client.root / "taken"
    (client.root / "repositories/app/_oci/blobs/sha256" / DIGEST.hex).unlink()
    rename = Path.rename

    def slow(path: Path, target: Path) -> Path:
        os.link(shared, taken)
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", slow)
    client.storage.repository("app")._pool.release(DIGEST)
    assert shared.stat().st_ino == taken.stat().st_ino
    assert list((client.root / "uploads").iterdir()) == []


def test_a_tag_that_another_process_set_is_seen_at_once(client: Client) -> None:
    first = client.push_image("app", "v1")
    assert client.call("GET", "app/manifests/v1").body == first.raw
    second = Client(client.root).push_image("app", "v1", text="second")
    assert client.call("GET", "app/manifests/v1").body == second.raw


def test_a_manifest_that_another_process_deleted_is_gone_at_once(client: Client) -> None:
    image = client.push_image("app", "v1")
    path = f"app/manifests/{image.descriptor.digest}"
    assert client.call("GET", path).status == 200
    Client(client.root).call("DELETE", path)
    assert client.call("GET", path).status == 404


def test_what_another_tool_puts_into_a_layout_is_served(client: Client) -> None:
    image = client.image("app", text="theirs")
    index = index_of(image)
    layout = LayoutStore(client.root / "repositories/app/_oci")
    layout.put(content(image))
    layout.tag("theirs", content(index))
    assert client.call("GET", "app/manifests/theirs").body == index.raw
    assert client.call("GET", f"app/manifests/{image.descriptor.digest}").body == image.raw
    layer = image.image.layers[0]
    assert client.call("GET", f"app/manifests/{layer.digest}").status == 404


def test_names_that_are_no_tags_are_passed_over(client: Client) -> None:
    image = client.image("app")
    LayoutStore(client.root / "repositories/app/_oci").tag("not a tag", content(image))
    assert client.call("GET", "app/tags/list").json() == {"name": "app", "tags": []}


def test_tags_set_at_once_are_all_there(client: Client) -> None:
    image = client.image("app")

    def push(number: int) -> None:
        client.push_manifest("app", f"v{number}", image)

    threads = [threading.Thread(target=push, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert client.call("GET", "app/tags/list").json() == {
        "name": "app",
        "tags": ["v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7"],
    }


def test_a_repository_that_is_full_of_tags_says_so_and_stays_whole(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("manyfest.serve.tag_table.MAX_LAYOUT_ENTRIES", 2)
    image = client.push_image("app", "v1")
    client.push_manifest("app", "v2", image)
    answer = client.push_manifest("app", "v3", image)
    assert (answer.status, answer.code) == (403, "DENIED")
    assert client.push_manifest("app", "v2", image).status == 201


def test_a_full_disk_is_a_507_and_leaves_nothing(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    answer = client.call("POST", f"app/blobs/uploads/?digest={DIGEST}", DATA)
    assert answer.status == 507
    assert [name for name in client.files() if DIGEST.hex in name or "uploads" in name] == []


def test_a_failed_disk_keeps_its_paths_to_itself(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error", str(client.root))

    monkeypatch.setattr(os, "fsync", broken)
    answer = client.call("POST", f"app/blobs/uploads/?digest={DIGEST}", DATA)
    assert answer.status == 500
    assert str(client.root) not in answer.body.decode()


def test_an_unknown_upload_is_refused_before_any_path_is_made(tmp_path: Path) -> None:
    with pytest.raises(Refusal):
        Storage(tmp_path).uploads.open("app", "../../etc/passwd")


def test_memory_forgets_what_was_used_longest_ago() -> None:
    def manifest(text: str) -> Manifest:
        index = index_of()
        return Manifest(text.encode(), index.descriptor, index.body)

    memory = ManifestMemory(largest=10)
    digest = index_of().descriptor.digest
    for repository in ("a", "b"):
        memory.put(repository, manifest("12345"))
    memory.get("a", digest)
    memory.put("c", manifest("12345"))
    kept = [name for name in ("a", "b", "c") if memory.get(name, digest)]
    assert kept == ["a", "c"]


def test_memory_keeps_nothing_that_is_larger_than_it() -> None:
    memory = ManifestMemory(largest=10)
    index = index_of()
    memory.put("app", index)
    assert memory.get("app", index.descriptor.digest) is None
    assert digest_of(index.raw) == str(index.descriptor.digest)


def test_a_folder_that_is_only_read_need_have_no_place_for_uploads(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    storage.prepare(read_only=True)
    storage.tidy()
    assert list(tmp_path.iterdir()) == []
