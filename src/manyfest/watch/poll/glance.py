"""Images looked at by HEAD requests alone.

Registries take no manifest whose parts they do not have, and some count how often manifests are
read. So a watch asks whether each platform's manifest is there; ``manyfest check`` asks for what
is below it too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from manyfest.check.parts import Outline, read_outline
from manyfest.graph import read_config, read_manifest
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Manifest
from manyfest.oci.platform import Platform
from manyfest.stores.base import Source


class Glance:
    """What was seen of images in one repository until they are whole. Threads may share it; then
    some may be asked twice. Each looks at it with an :class:`OwnLook`."""

    def __init__(self) -> None:
        self._outlines: dict[Digest, Outline] = {}
        self._here: set[Digest] = set()
        self._settled: set[str] = set()

    def outline(self, source: Source, root: Descriptor, read: Sequence[Manifest] = ()) -> Outline:
        """What ``root`` lists, read once; or not even that if it was ``read`` just now. Raises
        :class:`~manyfest.errors.NotFound`."""
        known = self._outlines.get(root.digest)
        if known is not None:
            return known
        outline = read_outline(source, root, read)
        if not outline.gap:  # that may be filled soon
            self._outlines[root.digest] = outline
        # An image that no index lists was just read.
        self._here.update(
            image.digest for _, image in outline.entries if image.digest == root.digest
        )
        return outline

    def find(self, source: Source, images: Iterable[Descriptor]) -> set[Digest]:
        """Which of them are there: by one HEAD request for each manifest that was not seen yet,
        below whatever root."""
        found = set[Digest]()
        for image in images:
            if not self._is_here(image):
                if not source.has(image):
                    continue
                self._here.add(image.digest)
            found.add(image.digest)
        return found

    def settle(self, root: Digest, images: Iterable[str]) -> None:
        """It is whole. Which ``images`` it has is all that is kept: others may have them too."""
        self._settled.update(images)
        self._forget(root)

    def drop(self, root: Digest, images: Iterable[str]) -> None:
        """Forget what was seen of ``root`` and its ``images``: no tag means it any more, or not all
        of it was there when it was asked for again."""
        self._forget(root)
        self._settled.difference_update(images)

    def _forget(self, root: Digest) -> None:
        outline = self._outlines.pop(root, None)
        if outline is not None:
            self._here.difference_update(image.digest for _, image in outline.entries)
        self._here.discard(root)

    def _is_here(self, image: Descriptor) -> bool:
        return image.digest in self._here or str(image.digest) in self._settled


class OwnLook:
    """One thread's look with a ``glance``: a :class:`~manyfest.check.parts.Parts`. What it found it
    keeps to itself, since others may make the glance forget it meanwhile."""

    def __init__(self, glance: Glance) -> None:
        self._glance = glance
        self._found: set[Digest] = set()

    def outline(self, source: Source, root: Descriptor) -> Outline:
        """See :meth:`Glance.outline`."""
        return self._glance.outline(source, root)

    def look(self, source: Source, images: Sequence[Descriptor]) -> None:
        """See :meth:`Glance.find`."""
        self._found |= self._glance.find(source, images)

    def absent(self, image: Descriptor) -> str:
        """Says so if the image's manifest is not there."""
        return "" if image.digest in self._found else f"its manifest {image.digest} is not there"

    def stated(self, source: Source, image: Descriptor) -> Platform | None:
        """Read where an index lists one image for several platforms, and there alone."""
        manifest = read_manifest(source, image)
        return read_config(source, manifest.image).platform if manifest.is_runnable else None
