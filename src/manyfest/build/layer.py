"""From files to a layer in the workspace, each different layer once."""

from __future__ import annotations

import secrets
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace

from manyfest.build.files import File
from manyfest.build.once import Once
from manyfest.layers.arrange import arrange
from manyfest.layers.compress import LayerDigests, LayerWriter
from manyfest.layers.compression import Compression
from manyfest.layers.entry import Entry, EntryType, encode_name
from manyfest.layers.header import BLOCK
from manyfest.layers.streams import CHUNK, Sink
from manyfest.layers.write import Content, TarWriter
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.progress import Progress
from manyfest.stores.blobs import BlobFolder
from manyfest.stores.files import unnamed_file


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer: what points at its blob, and the digest of its tar."""

    descriptor: Descriptor
    diff_id: Digest


class LayerMaker:
    """Writes layers into ``blobs``. Threads may share one: what two of them ask for at the same
    time, or one after the other, is made once."""

    def __init__(
        self, blobs: BlobFolder, compression: Compression, *, mtime: int, progress: Progress
    ) -> None:
        self._blobs = blobs
        self._compression = compression
        self._mtime = mtime
        self._progress = progress
        self._asked: Once[frozenset[File], Layer] = Once()
        self._made: Once[frozenset[Hashable], Layer] = Once()

    def make(self, files: Sequence[File], label: str) -> Layer:
        """The layer that holds ``files``; ``label`` is the platform it is made for, for people.

        Raises :class:`~manyfest.errors.BuildError` for names a layer cannot hold, and for files
        that changed or cannot be read.
        """

        def write() -> Layer:
            # The files may be equal to others without being the same objects.
            linked = with_hard_links(files)
            key = frozenset(_key(file) for file in linked)
            return self._made.get(key, lambda: self._write(linked, label))

        return self._asked.get(frozenset(files), write)

    def _write(self, files: list[File], label: str) -> Layer:
        contents = {file.entry.name: file.content for file in files}
        entries = arrange((file.entry for file in files), mtime=self._mtime)
        digests = self._blob(entries, contents, label)
        descriptor = Descriptor(
            media_type=self._compression.media_type, digest=digests.digest, size=digests.size
        )
        return Layer(descriptor, digests.diff_id)

    def _blob(
        self, entries: list[Entry], contents: dict[str, Content | None], label: str
    ) -> LayerDigests:
        """Write first; the name is known when all is written."""
        with unnamed_file(self._blobs.root / "sha256") as unnamed:
            digests = self._stream(entries, contents, unnamed.file, label)
            unnamed.name(self._blobs.path(digests.digest))
        return digests

    def _stream(
        self, entries: list[Entry], contents: dict[str, Content | None], sink: Sink, label: str
    ) -> LayerDigests:
        item = f"layer-{secrets.token_hex(4)}"
        total = sum(BLOCK + -(-entry.size // BLOCK) * BLOCK for entry in entries)
        self._progress.begin(item, label, total)
        with LayerWriter(sink, self._compression) as writer:
            meter = _Metered(writer, self._progress, item, total)
            tar = TarWriter(meter)
            for entry in entries:
                tar.add(entry, contents.get(entry.name))
            tar.close()
            digests = writer.close()
        meter.tell()
        self._progress.finish(item, "done")
        return digests


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


def with_hard_links(files: Iterable[File]) -> list[File]:
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


def _key(file: File) -> Hashable:
    """What makes one layer differ from another."""
    entry = file.entry
    return (
        entry.name,
        entry.type,
        entry.mode,
        entry.uid,
        entry.gid,
        entry.size,
        entry.mtime,
        entry.nanoseconds,
        entry.linkname,
        entry.devmajor,
        entry.devminor,
        tuple(sorted(entry.xattrs.items())),
        file.content if isinstance(file.content, bytes) else file.identity,
    )
