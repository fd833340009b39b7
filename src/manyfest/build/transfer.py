"""One source of COPY or ADD, put into an image as BuildKit puts it.

The rules are those of BuildKit's copy (tonistiigi/fsutil, ``copy/copy.go``):

- what a source names is followed if it is a symbolic link; links inside a directory stay links;
- a directory gives its contents, and its own mode and owner are not copied;
- a file goes into the destination if that is a directory, and else takes its name;
- directories that are missing on the way are 0755 and belong to ``--chown``;
- a directory that is there already gets the mode and owner of the one that is merged into it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from difflib import get_close_matches

from msgspec import Struct
from msgspec.structs import replace

from manyfest.build.dockerfile.place import shown
from manyfest.build.dockerignore import Ignore, Verdict
from manyfest.build.files import (
    File,
    Placed,
    Remembers,
    Tree,
    ancestors,
    base,
    join,
    parent,
    resolve,
    rooted,
)
from manyfest.build.filesystem import Change
from manyfest.build.gomatch import has_wildcards, match
from manyfest.build.ownership import ROOT, Owner
from manyfest.build.permissions import Permissions
from manyfest.errors import BuildError, MissingSource
from manyfest.layers.entry import EntryType


class Rules(Struct, frozen=True, kw_only=True):
    """What the flags of an instruction ask for. ``owner`` and ``permissions`` are ``None`` when
    files keep theirs. ``include`` and ``exclude`` are patterns for what is in a directory; without
    ``include`` everything is. ``where`` is the instruction's file and line."""

    owner: Owner | None = None
    permissions: Permissions | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    where: str = ""

    @property
    def directory_mode(self) -> int:
        return 0o755 if self.permissions is None else self.permissions.of_made_directories

    def applied(self, file: File, name: str, inode: Hashable = None) -> File:
        """``file`` under ``name``, with its new owner and mode. Links have no mode of their own."""
        entry = file.entry
        uid, gid = self.owner or (entry.uid, entry.gid)
        mode = entry.mode
        if self.permissions is not None and entry.type is not EntryType.SYMLINK:
            mode = self.permissions.of(mode, is_directory=file.is_directory)
        copied = replace(entry, name=name, uid=uid, gid=gid, mode=mode)
        return replace(file, entry=copied, inode=inode)


class Destination(Struct, frozen=True):
    """A path in the image; ``is_directory`` when it was written with a slash at its end."""

    path: str
    is_directory: bool

    @classmethod
    def of(cls, text: str, workdir: str) -> Destination:
        """The destination ``text`` of an instruction below ``workdir``."""
        whole = text if text.startswith("/") else f"{workdir}/{text}"
        return cls(rooted(whole), text in {"", "."} or text.endswith(("/", "/.")))


def matches(tree: Tree, source: str) -> list[str]:
    """The names that ``source`` stands for: itself, or what its wildcards match."""
    parts = source.split("/")
    wild = next((i for i, part in enumerate(parts) if has_wildcards(part)), None)
    if wild is None:
        return [source]
    top = resolve(tree, "/".join(parts[:wild]))
    return list(_matching(tree, top, "/".join(parts[wild:])))


def _matching(tree: Tree, top: str, pattern: str) -> Iterator[str]:
    """In the order of a walk; what matches is not entered."""
    deepest = pattern.count("/")
    folders = [("", 0)]
    while folders:
        below, depth = folders.pop()
        if below and match(pattern, below):
            yield join(top, below)
        elif depth <= deepest:
            children = tree.names(join(top, below) if below else top)
            folders.extend(
                (f"{below}/{name}".lstrip("/"), depth + 1) for name in reversed(children)
            )


def _place(change: Change, target: Destination, file: File, rules: Rules) -> str:
    """Make the directories that lead to ``target``. Where ``file`` goes: a name in the image."""
    if target.is_directory:
        make_directories(change, resolve(change, target.path), rules)
    name = resolve(change, target.path)
    there = change.find(name)
    if not file.is_directory and there is not None and there.is_directory:
        name = join(name, base(file.entry.name))
    is_new = file.is_directory and there is None
    make_directories(change, name if is_new else parent(name), rules)
    return name


def make_directories(change: Change, name: str, rules: Rules) -> None:
    """Make ``name`` and the directories above it, as the rules say."""
    owner = rules.owner or ROOT
    change.make_directories(name, mode=rules.directory_mode, uid=owner.uid, gid=owner.gid)


def transfer(tree: Tree, source: str, change: Change, target: Destination, rules: Rules) -> int:
    """Copy what is at ``source`` in ``tree`` to ``target``. How many names were copied.

    Raises :class:`~manyfest.errors.MissingSource` if there is no such source, and
    :class:`~manyfest.errors.BuildError` if something is in the way.
    """
    followed = resolve(tree, source)
    found = tree.find(followed)
    if found is None:
        raise missing(tree, source)
    # The name is the one that was asked for, also where it is a link to another.
    top = replace(found, entry=replace(found.entry, name=source))
    name = _place(change, target, top, rules)
    if not top.is_directory:
        inode = None if found.inode is None else (object(), found.inode)
        _put(change, Placed(rules.applied(found, name, inode), found.entry.mode))
        return 1
    placings = _contents(tree, followed, name, rules)
    for placed in placings:
        _put(change, placed)
    return len(placings)


def _put(change: Change, placed: Placed) -> None:
    file = placed.file
    there = change.find(file.entry.name)
    if there is not None and there.is_directory != file.is_directory:
        raise BuildError(
            f"{shown('/' + file.entry.name)} is a {there.entry.type},"
            f" which a {file.entry.type} cannot replace"
        )
    if there is not None and placed.implied:
        # BuildKit then takes over the mode alone, and not that of --chmod.
        file = replace(there, entry=replace(there.entry, mode=placed.mode))
    change.put(file)


def missing(tree: Tree, source: str) -> MissingSource:
    """What to tell who asked for a source that is not there."""
    mend = tree.why_missing(source)
    if not mend:
        above = next((each for each in (*ancestors(source), ".") if tree.find(each)), ".")
        wrong = source if above == "." else source.removeprefix(f"{above}/")
        close = get_close_matches(wrong.split("/")[0], tree.names(above), n=1)
        mend = f"did you mean {join(above, close[0])}?" if close else ""
    return MissingSource(f"{shown(source)} is not in {tree.label}", mend=mend, word=source)


def _contents(tree: Tree, source: str, name: str, rules: Rules) -> tuple[Placed, ...]:
    """All that is copied of the directory ``source`` into the directory ``name``."""

    def walk() -> tuple[Placed, ...]:
        return tuple(_Walk(tree, rules).contents(source, name))

    if isinstance(tree, Remembers):
        return tree.placings.get((source, name, rules), walk)
    return walk()


class _Pending(Struct):
    """A directory that is implied as soon as something below it is copied."""

    file: File
    name: str
    above: _Pending | None
    placed: bool = False


class _Step(Struct, frozen=True):
    """One name on the way through a source; ``below`` is its path in it."""

    source: str
    below: str
    name: str
    included: Verdict | None
    excluded: Verdict | None
    above: _Pending | None


class _Walk:
    """One walk through one directory. Hard links are kept among what one walk copies."""

    def __init__(self, tree: Tree, rules: Rules) -> None:
        self._tree = tree
        self._rules = rules
        self._include = Ignore.of(rules.include, rules.where)
        self._exclude = Ignore.of(rules.exclude, rules.where)
        self._links = object()

    def contents(self, source: str, name: str) -> Iterator[Placed]:
        """What is copied of ``source``, directories before what is in them."""
        steps = self._children(_Step(source, "", name, None, None, None), None)
        while steps:
            step = steps.pop()
            included = self._include.judge(step.below, step.included)
            excluded = self._exclude.judge(step.below, step.excluded)
            wanted = (included.excluded or not self._rules.include) and not excluded.excluded
            file = self._tree.find(step.source)
            if file is None or not (wanted or file.is_directory):
                continue
            if wanted:
                yield from self._implied(step.above)
                yield self._placed(file, step.name)
            if file.is_directory and not excluded.prune:
                pending = _Pending(file, step.name, step.above, placed=wanted)
                below = replace(step, included=included, excluded=excluded)
                steps.extend(self._children(below, pending))

    def _children(self, step: _Step, above: _Pending | None) -> list[_Step]:
        """Last name first: they are taken from the end."""
        return [
            _Step(
                join(step.source, child),
                f"{step.below}/{child}".lstrip("/"),
                join(step.name, child),
                step.included,
                step.excluded,
                above,
            )
            for child in reversed(self._tree.names(step.source))
        ]

    def _placed(self, file: File, name: str, *, implied: bool = False) -> Placed:
        inode = None if file.inode is None else (self._links, file.inode)
        return Placed(self._rules.applied(file, name, inode), file.entry.mode, implied)

    def _implied(self, pending: _Pending | None) -> list[Placed]:
        """The directories above what is copied, the outermost first."""
        found: list[Placed] = []
        while pending is not None and not pending.placed:
            found.append(self._placed(pending.file, pending.name, implied=True))
            pending.placed = True
            pending = pending.above
        return found[::-1]
