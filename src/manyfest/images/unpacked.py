"""What layers unpack to, in bytes: from their descriptors where these say it, or by reading.

A compressed layer does not say it: the end of a gzip file has the size of its last member only,
and that without the higher bits. So it is known, or it is counted, and never guessed.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing

from manyfest.layers.compression import Compression
from manyfest.layers.decompress import decompress
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.progress import NoProgress, Progress
from manyfest.stores.base import CHUNK_SIZE, Reader, Source, VerifyingReader
from manyfest.threads import together, workers

JOBS = 4
"""Layers read at the same time."""

_ESTARGZ_SIZE = "io.containers.estargz.uncompressed-size"


def known_size(layer: Descriptor) -> int | None:
    """What the descriptor says; ``None`` if it says nothing."""
    if Compression.of_media_type(layer.media_type) is Compression.NONE:
        return layer.size
    stated = layer.annotations.get(_ESTARGZ_SIZE, "")
    return int(stated) if stated.isascii() and stated.isdigit() and len(stated) < 16 else None


def is_layer(part: Descriptor) -> bool:
    """Whether it is a file system's layer that the store itself holds."""
    return Compression.of_media_type(part.media_type) is not None


def count(
    source: Source, layers: Iterable[tuple[str, Descriptor]], progress: Progress | None = None
) -> dict[Digest, int]:
    """Read every layer, verified, and count what it unpacks to; each once, several at a time.

    ``layers`` come each with its platform, for people. What the store does not hold itself is left
    out. Raises :class:`~manyfest.errors.ContentError` for what is damaged or unpacks to more than
    is allowed.
    """
    counter = _Counter(source, progress or NoProgress())
    pending: dict[Digest, Descriptor] = {}
    for platform, layer in layers:
        if is_layer(layer) and layer.digest not in pending:
            pending[layer.digest] = layer
            counter.progress.begin(str(layer.digest), platform, layer.size)
    largest_first = sorted(pending.values(), key=lambda layer: -layer.size)
    with workers(JOBS, "unpack") as pool:
        counts = together(pool, counter.count, largest_first, stop=counter.stop)
    return {layer.digest: size for layer, size in zip(largest_first, counts, strict=True)}


class _Counter:
    """Counts, and tells how far it is."""

    def __init__(self, source: Source, progress: Progress) -> None:
        self.progress = progress
        self._source = source
        self._stopped = False

    def stop(self) -> None:
        self._stopped = True

    def count(self, layer: Descriptor) -> int:
        where = f"{self._source.label}@{layer.digest}"
        verified = VerifyingReader(self._source.open(layer), layer, where=self._source.label)
        with closing(verified):
            told = _Told(verified, self.progress, str(layer.digest))
            unpacked = decompress(told, where=where)
            total = 0
            while not self._stopped and (chunk := unpacked.read(CHUNK_SIZE)):
                total += len(chunk)
        self.progress.finish(str(layer.digest), "done")
        return total


class _Told:
    """A reader that tells how much was read."""

    def __init__(self, reader: Reader, progress: Progress, item: str) -> None:
        self._reader = reader
        self._progress = progress
        self._item = item

    def read(self, size: int, /) -> bytes:
        data = self._reader.read(size)
        self._progress.advance(self._item, len(data))
        return data
