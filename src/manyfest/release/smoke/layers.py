"""The layers of the images that are tried, unpacked: each of them once, however many share it."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from msgspec import Struct

from manyfest.build.once import Once
from manyfest.copy import ReportedReader, Stopped
from manyfest.errors import CheckFailed
from manyfest.images.unpacked import is_layer
from manyfest.layers.compression import Compression
from manyfest.layers.decompress import decompress
from manyfest.layers.entry import Entry, EntryType
from manyfest.layers.read import Content, read_entries
from manyfest.layers.streams import CHUNK
from manyfest.layers.tree import Tree
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.progress import Progress
from manyfest.release.smoke.trial import Subject
from manyfest.stores.base import Source, VerifyingReader


class Unpacked(Struct, frozen=True):
    """What is noted of a file: its entry, and where its bytes are if it is a regular one. They may
    be taken from there if nobody else wants them, or else copied."""

    entry: Entry
    content: Path | None
    shared: bool


class Layer(Struct, frozen=True):
    """One layer: its files, and the entries of its folders by their names."""

    tree: Tree[Unpacked]
    folders: dict[str, Entry]


class Layers:
    """Unpacks layers into ``folder``, where files have numbers for names: nothing in an archive
    can lead them anywhere else."""

    def __init__(
        self, source: Source, subjects: Sequence[Subject], folder: Path, progress: Progress
    ) -> None:
        self._source = source
        self._folder = folder
        self._progress = progress
        self._uses = Counter(
            digest
            for subject in subjects
            for digest in {layer.digest for layer in subject.graph.root.image.layers}
        )
        self._made: Once[Digest, Layer] = Once()
        self._numbers = itertools.count()
        self._stop = threading.Event()

    def of(self, subject: Subject) -> list[Layer]:
        """The image's layers, the lowest first.

        Raises :class:`~manyfest.errors.CheckFailed` for a layer that lies elsewhere,
        :class:`~manyfest.errors.ContentError` for a damaged one, and what the source raises.
        """
        label = str(subject.platform)
        return [self._layer(each, label) for each in subject.graph.root.image.layers]

    def stop(self) -> None:
        """Unpack no further; from any thread."""
        self._stop.set()

    def _layer(self, descriptor: Descriptor, label: str) -> Layer:
        if not is_layer(descriptor):
            raise CheckFailed(
                f"it is no layer that can be unpacked: {descriptor.media_type}",
                where=f"{label} {descriptor.digest}",
            )
        return self._made.get(descriptor.digest, lambda: self._unpack(descriptor, label))

    def _unpack(self, descriptor: Descriptor, label: str) -> Layer:
        item, where = str(descriptor.digest), self._source.label
        self._progress.begin(item, label, descriptor.size)
        blob = VerifyingReader(self._source.open(descriptor), descriptor, where=where)
        with closing(blob):
            told = ReportedReader(blob, self._stop, lambda size: self._progress.advance(item, size))
            compression = Compression.of_media_type(descriptor.media_type)
            tar = decompress(told, compression, where=item)
            shared = self._uses[descriptor.digest] > 1
            folders: dict[str, Entry] = {}
            tree = Tree.of_layer(self._files(read_entries(tar, where=item), folders, shared=shared))
            while told.read(CHUNK):  # to the end, where the digest is checked
                pass
        self._progress.finish(item, "done")
        return Layer(tree, folders)

    def _files(
        self, entries: Iterator[tuple[Entry, Content]], folders: dict[str, Entry], *, shared: bool
    ) -> Iterator[tuple[Entry, Unpacked]]:
        for entry, content in entries:
            path = None
            if entry.type is EntryType.DIR:
                folders[entry.name] = entry
            if entry.type is EntryType.FILE:
                path = self._folder / str(next(self._numbers))
                _write(path, content, self._stop.is_set)
            yield entry, Unpacked(entry, path, shared)


def _write(path: Path, content: Content, is_stopped: Callable[[], bool]) -> None:
    with path.open("xb") as file:
        while chunk := content.read(CHUNK):
            if is_stopped():
                raise Stopped("it was given up")
            file.write(chunk)
