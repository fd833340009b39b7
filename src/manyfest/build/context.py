"""The build context: the files of a folder, less what ``.dockerignore`` leaves out.

Every folder is listed once, whatever asks for it, and what was found then is what is built: a file
that changes before its bytes are read is an error. Owners and times of this machine do not show;
permission bits do.
"""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Hashable, Sequence
from pathlib import Path

from msgspec import Struct

from manyfest.build.dockerfile.place import shown
from manyfest.build.dockerignore import Ignore, Verdict
from manyfest.build.files import File, Placed, base, directory, join, parent
from manyfest.build.once import Once
from manyfest.build.workspace import PREFIX
from manyfest.build.xattrs import read_xattrs
from manyfest.errors import BuildError
from manyfest.layers.entry import NO_XATTRS, Entry, EntryType, encode_name

_TYPES = {
    stat.S_IFREG: EntryType.FILE,
    stat.S_IFDIR: EntryType.DIR,
    stat.S_IFLNK: EntryType.SYMLINK,
    stat.S_IFIFO: EntryType.FIFO,
    stat.S_IFCHR: EntryType.CHAR,
    stat.S_IFBLK: EntryType.BLOCK,
    stat.S_IFSOCK: EntryType.FILE,  # BuildKit sends a socket as an empty file
}
_WITH_XATTRS = frozenset({EntryType.FILE, EntryType.DIR})


class Context:
    """The files below ``root``. Threads may share one. ``mtime`` is the time they all get.

    Looking anything up raises :class:`~manyfest.errors.BuildError` for what cannot be read.
    """

    def __init__(
        self,
        root: Path,
        ignore: Ignore,
        *,
        mtime: int,
        ignored_by: str = "",
        label: str = "the build context",
    ) -> None:
        self.label = label
        self.root = root
        self._ignore = ignore
        self._ignored_by = ignored_by
        self._mtime = mtime
        self.placings: Once[Hashable, tuple[Placed, ...]] = Once()
        self._folders: dict[str, _Folder] = {}
        self._lock = threading.RLock()

    def find(self, name: str) -> File | None:
        if name == ".":
            return directory(".", mtime=self._mtime)
        folder = self._folder(parent(name))
        return None if folder is None else folder.files.get(base(name))

    def names(self, directory: str) -> Sequence[str]:
        folder = self._folder(directory)
        return () if folder is None else tuple(folder.files)

    def why_missing(self, name: str) -> str:
        is_there = os.path.lexists(self.root / name)
        return (
            f"{self._ignored_by} leaves it out" if is_there and self._ignore.excludes(name) else ""
        )

    def _folder(self, name: str) -> _Folder | None:
        """The folder's listing, or ``None`` if there is no such folder."""
        if name in self._folders:
            return self._folders[name]
        found = self.find(name)
        if found is None or not found.is_directory:
            return None
        with self._lock:
            if name not in self._folders:
                verdict = None if name == "." else self._judge(name)
                self._folders[name] = self._list(name, verdict)
        return self._folders[name]

    def _judge(self, name: str) -> Verdict:
        above = self._folders[parent(name)].verdict
        return self._ignore.judge(name, above)

    def _list(self, name: str, verdict: Verdict | None) -> _Folder:
        try:
            with os.scandir(os.path.join(self.root, name)) as scan:
                entries = sorted(scan, key=lambda entry: encode_name(entry.name))
                found = [(join(name, entry.name), entry) for entry in entries]
                visible = {
                    entry.name: self._file(path, entry)
                    for path, entry in found
                    if not entry.name.startswith(PREFIX) and self._is_visible(path, entry, verdict)
                }
        except OSError as error:
            raise BuildError(f"cannot be read: {error.strerror}", where=shown(name)) from error
        return _Folder(visible, verdict)

    def _is_visible(self, path: str, entry: os.DirEntry[str], above: Verdict | None) -> bool:
        """Not left out, or a folder above something that is not."""
        verdict = self._ignore.judge(path, above)
        if not verdict.excluded:
            return True
        if verdict.prune or not entry.is_dir(follow_symlinks=False):
            return False
        folder = self._list(path, verdict)
        self._folders[path] = folder
        return bool(folder.files)

    def _file(self, name: str, found: os.DirEntry[str]) -> File:
        status = found.stat(follow_symlinks=False)
        kind = _TYPES[stat.S_IFMT(status.st_mode)]
        path = found.path
        is_file = stat.S_ISREG(status.st_mode)
        is_device = kind in {EntryType.CHAR, EntryType.BLOCK}
        is_link = kind is EntryType.SYMLINK
        entry = Entry(
            name=name,
            type=kind,
            mode=0o777 if is_link else stat.S_IMODE(status.st_mode),
            size=status.st_size if is_file else 0,
            mtime=self._mtime,
            linkname=os.readlink(path) if is_link else "",
            xattrs=read_xattrs(path) if kind in _WITH_XATTRS else NO_XATTRS,
            devmajor=os.major(status.st_rdev) if is_device else 0,
            devminor=os.minor(status.st_rdev) if is_device else 0,
        )
        if not is_file:
            return File(entry=entry)
        return File(
            entry=entry,
            content=Pinned(path, name, _state(status)),
            identity=(name, _state(status)),
            inode=(status.st_dev, status.st_ino) if status.st_nlink > 1 else None,
            changed=max(status.st_mtime_ns, status.st_ctime_ns),
        )


class _Folder(Struct, frozen=True):
    files: dict[str, File]
    verdict: Verdict | None


State = tuple[int, int, int, int, int]


def _state(status: os.stat_result) -> State:
    """What shows that a file was replaced or written to."""
    return (
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )


_BENEATH = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""Neither following a link, nor waiting for a pipe, that was put in a file's place."""


class Pinned(Struct, frozen=True):
    """Opens the file at ``path`` as long as it is in the state in which it was found."""

    path: str
    name: str
    state: State

    def __call__(self) -> PinnedFile:
        return PinnedFile(self)


class PinnedFile:
    """A file that must not change while it is read; closing it tells, by
    :class:`~manyfest.errors.BuildError`. It gives no more bytes than it had."""

    def __init__(self, pinned: Pinned) -> None:
        self._descriptor = os.open(pinned.path, _BENEATH)
        self._pinned = pinned
        self._left = pinned.state[2]

    def read(self, size: int, /) -> bytes:
        data = os.read(self._descriptor, min(size, self._left)) if self._left else b""
        self._left -= len(data)
        return data

    def close(self) -> None:
        if self._descriptor < 0:
            return
        changed = _state(os.fstat(self._descriptor)) != self._pinned.state
        os.close(self._descriptor)
        self._descriptor = -1
        if changed:
            raise BuildError("changed while the image was built", where=shown(self._pinned.name))
