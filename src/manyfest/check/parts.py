"""What of an image is in a place: looked at by HEAD requests, several at a time, and remembered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from msgspec import Struct

from manyfest.copy import JOBS
from manyfest.errors import InvalidManifest, NotFound
from manyfest.graph import MAX_MANIFEST_BYTES, read_config, read_manifest
from manyfest.images.selection import entries_of
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Image, Manifest
from manyfest.oci.platform import Platform
from manyfest.stores.base import Source
from manyfest.threads import workers

Entry = tuple[Platform, Descriptor]


class Outline(Struct, frozen=True):
    """Each platform below a root, and its image. ``gap`` names what of the indexes is not there, so
    that nobody knows what else is below; or it is empty."""

    entries: tuple[Entry, ...]
    gap: str = ""


class Parts(Protocol):
    """What was seen of images in one place, and how it is looked at."""

    def outline(self, source: Source, root: Descriptor) -> Outline:
        """What ``root`` lists. Raises :class:`~manyfest.errors.NotFound` if it is not there."""
        ...

    def look(self, source: Source, images: Sequence[Descriptor]) -> None:
        """Ask for the parts of these images that were not seen yet.

        Raises :class:`~manyfest.errors.InvalidManifest` if their manifests are too large to be in
        memory together.
        """
        ...

    def absent(self, image: Descriptor) -> str:
        """Which part of an image that was looked at is not there; empty if all are."""
        ...

    def stated(self, source: Source, image: Descriptor) -> Platform | None:
        """The platform that the configuration of a complete image says; ``None`` if it is none."""
        ...


class Memory:
    """What was seen of one place and need not be asked for again: what a digest stands for never
    changes, and what was there is taken to be there still. For one look at a time. Once the
    documents seen are too many to be in memory together, all are forgotten."""

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self._size = 0
        self._outlines: dict[Digest, Outline] = {}
        self._manifests: dict[Digest, Manifest] = {}
        self._platforms: dict[Digest, Platform] = {}
        self._here: set[Digest] = set()
        self._missed: set[Digest] = set()

    def outline(self, source: Source, root: Descriptor) -> Outline:
        """See :meth:`Parts.outline`."""
        if self._size > MAX_MANIFEST_BYTES:
            self._forget()
        if root.digest not in self._outlines:
            outline = read_outline(source, root)
            if outline.gap:
                return outline  # it may be filled soon
            self._outlines[root.digest] = outline
            self._size += root.size
        return self._outlines[root.digest]

    def look(self, source: Source, images: Sequence[Descriptor]) -> None:
        """See :meth:`Parts.look`."""
        new = _unseen(images, self._manifests)
        if sum(image.size for image in new) > MAX_MANIFEST_BYTES:
            raise InvalidManifest(
                f"it has manifests of more than {MAX_MANIFEST_BYTES} bytes together",
                where=source.label,
            )
        with workers(JOBS, "look") as pool:
            read = pool.map(lambda image: self._read_if_there(source, image), new)
            for manifest in filter(None, read):
                self._manifests[manifest.descriptor.digest] = manifest
                self._size += manifest.descriptor.size
            self._missed = {image.digest for image in new} - self._manifests.keys()
            parts = [part for image in images for _, part in self._parts(image)]
            asked = _unseen(parts, self._here)
            held = pool.map(source.has, asked)
            self._here.update(part.digest for part, here in zip(asked, held, strict=True) if here)

    def absent(self, image: Descriptor) -> str:
        """See :meth:`Parts.absent`."""
        if image.digest not in self._manifests:
            return f"its manifest {image.digest} is not there"
        absent = [each for each in self._parts(image) if each[1].digest not in self._here]
        if not absent:
            return ""
        (kind, first), more = absent[0], len(absent) - 1
        rest = f", and {more} more" if more else ""
        return f"its {kind} {first.digest}{rest} is not there"

    def stated(self, source: Source, image: Descriptor) -> Platform | None:
        """See :meth:`Parts.stated`."""
        manifest = self._manifests[image.digest]
        if not manifest.is_runnable:
            return None
        if image.digest not in self._platforms:
            self._platforms[image.digest] = read_config(source, manifest.image).platform
        return self._platforms[image.digest]

    def _read_if_there(self, source: Source, image: Descriptor) -> Manifest | None:
        # Registries count how often manifests are read: one that was not there is asked about.
        if image.digest in self._missed and not source.has(image):
            return None
        try:
            return read_manifest(source, image)
        except NotFound:
            return None

    def _parts(self, image: Descriptor) -> Iterator[tuple[str, Descriptor]]:
        """What is below the image, as far as that is known, and what each is to it."""
        if image.digest not in self._manifests:
            return
        manifest = self._manifests[image.digest]
        config = manifest.body.config if isinstance(manifest.body, Image) else None
        for child in manifest.children:
            yield "configuration" if child is config else "layer", child


def read_outline(source: Source, root: Descriptor, known: Sequence[Manifest] = ()) -> Outline:
    """What ``root`` lists; those manifests that are ``known`` are not read again. Raises
    :class:`~manyfest.errors.NotFound` if it is not there."""
    try:
        return Outline(tuple(entries_of(source, root, known=known)))
    except NotFound as error:
        return Outline(tuple(entries_of(source, root, known=known, gaps=True)), gap=error.what)


def _unseen(parts: Iterable[Descriptor], seen: Iterable[Digest]) -> Sequence[Descriptor]:
    """Each once."""
    known = set(seen)
    return list({part.digest: part for part in parts if part.digest not in known}.values())
