"""What ``git`` says about a folder: facts only, no decisions.

git is run with argument lists, without a pager, locks or prompts, and without what a repository's
own settings could start (``core.fsmonitor``) or add to the output (``log.showSignature``).
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from msgspec import Struct

from manyfest.errors import ReleaseError

_ENVIRONMENT = {
    "LC_ALL": "C",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
}
_SETTINGS = ("-c", "core.fsmonitor=false", "-c", "log.showSignature=false")

_NO_REPOSITORY = "not a git repository"
_NOT_OURS = "dubious ownership"
_NO_COMMIT = ("does not have any commits yet", "unknown revision", "Needed a single revision")


class Checkout(Struct, frozen=True, kw_only=True):
    """The commit that is checked out, and the tags around it.

    ``revision`` is its full digest and ``commit_time`` its time in seconds since 1970. ``dirty``
    says whether the work tree differs from it; files that git does not know count, since they can
    get into an image as well. ``tags`` point at it, ``earlier_tags`` at it or a commit before it,
    as far as the clone goes: a ``shallow`` one ends early.
    """

    revision: str
    commit_time: int
    dirty: bool
    shallow: bool
    tags: tuple[str, ...]
    earlier_tags: tuple[str, ...]


def is_repository(folder: Path) -> bool:
    """Whether there is a git to ask and ``folder`` is in a repository."""
    if shutil.which("git") is None:
        return False
    done = _run(folder, "rev-parse", "--git-dir")
    return done.returncode == 0 or _NO_REPOSITORY not in _text(done.stderr)


def checkout(folder: Path) -> Checkout:
    """The commit checked out in ``folder``.

    Raises :class:`~manyfest.errors.ReleaseError` if git is not installed, or if ``folder`` is in
    no repository, in one of somebody else's, or in one without a commit.
    """
    revision, time = _ask(folder, "log", "-1", "--format=%H %ct").split()
    return Checkout(
        revision=revision,
        commit_time=int(time),
        dirty=bool(_ask(folder, "status", "--porcelain", "--untracked-files=normal")),
        shallow=_ask(folder, "rev-parse", "--is-shallow-repository") == "true",
        tags=_tags(folder, "--points-at=HEAD"),
        earlier_tags=_tags(folder, "--merged=HEAD"),
    )


def commits_since(folder: Path, tag: str) -> int:
    """How many commits HEAD has that ``tag`` does not."""
    return int(_ask(folder, "rev-list", "--count", f"refs/tags/{tag}..HEAD"))


def remote(folder: Path) -> str:
    """The URL of the remote called origin, or the empty string."""
    if not is_repository(folder):
        return ""
    done = _run(folder, "config", "--get", "remote.origin.url")
    return _text(done.stdout) if done.returncode == 0 else ""


def _tags(folder: Path, which: str) -> tuple[str, ...]:
    # A tag's name holds no space and no control character (git-check-ref-format).
    names = _ask(folder, "for-each-ref", which, "--format=%(refname:strip=2)", "refs/tags")
    return tuple(names.split())


def _ask(folder: Path, *arguments: str) -> str:
    done = _run(folder, *arguments)
    if done.returncode != 0:
        raise _failed(folder, _text(done.stderr))
    return _text(done.stdout)


def _run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = ["git", "--no-pager", *_SETTINGS, *arguments]
    try:
        return subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, **_ENVIRONMENT},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    except FileNotFoundError:
        if not folder.is_dir():
            raise ReleaseError("no such folder", where=str(folder)) from None
        raise ReleaseError(
            "git is not installed, and the version comes from it",
            mend="install git, or give --version",
        ) from None
    except OSError as error:
        raise ReleaseError(f"git cannot be run: {error.strerror}", where=str(folder)) from None


def _failed(folder: Path, message: str) -> ReleaseError:
    if _NO_REPOSITORY in message:
        return ReleaseError(
            "not in a git repository, and the version comes from git",
            where=str(folder),
            mend="run it in a clone, or give --version",
        )
    if _NOT_OURS in message:
        return ReleaseError(
            "git refuses this repository because another user owns it",
            where=str(folder),
            mend=f"run: git config --global --add safe.directory {folder.resolve()}",
        )
    if any(sign in message for sign in _NO_COMMIT):
        return ReleaseError(
            "the repository has no commit yet", where=str(folder), mend="commit, then tag it"
        )
    last = message.splitlines()[-1] if message else "no message"
    return ReleaseError(f"git failed: {last[:300]!r}", where=str(folder))


def _text(output: bytes) -> str:
    return output.decode("utf-8", errors="replace").strip()
