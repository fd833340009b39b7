"""Who owns what an instruction puts into the image: ``--chown``, and USER for WORKDIR."""

from __future__ import annotations

from contextlib import closing
from typing import NamedTuple

from manyfest.build.dockerfile.place import shown
from manyfest.build.files import File, Lookup, resolve
from manyfest.errors import BuildError, DockerfileError
from manyfest.layers.entry import EntryType

_LARGEST_ID = (1 << 31) - 1
_LARGEST_FILE = 4 * 1024 * 1024


class Owner(NamedTuple):
    """The numbers of a user and a group."""

    uid: int
    gid: int


ROOT = Owner(0, 0)


def parse_owner(text: str, files: Lookup) -> Owner:
    """The owner that ``text``, ``USER[:GROUP]``, means in the image whose files are ``files``.

    A number needs no look at the image, and without a group stands for both; nor does ``root``.
    Other names are looked up in ``/etc/passwd`` and ``/etc/group``. Raises
    :class:`~manyfest.errors.DockerfileError`, without a place, for names that are not there.
    BuildKit takes those for root, which nobody can have meant.
    """
    user, colon, group = text.partition(":")
    number = _number(user)
    owner = Owner(number, number) if number is not None else _user(user, files)
    if not colon:
        return owner
    gid = _number(group)
    return owner._replace(gid=_group(group, files) if gid is None else gid)


def _number(text: str) -> int | None:
    if text == "root":
        return 0
    if not (text.isascii() and text.isdigit()):
        return None
    if int(text[:20]) > _LARGEST_ID:
        raise DockerfileError(f"{shown(text)} is too large for a user or group", mend="use a name")
    return int(text)


def _user(name: str, files: Lookup) -> Owner:
    for fields in _lines("etc/passwd", files):
        if fields[0] == name and len(fields) > 3:
            return Owner(_id(fields[2], "etc/passwd"), _id(fields[3], "etc/passwd"))
    raise _unknown("user", name, "/etc/passwd")


def _group(name: str, files: Lookup) -> int:
    for fields in _lines("etc/group", files):
        if fields[0] == name and len(fields) > 2:
            return _id(fields[2], "etc/group")
    raise _unknown("group", name, "/etc/group")


def _unknown(kind: str, name: str, file: str) -> DockerfileError:
    return DockerfileError(
        f"there is no {kind} {shown(name)} in the image's {file}", mend="use its number", word=name
    )


def _id(text: str, file: str) -> int:
    number = _number(text)
    if number is None:
        raise BuildError(f"the image's /{file} has {shown(text)} where a number should be")
    return number


def _lines(name: str, files: Lookup) -> list[list[str]]:
    found = files.find(resolve(files, name))
    if found is None or found.entry.type is not EntryType.FILE:
        return []
    text = _read(found).decode("utf-8", "replace")
    return [line.strip().split(":") for line in text.splitlines()]


def _read(file: File) -> bytes:
    if file.entry.size > _LARGEST_FILE:
        raise BuildError(f"{shown('/' + file.entry.name)} is too large to look for names in")
    if file.content is None or isinstance(file.content, bytes):
        return file.content or b""
    if not callable(file.content):
        with open(file.content, "rb") as source:
            return source.read(_LARGEST_FILE)
    with closing(file.content()) as source:
        return source.read(_LARGEST_FILE)
