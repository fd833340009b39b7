"""What all platforms of one build share, so that nothing is listed, read or made twice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, field

from manyfest.build.add.fetch import Remotes
from manyfest.build.bases import BaseImage, Bases
from manyfest.build.cache import BuildCache
from manyfest.build.context import Context
from manyfest.build.dockerfile import instructions as ins
from manyfest.build.files import File, Tree
from manyfest.build.ground import PEOPLE
from manyfest.build.layer import LayerMaker
from manyfest.build.once import Once
from manyfest.layers.entry import Entry
from manyfest.progress import Progress
from manyfest.stores.layout import LayoutStore

if TYPE_CHECKING:
    from manyfest.build.image_tree import ImageTree


class Workshop(Struct, frozen=True, kw_only=True):
    """Threads may share it. ``room`` takes what is made, ``scratch`` what is needed only during
    the build. ``epoch`` is the time of everything made, in seconds since 1970; ``stop`` is set when
    the build has failed and is to end."""

    context: Context
    bases: Bases
    remotes: Remotes
    layers: LayerMaker
    room: LayoutStore
    scratch: Path
    progress: Progress
    epoch: int
    cache: BuildCache | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    _archives: Once[Hashable, Path] = field(default_factory=Once)
    _trees: Once[Hashable, ImageTree] = field(default_factory=Once)

    def unpacked(self, archive: File) -> Path:
        """The uncompressed tar of an archive."""
        from manyfest.build.add.archive import spool

        return self._archives.get(archive.identity, lambda: spool(archive, self.scratch))

    def fetched(self, add: ins.Add, source: str) -> tuple[Tree, str]:
        """The tree that an address in ADD stands for, and the name in it to copy."""
        return self.remotes.get(add, source)

    def names_of(self, base: BaseImage) -> ImageTree:
        """The files of a base image. Its layers are read once more if one is opened that does not
        name users."""
        return self._tree(base, "names", keep=lambda entry: entry.name in PEOPLE)

    def files_of(self, image: BaseImage) -> ImageTree:
        """The files of an image, to copy from."""
        return self._tree(image, "files", keep=lambda _: True)

    def _tree(self, image: BaseImage, which: str, keep: Callable[[Entry], bool]) -> ImageTree:
        from manyfest.build.image_tree import read_image

        def rest() -> ImageTree:
            return self.files_of(image)

        def read() -> ImageTree:
            self.progress.say(f"reading the layers of {image.name} for {image.config.platform}")
            return read_image(image, self.room, self.cache, self.scratch, keep=keep, rest=rest)

        layers = tuple(layer.digest for layer in image.layers)
        return self._trees.get((layers, which), read)
