"""Every kind of store with nothing in it, so that one test can be run on each of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from manyfest.oci.reference import Name
from manyfest.serve.app import Registry
from manyfest.serve.local import AppTransport
from manyfest.stores.archives.store import ArchiveStore
from manyfest.stores.archives.writer import ArchiveWriter
from manyfest.stores.base import Source, Target
from manyfest.stores.layout import LayoutStore
from manyfest.stores.memory import MemoryStore
from manyfest.stores.registry.store import RegistryStore


@dataclass(frozen=True)
class Place:
    """Somewhere to write to and then to read from, each time by a new store."""

    kind: str
    target: Callable[[], Target]
    source: Callable[[], Source]

    @property
    def is_rewritable(self) -> bool:
        """Whether what is there can be added to; an archive is written anew."""
        return self.kind != "archive"


KINDS = ("memory", "layout", "archive", "registry")


def place(kind: str, folder: Path) -> Place:
    """An empty place of this kind, in ``folder`` if it needs one."""
    if kind == "memory":
        memory = MemoryStore()
        return Place(kind, lambda: memory, lambda: memory)
    if kind == "layout":
        path = folder / "layout"
        return Place(kind, lambda: LayoutStore(path), lambda: LayoutStore(path))
    if kind == "archive":
        path = folder / "image.tar"
        return Place(kind, lambda: ArchiveWriter(path), lambda: ArchiveStore(path))
    transport = AppTransport(Registry(folder / "registry"))

    def repository() -> RegistryStore:
        name = Name.parse("localhost:5000/team/app")
        return RegistryStore(name, transport, scheme="http")

    return Place(kind, repository, repository)
