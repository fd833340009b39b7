"""The order of a layer's entries and the rules they must keep, decided before a byte is written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from manyfest.errors import BuildError, InvalidArchive
from manyfest.layers.entry import Entry, EntryType, clean_name, encode_name

WHITEOUT = ".wh."
"""How the name of a file begins that deletes another (OCI image specification, "Whiteouts")."""


def arrange(entries: Iterable[Entry], *, mtime: int = 0) -> list[Entry]:
    """The entries of a layer in the order in which they are written.

    Sorted by the bytes of their names, so parents come before children; hard links last, so each
    comes after its target. Parent directories that are missing are added (0755, 0:0, ``mtime``).

    Raises ``BuildError`` for a name that is absolute, not in its clean form or there twice, one
    that a runtime would take for a whiteout, an entry below a name that is no directory, and a
    hard link whose target is not in the layer.
    """
    named: dict[str, Entry] = {}
    for entry in entries:
        _check_name(entry.name)
        if entry.name in named:
            raise BuildError("is in the layer twice", where=repr(entry.name))
        named[entry.name] = entry
    filled = {""}
    for entry in list(named.values()):
        above = entry.name.rpartition("/")[0]
        if above not in filled:
            filled.add(above)
            for parent in _parents(entry.name):
                if parent not in named:
                    named[parent] = Entry(name=parent, type=EntryType.DIR, mode=0o755, mtime=mtime)
                _check_parent(named[parent], entry)
        if entry.type is EntryType.HARDLINK:
            _check_target(entry, named)
    return sorted(named.values(), key=_order)


def _order(entry: Entry) -> tuple[bool, bytes]:
    return entry.type is EntryType.HARDLINK, encode_name(entry.name)


def _parents(name: str) -> Iterator[str]:
    slash = name.find("/")
    while slash >= 0:
        yield name[:slash]
        slash = name.find("/", slash + 1)


def _check_name(name: str) -> None:
    try:
        clean = clean_name(name)
    except InvalidArchive as error:
        raise BuildError(error.what, where=repr(name)) from None
    if clean != name:
        raise BuildError(f"is not a clean relative name, as {clean!r} is", where=repr(name))
    if name.startswith(WHITEOUT) or f"/{WHITEOUT}" in name:
        raise BuildError(
            f"would delete another file: names beginning with {WHITEOUT!r} are whiteouts",
            where=repr(name),
            mend="rename it or leave it out",
        )


def _check_parent(parent: Entry, child: Entry) -> None:
    if parent.type is not EntryType.DIR:
        raise BuildError(
            f"lies below {parent.name!r}, a {parent.type}, not a directory", where=repr(child.name)
        )


def _check_target(link: Entry, named: Mapping[str, Entry]) -> None:
    """A target in a lower layer is refused too: overlay file systems cannot link across layers."""
    target = named.get(link.linkname)
    if target is None or target.type in {EntryType.DIR, EntryType.HARDLINK}:
        raise BuildError(
            f"is a hard link to {link.linkname!r}, which is not a file of the same layer",
            where=repr(link.name),
        )
