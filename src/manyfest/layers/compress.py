"""Compressing a layer on all processors, to the same bytes on any machine.

A layer is cut into blocks of a fixed size; each is compressed by itself, into a gzip member
(RFC 1952, section 2.2) or a zstd frame (RFC 8878, section 3.1), and they are written in order. So
neither the number of threads nor the portions in which the layer arrives can be seen in the
result. Which libraries may be used, and why: docs/decisions/0003-layer-bytes.md.
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

from msgspec import Struct

from manyfest.errors import UsageError
from manyfest.layers.compression import Compression
from manyfest.layers.streams import Sink
from manyfest.oci.digest import Digest

_MAX_THREADS = 8
_LEVELS = {Compression.NONE: 0, Compression.GZIP: 1, Compression.ZSTD: 3}
_MAX_LEVELS = {Compression.NONE: 0, Compression.GZIP: 12, Compression.ZSTD: 22}
_BLOCK_SIZES = {
    Compression.NONE: 1024 * 1024,
    Compression.GZIP: 1024 * 1024,
    Compression.ZSTD: 4 * 1024 * 1024,
}


class LayerDigests(Struct, frozen=True, kw_only=True):
    """What identifies a layer: ``diff_id`` and ``uncompressed_size`` are of the tar, ``digest``
    and ``size`` (in bytes) of the blob."""

    diff_id: Digest
    digest: Digest
    size: int
    uncompressed_size: int


class LayerWriter:
    """A sink that compresses what is written, passes it on to ``sink``, and hashes both.

    Use it in a ``with`` statement, which stops its threads, and call ``close`` for the digests.
    ``level`` is the compressor's own (gzip 1 to 12, zstd 1 to 22), by default the fastest that is
    worth its size. ``threads`` is by default one per processor, up to eight; each holds about two
    blocks (gzip 1 MiB, zstd 4 MiB) in memory. The result does not depend on it. Raises
    ``UsageError`` for a level that there is not.
    """

    def __init__(
        self,
        sink: Sink,
        compression: Compression = Compression.GZIP,
        *,
        level: int | None = None,
        threads: int | None = None,
    ) -> None:
        self._sink = sink
        self._plain = compression is Compression.NONE
        self._compress = _compressor(compression, _checked(compression, level))
        self._block_size = _BLOCK_SIZES[compression]
        self._block = bytearray()
        self._threads = threads or min(len(os.sched_getaffinity(0)), _MAX_THREADS)
        self._pool: ThreadPoolExecutor | None = None
        self._pending: deque[Future[bytes]] = deque()
        self._tar_hash = hashlib.sha256()
        self._blob_hash = self._tar_hash if self._plain else hashlib.sha256()
        self._tar_size = 0
        self._blob_size = 0
        self._digests: LayerDigests | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def write(self, data: bytes, /) -> int:
        """Take in a part of the tar, of any size."""
        if self._digests is not None:
            raise ValueError("the layer is closed")
        rest = memoryview(data)
        while rest:
            part = rest[: self._block_size - len(self._block)]
            self._block += part
            rest = rest[len(part) :]
            if len(self._block) == self._block_size:
                self._cut()
        return len(data)

    def close(self) -> LayerDigests:
        """Write what is left and say what the layer is. The sink stays open."""
        if self._digests is None:
            if self._block or not self._tar_size:
                self._cut()
            self._write_finished(keep=0)
            self._digests = LayerDigests(
                diff_id=Digest("sha256", self._tar_hash.hexdigest()),
                digest=Digest("sha256", self._blob_hash.hexdigest()),
                size=self._blob_size,
                uncompressed_size=self._tar_size,
            )
        return self._digests

    def _cut(self) -> None:
        """Hand the block over for compression. A layer of one block needs no thread."""
        block, self._block = bytes(self._block), bytearray()
        short = len(block) < self._block_size
        if self._pool is None and not short and not self._plain:
            self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="compress")
        if self._pool is None:
            self._pass_on(self._compress(block))
        else:
            self._pending.append(self._pool.submit(self._compress, block))
        self._tar_hash.update(block)
        self._tar_size += len(block)
        self._write_finished(keep=self._threads)

    def _write_finished(self, *, keep: int) -> None:
        """Pass blocks on in their order, until no more than ``keep`` are under way."""
        while len(self._pending) > keep:
            self._pass_on(self._pending.popleft().result())

    def _pass_on(self, compressed: bytes) -> None:
        if not self._plain:
            self._blob_hash.update(compressed)
        self._blob_size += len(compressed)
        self._sink.write(compressed)


def _checked(compression: Compression, level: int | None) -> int:
    if level is None:
        return _LEVELS[compression]
    least, most = min(1, _MAX_LEVELS[compression]), _MAX_LEVELS[compression]
    if not least <= level <= most:
        raise UsageError(f"{compression} has no level {level}", mend=f"use {least} to {most}")
    return level


def _compressor(compression: Compression, level: int) -> Callable[[bytes], bytes]:
    """What turns a block into a member or frame that stands alone; safe to call in threads."""
    if compression is Compression.GZIP:
        return lambda block: _gzip(block, level)
    if compression is Compression.ZSTD:
        return lambda block: _zstd(block, level)
    return bytes


def _gzip(block: bytes, level: int) -> bytes:
    import deflate

    return bytes(deflate.gzip_compress(block, level))


def _zstd(block: bytes, level: int) -> bytes:
    import zstandard

    # One compressor per block: they are not safe to share between threads.
    return zstandard.ZstdCompressor(level=level, write_checksum=True).compress(block)
