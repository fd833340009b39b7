"""One source of COPY or ADD, put into an image as BuildKit puts it.

The rules are those of BuildKit's copy (tonistiigi/fsutil, ``copy/copy.go``):

- what a source names is followed if it is a symbolic link; links inside a directory stay links;
- a directory gives its contents, and its own mode and owner are not copied;
- a file goes into the destination if that is a directory, and else takes its name;
- directories that are missing on the way are 0755 and belong to ``--chown``;
- a directory that is there already gets the mode and owner of the one that is merged into it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from manyfest.build.dockerfile.place import shown
from manyfest.build.dockerignore import Ignore, Verdict
from manyfest.build.files import File, Tree, base, join, parent, resolve
from manyfest.build.filesystem import Change
from manyfest.build.gomatch import has_wildcards, match
from manyfest.build.ownership import ROOT, Owner
from manyfest.build.permissions import Permissions
from manyfest.errors import BuildError
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

    def applied(self, file: File) -> File:
        """``file`` with its new owner and mode. Links have no mode of their own."""
        entry = file.entry
        owner = self.owner or Owner(entry.uid, entry.gid)
        mode = entry.mode
        if self.permissions is not None and entry.type is not EntryType.SYMLINK:
            mode = self.permissions.of(mode, is_directory=file.is_directory)
        return replace(file, entry=replace(entry, uid=owner.uid, gid=owner.gid, mode=mode))


@dataclass(frozen=True, slots=True)
class Destination:
    """An absolute path; ``is_directory`` when it was written with a slash at its end."""

    path: str
    is_directory: bool

    @classmethod
    def of(cls, text: str, workdir: str) -> Destination:
        """The destination ``text`` of an instruction below ``workdir``."""
        whole = text if text.startswith("/") else f"{workdir}/{text}"
        return cls(whole, text in {"", "."} or text.endswith(("/", "/.")))


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


def place(change: Change, target: Destination, file: File, rules: Rules) -> str:
    """Make the directories that lead to ``target``. Where ``file`` goes: a name in the image."""
    made = parent(resolve(change, target.path))
    if target.is_directory:
        made = resolve(change, target.path)
    make_directories(change, made, rules)
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
    """Copy what is at ``source`` to ``target``. How many names were copied.

    Raises :class:`~manyfest.errors.BuildError` if something is in the way, and ``KeyError`` if
    there is no such source.
    """
    followed = resolve(tree, source)
    found = tree.find(followed)
    if found is None:
        raise KeyError(source)
    # The name is the one that was asked for, also where it is a link to another.
    top = replace(found, entry=replace(found.entry, name=source))
    name = place(change, target, top, rules)
    copier = _Copier(tree, change, rules)
    if top.is_directory:
        copier.copy_contents(followed, name)
    else:
        copier.copy(found, name)
    return copier.copied


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
        inode = None if file.inode is None else (id(self._links), file.inode)
        self.change.put(self.rules.applied(file.renamed(name, inode=inode)))
        self.copied += 1

    def copy_contents(self, source: str, name: str) -> None:
        """Copy everything in the directory ``source`` to the directory ``name``."""
        todo = self._children(_Step(source, "", name, None, None, None), None)
        while todo:
            step = todo.pop()
            todo.extend(self._step(step))

    def _step(self, step: _Step) -> list[_Step]:
        """Do one step; those that come of it."""
        included, excluded = step.included, step.excluded
        if self.rules.include is not None:
            included = self.rules.include.judge(step.below, included)
        excluded = self.rules.exclude.judge(step.below, excluded)
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
            self._merge(file, step.name)
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

    def _merge(self, file: File, name: str) -> None:
        """Make the directory ``name`` like ``file``, or give it its mode and owner."""
        there = self.change.find(name)
        if there is not None and not there.is_directory:
            raise BuildError(
                f"{shown('/' + name)} is a {there.entry.type}, and a directory cannot replace it"
            )
        self.change.put(self.rules.applied(file.renamed(name)))
        self.copied += 1

    def _make_pending(self, pending: _Pending | None) -> None:
        waiting: list[_Pending] = []
        while pending is not None and not pending.made:
            waiting.append(pending)
            pending = pending.above
        for each in reversed(waiting):
            self._merge(each.file, each.name)
            each.made = True
