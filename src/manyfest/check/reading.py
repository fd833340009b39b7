"""Reading an image's content once, straight from its source, several blobs at a time."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import Self, TypeAlias, TypeVar

from msgspec import Struct, field

from manyfest.check.programs import Program, read_program
from manyfest.copy import ReportedReader
from manyfest.errors import InvalidArchive
from manyfest.layers.compression import Compression
from manyfest.layers.decompress import decompress
from manyfest.layers.read import read_entries
from manyfest.layers.streams import CHUNK
from manyfest.layers.streams import Reader as Stream
from manyfest.layers.tree import Tree
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest, Hasher
from manyfest.progress import Progress
from manyfest.stores.base import Reader, Source, VerifyingReader

READERS = 4
"""Blobs read at the same time. Hashing and unpacking are most of the work and take a processor
each; what is above their number hides the waiting for a registry."""

A = TypeVar("A")
B = TypeVar("B")
Key: TypeAlias = tuple[Digest, int, str]


class Layer(Struct, frozen=True, kw_only=True):
    """What a layer turned out to be: its tar's digests and size in bytes, and its files."""

    diff_ids: frozenset[Digest]
    unpacked: int
    tree: Tree[Program]


class _Task(Struct):
    """A blob that will be read; unpacked if ``algorithms`` name how its tar is to be hashed."""

    descriptor: Descriptor
    algorithms: set[str] = field(default_factory=set)
    uses: int = 0
    future: Future[Layer | None] | None = None


class Reading:
    """Reads of one source. In a ``with`` statement, whose end stops what is still under way."""

    def __init__(self, source: Source, progress: Progress) -> None:
        self.source = source
        self._progress = progress
        self._tasks: dict[Key, _Task] = {}
        self._stop = threading.Event()
        self._pool: ThreadPoolExecutor

    def __enter__(self) -> Self:
        self._pool = ThreadPoolExecutor(READERS, thread_name_prefix="check")
        return self

    def __exit__(self, _: object, error: BaseException | None, *__: object) -> None:
        self._stop.set()
        # Ctrl-C waits for nobody: a reader may be waiting for a network.
        ends = error is None or isinstance(error, Exception)
        self._pool.shutdown(wait=ends, cancel_futures=True)

    def each(self, work: Callable[[A], B], items: Iterable[A]) -> Sequence[B]:
        """``work`` on all items, several at a time, results in their order."""
        return list(self._pool.map(work, items))

    def want(self, descriptor: Descriptor, label: str, diff_id: Digest | None = None) -> None:
        """Announce one use of a blob; with a ``diff_id`` it is a layer, and will be unpacked.

        However often it is wanted, it is read once.
        """
        key = key_of(descriptor)
        if key not in self._tasks:
            self._tasks[key] = _Task(descriptor)
            self._progress.begin(str(descriptor.digest), label, descriptor.size)
        task = self._tasks[key]
        task.uses += 1
        if diff_id is not None:
            task.algorithms.add(diff_id.algorithm)

    def start(self) -> None:
        """Begin to read all that is wanted, in the order in which it was."""
        for task in self._tasks.values():
            task.future = self._pool.submit(self._read, task)

    def take(self, descriptor: Descriptor) -> Layer | None:
        """What became of one use of a blob, once it has been read; a layer's files are let go of
        with its last use.

        Raises what reading it raised: :class:`~manyfest.errors.ContentError` if it is not what it
        should be, :class:`~manyfest.errors.NotFound` if it is not there.
        """
        key = key_of(descriptor)
        task = self._tasks[key]
        task.uses -= 1
        if not task.uses:
            del self._tasks[key]
        if task.future is None:
            raise ValueError("reading has not been started")
        return task.future.result()

    def _read(self, task: _Task) -> Layer | None:
        with closing(self._open(task.descriptor)) as blob:
            layer = _unpack(blob, task) if task.algorithms else None
            _drain(blob)
        self._progress.finish(str(task.descriptor.digest), "done")
        return layer

    def _open(self, descriptor: Descriptor) -> Reader:
        reader = VerifyingReader(self.source.open(descriptor), descriptor, where=self.source.label)
        item = str(descriptor.digest)
        return ReportedReader(
            reader, self._stop, lambda amount: self._progress.advance(item, amount)
        )


def key_of(descriptor: Descriptor) -> Key:
    """What makes content the same, and to be read once: not who it is for."""
    return descriptor.digest, descriptor.size, descriptor.media_type


def _unpack(blob: Reader, task: _Task) -> Layer:
    where = str(task.descriptor.digest)
    compression = Compression.of_media_type(task.descriptor.media_type)
    try:
        tar = _Tar(decompress(blob, compression, where=where), task.algorithms)
        entries = read_entries(tar, where=where)
        tree: Tree[Program] = Tree.of_layer(
            (entry, read_program(entry, content)) for entry, content in entries
        )
    except InvalidArchive:
        # If the blob is damaged, its digest says so when all of it is read: the better message.
        _drain(blob)
        raise
    return Layer(diff_ids=tar.digests, unpacked=tar.size, tree=tree)


def _drain(reader: Reader) -> None:
    while reader.read(CHUNK):
        pass


class _Tar:
    """A layer's tar, hashed on its way. Read in large portions, handed out in small ones."""

    def __init__(self, source: Stream, algorithms: Iterable[str]) -> None:
        self._source = source
        self._hashes: dict[str, Hasher] = {name: hashlib.new(name) for name in algorithms}
        self._portion = b""
        self._at = 0
        self.size = 0

    @property
    def digests(self) -> frozenset[Digest]:
        """Of all that was read."""
        return frozenset(Digest(name, each.hexdigest()) for name, each in self._hashes.items())

    def read(self, size: int, /) -> bytes:
        if self._at == len(self._portion):
            self._portion = self._source.read(CHUNK)
            self._at = 0
            self.size += len(self._portion)
            for each in self._hashes.values():
                each.update(self._portion)
        start = self._at
        self._at = min(start + size, len(self._portion))
        return self._portion[start : self._at]
