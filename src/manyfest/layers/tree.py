"""The file system that layers make, as a value: who is where, of what kind, and leading where.

A layer is first a tree by itself, then laid over those below it, as overlay file systems do it
(Docker, containerd and Podman unpack each layer into a folder of its own). So three things hold
that a reader of tar archives might not expect: a whiteout hides lower layers only, wherever in its
layer it stands; a hard link leads to a file of its own layer; and ``lib/x`` follows a symbolic link
``lib`` of its own layer, but over a ``lib`` that is a link in a lower layer it puts a directory,
which hides all that the link led to.

Sources: OCI image specification, "Applying Changesets" and "Whiteouts"; Linux, path_resolution(7).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeAlias, TypeGuard, TypeVar

from msgspec import Struct, field

from manyfest.errors import InvalidArchive
from manyfest.layers.arrange import WHITEOUT
from manyfest.layers.entry import Entry, EntryType

MAX_LINKS = 40
"""Symbolic links that one path may lead through: Linux's own limit."""

MAX_IMPLIED = 200_000
"""Directories of one layer that no entry names, only the path of another one: real layers have
few, and a hostile one could have two thousand for each name."""

_META = WHITEOUT * 2
_OPAQUE = ".wh..wh..opq"
"""The whiteout of all that lower layers have in its directory."""

Note = TypeVar("Note")


class Leaf(Struct, Generic[Note], frozen=True, kw_only=True):
    """Anything but a directory. ``target`` is a symbolic link's, ``note`` the caller's own. Names
    that are hard links of each other have one leaf."""

    type: EntryType
    mode: int
    target: str = ""
    note: Note | None = None


class Directory(Struct, Generic[Note], kw_only=True):
    """A directory. ``mode`` is ``None`` if no entry tells it; ``hides`` names what is hidden of
    the directory below it in lower layers."""

    mode: int | None = None
    children: dict[str, Leaf[Note] | Directory[Note]] = field(default_factory=dict)
    hides: set[str] = field(default_factory=set)


Node: TypeAlias = Leaf[Note] | Directory[Note]


class Tree(Generic[Note]):
    """One layer, or several laid over each other. Not changed once it is made."""

    __slots__ = ("root",)

    def __init__(self, root: Directory[Note]) -> None:
        self.root = root

    @classmethod
    def of_layer(cls, entries: Iterable[tuple[Entry, Note | None]]) -> Tree[Note]:
        """The tree of one layer, its entries in the archive's order, each with the caller's note.

        Raises ``InvalidArchive`` for what cannot be unpacked: an entry below something that is no
        directory, a hard link to what is no file of the layer, a whiteout of no name.
        """
        layer = _Layer[Note]()
        for entry, note in entries:
            layer.add(entry, note)
        return cls(layer.root)

    @classmethod
    def stack(cls, layers: Iterable[Tree[Note]]) -> Tree[Note]:
        """The tree that ``layers`` make, the lowest first. They may be used again."""
        root: Directory[Note] = Directory()
        for layer in layers:
            root = _lay_over(root, layer.root)
        return cls(root)

    def find(self, path: str, *, follow: bool = True) -> Node[Note] | None:
        """What is at ``path``, seen from the root; ``None`` if nothing is.

        Symbolic links are followed, the last one only with ``follow``; ``..`` at the root stays
        there. A path through more than ``MAX_LINKS`` links leads nowhere, as on Linux.
        """
        return _resolve(self.root, _parts(path), follow=follow)

    def walk(self) -> Iterator[tuple[str, Node[Note]]]:
        """Everything below the root with its absolute path, in order; no link is followed."""
        remaining: list[tuple[str, Node[Note]]] = [("", self.root)]
        while remaining:
            path, node = remaining.pop()
            if path:
                yield path, node
            if isinstance(node, Directory):
                names = sorted(node.children, reverse=True)
                remaining.extend((f"{path}/{name}", node.children[name]) for name in names)


class _Layer(Generic[Note]):
    """A layer's tree while it grows."""

    def __init__(self) -> None:
        self.root: Directory[Note] = Directory()
        self._implied = 0

    def add(self, entry: Entry, note: Note | None) -> None:
        *parents, name = _parts(entry.name) or [""]
        if not name:
            self.root.mode = entry.mode
        elif not any(part.startswith(_META) for part in parents):
            parent = self._parent(entry, parents)
            if name.startswith(WHITEOUT):
                _hide(parent, name)
            else:
                parent.children[name] = self._node(entry, note, parent.children.get(name))

    def _parent(self, entry: Entry, parents: list[str]) -> Directory[Note]:
        if any(part.startswith(WHITEOUT) for part in parents):
            raise InvalidArchive(f"has {entry.name!r} below a whiteout")
        parent = _resolve(self.root, parents, make=self._imply)
        if not isinstance(parent, Directory):
            raise InvalidArchive(f"has {entry.name!r} below something that is no directory")
        return parent

    def _imply(self) -> Directory[Note]:
        self._implied += 1
        if self._implied > MAX_IMPLIED:
            raise InvalidArchive(f"has over {MAX_IMPLIED} directories without an entry")
        return Directory()

    def _node(self, entry: Entry, note: Note | None, before: Node[Note] | None) -> Node[Note]:
        if entry.type is EntryType.DIR:
            directory = before if isinstance(before, Directory) else Directory[Note]()
            directory.mode = entry.mode
            return directory
        if entry.type is EntryType.HARDLINK:
            return self._linked(entry)
        return Leaf(type=entry.type, mode=entry.mode, target=entry.linkname, note=note)

    def _linked(self, entry: Entry) -> Leaf[Note]:
        target = _resolve(self.root, _parts(entry.linkname), follow=False)
        if not isinstance(target, Leaf):
            raise InvalidArchive(
                f"has {entry.name!r}, a hard link to {entry.linkname!r},"
                " which is no file of the same layer before it"
            )
        return target


def _hide(parent: Directory[Note], name: str) -> None:
    """What a whiteout does. Names with the prefix twice are notes that AUFS kept for itself; all
    unpackers skip them."""
    if name == _OPAQUE:
        parent.hides.add(_OPAQUE)
    elif not name.startswith(_META):
        hidden = name.removeprefix(WHITEOUT)
        if hidden in {"", ".", ".."}:
            raise InvalidArchive(f"has the whiteout {name!r}, which names no file")
        parent.hides.add(hidden)


def _lay_over(lower: Directory[Note], upper: Directory[Note]) -> Directory[Note]:
    """``upper`` over ``lower``, both unchanged; parts that only one of them has are shared."""
    root = _merged(lower, upper)
    remaining = [(root, upper)]
    while remaining:
        merged, above = remaining.pop()
        for name, node in above.children.items():
            below = merged.children.get(name)
            if isinstance(node, Directory) and isinstance(below, Directory):
                both = _merged(below, node)
                merged.children[name] = both
                remaining.append((both, node))
            else:
                merged.children[name] = node
    return root


def _merged(lower: Directory[Note], upper: Directory[Note]) -> Directory[Note]:
    """One directory over another, so far with those children of the lower that stay visible."""
    left = {} if _OPAQUE in upper.hides else lower.children
    return Directory(
        mode=lower.mode if upper.mode is None else upper.mode,
        children={name: node for name, node in left.items() if name not in upper.hides},
    )


def _resolve(
    root: Directory[Note],
    parts: list[str],
    *,
    follow: bool = True,
    make: Callable[[], Directory[Note]] | None = None,
) -> Node[Note] | None:
    """What the path of ``parts`` leads to; ``make`` supplies directories that are missing."""
    trail: list[Node[Note]] = [root]
    remaining = parts[::-1]
    links = 0
    while remaining:
        here, part = trail[-1], remaining.pop()
        if not isinstance(here, Directory):
            return None
        if part == "..":
            del trail[max(len(trail) - 1, 1) :]
            continue
        if part not in here.children and make is not None:
            here.children[part] = make()
        node = here.children.get(part)
        if node is None:
            return None
        if not (_is_link(node) and (remaining or follow)):
            trail.append(node)
            continue
        links += 1
        if links > MAX_LINKS:
            return None
        if node.target.startswith("/"):
            del trail[1:]
        remaining.extend(reversed(_parts(node.target)))
    return trail[-1]


def _is_link(node: Node[Note]) -> TypeGuard[Leaf[Note]]:
    return isinstance(node, Leaf) and node.type is EntryType.SYMLINK


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in {"", "."}]
