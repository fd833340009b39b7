"""Waiting for the disk, for several files at once.

The system is told of all files before the first is waited for. So they are written together, and
what is waited for after the first is there already: faster than threads that wait, which cost more
time of processors than the waits themselves.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress


def write_out(descriptor: int, start: int = 0, size: int = 0) -> None:
    """Have the system begin to write out a part of a file, or all of it, and do not wait. It may
    do nothing."""
    if hasattr(os, "posix_fadvise"):
        with suppress(OSError):  # some file systems know nothing of it
            # What is not yet on disk is sent there, and stays in memory while it is on its way.
            os.posix_fadvise(descriptor, start, size, os.POSIX_FADV_DONTNEED)


def sync_files(descriptors: Sequence[int]) -> None:
    """Make the content of open files survive a crash."""
    if len(descriptors) > 1:
        for descriptor in descriptors:
            write_out(descriptor)
    for descriptor in descriptors:
        os.fsync(descriptor)


def sync_folders(folders: Sequence[str]) -> None:
    """Make the names in folders survive a crash."""
    for folder in folders:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
