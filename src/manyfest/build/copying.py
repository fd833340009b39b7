"""COPY and ADD as a whole: their flags, sources, inline files and destination."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from manyfest.build.archives import is_archive, unpack
from manyfest.build.dockerfile import instructions as ins
from manyfest.build.dockerfile.place import shown
from manyfest.build.files import File, Tree, base, join, resolve, rooted
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
from manyfest.errors import BuildError, DockerfileError
from manyfest.layers.entry import Entry

_REMOTE = re.compile(r"(?:https?|git|ssh)://|git@", re.IGNORECASE)

Unpacked = Callable[[File], Path]
"""Gives the uncompressed tar of an archive in the context."""


def copy(
    instruction: ins.Copy | ins.Add,
    tree: Tree,
    image: FileSystem,
    workdir: str,
    unpacked: Unpacked | None,
    *,
    mtime: int,
) -> Change:
    """What COPY or ADD does to ``image`` with files from ``tree``.

    New directories, inline files and what is later in an archive get ``mtime``. Without
    ``unpacked`` archives are copied as they are. Raises
    :class:`~manyfest.errors.DockerfileError`, without a place, for what is asked wrongly, and
    :class:`~manyfest.errors.BuildError` for what cannot be done.
    """
    # A linked layer is made as if there were nothing below it, and then laid over the image.
    below = FileSystem(Empty(), {}) if is_linked(instruction) else image
    change = Change(below, mtime=mtime)
    target = Destination.of(instruction.destination, workdir)
    rules = _rules(instruction, change)
    work = _Work(instruction, tree, change, target, rules, unpacked, mtime)
    work.check_several()
    for source in work.sources():
        work.put(source)
    for inline in instruction.inline:
        work.put_inline(inline)
    return _laid_over(image, change, mtime) if is_linked(instruction) else change


def is_linked(instruction: ins.Copy | ins.Add) -> bool:
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


@dataclass(frozen=True, slots=True)
class _Source:
    """One thing to copy: a name in the tree, and with ``--parents`` the pattern below it."""

    name: str
    pattern: str = ""
    wild: bool = False


@dataclass(frozen=True, slots=True)
class _Work:
    """One instruction under way."""

    instruction: ins.Copy | ins.Add
    tree: Tree
    change: Change
    target: Destination
    rules: Rules
    unpacked: Unpacked | None
    mtime: int

    def sources(self) -> Iterator[_Source]:
        """What is to be copied, its wildcards resolved."""
        for text in self.instruction.sources:
            _refuse_remote(text, self.instruction)
            top, pattern = _pivot(text) if self._keeps_parents else (text, "")
            wild = has_wildcards(top) or has_wildcards(pattern)
            for name in matches(self.tree, rooted(top)):
                yield _Source(name, pattern, wild)

    @property
    def _keeps_parents(self) -> bool:
        return isinstance(self.instruction, ins.Copy) and self.instruction.parents

    def check_several(self) -> None:
        """Several files cannot all get the one name of a destination that is no directory.

        BuildKit would leave the last of them there.
        """
        if self.target.is_directory or self._keeps_parents:
            return
        sources = list(self.sources())
        if len(sources) + len(self.instruction.inline) < 2:
            return
        first = self.tree.find(resolve(self.tree, sources[0].name)) if sources else None
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
            transfer(self.tree, source.name, self.change, self.target, self.rules)

    def _put_with_parents(self, source: _Source) -> None:
        rules = replace(self.rules, include=(source.pattern,))
        copied = transfer(self.tree, source.name, self.change, self.target, rules)
        if not (copied or source.wild):
            raise missing(self.tree, join(source.name, source.pattern))

    def _unpack(self, source: _Source) -> bool:
        """Unpack the source if this is ADD and it is an archive."""
        if self.unpacked is None or not isinstance(self.instruction, ins.Add):
            return False
        archive = self.tree.find(resolve(self.tree, source.name))
        if self.instruction.unpack is False or archive is None or not is_archive(archive):
            return False
        into = resolve(self.change, self.target.path)
        make_directories(self.change, into, replace(self.rules, permissions=None))
        tar = self.unpacked(archive)
        unpack(tar, archive, self.change, into, self.rules.owner, latest=self.mtime)
        return True

    def put_inline(self, inline: ins.InlineFile) -> None:
        """Put a file in place that stands in the Dockerfile itself."""
        tree = _OneFile(inline, self.mtime)
        transfer(tree, tree.name, self.change, self.target, self.rules)


def _pivot(text: str) -> tuple[str, str]:
    """A source of ``--parents``: where to start, and the path from there, which is kept."""
    top, pivot, pattern = text.partition("/./")
    return (top, rooted(pattern)) if pivot else (".", rooted(text))


def _refuse_remote(source: str, instruction: ins.Instruction) -> None:
    if not _REMOTE.match(source):
        return
    if isinstance(instruction, ins.Copy):
        raise DockerfileError(f"{shown(source)} is not a file of the context", mend="use ADD")
    raise BuildError(
        f"{shown(source)} would have to be fetched, which the native builder does not do",
        mend="fetch it before the build, and COPY it",
    )


class _OneFile:
    """A tree that holds one inline file."""

    label = "the Dockerfile"

    def __init__(self, inline: ins.InlineFile, mtime: int) -> None:
        self.name = base(rooted(inline.name))
        content = inline.content.encode()
        entry = Entry(name=self.name, mode=0o644, size=len(content), mtime=mtime)
        self._file = File(entry=entry, content=content)

    def find(self, name: str) -> File | None:
        return self._file if name == self.name else None

    def names(self, directory: str) -> Sequence[str]:
        return [self.name] if directory == "." else []

    def why_missing(self, name: str) -> str:  # noqa: ARG002
        return ""
