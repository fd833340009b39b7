"""From files to a layer in the workspace, each different layer once."""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from manyfest.build.cache import BuildCache, Note
from manyfest.build.files import File
from manyfest.build.inputs import layer_key, may_have_changed
from manyfest.build.once import Once
from manyfest.layers.compress import LayerWriter
from manyfest.layers.compression import Compression
from manyfest.layers.entry import Entry, EntryType, encode_name
from manyfest.layers.header import BLOCK
from manyfest.layers.streams import CHUNK, Sink
from manyfest.layers.write import write_layer
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.progress import Progress
from manyfest.stores.blobs import BlobFolder
from manyfest.stores.files import unnamed_file


class Layer(Struct, frozen=True):
    """A layer: what points at its blob, and the digest of its tar."""

    descriptor: Descriptor
    diff_id: Digest


class LayerMaker:
    """Writes layers into ``blobs``. Threads may share one: what two of them ask for at the same
    time, or one after the other, is made once."""

    def __init__(
        self,
        blobs: BlobFolder,
        compression: Compression,
        *,
        mtime: int,
        progress: Progress,
        cache: BuildCache | None = None,
    ) -> None:
        self._blobs = blobs
        self._cache = cache
        self._compression = compression
        self._mtime = mtime
        self._progress = progress
        self._asked: Once[frozenset[File], Layer] = Once()
        self._made: Once[Hashable, Layer] = Once()

    def make(self, files: Sequence[File], label: str) -> Layer:
        """The layer that holds ``files``; ``label`` is the platform it is made for, for people.

        Raises :class:`~manyfest.errors.BuildError` for names a layer cannot hold, and for files
        that changed or cannot be read.
        """

        def write() -> Layer:
            # The files may be equal to others without being the same objects.
            linked = _with_hard_links(files)
            key = layer_key(linked, self._compression, mtime=self._mtime)
            return self._made.get(key or object(), lambda: self._layer(key, linked, label))

        return self._asked.get(frozenset(files), write)

    def _layer(self, key: str | None, files: list[File], label: str) -> Layer:
        """Taken from the cache if it is there, or else made and kept there."""
        item = f"layer-{os.urandom(4).hex()}"
        tar = _Tar(files, self._mtime)
        self._progress.begin(item, label, tar.size)
        if self._cache is None or key is None:
            layer = self._write(tar, item)
        else:
            kept = self._kept(self._cache, key, files, tar)
            if kept is not None:
                self._progress.finish(item, "present")
                return kept
            layer = self._write(tar, item)
            self._keep(self._cache, key, layer)
        self._progress.finish(item, "done")
        return layer

    def _kept(self, cache: BuildCache, key: str, files: list[File], tar: _Tar) -> Layer | None:
        note = cache.find(key)
        if note is None:
            return None
        layer = Layer(self._descriptor(note.digest, note.size), note.diff_id)
        in_doubt = may_have_changed(files, note.since)
        if in_doubt and tar.digest() != note.diff_id:
            return None
        if not cache.take(layer.descriptor, self._blobs):
            return None
        if in_doubt:
            self._note(cache, key, layer)
        return layer

    def _keep(self, cache: BuildCache, key: str, layer: Layer) -> None:
        cache.keep(layer.descriptor, self._blobs)
        self._note(cache, key, layer)

    def _note(self, cache: BuildCache, key: str, layer: Layer) -> None:
        blob = layer.descriptor
        cache.note(key, Note(blob.digest, blob.size, layer.diff_id, cache.opened))

    def _descriptor(self, digest: Digest, size: int) -> Descriptor:
        return Descriptor(media_type=self._compression.media_type, digest=digest, size=size)

    def _write(self, tar: _Tar, item: str) -> Layer:
        """Write first; the name is known when all is written. Nothing here outlives the build, so
        it need not survive a crash of the machine."""
        with (
            unnamed_file(self._blobs.root / "sha256") as unnamed,
            LayerWriter(unnamed.file, self._compression) as writer,
        ):
            meter = _Metered(writer, self._progress, item, tar.size)
            tar.write(meter)
            meter.tell()
            digests = writer.close()
            unnamed.name(self._blobs.path(digests.digest), lasting=False)
        return Layer(self._descriptor(digests.digest, digests.size), digests.diff_id)


class _Tar:
    """A layer's tar, as often as it is wanted; ``size`` leaves out long headers, directories that
    are added, and the end."""

    def __init__(self, files: list[File], mtime: int) -> None:
        self._files = files
        self._mtime = mtime
        self.size = sum(BLOCK + -(-file.entry.size // BLOCK) * BLOCK for file in files)

    def write(self, sink: Sink) -> None:
        items = ((file.entry, file.content) for file in self._files)
        write_layer(items, sink, mtime=self._mtime)

    def digest(self) -> Digest:
        """That of its bytes, for which the files are read."""
        plain = LayerWriter(_Nowhere(), Compression.NONE)
        self.write(plain)
        return plain.close().diff_id


class _Nowhere:
    def write(self, data: bytes, /) -> int:
        return len(data)


class _Metered:
    """Tells now and then how much was written, up to ``total``, which leaves out long headers and
    the end."""

    def __init__(self, sink: Sink, progress: Progress, item: str, total: int) -> None:
        self._write = sink.write
        self._progress = progress
        self._item = item
        self._left = total
        self._untold = 0

    def write(self, data: bytes, /) -> int:
        self._write(data)
        self._untold += len(data)
        if self._untold >= CHUNK:
            self.tell()
        return len(data)

    def tell(self) -> None:
        """Report what was written since the last time."""
        told = min(self._untold, self._left)
        self._left -= told
        self._untold = 0
        self._progress.advance(self._item, told)


def _with_hard_links(files: Iterable[File]) -> list[File]:
    """The files of a layer; of names for one file, the first by its bytes holds it, and the
    others are hard links to that."""
    listed = list(files)
    first: dict[Hashable, str] = {}
    for file in listed:
        if file.inode is not None:
            name = file.entry.name
            first[file.inode] = min(first.get(file.inode, name), name, key=encode_name)
    return [
        file
        if file.inode is None or first[file.inode] == file.entry.name
        else _hard_link(file.entry, first[file.inode])
        for file in listed
    ]


def _hard_link(entry: Entry, target: str) -> File:
    return File(entry=replace(entry, type=EntryType.HARDLINK, size=0, linkname=target))
