"""The place where a build makes its blobs before they go to where the image is wanted."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from manyfest.stores.files import TEMPORARY_PREFIX
from manyfest.stores.layout import LayoutStore


@contextmanager
def workspace(folder: Path | None = None) -> Iterator[LayoutStore]:
    """A layout in ``folder``, by default the system's temporary one; it is gone afterwards."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=TEMPORARY_PREFIX, dir=folder) as temporary:
        yield LayoutStore(Path(temporary))
