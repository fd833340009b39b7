"""The files of an image whose layers are read: to copy from it, or to know what a base holds.

Its layers are fetched into the workspace, where a later copy of the image finds them again.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import BinaryIO

from msgspec.structs import replace

from manyfest.build.bases import BaseImage
from manyfest.build.cache import BuildCache
from manyfest.build.files import File, directory
from manyfest.build.stretch import slice_of
from manyfest.build.xattrs import kept
from manyfest.errors import BuildError
from manyfest.layers.compression import Compression
from manyfest.layers.decompress import decompress
from manyfest.layers.entry import Entry, EntryType, encode_name
from manyfest.layers.read import Content as EntryContent
from manyfest.layers.read import read_entries
from manyfest.layers.streams import CHUNK
from manyfest.layers.tree import Directory, Node, Tree
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.mediatypes import is_foreign
from manyfest.stores.base import Content, Reader
from manyfest.stores.layout import LayoutStore

_File = tuple[Entry, int]
"""What is noted of a file: its entry, and the offset of its bytes among those that were kept, or
-1 if they were not."""


class ImageTree:
    """An image's files, all layers laid over each other. ``rest`` is a tree of the same image in
    which all files can be opened, made when one is that was not kept here."""

    def __init__(
        self,
        tree: Tree[_File],
        owners: dict[str, Entry],
        kept: Path,
        *,
        digest: str,
        label: str,
        rest: Callable[[], ImageTree],
    ) -> None:
        self.label = label
        self._tree = tree
        self._owners = owners
        self._kept = kept
        self._digest = digest
        self._rest = rest

    def find(self, name: str) -> File | None:
        node = self._tree.find(name, follow=False) if self._is_direct(name) else None
        return None if node is None else self._file(name, node)

    def names(self, directory: str) -> Sequence[str]:
        node = self._tree.find(directory, follow=False)
        return sorted(node.children, key=encode_name) if isinstance(node, Directory) else ()

    def why_missing(self, name: str) -> str:  # noqa: ARG002
        return ""

    def _is_direct(self, name: str) -> bool:
        """Whether no link is on the way to ``name``."""
        node: Node[_File] | None = self._tree.root
        for part in name.split("/")[:-1]:
            node = node.children.get(part) if isinstance(node, Directory) else None
        return isinstance(node, Directory)

    def _file(self, name: str, node: Node[_File]) -> File:
        if isinstance(node, Directory):
            entry = self._owners.get(name)
            mode = 0o755 if node.mode is None else node.mode
            if entry is None:
                return directory(name, mode=mode)
            return File(entry=_plain(replace(entry, mode=mode), name))
        if node.note is None:
            raise BuildError(f"{name!r} cannot be read", where=self.label)
        entry, offset = node.note
        entry = _plain(entry, name)
        if entry.type is not EntryType.FILE:
            return File(entry=entry)
        identity = (self._digest, name)
        content: Callable[[], Reader] = slice_of(self._kept, offset, entry.size)
        if offset < 0:
            content = partial(self._open_in_rest, name)
        # Names that are hard links of each other have one node; empty files share an offset.
        inode = (self._kept.name, id(node))
        return File(entry=entry, content=content, identity=identity, inode=inode)

    def _open_in_rest(self, name: str) -> Reader:
        found = self._rest().find(name)
        if found is None or not callable(found.content):
            raise BuildError(f"{name!r} cannot be read", where=self.label)
        return found.content()


def _plain(entry: Entry, name: str) -> Entry:
    """The entry under ``name``, without what belongs to other machines."""
    return replace(entry, name=name, uname="", gname="", xattrs=kept(entry.xattrs))


def read_image(
    image: BaseImage,
    room: LayoutStore,
    cache: BuildCache | None,
    scratch: Path,
    *,
    keep: Callable[[Entry], bool],
    rest: Callable[[], ImageTree],
) -> ImageTree:
    """Read all layers of ``image``, which are taken from the ``cache`` if they are there. Files for
    which ``keep`` holds are kept in ``scratch`` to be opened later, and the others are found in
    ``rest``.

    Raises :class:`~manyfest.errors.BuildError` for a layer that lies elsewhere,
    :class:`~manyfest.errors.InvalidArchive` for a damaged one, and what the stores raise.
    """
    kept = scratch / f"files-{os.urandom(8).hex()}"
    owners: dict[str, Entry] = {}
    layers: list[Tree[_File]] = []
    with kept.open("xb") as store:
        for descriptor in image.layers:
            with closing(_fetched(image, descriptor, room, cache)) as blob:
                compression = Compression.of_media_type(descriptor.media_type)
                tar = decompress(blob, compression, where=str(descriptor.digest))
                noted = _noted(read_entries(tar, where=str(descriptor.digest)), store, owners, keep)
                layers.append(Tree.of_layer(noted))
    return ImageTree(
        Tree.stack(layers), owners, kept, digest=_digest(image), label=image.name, rest=rest
    )


def _digest(image: BaseImage) -> str:
    """What tells these files from those of another image, in this build and in others."""
    return hashlib.sha256(
        "\n".join(str(layer.digest) for layer in image.layers).encode()
    ).hexdigest()


def _fetched(
    image: BaseImage, descriptor: Descriptor, room: LayoutStore, cache: BuildCache | None
) -> Reader:
    if is_foreign(descriptor.media_type):
        raise BuildError(f"the files of {image.name} cannot be read: it has a foreign layer")
    kept = cache is not None and not room.has(descriptor) and cache.take(descriptor, room.blobs)
    room.put(Content(descriptor, lambda: image.source.open(descriptor)))
    if cache is not None and not kept:
        cache.keep(descriptor, room.blobs)
    return room.open(descriptor)


def _noted(
    entries: Iterable[tuple[Entry, EntryContent]],
    store: BinaryIO,
    owners: dict[str, Entry],
    keep: Callable[[Entry], bool],
) -> Iterator[tuple[Entry, _File]]:
    for entry, content in entries:
        if entry.type is EntryType.DIR:
            owners[entry.name] = entry
        offset = -1
        if entry.type is EntryType.FILE and keep(entry):
            offset = store.tell()
            while chunk := content.read(CHUNK):
                store.write(chunk)
        yield entry, (entry, offset)
