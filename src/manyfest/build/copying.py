"""COPY and ADD as a whole: their flags, sources, inline files and destination."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from manyfest.build.add.address import is_remote
from manyfest.build.dockerfile import instructions as ins
from manyfest.build.dockerfile.place import shown
from manyfest.build.files import File, OneFile, Tree, base, join, resolve, rooted
from manyfest.build.filesystem import Change, Empty, FileSystem
from manyfest.build.gomatch import has_wildcards
from manyfest.build.ownership import parse_owner
from manyfest.build.permissions import parse_permissions
from manyfest.build.transfer import (
    Destination,
    Rules,
    make_directories,
    matches,
    missing,
    transfer,
)
from manyfest.errors import DockerfileError
from manyfest.layers.entry import Entry


class Supplies(Protocol):
    """What an instruction may need that has to be made or fetched first."""

    def unpacked(self, archive: File, /) -> Path:
        """The uncompressed tar of an archive."""
        ...

    def fetched(self, add: ins.Add, source: str, /) -> tuple[Tree, str]:
        """The tree that an address stands for, and the name in it to copy."""
        ...


def copy(
    instruction: ins.Copy | ins.Add,
    tree: Tree,
    image: FileSystem,
    workdir: str,
    supplies: Supplies | None,
    *,
    mtime: int,
) -> Change:
    """What COPY or ADD does to ``image`` with files from ``tree``.

    New directories, inline files and what is later in an archive get ``mtime``. Without
    ``supplies`` archives are copied as they are, and nothing is fetched. Raises
    :class:`~manyfest.errors.DockerfileError`, without a place, for what is asked wrongly, and
    :class:`~manyfest.errors.BuildError` for what cannot be done.
    """
    # A linked layer is made as if there were nothing below it, and then laid over the image.
    below = FileSystem(Empty(), {}) if _is_linked(instruction) else image
    change = Change(below, mtime=mtime)
    target = Destination.of(instruction.destination, workdir)
    rules = _rules(instruction, change)
    work = _Work(instruction, tree, change, target, rules, supplies, mtime)
    work.check_checksum()
    sources = list(work.sources())
    work.check_several(sources)
    for source in sources:
        work.put(source)
    for inline in instruction.inline:
        work.put_inline(inline)
    return _laid_over(image, change, mtime) if _is_linked(instruction) else change


def _is_linked(instruction: ins.Copy | ins.Add) -> bool:
    """Whether ``--link`` has an effect; with ``--chmod``, BuildKit does without."""
    return instruction.link and not instruction.chmod


def _laid_over(image: FileSystem, linked: Change, mtime: int) -> Change:
    change = Change(image, mtime=mtime)
    for file in linked.layer():
        change.lay(file)
    return change


def _rules(instruction: ins.Copy | ins.Add, change: Change) -> Rules:
    return Rules(
        owner=parse_owner(instruction.chown, change) if instruction.chown else None,
        permissions=parse_permissions(instruction.chmod) if instruction.chmod else None,
        exclude=instruction.exclude,
        where=str(instruction.place),
    )


class _Source(Struct, frozen=True):
    """One thing to copy: a name in a tree, and with ``--parents`` the pattern below it.
    ``unpack`` is whether it is unpacked if it is an archive."""

    tree: Tree
    name: str
    pattern: str = ""
    wild: bool = False
    unpack: bool = False


class _Work(Struct, frozen=True):
    """One instruction under way."""

    instruction: ins.Copy | ins.Add
    tree: Tree
    change: Change
    target: Destination
    rules: Rules
    supplies: Supplies | None
    mtime: int

    def sources(self) -> Iterator[_Source]:
        """What is to be copied, its wildcards resolved."""
        for text in self.instruction.sources:
            if is_remote(text):
                yield from self._remote(text)
                continue
            top, pattern = _pivot(text) if self._keeps_parents else (text, "")
            wild = has_wildcards(top) or has_wildcards(pattern)
            for name in matches(self.tree, rooted(top)):
                yield _Source(self.tree, name, pattern, wild, self._unpacks(default=True))

    def _remote(self, text: str) -> Iterator[_Source]:
        if not isinstance(self.instruction, ins.Add):
            raise DockerfileError(f"{shown(text)} is not a file of the context", mend="use ADD")
        if self.supplies is not None:
            tree, name = self.supplies.fetched(self.instruction, text)
            yield _Source(tree, name, unpack=self._unpacks(default=False))

    def _unpacks(self, *, default: bool) -> bool:
        if not isinstance(self.instruction, ins.Add):
            return False
        return default if self.instruction.unpack is None else self.instruction.unpack

    @property
    def _keeps_parents(self) -> bool:
        return isinstance(self.instruction, ins.Copy) and self.instruction.parents

    def check_checksum(self) -> None:
        """``--checksum`` is of the one thing that is fetched."""
        if not isinstance(self.instruction, ins.Add) or not self.instruction.checksum:
            return
        sources = self.instruction.sources
        if len(sources) != 1 or self.instruction.inline or not is_remote(sources[0]):
            raise DockerfileError("--checksum is for one URL or repository, and nothing else")

    def check_several(self, sources: Sequence[_Source]) -> None:
        """Several files cannot all get the one name of a destination that is no directory.

        BuildKit would leave the last of them there.
        """
        if self.target.is_directory or self._keeps_parents:
            return
        if len(sources) + len(self.instruction.inline) < 2:
            return
        first = _found(sources[0]) if sources else None
        there = self.change.find(resolve(self.change, self.target.path))
        if not any(file is not None and file.is_directory for file in (first, there)):
            raise DockerfileError(
                f"several files cannot all become {shown(self.instruction.destination)}",
                mend=f"end the destination with a slash: {self.instruction.destination}/",
            )

    def put(self, source: _Source) -> None:
        if source.pattern:
            self._put_with_parents(source)
        elif not self._unpack(source):
            transfer(source.tree, source.name, self.change, self.target, self.rules)

    def _put_with_parents(self, source: _Source) -> None:
        rules = replace(self.rules, include=(source.pattern,))
        copied = transfer(source.tree, source.name, self.change, self.target, rules)
        if not (copied or source.wild):
            raise missing(source.tree, join(source.name, source.pattern))

    def _unpack(self, source: _Source) -> bool:
        """Unpack the source if it is to be, and is an archive."""
        archive = _found(source) if source.unpack and self.supplies is not None else None
        if self.supplies is None or archive is None:
            return False
        from manyfest.build.add.archive import is_archive, unpack

        if not is_archive(archive):
            return False
        into = resolve(self.change, self.target.path)
        make_directories(self.change, into, replace(self.rules, permissions=None))
        tar = self.supplies.unpacked(archive)
        unpack(tar, archive, self.change, into, self.rules.owner, latest=self.mtime)
        return True

    def put_inline(self, inline: ins.InlineFile) -> None:
        """Put a file in place that stands in the Dockerfile itself."""
        content = inline.content.encode()
        name = base(rooted(inline.name))
        entry = Entry(name=name, mode=0o644, size=len(content), mtime=self.mtime)
        tree = OneFile(File(entry=entry, content=content), "the Dockerfile")
        transfer(tree, name, self.change, self.target, self.rules)


def _pivot(text: str) -> tuple[str, str]:
    """A source of ``--parents``: where to start, and the path from there, which is kept."""
    top, pivot, pattern = text.partition("/./")
    return (top, rooted(pattern)) if pivot else (".", rooted(text))


def _found(source: _Source) -> File | None:
    """What the source's name leads to."""
    return source.tree.find(resolve(source.tree, source.name))
