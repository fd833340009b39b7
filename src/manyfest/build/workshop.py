"""What all platforms of one build share, so that nothing is listed, read or made twice."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from dataclasses import dataclass, field
from pathlib import Path

from manyfest.build.archives import spool
from manyfest.build.bases import BaseImage, Bases
from manyfest.build.context import Context
from manyfest.build.files import File
from manyfest.build.ground import PEOPLE
from manyfest.build.image_tree import ImageTree, read_image
from manyfest.build.layer import LayerMaker
from manyfest.build.once import Once
from manyfest.progress import Progress
from manyfest.stores.layout import LayoutStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """Threads may share it. ``epoch`` is the time of everything made, in seconds since 1970;
    ``stop`` is set when the build has failed and is to end."""

    context: Context
    bases: Bases
    layers: LayerMaker
    room: LayoutStore
    progress: Progress
    epoch: int
    stop: threading.Event = field(default_factory=threading.Event)
    _archives: Once[Hashable, Path] = field(default_factory=Once)
    _trees: Once[Hashable, ImageTree] = field(default_factory=Once)

    def unpacked(self, archive: File) -> Path:
        """The uncompressed tar of an archive in the context."""
        return self._archives.get(archive.identity, lambda: spool(archive, self.room.path))

    def names_of(self, base: BaseImage) -> ImageTree:
        """The files of a base image, of which only those that name users can be opened."""
        return self._tree(base, whole=False)

    def files_of(self, image: BaseImage) -> ImageTree:
        """The files of an image, to copy from."""
        return self._tree(image, whole=True)

    def _tree(self, image: BaseImage, *, whole: bool) -> ImageTree:
        def read() -> ImageTree:
            self.progress.say(f"reading the layers of {image.name} for {image.config.platform}")
            if whole:
                return read_image(image, self.room)
            return read_image(image, self.room, keep=lambda entry: entry.name in PEOPLE)

        layers = tuple(layer.digest for layer in image.layers)
        return self._trees.get((layers, whole), read)
