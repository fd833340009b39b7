"""What runs containers and keeps images for that: a place to load images into."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from typing import Protocol

from msgspec import Struct

from manyfest.errors import NotFound, StoreError, Unsupported
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Manifest
from manyfest.oci.platform import Platform
from manyfest.stores.archives.media import InOrder, Medium, Write
from manyfest.stores.archives.target import ArchiveTarget
from manyfest.stores.base import Content


class Info(Struct, frozen=True):
    """What a runtime runs, and whether it keeps an index whole under one name. The usual ones
    keep one image under a name, for one platform."""

    platform: Platform
    keeps_indexes: bool = False


class Runtime(Protocol):
    """Docker, or Podman. What they are asked raises :class:`~manyfest.errors.StoreError`."""

    @property
    def label(self) -> str:
        """What errors and messages call it."""
        ...

    def is_here(self) -> bool:
        """Whether there is one on this machine, or one that this user would use."""
        ...

    def info(self) -> Info:
        """What it says of itself."""
        ...

    def image_id(self, name: str) -> Digest:
        """What it knows an image by: the digest of its configuration, or of its manifest where
        indexes are kept. Raises :class:`~manyfest.errors.NotFound`."""
        ...

    def load(self) -> AbstractContextManager[Write]:
        """Where to write an archive to. It is loaded when the block ends, and not at all if the
        block raises."""
        ...


class RuntimeTarget(ArchiveTarget):
    """A runtime's images, to add to.

    What comes is sent there as one archive, which is loaded when the target is closed. What each
    name means is then compared with what was sent.
    """

    def __init__(self, runtime: Runtime, *, label: str) -> None:
        super().__init__(
            lambda: _loading(runtime, label), label=label, place="", platform=None, ordered=True
        )
        self._runtime = runtime
        self._roots: dict[str, Manifest] = {}

    def tag(self, name: str, manifest: Content) -> None:
        """See :class:`~manyfest.stores.base.Target`. Raises
        :class:`~manyfest.errors.Unsupported` for an index where only images have names."""
        super().tag(name, manifest)
        root = self._manifests[manifest.descriptor.digest]
        if root.is_index and not self._info.keeps_indexes:
            raise Unsupported(
                "it keeps one platform under a name",
                where=self._runtime.label,
                mend=f"choose one: --platform {self._info.platform}",
            )
        self._roots[name] = root

    def close(self) -> None:
        """Have it loaded. Raises :class:`~manyfest.errors.StoreError` as well if a name means
        something else afterwards than what was sent."""
        super().close()
        while self._roots:
            self._check(*self._roots.popitem())

    @cached_property
    def _info(self) -> Info:
        return self._runtime.info()

    def _check(self, name: str, root: Manifest) -> None:
        is_config = not self._info.keeps_indexes
        sent = root.image.config.digest if is_config else root.descriptor.digest
        try:
            found = str(self._runtime.image_id(name))
        except NotFound:
            found = "missing"
        if found != str(sent):
            raise StoreError(
                f"{name} is {found} there, and not {sent} as it was sent",
                where=self._runtime.label,
            )


@contextmanager
def _loading(runtime: Runtime, where: str) -> Iterator[Medium]:
    with runtime.load() as write:
        yield InOrder(write, where)
