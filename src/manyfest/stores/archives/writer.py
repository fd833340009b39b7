"""An archive in a file: :mod:`manyfest.stores.archives.target` says what is in it.

Every blob's place in the file is fixed before its bytes come, since a descriptor says how many
they are. So blobs are written as they arrive, several at a time, straight into place, and the
file does not depend on which came first. A compressed file is written from its start to its end.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from manyfest.errors import StoreError
from manyfest.layers.compress import LayerWriter
from manyfest.layers.compression import Compression
from manyfest.stores.archives.media import InOrder, InPlace, Medium
from manyfest.stores.archives.names import Naming, compression_of, place_of
from manyfest.stores.archives.target import ArchiveTarget
from manyfest.stores.files import new_file, remove_abandoned


class ArchiveWriter(ArchiveTarget):
    """The archive at ``path``, being written; compressed if its name says so.

    It takes its name when it is closed after success, in the place of an older file; until then,
    and for ever if an error comes out of the ``with`` block, what was there stays. A link is
    followed, and what is neither a file nor yet there is refused. Where
    ``naming`` names no repository, Docker's names are made from the file's.
    """

    def __init__(self, path: Path, *, naming: Naming | None = None) -> None:
        naming = naming or Naming()
        compression = compression_of(path)
        label = f"oci-archive:{path}"
        super().__init__(
            lambda: _file(path, compression, label),
            label=label,
            place=naming.place or place_of(path),
            platform=naming.platform,
            ordered=compression is not Compression.NONE,
        )
        self.path = path


@contextmanager
def _file(path: Path, compression: Compression, where: str) -> Iterator[Medium]:
    if path.is_dir():  # which would otherwise be told at the end
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if path.exists() and not path.is_file():  # a file must not take a device's place
        raise StoreError(
            "it is no file, but a device or a pipe", where=where, mend="standard output is called -"
        )
    path = Path(os.path.realpath(path))  # a link goes on leading to where it led
    remove_abandoned(path.parent)
    with new_file(path) as file:
        if compression is Compression.NONE:
            yield InPlace(file, where)
            return
        with LayerWriter(file, compression) as compressed:
            yield InOrder(compressed.write, where)
            compressed.close()
