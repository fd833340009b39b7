from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest

from manyfest.copy import Item, copy_graphs
from manyfest.errors import NotFound, StoreError, Unsupported
from manyfest.graph import read_graph
from manyfest.oci.digest import Digest
from manyfest.oci.platform import Platform
from manyfest.stores.archives.media import Write
from manyfest.stores.memory import MemoryStore
from manyfest.stores.runtimes.runtime import Info, RuntimeTarget
from tests import images

AMD64 = Platform.parse("linux/amd64")
OTHER = Digest.of(b"another image")


class Remembering:
    """A runtime that keeps what it was sent, and says of each name what it is told to say."""

    label = "Remembering"

    def __init__(self, ids: Mapping[str, Digest], *, keeps_indexes: bool = False) -> None:
        self.ids = ids
        self.loaded: list[bytes] = []
        self._info = Info(AMD64, keeps_indexes)

    def is_here(self) -> bool:
        return True

    def info(self) -> Info:
        return self._info

    def image_id(self, name: str) -> Digest:
        if name not in self.ids:
            raise NotFound("no such image", where=self.label)
        return self.ids[name]

    @contextmanager
    def load(self) -> Iterator[Write]:
        archive = io.BytesIO()
        yield archive.write
        self.loaded.append(archive.getvalue())


def send(runtime: Remembering, kind: str, *names: str) -> None:
    memory = MemoryStore()
    root = images.make(memory, kind)
    graph = read_graph(memory, root.descriptor)
    with RuntimeTarget(runtime, label="runtime:") as target:
        copy_graphs(memory, [Item(graph=graph, tags=names)], target)


IMAGE = images.single(MemoryStore())
INDEX = images.platforms(MemoryStore())
CONFIG = IMAGE.image.config.digest


def test_all_that_comes_is_one_archive() -> None:
    runtime = Remembering({"app:v1": CONFIG, "app:latest": CONFIG})

    send(runtime, "image", "app:v1", "app:latest")

    (archive,) = runtime.loaded
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        file = opened.extractfile("manifest.json")
        assert file is not None
        (listed,) = json.load(file)
    assert listed["Config"] == f"blobs/sha256/{CONFIG.hex}"
    assert listed["RepoTags"] == ["docker.io/library/app:latest", "docker.io/library/app:v1"]


def test_a_name_that_means_something_else_afterwards_is_an_error() -> None:
    runtime = Remembering({"app:v1": OTHER})
    with pytest.raises(StoreError) as caught:
        send(runtime, "image", "app:v1")
    assert str(caught.value) == (
        f"Remembering: app:v1 is {OTHER} there, and not {CONFIG} as it was sent"
    )


def test_a_name_that_is_not_there_afterwards_is_an_error() -> None:
    with pytest.raises(StoreError, match="app:v1 is missing there, and not sha256:"):
        send(Remembering({}), "image", "app:v1")


def test_where_indexes_are_kept_a_name_means_the_index() -> None:
    index = INDEX.descriptor.digest
    runtime = Remembering({"app:v1": index}, keeps_indexes=True)

    send(runtime, "index", "app:v1")

    assert len(runtime.loaded) == 1


def test_where_they_are_not_an_index_is_refused_and_nothing_loaded() -> None:
    runtime = Remembering({})
    with pytest.raises(Unsupported) as caught:
        send(runtime, "index", "app:v1")
    assert str(caught.value) == (
        "Remembering: it keeps one platform under a name; choose one: --platform linux/amd64"
    )
    assert runtime.loaded == []


def test_nothing_is_loaded_if_the_copy_fails() -> None:
    runtime = Remembering({})

    def fail() -> None:
        with RuntimeTarget(runtime, label="runtime:") as target:
            target.put(images.content(b"half of it"))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert runtime.loaded == []
