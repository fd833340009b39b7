"""An image's files as a folder, in which a container can run.

Paths are made from a tree of names in memory, in which links have been followed already and every
folder is one that we made: no link on disk is ever followed, and nothing leads out.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from manyfest.errors import ReleaseError
from manyfest.layers.entry import Entry, EntryType, clean_name, encode_name
from manyfest.layers.tree import Directory, Leaf, Tree
from manyfest.release.smoke.layers import Layer, Unpacked

_FOLDER_MODE = 0o755
_LATEST = 2**32
"""Seconds since 1970: not every file system knows later times."""


def files_of(layers: Sequence[Layer], folders: Iterable[str]) -> Tree[Unpacked]:
    """The files of an image, with those ``folders`` that it names and does not have."""
    tree = Tree.stack(layer.tree for layer in layers)
    for name in folders:
        if tree.find(name) is None:
            entry = Entry(name=clean_name(name), type=EntryType.DIR, mode=_FOLDER_MODE)
            tree = Tree.stack([tree, Tree.of_layer([(entry, None)])])
    return tree


def lay_out(tree: Tree[Unpacked], layers: Sequence[Layer], root: Path) -> None:
    """Put the files into the new folder ``root``; with their owners and capabilities, if we are
    root ourselves, and else as our own. Devices are left out: a container has its own.

    Raises :class:`~manyfest.errors.ReleaseError` for what the disk does not take.
    """
    owners = {name: entry for layer in layers for name, entry in layer.folders.items()}
    try:
        _Layout(os.fsencode(root)).make(tree, owners)
    except OSError as error:
        name = os.fsdecode(error.filename) if error.filename else ""
        raise ReleaseError(
            f"the image cannot be unpacked: {error.strerror}", where=name or str(root)
        ) from None
    except OverflowError as error:  # an owner whose number no system has
        raise ReleaseError(f"the image cannot be unpacked: {error}", where=str(root)) from None


class _Layout:
    """The folder while it is filled."""

    def __init__(self, root: bytes) -> None:
        self._root = root
        self._as_root = os.geteuid() == 0
        self._placed: dict[int, bytes] = {}

    def make(self, tree: Tree[Unpacked], owners: dict[str, Entry]) -> None:
        os.mkdir(self._root, 0o700)
        folders: list[tuple[bytes, Entry]] = [(self._root, _folder(".", tree.root, owners))]
        for path, node in tree.walk():
            place = self._root + encode_name(path)
            if isinstance(node, Directory):
                os.mkdir(place, 0o700)
                folders.append((place, _folder(path[1:], node, owners)))
            else:
                self._put(place, node)
        for place, entry in reversed(folders):  # now nothing is put into them any more
            self._settle(place, entry)

    def _put(self, place: bytes, leaf: Leaf[Unpacked]) -> None:
        first = self._placed.setdefault(id(leaf), place)
        if leaf.note is None:
            return
        if first != place:
            if os.path.lexists(first):
                os.link(first, place, follow_symlinks=False)
            return
        entry, content = leaf.note.entry, leaf.note.content
        if content is not None:
            (shutil.copyfile if leaf.note.shared else os.rename)(content, place)
        elif entry.type is EntryType.SYMLINK:
            os.symlink(entry.linkname.encode("utf-8", "surrogateescape"), place)
        elif entry.type is EntryType.FIFO:
            os.mkfifo(place)
        else:
            return
        self._settle(place, entry)

    def _settle(self, place: bytes, entry: Entry) -> None:
        """Owner, mode, attributes and time, in the order in which none undoes another."""
        is_link = entry.type is EntryType.SYMLINK
        if self._as_root:
            os.chown(place, entry.uid, entry.gid, follow_symlinks=False)
        if is_link:
            return
        os.chmod(place, entry.mode)
        if self._as_root and entry.type is EntryType.FILE:
            for name, value in entry.xattrs.items():
                if name == "security.capability":
                    os.setxattr(place, name, value)
        seconds = min(max(entry.mtime, 0), _LATEST)
        os.utime(place, (seconds, seconds))


def _folder(name: str, node: Directory[Unpacked], owners: dict[str, Entry]) -> Entry:
    """The folder's entry; of one that only the path of another names, it is made up."""
    mode = _FOLDER_MODE if node.mode is None else node.mode
    found = owners.get(name) or Entry(name=name, type=EntryType.DIR)
    return Entry(
        name=name, type=EntryType.DIR, mode=mode, uid=found.uid, gid=found.gid, mtime=found.mtime
    )
