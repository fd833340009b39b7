"""What a release writes down as it goes: what registries cannot tell afterwards.

That is what the moving tags held before this release took them, so that they can be put back by
whoever goes on after it was killed, and what the image was built from. The journal is a file of
JSON lines beside the archive, one for each version. Each line is on the disk before what it speaks
of is done. The registries are what is true: a journal that is missing, torn or about another image
costs knowledge, never a wrong answer.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Set
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from manyfest.errors import InvalidDigest, ReleaseError
from manyfest.oci import json
from manyfest.oci.digest import Digest
from manyfest.stores.files import new_file, read_small

if TYPE_CHECKING:
    from manyfest.release.versions.version import Version

SUFFIX = ".journal"

LARGEST = 16 * 1024 * 1024
"""Bytes of a journal that is read."""


class Began(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="began"):
    """The first line: which version of what, and the digest of its index."""

    name: str
    version: str
    digest: Digest


class Held(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="held"):
    """What a moving tag held that was not this release; ``null`` if there was no such tag."""

    reference: str
    digest: Digest | None


class Goes(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="goes"):
    """Where a release or a rollback takes a moving tag, from now on; ``null``: away."""

    reference: str
    digest: Digest | None


class Made(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="made"):
    """The archive holds the image. It was made of ``revision`` and found good; ``inputs`` is the
    digest of all else that it was made of."""

    revision: str
    inputs: str


class Ended(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="ended"):
    """A step ended, ``at`` a time as RFC 3339 writes it."""

    step: str
    what: str
    at: str


Line = Began | Held | Goes | Made | Ended


def _digest(type_: type, value: object) -> object:
    if type_ is Digest and isinstance(value, str):
        return Digest.parse(value)
    raise TypeError(f"Expected `{type_.__name__}`")


_decoder: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line, dec_hook=_digest)


class Journal:
    """The journal of one release; ``path`` is where its lines are kept.

    ``is_written``: what is given here is what lies there, whole. Otherwise the file is written
    anew with the next line, whatever lay there.
    """

    def __init__(
        self, path: Path, began: Began, lines: Iterable[Line] = (), *, is_written: bool = False
    ) -> None:
        self.path = path
        self.began = began
        self._lines: list[Line] = list(lines)
        self._is_written = is_written

    @property
    def held(self) -> dict[str, Digest | None]:
        """What each moving tag held, by its reference. The last word on each counts."""
        lines = (line for line in self._lines if isinstance(line, Held))
        return {line.reference: line.digest for line in lines}

    @property
    def goals(self) -> dict[str, Digest | None]:
        """Where each moving tag is taken, by its reference."""
        lines = (line for line in self._lines if isinstance(line, Goes))
        return {line.reference: line.digest for line in lines}

    @property
    def under_way(self) -> dict[str, Digest | None]:
        """Where tags are taken of which nothing says yet that all of them are there."""
        found: dict[str, Digest | None] = {}
        for line in self._lines:
            if isinstance(line, Goes):
                found[line.reference] = line.digest
            elif isinstance(line, Ended) and line.step == "tags":
                found.clear()
        return found

    @property
    def begun(self) -> Set[str]:
        """Moving tags that a run has begun to take, and of which nothing says that it came to its
        end. What another machine wrote down tells less: not which of them were there before it."""
        return self.under_way.keys() | (self.held.keys() - self.goals.keys())

    @property
    def made(self) -> Made | None:
        """What the image in the archive was made of; ``None`` if it was not made here."""
        return next((line for line in reversed(self._lines) if isinstance(line, Made)), None)

    @property
    def ended(self) -> tuple[str, ...]:
        """The steps that ended, in order."""
        return tuple(line.step for line in self._lines if isinstance(line, Ended))

    @property
    def copy(self) -> bytes:
        """What another machine needs of it. The same release has the same bytes everywhere: there
        is no time in it, and nothing of this machine."""
        return _encoded([self.began, *(line for line in self._lines if isinstance(line, Held))])

    def note(self, *lines: Line) -> None:
        """Add lines, and return when they are on the disk.

        Raises :class:`~manyfest.errors.ReleaseError` if they cannot be written.
        """
        self._lines += lines
        try:
            if self._is_written and self.path.exists():
                _append(self.path, _encoded(lines))
            else:
                with new_file(self.path) as file:
                    file.write(_encoded([self.began, *self._lines]))
        except OSError as error:
            self._is_written = False  # what lies there may be torn, and lack these lines
            raise ReleaseError(
                f"the journal cannot be written: {error.strerror}",
                where=str(self.path),
                mend="make room there, or let 'archive' name another folder",
            ) from None
        self._is_written = True

    def note_end(self, step: str, what: str) -> None:
        """Add that a step ended now."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self.note(Ended(step=step, what=what, at=now.replace("+00:00", "Z")))

    def learn(self, other: Journal, place: str) -> None:
        """Take over what the copy in the repository ``place`` knows of the tags there that this
        one knows nothing of. What it says of other repositories is theirs to say."""
        known = self.held
        new = [
            Held(reference=name, digest=held)
            for name, held in other.held.items()
            if name not in known and name.startswith(f"{place}:")
        ]
        if new:
            self.note(*new)


def journal_path(archive: Path, version: Version) -> Path:
    """Where the journal of a release is kept: beside its archive, one for each version."""
    stem = archive.name.removesuffix(".tar")
    name = stem if version.text in stem else f"{stem}-{version.text}"
    return archive.with_name(f"{name}{SUFFIX}")


def read_journal(path: Path, say: Callable[[str], None]) -> Journal | None:
    """The journal at ``path``; ``None`` if there is none, or none that can be used, which is said
    then."""
    try:
        raw = read_small(path, LARGEST)
    except FileNotFoundError:
        return None
    except OSError as error:
        say(f"{path}: the journal cannot be read and is left out: {error.strerror}")
        return None
    return parse_journal(raw, path, say, where=str(path))


def parse_journal(
    raw: bytes, path: Path, say: Callable[[str], None], *, where: str
) -> Journal | None:
    """The journal in ``raw``, which came from ``where`` and will be kept at ``path``.

    A last line that is torn is left out: what it was to speak of was not done. What follows a
    damaged line is left out too, and that is said. ``None`` if nothing is left.
    """
    lines: list[Line] = []
    whole, _, torn = raw.rpartition(b"\n")
    for number, text in enumerate(whole.split(b"\n"), start=1):
        try:
            lines.append(_decoder.decode(text))
        except (msgspec.DecodeError, InvalidDigest, RecursionError):
            say(f"{where}:{number}: the journal is damaged; it is used up to there")
            break
    if not lines or not isinstance(lines[0], Began):
        return None
    is_written = str(path) == where and not torn and len(lines) == raw.count(b"\n")
    return Journal(path, lines[0], lines[1:], is_written=is_written)


def _encoded(lines: Iterable[Line]) -> bytes:
    return b"".join(json.dumps(line) + b"\n" for line in lines)


def _append(path: Path, raw: bytes) -> None:
    """One write, so that two releases at once do not mix their lines."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    try:
        if os.write(descriptor, raw) < len(raw):  # what is left of a disk that is full
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
