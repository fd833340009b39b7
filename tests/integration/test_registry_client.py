"""The registry client over the network, against Debian's ``docker-registry``."""

from __future__ import annotations

import hashlib
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import manyfest.stores.registry.pages
from manyfest.copy import Item, copy, copy_graphs
from manyfest.errors import NotFound, Unsupported
from manyfest.graph import read_graph
from manyfest.images.companions import companions
from manyfest.oci.reference import Name
from manyfest.stores.base import Content, read_all
from manyfest.stores.memory import MemoryStore
from manyfest.stores.referrers import fallback_tag
from manyfest.stores.registry.connect import Registries
from manyfest.stores.registry.store import RegistryStore
from tests import real
from tests.images import KINDS, OCI_LAYER, artifact, content, content_of, image, make, single
from tests.integration.conftest import MANYFEST, running_registry

MIB = 1024 * 1024
LAYER = hashlib.shake_256(b"layer").digest(24 * MIB)


@dataclass
class Client:
    """Opens repositories of one registry, and keeps the requests that were sent."""

    registries: Registries
    address: str
    requests: list[str] = field(default_factory=list)

    def store(self, repository: str = "team/app") -> RegistryStore:
        name = Name.parse(f"{self.address}/{repository}")
        return self.registries.repository(name, writing=True)

    def methods(self) -> list[str]:
        """Of the requests since the last time."""
        methods = [line.partition(" ")[0] for line in self.requests]
        self.requests.clear()
        return methods


@contextmanager
def client_of(address: str) -> Iterator[Client]:
    requests: list[str] = []
    registries = Registries(plain_http=(address,), log=requests.append)
    try:
        yield Client(registries, address, requests)
    finally:
        registries.close()


@pytest.fixture
def client(docker_registry: str) -> Iterator[Client]:
    with client_of(docker_registry) as opened:
        yield opened


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_image_goes_in_and_comes_out_the_same(client: Client, kind: str) -> None:
    source, back = MemoryStore(), MemoryStore()
    root = make(source, kind)
    copy(source, "v1", client.store(), ["v1"])
    copy(client.store(), "v1", back, ["v1"])
    assert back.resolve("v1") == root.descriptor
    assert all(back.has(part) for part in read_graph(source, root.descriptor).descriptors)


def test_what_is_there_already_is_only_looked_at(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = MemoryStore()
    make(source, "index")
    copy(source, "v1", client.store(), ["v1"])
    monkeypatch.setenv("MANYFEST_CACHE_DIR", str(tmp_path / "cache"))
    with client_of(client.address) as cached:
        copy(cached.store(), "v1", cached.store("team/mirror"), ["v1"])
        cached.methods()
        copy(cached.store(), "v1", cached.store("team/mirror"), ["v1"])
        assert set(cached.methods()) == {"HEAD"}


def test_blobs_are_mounted_from_a_neighbour(client: Client) -> None:
    source = MemoryStore()
    make(source, "image")
    copy(source, "v1", client.store("team/base"), ["v1"])
    client.methods()
    copied = copy(client.store("team/base"), "v1", client.store(), ["v1"])
    assert copied.mounted == 3
    assert client.methods().count("PUT") == 1


def test_tags_and_repositories_are_listed(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manyfest.stores.registry.pages, "PAGE", 2)
    for repository in ("team/app", "team/base", "other"):
        manifest = content_of(image(client.store(repository)))
        for tag in ("v1", "v2", "v3"):
            client.store(repository).tag(tag, manifest)
    assert sorted(client.store().tags()) == ["v1", "v2", "v3"]
    client.methods()
    found = sorted(client.registries.repositories(client.address))
    assert found == ["other", "team/app", "team/base"]
    assert client.methods() == ["GET", "GET"]


def test_a_manifest_is_deleted_and_a_tag_is_not(client: Client) -> None:
    store = client.store()
    root = make(store, "image")
    with pytest.raises(Unsupported, match="takes no tag away by itself"):
        store.untag("v1")
    assert store.resolve("v1") == root.descriptor
    store.delete(root.descriptor.digest)
    assert not store.has(root.descriptor)
    with pytest.raises(NotFound):
        store.resolve("v1")
    with pytest.raises(NotFound):
        store.delete(root.descriptor.digest)


def test_deletion_that_is_switched_off_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGISTRY_STORAGE_DELETE_ENABLED", "false")
    with running_registry(tmp_path) as address, client_of(address) as client:
        store = client.store()
        root = make(store, "image")
        with pytest.raises(Unsupported, match="deletion is switched off"):
            store.delete(root.descriptor.digest)


def test_what_refers_to_an_image_is_kept_under_the_fallback_tag(client: Client) -> None:
    source = MemoryStore()
    sbom = artifact(source)
    root = single(source)
    source.tag("v1", content_of(root))
    items = [
        Item(graph=read_graph(source, sbom.descriptor), subject=root.descriptor, accompanies=True),
        Item(graph=read_graph(source, root.descriptor), tags=("v1",)),
    ]
    copy_graphs(source, items, client.store())
    (found,) = client.store().referrers(root.descriptor.digest)
    assert found.digest == sbom.descriptor.digest
    assert client.store().resolve(fallback_tag(root.descriptor.digest))
    graph = read_graph(client.store(), root.descriptor)
    assert [item.graph.root.raw for item in companions(client.store(), [graph])] == [sbom.raw]
    client.store().delete(sbom.descriptor.digest)
    assert client.store().referrers(root.descriptor.digest) == ()


class Cutter:
    """Stands between a client and a registry, and cuts a connection when so many bytes went one
    way over it: the first of ``cuts`` first, until there are none left."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._behind = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.cuts: list[int] = []
        self.upwards = True
        self.carried = 0
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                front, _ = self._listener.accept()
                self._threads.append(threading.Thread(target=self._connect, args=(front,)))
                self._threads[-1].start()

    def _connect(self, front: socket.socket) -> None:
        with front, socket.create_connection(self._behind) as back:
            down = threading.Thread(target=self._carry, args=(back, front, False))
            down.start()
            self._carry(front, back, True)
            down.join()

    def _carry(self, source: socket.socket, sink: socket.socket, upwards: bool) -> None:
        went = 0
        with suppress(OSError):
            while chunk := source.recv(256 * 1024):
                sink.sendall(chunk)
                went += len(chunk)
                if upwards is self.upwards:
                    self.carried += len(chunk)
                    if self.cuts and went > self.cuts[0]:
                        self.cuts.pop(0)
                        break
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


@contextmanager
def cutting(address: str) -> Iterator[tuple[Cutter, Client]]:
    """A client of a registry whose connections are cut."""
    cutter = Cutter(address)
    try:
        with client_of(cutter.address) as client:
            yield cutter, client
    finally:
        cutter.close()


@pytest.fixture
def own_registry(tmp_path: Path) -> Iterator[str]:
    """``manyfest serve``; its address."""
    port = real.free_port()
    process = subprocess.Popen(
        [MANYFEST, "serve", tmp_path / "serve", "--listen", f"127.0.0.1:{port}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        real.wait_until(lambda: real.is_listening(port), "manyfest serve")
        yield f"127.0.0.1:{port}"
    finally:
        real.stop(process)


def test_an_upload_goes_on_where_the_connection_broke(own_registry: str) -> None:
    layer = content(LAYER, OCI_LAYER)
    with cutting(own_registry) as (cutter, client):
        cutter.cuts = [10 * MIB, 6 * MIB]
        client.store().put(layer)
        assert cutter.cuts == []
        assert "PATCH" in client.methods()
        # What had arrived was not sent again, but for what was on its way.
        assert cutter.carried < 32 * MIB
        assert read_all(client.store(), layer.descriptor, limit=len(LAYER)) == LAYER


def test_a_registry_that_cannot_tell_how_far_an_upload_came_gets_it_again(
    docker_registry: str,
) -> None:
    """``docker-registry`` disowns an upload of which a part arrived."""
    layer = content(LAYER, OCI_LAYER)
    with cutting(docker_registry) as (cutter, client):
        cutter.cuts = [10 * MIB, 6 * MIB]
        client.store().put(layer)
        assert cutter.cuts == []
        assert read_all(client.store(), layer.descriptor, limit=len(LAYER)) == LAYER


def test_a_download_goes_on_where_the_connection_broke(docker_registry: str) -> None:
    layer = content(LAYER, OCI_LAYER)
    with cutting(docker_registry) as (cutter, client):
        client.store().put(layer)
        cutter.upwards, cutter.carried = False, 0
        cutter.cuts = [10 * MIB, 6 * MIB]
        assert read_all(client.store(), layer.descriptor, limit=len(LAYER)) == LAYER
        assert cutter.cuts == []
        assert cutter.carried < len(LAYER) + 4 * MIB


def test_an_upload_that_is_refused_for_its_size_goes_in_chunks(client: Client) -> None:
    layer = content(LAYER, OCI_LAYER)
    store = client.store()
    store._uploader.largest_body = 5 * MIB
    store.put(layer)
    assert client.methods() == ["POST", *["PATCH"] * 5, "PUT"]
    assert read_all(store, layer.descriptor, limit=len(LAYER)) == LAYER


def test_two_threads_send_one_blob_at_the_same_time(client: Client) -> None:
    layer = content(LAYER, OCI_LAYER)
    start = threading.Barrier(4)

    def send(_: int) -> None:
        start.wait(10)
        client.store().put(Content(layer.descriptor, layer.open))

    threads = [threading.Thread(target=send, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read_all(client.store(), layer.descriptor, limit=len(LAYER)) == LAYER
