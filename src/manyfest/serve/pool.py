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
from contextlib import suppress
from pathlib import Path
from typing import Self

from msgspec import Struct

from manyfest.errors import InvalidDigest, StoreError
from manyfest.oci.digest import Digest
from manyfest.serve.room import Room
from manyfest.serve.rounds import Rounds
from manyfest.serve.syncs import sync_folders
from manyfest.stores.blobs import BlobFolder

_NEW = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EXDEV})


class NewFile(Struct, frozen=True):
    """A small file with its content, open so that it can be synced. It is gone at the end of the
    block, and what has its content by then has it under other names."""

    path: str
    descriptor: int

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.descriptor)
        with suppress(FileNotFoundError):
            os.unlink(self.path)


class BlobPool(Struct, frozen=True):
    """``blobs`` has the shared names; ``aside`` is a folder beside it for files on their way.
    ``rounds`` store manifests."""

    blobs: BlobFolder
    aside: Path
    room: Room
    rounds: Rounds

    def admit(self, file: Path, digest: Digest, target: str) -> None:
        """Make the content of ``file``, which has this digest, appear at ``target`` for good.

        ``file`` loses its name. If the pool has the content already, that copy is used. Other
        processes may admit and release the same blob meanwhile.
        """
        self.enter(str(file), digest, target)
        file.unlink()
        sync_folders([os.path.dirname(target)])

    def enter(self, file: str, digest: Digest, target: str, *, synced: bool = False) -> None:
        """The same, but ``file`` keeps its name, it may have been ``synced``, and the folder of
        ``target`` is still to be."""
        shared = f"{self.blobs.root}/{digest.algorithm}/{digest.hex}"
        if synced or not _link(shared, target):
            if not synced:
                sync_file(file)
            name_anew(file, shared)
            while not _link(shared, target):
                name_anew(file, shared)
        touch(target)

    def written(self, data: bytes) -> NewFile:
        """Something small in a file of its own."""
        self.room.take(len(data))
        path = f"{self.aside}/bytes-{secrets.token_hex(8)}"
        try:
            descriptor = os.open(path, _NEW, 0o644)
        except FileNotFoundError:
            os.makedirs(self.aside, exist_ok=True)
            descriptor = os.open(path, _NEW, 0o644)
        file = NewFile(path, descriptor)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
        except BaseException:
            file.__exit__()
            raise
        return file

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


def touch(blob: str | Path) -> None:
    """The blob is of use to somebody now; all its names have this in common."""
    with suppress(FileNotFoundError):
        os.utime(blob)


def sync_file(path: str) -> None:
    """Make a file's content survive a crash."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def name_anew(source: str, target: str) -> bool:
    """Whether ``target`` is a new name; its folder is then to be synced."""
    try:
        try:
            os.link(source, target)
        except FileNotFoundError:  # of the folder, as a rule; if not, it is raised again
            os.makedirs(os.path.dirname(target), exist_ok=True)
            os.link(source, target)
    except FileExistsError:
        return False
    return True


def _link(source: str, target: str) -> bool:
    """Whether ``target`` is a name now; ``False`` if there is no source.

    A file can have only so many names (65,000 on ext4). When that is reached the shared name is
    given up, and the next copy that arrives starts anew.
    """
    try:
        name_anew(source, target)
    except FileNotFoundError:
        return False
    except OSError as error:
        if error.errno != errno.EMLINK:
            raise
        with suppress(FileNotFoundError):
            os.unlink(source)
        return False
    return True
