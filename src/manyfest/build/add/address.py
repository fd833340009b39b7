"""Sources of ADD that lie elsewhere: which they are, and what their addresses say.

A repository is told by its address: ``git@HOST:PATH``, ``ssh://…``, and ``http`` or ``https`` with
a path that ends in ``.git``. ``#REF:FOLDER`` after it, or ``?ref=REF&subdir=FOLDER``, names a part
of it. Every other ``http`` or ``https`` address is a file's.
"""

from __future__ import annotations

import posixpath
import re
from urllib.parse import parse_qsl, unquote, urlsplit

from msgspec import Struct

from manyfest.build.dockerfile.place import shown
from manyfest.build.files import rooted
from manyfest.errors import DockerfileError, RegistryError

_REMOTE = re.compile(r"(?:https?|ssh|git)://|git@", re.IGNORECASE)
_SCP = r"git@\w[\w.-]*:[^\s]+"
_SSH = r"ssh://(?:\w[\w.-]*@)?\w[\w.-]*(?::\d+)?/[^\s]+"
_REF = r"(?!-)[^\x00-\x20~^:?*\[\\\x7f]+"

UNNAMED = "__unnamed__"
"""What BuildKit calls a file whose address has no name in it."""


class Repository(Struct, frozen=True):
    """A git repository, a branch, tag or commit of it, and a folder in that.

    Without ``ref`` it is the default branch; ``folder`` is a name as in a tree.
    """

    address: str
    ref: str = ""
    folder: str = "."


def is_remote(source: str) -> bool:
    """Whether ``source`` is an address and no name in the context."""
    return _REMOTE.match(source) is not None


def parse_repository(source: str) -> Repository | None:
    """The repository that ``source`` is, or ``None`` if it is a file.

    Raises :class:`~manyfest.errors.DockerfileError`, without a place, for an address that git
    is not given.
    """
    whole, _, fragment = source.partition("#")
    address, _, query = whole.partition("?")
    scheme = address.partition("://")[0].lower()
    is_web = scheme in {"http", "https"}
    if is_web and not address.endswith(".git"):
        return None
    ref, _, folder = fragment.partition(":")
    if query and not fragment:
        ref, folder = _from_query(query, source)
    _check_address(address, is_web=is_web)
    if ref and (not re.fullmatch(_REF, ref) or ".." in ref):
        raise DockerfileError(f"{shown(ref)} cannot name a branch, tag or commit")
    return Repository(address, ref, rooted(folder))


def name_of(url: str) -> str:
    """What the file at ``url`` is called in a directory."""
    name = posixpath.basename(unquote(urlsplit(url).path))
    return UNNAMED if name in {"", ".", ".."} or "\0" in name else name


def _check_address(address: str, *, is_web: bool) -> None:
    if is_web:
        from manyfest.stores.registry.http import Origin

        try:
            Origin.of(address)
        except RegistryError as error:
            raise DockerfileError(error.what) from None
    elif address.lower().startswith("git://"):
        raise DockerfileError(
            f"{shown(address)} would come unencrypted and from nobody knows whom", mend="use https"
        )
    elif not re.fullmatch(f"{_SCP}|{_SSH}", address, re.ASCII):
        raise DockerfileError(
            f"{shown(address)} is not the address of a repository",
            mend="write git@HOST:PATH or ssh://git@HOST/PATH",
        )


def _from_query(query: str, source: str) -> tuple[str, str]:
    fields = dict(parse_qsl(query))
    folder = fields.pop("subdir", "")
    refs = [fields.pop(key) for key in ("ref", "branch", "tag", "commit") if key in fields]
    if fields or len(refs) > 1:
        raise DockerfileError(
            f"{shown(source)} asks for what is not known", mend="write it as URL#REF:FOLDER"
        )
    return (refs[0] if refs else ""), folder
