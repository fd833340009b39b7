"""An archive that is sent as it is made: to standard output, a daemon, another program.

:mod:`manyfest.stores.archives.target` says what is in it. The bytes are those of the file that
:class:`~manyfest.stores.archives.writer.ArchiveWriter` would write.
"""

from __future__ import annotations

import os
from contextlib import nullcontext
from functools import partial
from typing import Self

from manyfest.errors import UsageError
from manyfest.stores.archives.media import InOrder, Write
from manyfest.stores.archives.names import Naming
from manyfest.stores.archives.target import ArchiveTarget

STANDARD_OUTPUT = 1


class ArchiveStream(ArchiveTarget):
    """An archive whose bytes go to ``write``, in order, each portion whole.

    Its end is written when it is closed after success. After an error that never comes, so that
    whoever receives the stream can tell; what it was sent over is for the caller to close.
    """

    def __init__(self, write: Write, *, label: str, naming: Naming | None = None) -> None:
        naming = naming or Naming()
        super().__init__(
            lambda: nullcontext(InOrder(write, label)),
            label=label,
            place=naming.place,
            platform=naming.platform,
            ordered=True,
        )

    @classmethod
    def standard_output(
        cls, *, naming: Naming | None = None, descriptor: int = STANDARD_OUTPUT
    ) -> Self:
        """The archive on standard output, which is ``descriptor``.

        Raises :class:`~manyfest.errors.UsageError` if that is a terminal.
        """
        label = "standard output"
        if os.isatty(descriptor):
            raise UsageError(
                "an archive is not for a terminal to show",
                where=label,
                mend="send it to a file or a program",
            )
        return cls(partial(_write_whole, descriptor), label=label, naming=naming)


def _write_whole(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]
