from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from manyfest.copy import copy
from manyfest.errors import AccessDenied, NotFound, RegistryError
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.reference import Name
from manyfest.stores.base import read_all
from manyfest.stores.memory import MemoryStore
from manyfest.stores.registry.connect import Registries
from manyfest.stores.registry.http import BytesReader, Request, Response
from manyfest.stores.registry.manifest_cache import KeptReader, ManifestCache
from tests.images import KINDS, OCI_MANIFEST, content_of, image, make
from tests.quirks import Between, Send, fields, said

RAW = b'{"schemaVersion":2}'
MANIFEST = Descriptor.of(RAW, OCI_MANIFEST)
HERE = "ghcr.io/team/app"


@pytest.fixture
def registry() -> Iterator[Between]:
    between = Between()
    yield between
    between.close()


@pytest.fixture
def cache(tmp_path: Path) -> ManifestCache:
    return ManifestCache(tmp_path / "cache" / "manifests", chance=lambda: 1.0)


def test_what_was_put_is_there_for_its_own_repository_only(cache: ManifestCache) -> None:
    cache.put(HERE, MANIFEST, RAW)
    assert cache.get(HERE, MANIFEST) == RAW
    assert cache.get("ghcr.io/team/other", MANIFEST) is None


def test_what_is_not_the_manifest_is_not_kept(cache: ManifestCache) -> None:
    cache.put(HERE, MANIFEST, RAW + b" ")
    cache.put(HERE, MANIFEST, b"")
    assert cache.get(HERE, MANIFEST) is None


@pytest.mark.parametrize("damaged", [b"", b"torn", RAW[:-1] + b" ", b"x" * (5 * 1024 * 1024)])
def test_a_file_that_is_torn_or_was_changed_is_none(
    cache: ManifestCache, tmp_path: Path, damaged: bytes
) -> None:
    cache.put(HERE, MANIFEST, RAW)
    (kept,) = (tmp_path / "cache" / "manifests").iterdir()
    kept.write_bytes(damaged)
    assert cache.get(HERE, MANIFEST) is None


def test_another_size_than_the_descriptor_says_is_another_manifest(cache: ManifestCache) -> None:
    cache.put(HERE, MANIFEST, RAW)
    other = Descriptor(media_type=OCI_MANIFEST, digest=MANIFEST.digest, size=MANIFEST.size + 1)
    assert cache.get(HERE, other) is None


def test_nobody_else_can_read_it(cache: ManifestCache, tmp_path: Path) -> None:
    cache.put(HERE, MANIFEST, RAW)
    folder = tmp_path / "cache" / "manifests"
    (kept,) = folder.iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert "ghcr" not in kept.name


def test_a_folder_that_cannot_be_used_keeps_nothing_and_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = ManifestCache(tmp_path / "file" / "manifests")
    cache.put(HERE, MANIFEST, RAW)
    assert cache.get(HERE, MANIFEST) is None


def test_a_pipe_in_its_place_holds_nobody_up(cache: ManifestCache, tmp_path: Path) -> None:
    cache.put(HERE, MANIFEST, RAW)
    (kept,) = (tmp_path / "cache" / "manifests").iterdir()
    kept.unlink()
    os.mkfifo(kept)
    assert cache.get(HERE, MANIFEST) is None


def test_the_oldest_go_when_there_are_too_many(tmp_path: Path) -> None:
    cache = ManifestCache(tmp_path, limit=8 * 4096, chance=lambda: 0.0)
    raws = [f"{number}".encode() for number in range(12)]
    kept = [Descriptor.of(raw, OCI_MANIFEST) for raw in raws]
    for age, (descriptor, raw) in enumerate(zip(kept, raws, strict=True)):
        cache.put(HERE, descriptor, raw)
        newest = max(tmp_path.iterdir(), key=lambda path: path.stat().st_mtime_ns)
        os.utime(newest, ns=(age, age * 10**9))
    assert len(list(tmp_path.iterdir())) <= 8
    assert cache.get(HERE, kept[-1]) == raws[-1]
    assert cache.get(HERE, kept[0]) is None


def test_the_size_is_looked_at_now_and_then(tmp_path: Path) -> None:
    seldom = ManifestCache(tmp_path, limit=4096, chance=lambda: 0.99999)
    for number in range(3):
        raw = b"x" * number
        seldom.put(HERE, Descriptor.of(raw, OCI_MANIFEST), raw)
    assert len(list(tmp_path.iterdir())) <= 1  # what is added is more than the limit each time
    large = ManifestCache(tmp_path, limit=2**30, chance=lambda: 0.99999)
    for number in range(3, 6):
        raw = b"x" * number
        large.put(HERE, Descriptor.of(raw, OCI_MANIFEST), raw)
    assert len(list(tmp_path.iterdir())) >= 3


def test_many_threads_may_keep_the_same(cache: ManifestCache) -> None:
    threads = [threading.Thread(target=lambda: cache.put(HERE, MANIFEST, RAW)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cache.get(HERE, MANIFEST) == RAW


def test_what_is_passed_on_whole_is_handed_over_once() -> None:
    kept: list[bytes] = []
    reader = KeptReader(BytesReader(RAW), len(RAW), kept.append)
    assert b"".join(iter(lambda: reader.read(5), b"")) == RAW
    assert reader.read(5) == b""
    assert kept == [RAW]


def test_what_ends_early_is_not_handed_over() -> None:
    kept: list[bytes] = []
    reader = KeptReader(BytesReader(RAW[:5]), len(RAW), kept.append)
    assert reader.read(99) == RAW[:5]
    assert reader.read(99) == b""
    assert kept == []


def test_a_manifest_is_read_once_and_then_only_looked_at(
    registry: Between, cache: ManifestCache
) -> None:
    root = image(registry.store())
    digest = root.descriptor.digest
    registry.asked()
    assert read_all(registry.store(cache=cache), root.descriptor) == root.raw
    assert registry.asked() == [f"GET manifests/{digest}"]
    assert read_all(registry.store(cache=cache), root.descriptor) == root.raw
    assert registry.asked() == [f"HEAD manifests/{digest}"]


def test_a_look_a_moment_ago_is_not_repeated(registry: Between, cache: ManifestCache) -> None:
    root = make(registry.store(), "image")
    store = registry.store(cache=cache)
    read_all(store, root.descriptor)
    registry.asked()
    assert read_all(store, store.resolve("v1")) == root.raw
    assert registry.asked() == ["HEAD manifests/v1"]
    assert read_all(store, root.descriptor) == root.raw
    assert registry.asked() == [f"HEAD manifests/{root.descriptor.digest}"]


def test_what_is_gone_from_the_registry_is_not_found_though_it_is_kept(
    registry: Between, cache: ManifestCache
) -> None:
    store = registry.store(cache=cache)
    root = image(store)
    read_all(store, root.descriptor)
    store.delete(root.descriptor.digest)
    with pytest.raises(NotFound):
        read_all(registry.store(cache=cache), root.descriptor)


def test_who_may_no_longer_read_it_does_not_get_what_is_kept(
    registry: Between, cache: ManifestCache
) -> None:
    store = registry.store(cache=cache)
    root = image(store)
    read_all(store, root.descriptor)
    registry.quirk = lambda request, send: said(403)
    with pytest.raises(AccessDenied):
        read_all(store, root.descriptor)


def test_a_registry_that_means_something_else_by_a_digest_is_not_believed(
    registry: Between, cache: ManifestCache
) -> None:
    store = registry.store(cache=cache)
    root, other = image(store), image(store, text="other")
    read_all(store, root.descriptor)
    registry.quirk = lambda request, send: fields(
        send(request), Docker_Content_Digest=str(other.descriptor.digest)
    )
    with pytest.raises(RegistryError, match="the registry answers with"):
        read_all(store, root.descriptor)


def test_a_damaged_answer_is_not_kept(registry: Between, cache: ManifestCache) -> None:
    store = registry.store(cache=cache)
    root = image(store)

    def damaged(request: Request, send: Send) -> Response:
        response = send(request)
        if request.method != "GET":
            return response
        response.close()
        return said(200, body=bytes(root.descriptor.size), Content_Type=OCI_MANIFEST)

    registry.quirk = damaged
    reader = store.open(root.descriptor)
    while reader.read(100):
        pass
    registry.quirk = lambda request, send: send(request)
    assert read_all(store, root.descriptor) == root.raw


def test_what_had_to_be_read_to_be_resolved_is_not_read_again(
    registry: Between, cache: ManifestCache
) -> None:
    """A registry that leaves the digest out of its answers to HEAD."""
    root = make(registry.store(), "image")
    registry.quirk = lambda request, send: fields(send(request), Docker_Content_Digest="")
    store = registry.store(cache=cache)
    registry.asked()
    assert read_all(store, store.resolve("v1")) == root.raw
    assert registry.asked() == ["HEAD manifests/v1", "GET manifests/v1"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_of_what_is_there_already_is_head_requests_only(
    registry: Between, cache: ManifestCache, kind: str
) -> None:
    make(registry.store(), kind)
    copy(registry.store(cache=cache), "v1", registry.store("team/mirror"), ["v1"])
    registry.asked()
    copied = copy(registry.store(cache=cache), "v1", registry.store("team/mirror"), ["v1"])
    assert {line.partition(" ")[0] for line in registry.asked()} == {"HEAD"}
    assert copied.sent == 0


def test_a_copy_out_of_memory_of_what_is_there_already_asks_once_for_each_part(
    registry: Between,
) -> None:
    source = MemoryStore()
    make(source, "index")
    copy(source, "v1", registry.store(), ["v1"])
    registry.asked()
    copy(source, "v1", registry.store(), ["v1"])
    asked = registry.asked()
    assert len(asked) == len(set(asked)) == 11
    assert all(line.startswith("HEAD ") for line in asked)


def test_registries_keep_manifests_where_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, registry: Between
) -> None:
    import manyfest.stores.registry.connect

    root = image(registry.store())
    connect = manyfest.stores.registry.connect
    monkeypatch.setattr(connect, "registry_transport", lambda *_, **__: registry)
    monkeypatch.setenv("MANYFEST_CACHE_DIR", str(tmp_path))
    registries = Registries(plain_http=("localhost:5000",))
    read_all(registries.repository(Name.parse("localhost:5000/team/app")), root.descriptor)
    assert len(list((tmp_path / "manifests").iterdir())) == 1


def test_a_tag_that_moved_is_seen(registry: Between, cache: ManifestCache) -> None:
    old, new = image(registry.store()), image(registry.store(), text="new")
    registry.store().tag("v1", content_of(old))
    store = registry.store(cache=cache)
    assert read_all(store, store.resolve("v1")) == old.raw
    registry.store().tag("v1", content_of(new))
    assert read_all(store, store.resolve("v1")) == new.raw
