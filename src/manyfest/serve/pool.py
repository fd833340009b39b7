"""The blobs that all repositories share, each on disk once.

A repository holds a blob by a hard link to it. So a mount is a link, a repository sees what was
pushed to it or mounted in it and nothing else, and a shared blob whose only name is the shared one
belongs to nobody.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from msgspec import Struct

from manyfest.errors import InvalidDigest, StoreError
from manyfest.oci.digest import Digest
from manyfest.serve.room import Room
from manyfest.serve.syncs import Syncs
from manyfest.stores.blobs import BlobFolder
from manyfest.stores.files import sync_folder

_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EXDEV})


class BlobPool(Struct, frozen=True):
    """``blobs`` has the shared names; ``aside`` is a folder beside it for files on their way."""

    blobs: BlobFolder
    aside: Path
    room: Room
    syncs: Syncs

    def admit(self, file: Path, digest: Digest, target: Path) -> None:
        """Make the content of ``file``, which has this digest, appear at ``target`` for good.

        ``file`` loses its name. If the pool has the content already, that copy is used. Other
        processes may admit and release the same blob meanwhile.
        """
        self.enter(file, digest, target)
        file.unlink()
        sync_folder(target.parent)

    def enter(self, file: Path, digest: Digest, target: Path, *, synced: bool = False) -> None:
        """The same, but ``file`` keeps its name, it may have been ``synced``, and the folder of
        ``target`` is still to be."""
        shared = self.blobs.path(digest)
        for folder in (shared.parent, target.parent):
            folder.mkdir(parents=True, exist_ok=True)
        while not _link(shared, target):
            if not synced:
                sync_file(file)
                synced = True
            with suppress(FileExistsError):
                os.link(file, shared)
        touch(target)

    @contextmanager
    def written(self, data: bytes) -> Iterator[Path]:
        """Something small in a file of its own, which is gone at the end of the block."""
        self.room.take(len(data))
        file = self.aside / f"bytes-{secrets.token_hex(8)}"
        try:
            try:
                file.write_bytes(data)
            except FileNotFoundError:
                self.aside.mkdir(parents=True, exist_ok=True)
                file.write_bytes(data)
            yield file
        finally:
            file.unlink(missing_ok=True)

    def is_held(self, digest: Digest) -> bool:
        """Whether a repository holds the blob; what none does is on its way out."""
        try:
            return self.blobs.path(digest).stat().st_nlink > 1
        except FileNotFoundError:
            return False

    def release(self, digest: Digest) -> None:
        """Give the disk space back if no repository holds the blob any more.

        The name goes away first and comes back if somebody took a link at that moment.
        """
        shared = self.blobs.path(digest)
        moved = self.aside / f"released-{secrets.token_hex(8)}"
        try:
            if shared.stat().st_nlink > 1:
                return
            shared.rename(moved)
        except FileNotFoundError:
            return
        if moved.stat().st_nlink > 1:
            with suppress(FileExistsError):
                os.link(moved, shared)
        moved.unlink()

    def shared(self) -> Iterator[tuple[Digest, os.stat_result]]:
        """Every shared blob. What goes away meanwhile is left out."""
        for digest in digests_in(self.blobs.root):
            with suppress(FileNotFoundError):
                yield digest, self.blobs.path(digest).stat()

    def check_links(self) -> None:
        """Raises :class:`StoreError` if the file system cannot do what this is built on."""
        one = self.aside / f"check-{secrets.token_hex(8)}"
        two = one.with_name(f"{one.name}-link")
        try:
            one.touch()
            os.link(one, two)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            raise StoreError(
                "the file system has no hard links, which the registry keeps blobs by",
                where=str(self.aside.parent),
                mend="choose a folder on a Linux file system such as ext4, xfs or btrfs",
            ) from None
        finally:
            for path in (one, two):
                path.unlink(missing_ok=True)


def digests_in(folder: Path) -> Iterator[Digest]:
    """What the files in a folder of blobs are called; other files are passed over."""
    for algorithm in ("sha256", "sha512"):
        with suppress(FileNotFoundError):
            for name in os.listdir(folder / algorithm):
                with suppress(InvalidDigest):
                    yield Digest.parse(f"{algorithm}:{name}")


def touch(blob: Path) -> None:
    """The blob is of use to somebody now; all its names have this in common."""
    with suppress(FileNotFoundError):
        os.utime(blob)


def sync_file(path: Path) -> None:
    """Make a file's content survive a crash."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _link(source: Path, target: Path) -> bool:
    """Whether ``target`` now has the content of ``source``; ``False`` if there is no source.

    A file can have only so many names (65,000 on ext4). When that is reached the shared name is
    given up, and the next copy that arrives starts anew.
    """
    try:
        os.link(source, target)
    except FileExistsError:
        return True
    except FileNotFoundError:
        return False
    except OSError as error:
        if error.errno != errno.EMLINK:
            raise
        source.unlink(missing_ok=True)
        return False
    return True
