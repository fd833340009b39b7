"""Registries in memory for a pull-through cache to fill itself from, and what they were asked."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from manyfest.errors import ManyfestError
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Image, Manifest
from manyfest.oci.reference import Name
from manyfest.serve.policy import Policy
from manyfest.serve.storage import Storage
from manyfest.serve.upstream.cache import PullThrough
from manyfest.serve.upstream.names import Upstream
from manyfest.stores.base import Content, Reader
from manyfest.stores.memory import MemoryStore
from manyfest.stores.referrers import as_referrer
from tests.unit.serve_client import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, Client


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class FakeRepository(MemoryStore):
    """A repository in memory. ``failure`` is raised whatever is asked; ``reader`` gives what is
    sent for a blob in its place; nothing is answered before ``held`` is set."""

    def __init__(self, label: str, asked: list[str]) -> None:
        super().__init__(label)
        self.asked = asked
        self.failure: ManyfestError | None = None
        self.reader: Callable[[bytes], Reader] = io.BytesIO
        self.held: threading.Event | None = None

    def resolve(self, name: str) -> Descriptor:
        self._note(f"HEAD manifests/{name}")
        return super().resolve(name)

    def means(self, name: str, digest: Digest) -> bool:
        self._note(f"HEAD manifests/{name}")
        return super().resolve(name).digest == digest

    def measure(self, blob: Digest) -> int:
        self._note(f"HEAD blobs/{blob}")
        found = super().open(Descriptor(media_type=OCI_LAYER, digest=blob, size=0))
        return len(found.read(10**9))

    def open(self, descriptor: Descriptor) -> Reader:
        kind = "manifests" if descriptor.is_manifest else "blobs"
        self._note(f"GET {kind}/{descriptor.digest}")
        found = super().open(descriptor)
        return found if descriptor.is_manifest else self.reader(found.read(10**9))

    def tags(self) -> Iterator[str]:
        self._note("GET tags/list")
        return super().tags()

    def referrers(self, subject: Digest) -> tuple[Descriptor, ...]:
        self._note(f"GET referrers/{subject}")
        return super().referrers(subject)

    def push(
        self, tag: str, layer: bytes = b"layer", *, subject: Descriptor | None = None
    ) -> Manifest:
        """An image with this layer."""
        image = Manifest.of_image(
            Image(
                schema_version=2,
                media_type=OCI_MANIFEST,
                artifact_type="application/x.note" if subject else "",
                config=self._put(b'{"os":"linux"}', OCI_CONFIG),
                layers=(self._put(layer, OCI_LAYER),),
                subject=subject,
            )
        )
        self.add(tag, image)
        if subject is not None:
            self.attach(subject, as_referrer(image))
        return image

    def add(self, tag: str, manifest: Manifest) -> None:
        self.blobs[manifest.descriptor.digest] = manifest.raw
        if tag:
            self.names[tag] = manifest.descriptor

    def _put(self, data: bytes, media_type: str) -> Descriptor:
        descriptor = Descriptor.of(data, media_type)
        self.put(Content(descriptor, lambda: io.BytesIO(data)))
        return descriptor

    def _note(self, what: str) -> None:
        self.asked.append(f"{self.label} {what}")
        if self.held is not None:
            assert self.held.wait(20)
        if self.failure is not None:
            raise self.failure


class FakeOrigins:
    """The upstreams' repositories, by their whole names; empty ones are made when asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.resting = 0.0
        self._repositories: dict[str, FakeRepository] = {}

    def __getitem__(self, place: str) -> FakeRepository:
        return self._repositories.setdefault(place, FakeRepository(place, self.asked))

    def repository(self, name: Name, /) -> FakeRepository:
        return self[name.place]

    def pause(self, registry: str, /) -> float:
        return self.resting

    def close(self) -> None:
        """Nothing is open."""

    def take_asked(self) -> list[str]:
        """What was asked since the last time."""
        asked, self.asked[:] = self.asked[:], []
        return asked


class Cache(Client):
    """A client of a pull-through registry in this process; ``clock`` is its time."""

    def __init__(
        self,
        root: Path,
        *upstreams: str,
        quota: int | None = None,
        policy: Policy | None = None,
    ) -> None:
        self.origins = FakeOrigins()
        self.clock = Clock()
        self.kept = Storage(root, quota=quota)
        named = [Upstream.parse(each) for each in upstreams or ("docker.io",)]
        self.content = PullThrough(self.kept, named, self.origins, clock=self.clock)
        self.content.prepare()
        super().__init__(root, content=self.content, policy=policy)

    @property
    def hub(self) -> FakeRepository:
        """``docker.io/library/app``."""
        return self.origins["docker.io/library/app"]


class Gate:
    """Bytes that come in two halves, the second one when it is opened."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.readers = 0

    def __call__(self, data: bytes) -> Reader:
        self.readers += 1
        return _Halves(data, self.opened)


class _Halves(io.BytesIO):
    def __init__(self, data: bytes, opened: threading.Event) -> None:
        super().__init__(data)
        self._half = len(data) // 2
        self._opened = opened

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell() < self._half:
            return super().read(self._half - self.tell())
        assert self._opened.wait(20)
        return super().read(size)


def wait_for(condition: Callable[[], object]) -> None:
    """Return once the condition holds, which other threads bring about."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)
