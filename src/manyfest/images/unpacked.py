"""What layers unpack to, in bytes: from their descriptors where these say it, or by reading.

A compressed layer does not say it: the end of a gzip file has the size of its last member only,
and that without the higher bits. So it is known, or it is counted, and never guessed.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import closing

from manyfest.copy import ReportedReader
from manyfest.layers.compression import Compression
from manyfest.layers.decompress import decompress
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.progress import NoProgress, Progress
from manyfest.stores.base import CHUNK_SIZE, Source, VerifyingReader
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
    progress, stop = progress or NoProgress(), threading.Event()
    pending: dict[Digest, Descriptor] = {}
    for platform, layer in layers:
        if is_layer(layer) and layer.digest not in pending:
            pending[layer.digest] = layer
            progress.begin(str(layer.digest), platform, layer.size)
    largest_first = sorted(pending.values(), key=lambda layer: -layer.size)
    with workers(JOBS, "unpack") as pool:
        counts = together(
            pool, lambda layer: _count(source, layer, progress, stop), largest_first, stop=stop.set
        )
    return {layer.digest: size for layer, size in zip(largest_first, counts, strict=True)}


def _count(source: Source, layer: Descriptor, progress: Progress, stop: threading.Event) -> int:
    item = str(layer.digest)
    verified = VerifyingReader(source.open(layer), layer, where=source.label)
    reader = ReportedReader(verified, stop, lambda amount: progress.advance(item, amount))
    with closing(reader):
        unpacked = decompress(reader, where=f"{source.label}@{item}")
        total = 0
        while chunk := unpacked.read(CHUNK_SIZE):
            total += len(chunk)
    progress.finish(item, "done")
    return total
