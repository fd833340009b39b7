"""A stage's root file system, as far as it is known, and one instruction's change to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Protocol

from msgspec import Struct

from manyfest.build.dockerfile.place import shown
from manyfest.build.files import File, ancestors, base, directory, join, parent
from manyfest.errors import BuildError
from manyfest.layers.entry import encode_name


class Ground(Protocol):
    """What is below the layers that a build makes: nothing, or a base image.

    Its methods raise :class:`~manyfest.errors.BuildError` when that cannot be told.
    """

    def find(self, name: str, /) -> File | None:
        """What the base has under ``name``."""
        ...

    def names(self, directory: str, /) -> Sequence[str]:
        """The last parts of the names in a directory of the base."""
        ...


class Empty:
    """The ground of ``FROM scratch``: a root directory."""

    def find(self, name: str) -> File | None:
        return directory(".") if name == "." else None

    def names(self, directory: str) -> Sequence[str]:  # noqa: ARG002
        return ()


class FileSystem(Struct, frozen=True, dict=True):
    """The made files over their ground. Not changed once it is made."""

    ground: Ground
    made: Mapping[str, File]
    label: str = "the image"

    def find(self, name: str) -> File | None:
        if name in self.made:
            return self.made[name]
        for above in ancestors(name):
            if above in self.made:
                if not self.made[above].is_directory:
                    return None  # it hides what the ground has there
                break
        return self.ground.find(name)

    def names(self, directory: str) -> Sequence[str]:
        below = [name for name in self.ground.names(directory) if self.find(join(directory, name))]
        return sorted({*below, *self._children.get(directory, ())}, key=encode_name)

    def why_missing(self, name: str) -> str:  # noqa: ARG002
        return ""

    @cached_property
    def _children(self) -> dict[str, list[str]]:
        children: dict[str, list[str]] = {}
        for name in self.made:
            if name != ".":
                children.setdefault(parent(name), []).append(base(name))
        return children


class Change:
    """What one instruction puts into a file system: afterwards, a layer.

    ``mtime`` is that of the directories it makes.
    """

    def __init__(self, before: FileSystem, *, mtime: int) -> None:
        self._before = before
        self._mtime = mtime
        self._new: dict[str, File] = {}
        self._fresh: set[str] = set()
        self._cleared: set[str] = set()

    def find(self, name: str) -> File | None:
        if name in self._new:
            return self._new[name]
        if parent(name) in self._fresh or self._is_cleared(name):
            return None
        return self._before.find(name)

    def _is_cleared(self, name: str) -> bool:
        return bool(self._cleared) and not self._cleared.isdisjoint(ancestors(name))

    def make_directories(self, name: str, *, mode: int = 0o755, uid: int = 0, gid: int = 0) -> None:
        """Make the directory ``name``, which has no links in it, and those above that are missing.

        Raises :class:`~manyfest.errors.BuildError` where something else is in the way.
        """
        for path in (*reversed([*ancestors(name)]), name):
            found = self.find(path)
            if found is None:
                self.put(directory(path, mode=mode, uid=uid, gid=gid, mtime=self._mtime))
            elif not found.is_directory:
                raise BuildError(f"{shown('/' + path)} is a {found.entry.type}, not a directory")

    def put(self, file: File) -> None:
        """Put ``file`` under its name in place of what was there. A directory takes over what a
        directory held."""
        name = file.entry.name
        before = self.find(name)
        if before is None:
            if file.is_directory:
                self._fresh.add(name)  # nothing below it can have been there
        elif before.is_directory and not file.is_directory:
            self._clear(name)
        self._new[name] = file

    def lay(self, file: File) -> None:
        """Put ``file`` in place without a look at what is there, as a layer does when it is
        unpacked: a directory stays only below a directory."""
        if not file.is_directory:
            self._clear(file.entry.name)
        self._new[file.entry.name] = file

    def _clear(self, name: str) -> None:
        below = f"{name}/"
        for path in [path for path in self._new if path.startswith(below)]:
            del self._new[path]
            self._fresh.discard(path)
        self._fresh.discard(name)
        self._cleared.add(name)

    def after(self) -> FileSystem:
        """The file system with the change."""
        kept = self._before.made
        if self._cleared:
            gone = tuple(f"{name}/" for name in self._cleared)
            kept = {name: file for name, file in kept.items() if not name.startswith(gone)}
        return FileSystem(self._before.ground, {**kept, **self._new}, self._before.label)

    def layer(self) -> list[File]:
        """The new files, and the directories above them: what a layer says of a directory replaces
        what lower layers said, so it repeats how they are."""
        files = dict(self._new)
        for name in self._new:
            for above in ancestors(name):
                found = None if above in files else self.find(above)
                if found is None:
                    break
                files[above] = found
        files.pop(".", None)
        return list(files.values())
