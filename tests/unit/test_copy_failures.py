from __future__ import annotations

import threading
import time
from collections import Counter
from pathlib import Path
from typing import Self

import pytest

from manyfest.copy import Stopped, copy, copy_graph
from manyfest.errors import (
    ConnectionFailed,
    DigestMismatch,
    NotFound,
    StoreError,
)
from manyfest.graph import Graph, read_graph
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.stores.base import Content, Reader
from manyfest.stores.layout import LayoutStore
from manyfest.stores.memory import MemoryStore
from tests.images import image, index, make
from tests.places import KINDS as PLACES
from tests.places import place
from tests.recorders import Recorder, graph_of


class Failing(Recorder):
    """A target where one blob fails once the others are under way."""

    def __init__(self, which: Digest, error: BaseException) -> None:
        super().__init__()
        self.which = which
        self.error = error
        self.others = threading.Event()

    def put(self, content: Content) -> None:
        if content.descriptor.digest == self.which:
            self.others.wait(5)
            raise self.error
        reader = content.open()
        while reader.read(1):
            self.others.set()
            time.sleep(0.001)
        super().put(content)


def large(store: MemoryStore, count: int = 4) -> Graph:
    """An index whose layers take a while to read byte by byte."""
    entries = [image(store, text="x" * 20_000 + str(n)).descriptor for n in range(count)]
    return read_graph(store, index(store, entries).descriptor)


def test_a_failure_stops_the_others_and_sets_no_tag() -> None:
    source = MemoryStore()
    graph = large(source)
    target = Failing(graph.blobs[1].digest, StoreError("the disk is full"))
    started = time.monotonic()
    with pytest.raises(StoreError, match="the disk is full") as caught:
        copy_graph(source, graph, target, ["v1"])
    assert not isinstance(caught.value, Stopped)
    assert time.monotonic() - started < 5
    assert target.names == {}
    assert not any(manifest.descriptor.digest in target.blobs for manifest in graph.manifests)


def test_an_interrupt_ends_the_copy_at_once_and_its_threads_soon_after(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = MemoryStore()
    graph = large(source)
    target = Failing(Digest.of(b"none"), StoreError("never"))

    def interrupted(*arguments: object, **options: object) -> None:
        assert target.others.wait(5)
        raise KeyboardInterrupt

    monkeypatch.setattr("manyfest.threads.wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        copy_graph(source, graph, target, ["v1"])
    threads = [thread for thread in threading.enumerate() if thread.name.startswith("copy")]
    for thread in threads:
        thread.join(5)
    assert not any(thread.is_alive() for thread in threads)
    assert target.names == {}


def test_a_source_that_fails_is_the_error_that_is_raised() -> None:
    class Broken(MemoryStore):
        def open(self, descriptor: Descriptor) -> Reader:
            if not descriptor.is_manifest:
                raise ConnectionFailed("the connection broke off", where="registry.example.org")
            return super().open(descriptor)

    source, target = Broken(), MemoryStore()
    make(source, "index")
    with pytest.raises(ConnectionFailed, match=r"registry\.example\.org: the connection broke off"):
        copy(source, "v1", target, ["v1"])
    assert target.names == {}


def test_a_manifest_that_is_refused_sets_no_tag() -> None:
    class Refusing(Recorder):
        def put(self, content: Content) -> None:
            if content.descriptor.is_manifest:
                raise StoreError("the registry refuses it")
            super().put(content)

    source, target = MemoryStore(), Refusing()
    make(source, "index")
    with pytest.raises(StoreError, match="the registry refuses it"):
        copy(source, "v1", target, ["v1"])
    assert target.asked("tag") == []


def damaged(source: MemoryStore) -> Descriptor:
    make(source, "index")
    part = graph_of(source).blobs[1]
    source.blobs[part.digest] = b"?" + source.blobs[part.digest][1:]
    return part


@pytest.mark.parametrize("to", PLACES)
def test_damage_at_the_source_is_blamed_on_the_source(tmp_path: Path, to: str) -> None:
    source = MemoryStore("the source")
    part = damaged(source)
    there = place(to, tmp_path)
    target = there.target()
    with pytest.raises(DigestMismatch, match=f"^the source: {part.digest} has the"), target:
        copy(source, "v1", target, ["v1"])
    if there.is_rewritable:
        with pytest.raises(NotFound):
            target.resolve("v1")
        assert not target.has(part)


@pytest.mark.parametrize("to", PLACES)
def test_a_torn_blob_at_the_source_is_blamed_on_the_source(tmp_path: Path, to: str) -> None:
    source = LayoutStore(tmp_path / "from")
    make(source, "image")
    part = graph_of(source).blobs[0]
    path = source.blobs.path(part.digest)
    path.write_bytes(path.read_bytes()[:-1])
    target = place(to, tmp_path / "to").target()
    with pytest.raises(DigestMismatch, match=f"^oci:.*/from: {part.digest} ends after"), target:
        copy(source, "v1", target, ["v1"])


class Remote:
    """A source that does not lie on this machine."""

    def __init__(self, store: MemoryStore) -> None:
        self.store = store
        self.label = "registry.example.org/app"
        self.opened: Counter[Digest] = Counter()

    def resolve(self, name: str) -> Descriptor:
        return self.store.resolve(name)

    def open(self, descriptor: Descriptor) -> Reader:
        self.opened[descriptor.digest] += 1
        return self.store.open(descriptor)

    def has(self, descriptor: Descriptor) -> bool:
        return self.store.has(descriptor)

    def close(self) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class Gullible(MemoryStore):
    """A target that takes whatever it reads and says that its other side verifies it."""

    verifies = True

    def put(self, content: Content) -> None:
        reader = content.open()
        self.blobs[content.descriptor.digest] = b"".join(iter(lambda: reader.read(99), b""))


def test_what_comes_from_elsewhere_is_hashed_on_its_way() -> None:
    store, target = MemoryStore(), Gullible()
    part = damaged(store)
    source = Remote(store)
    with pytest.raises(DigestMismatch, match=f"^registry.example.org/app: {part.digest} has the"):
        copy(source, "v1", target, ["v1"])
    assert part.digest not in target.blobs
    assert target.names == {}
    assert source.opened[part.digest] == 1


def test_what_lies_here_is_not_hashed_twice() -> None:
    source, target = MemoryStore(), Gullible()
    part = damaged(source)
    copy(source, "v1", target, ["v1"])
    assert target.blobs[part.digest] == source.blobs[part.digest]


def test_a_refusal_of_what_is_whole_at_the_source_is_the_targets() -> None:
    class Refusing(MemoryStore):
        def put(self, content: Content) -> None:
            raise DigestMismatch("the registry got other bytes", where="registry.example.org")

    source = MemoryStore()
    make(source, "image")
    with pytest.raises(DigestMismatch, match=r"registry\.example\.org: the registry got other"):
        copy(source, "v1", Refusing(), ["v1"])
