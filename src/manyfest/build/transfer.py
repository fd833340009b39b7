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
from dataclasses import dataclass, field, replace
from difflib import get_close_matches

from manyfest.build.dockerfile.place import shown
from manyfest.build.dockerignore import Ignore, Verdict
from manyfest.build.files import (
    File,
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
from manyfest.errors import BuildError, DockerfileError
from manyfest.layers.entry import EntryType

NOTHING = Ignore()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the flags of an instruction ask for. ``owner`` and ``permissions`` are ``None`` when
    files keep theirs; ``include`` is ``None`` when all are meant."""

    owner: Owner | None = None
    permissions: Permissions | None = None
    include: Ignore | None = None
    exclude: Ignore = NOTHING

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
        return File(entry=copied, content=file.content, identity=file.identity, inode=inode)


@dataclass(frozen=True, slots=True)
class Destination:
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
    todo = [("", 0)]
    while todo:
        below, depth = todo.pop()
        if below and match(pattern, below):
            yield join(top, below)
        elif depth <= deepest:
            children = tree.names(join(top, below) if below else top)
            todo.extend((f"{below}/{name}".lstrip("/"), depth + 1) for name in reversed(children))


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

    Raises :class:`~manyfest.errors.DockerfileError` if there is no such source, and
    :class:`~manyfest.errors.BuildError` if something is in the way.
    """
    followed = resolve(tree, source)
    found = tree.find(followed)
    if found is None:
        raise missing(tree, source)
    # The name is the one that was asked for, also where it is a link to another.
    top = replace(found, entry=replace(found.entry, name=source))
    name = _place(change, target, top, rules)
    copier = _Copier(tree, change, rules)
    if top.is_directory:
        copier.copy_contents(followed, name)
    else:
        copier.copy(found, name)
    return copier.copied


def missing(tree: Tree, source: str) -> DockerfileError:
    """What to tell who asked for a source that is not there."""
    mend = tree.why_missing(source)
    if not mend:
        above = next((each for each in (*ancestors(source), ".") if tree.find(each)), ".")
        wrong = source if above == "." else source.removeprefix(f"{above}/")
        close = get_close_matches(wrong.split("/")[0], tree.names(above), n=1)
        mend = f"did you mean {join(above, close[0])}?" if close else ""
    return DockerfileError(f"{shown(source)} is not in {tree.label}", mend=mend)


@dataclass(slots=True)
class _Pending:
    """A directory that is made when something below it is copied."""

    file: File
    name: str
    above: _Pending | None
    made: bool = False


@dataclass(frozen=True, slots=True)
class _Step:
    """One name on the way through a source; ``below`` is its path in it."""

    source: str
    below: str
    name: str
    included: Verdict | None
    excluded: Verdict | None
    above: _Pending | None


@dataclass(slots=True)
class _Copier:
    """One run over one source. Hard links are kept among what one run copies."""

    tree: Tree
    change: Change
    rules: Rules
    copied: int = 0
    _links: object = field(default_factory=object)

    def copy(self, file: File, name: str) -> None:
        """Put one thing that is no directory under ``name``."""
        there = self.change.find(name)
        if there is not None and there.is_directory:
            raise BuildError(f"{shown('/' + name)} is a directory, and a file cannot replace it")
        inode = None if file.inode is None else (self._links, file.inode)
        self.change.put(self.rules.applied(file, name, inode))
        self.copied += 1

    def copy_contents(self, source: str, name: str) -> None:
        """Copy everything in the directory ``source`` to the directory ``name``."""
        todo = self._children(_Step(source, "", name, None, None, None), None)
        while todo:
            todo.extend(self._step(todo.pop()))

    def _step(self, step: _Step) -> list[_Step]:
        """Copy one name if it is meant; the steps that come of it."""
        included = excluded = None
        if self.rules.include is not None:
            included = self.rules.include.judge(step.below, step.included)
        excluded = self.rules.exclude.judge(step.below, step.excluded)
        wanted = (included is None or included.excluded) and not excluded.excluded
        file = self.tree.find(step.source)
        if file is None or not (wanted or file.is_directory):
            return []
        if wanted:
            self._make_pending(step.above)
        if not file.is_directory:
            self.copy(file, step.name)
            return []
        pending = _Pending(file, step.name, step.above, made=wanted)
        if wanted:
            self._merge(self.rules.applied(file, step.name))
        if excluded.prune:
            return []
        return self._children(replace(step, included=included, excluded=excluded), pending)

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
            for child in reversed(self.tree.names(step.source))
        ]

    def _merge(self, made: File) -> None:
        """Make a directory, or give one that is there its mode and owner."""
        there = self.change.find(made.entry.name)
        if there is not None and not there.is_directory:
            raise BuildError(
                f"{shown('/' + made.entry.name)} is a {there.entry.type},"
                " and a directory cannot replace it"
            )
        self.change.put(made)
        self.copied += 1

    def _make_pending(self, pending: _Pending | None) -> None:
        """Make the directories above what is copied, the outermost first."""
        waiting: list[_Pending] = []
        while pending is not None and not pending.made:
            waiting.append(pending)
            pending = pending.above
        for each in reversed(waiting):
            there = self.change.find(each.name)
            made = self.rules.applied(each.file, each.name)
            if there is not None and there.is_directory:
                # BuildKit then takes the mode alone, and not that of --chmod.
                made = replace(there, entry=replace(there.entry, mode=each.file.entry.mode))
            self._merge(made)
            each.made = True
