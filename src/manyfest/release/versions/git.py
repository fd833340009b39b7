"""What ``git`` says about a folder: facts only, no decisions.

git is run with argument lists, without a pager, locks or prompts, and without what a repository's
own settings could start (``core.fsmonitor``) or change in the output (``log.showSignature``).
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from manyfest.errors import ReleaseError
from manyfest.threads import workers

_ENVIRONMENT = {
    "LC_ALL": "C",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
}
_SETTINGS = (
    *("-c", "core.fsmonitor=false"),
    *("-c", "log.showSignature=false"),
    *("-c", "log.follow=false"),
    *("-c", "i18n.logOutputEncoding=UTF-8"),
)

_SUBMODULE = "160000"
"""The mode of an entry that is another repository's commit."""

_NO_REPOSITORY = "not a git repository"
_NOT_OURS = "dubious ownership"
_NO_COMMIT = ("does not have any commits yet", "unknown revision", "Needed a single revision")
_NO_NAME = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock/|^[-/.]")
"""What no tag's name begins with or has in it (git-check-ref-format)."""

_OWN_REMEDY = re.compile(r"--add safe\.directory (.+)")


class Checkout(Struct, frozen=True, kw_only=True):
    """The commit that is checked out, and the tags that point at it.

    ``revision`` is its full digest and ``commit_time`` its time in seconds since 1970. ``dirty``
    says whether the work tree differs from it; files that git does not know count, since they can
    get into an image as well. The history of a ``shallow`` clone ends early.
    """

    revision: str
    commit_time: int
    dirty: bool
    shallow: bool
    tags: tuple[str, ...]


class Commit(Struct, frozen=True, kw_only=True):
    """One commit: its full digest, its message without blank lines around it, and the digests of
    the commits that it builds on."""

    revision: str
    message: str
    parents: tuple[str, ...] = ()

    @property
    def is_merge(self) -> bool:
        """Whether it joins several lines of work."""
        return len(self.parents) > 1


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
    with workers(4, "git") as pool:  # each is a process of its own
        commit = pool.submit(_ask, folder, "log", "-1", "--format=%H %ct")
        changed = pool.submit(changed_files, folder)
        shallow = pool.submit(is_shallow, folder)
        tags = pool.submit(_tags, folder, "--points-at=HEAD")
        revision, time = commit.result().split()
        return Checkout(
            revision=revision,
            commit_time=int(time),
            dirty=bool(changed.result()),
            shallow=shallow.result(),
            tags=tags.result(),
        )


def can_begin_tag(text: str) -> bool:
    """Whether there can be a tag whose name begins with ``text``."""
    return _NO_NAME.search(text) is None


def is_shallow(folder: Path) -> bool:
    """Whether the clone lacks the beginning of its history."""
    return _ask(folder, "rev-parse", "--is-shallow-repository") == "true"


def reachable_tags(folder: Path) -> tuple[str, ...]:
    """The tags of HEAD and of all commits before it, as far as the clone goes."""
    return _tags(folder, "--merged=HEAD")


def count_since(folder: Path, tag: str) -> int:
    """How many commits HEAD has that ``tag`` does not."""
    return int(_ask(folder, "rev-list", "--count", f"refs/tags/{tag}..HEAD"))


def is_ancestor(folder: Path, commit: str, later: str) -> bool | None:
    """Whether ``later`` builds on ``commit``; ``None`` if the clone cannot tell: it lacks one of
    them, or perhaps what is between them."""
    if not is_repository(folder):
        return None
    builds_on = _builds_on(folder, commit, later)
    if builds_on is False and is_shallow(folder) and not _builds_on(folder, later, commit):
        return None
    return builds_on


def _builds_on(folder: Path, commit: str, later: str) -> bool | None:
    done = _run(folder, "merge-base", "--is-ancestor", commit, later)
    return {0: True, 1: False}.get(done.returncode)


def commits_since(folder: Path, tag: str, within: Sequence[Path] = ()) -> tuple[Commit, ...]:
    """Those commits, each before the ones it builds on. An empty ``tag`` stands for before the
    first commit. If there are folders to be ``within``, only commits that change something in
    one of them; nothing is known of folders outside the repository."""
    span = f"refs/tags/{tag}..HEAD" if tag else "HEAD"
    paths = _inside(folder, within)
    if within and not paths:
        return ()
    log = ("log", "--topo-order", "-z", "--format=%H %P%n%B", span, "--", *paths)
    return tuple(map(_commit, filter(None, _ask(folder, *log).split("\0"))))


def branch(folder: Path) -> str:
    """The branch that is checked out; empty if none is, or outside a repository."""
    return _symbolic(folder, "HEAD")


def default_branch(folder: Path) -> str:
    """The main branch of the remote called origin, as the clone remembers it, or empty."""
    return _symbolic(folder, "refs/remotes/origin/HEAD").removeprefix("origin/")


def unwatched_files(folder: Path) -> list[str]:
    """Files below ``folder`` of which a commit and a clean work tree do not tell what is in them,
    relative to it, in order: those that git ignores, in submodules too; all of repositories that
    lie in ignored folders; those that git was told to take for unchanged; and those that a filter
    writes, as Git LFS does, which may be there or may be fetched later."""
    found: list[str] = []
    for name in _listed(folder, "--others", "--ignored", "--exclude-standard"):
        found += _files_below(folder, name) if name.endswith("/") else [name]
    # A tag before each name: 'S' for skip-worktree, a small letter for assume-unchanged.
    tracked = _listed(folder, "-v")
    found += [entry[2:] for entry in tracked if entry[0] == "S" or entry[0].islower()]
    found += _filtered(folder, [entry[2:] for entry in tracked])
    for entry in _listed(folder, "--stage"):
        mode, name = entry.split(" ", 1)[0], entry.partition("\t")[2]
        if mode == _SUBMODULE and (folder / name / ".git").exists():
            found += [f"{name}/{inner}" for inner in unwatched_files(folder / name)]
    return sorted(set(found))


def changed_files(folder: Path) -> list[str]:
    """Where the work tree differs from the commit, and what git does not know; none outside a
    repository. Folders that are new end in a slash."""
    if not is_repository(folder):
        return []
    # A submodule's files get into an image too, whatever the repository's settings pass over.
    options = ("--untracked-files=normal", "--ignore-submodules=none", "--no-renames")
    # Two letters and a space before each name.
    return [entry[3:] for entry in _entries(folder, "status", "--porcelain", "-z", *options)]


def remote(folder: Path) -> str:
    """The URL of the remote called origin, or the empty string."""
    if not is_repository(folder):
        return ""
    done = _run(folder, "config", "--get", "remote.origin.url")
    return _text(done.stdout) if done.returncode == 0 else ""


def _listed(folder: Path, *options: str) -> list[str]:
    return _entries(folder, "ls-files", "-z", *options)


def _files_below(folder: Path, name: str) -> Iterator[str]:
    """What is in a repository that git takes for one thing, but for its own administration."""
    for top, folders, files in os.walk(folder / name):
        folders[:] = [each for each in folders if each != ".git"]
        yield from (str((Path(top) / each).relative_to(folder)) for each in files)


def _filtered(folder: Path, names: Sequence[str]) -> list[str]:
    """Those of ``names`` whose content in the work tree is not the one in the commit."""
    given = b"\0".join(map(os.fsencode, names))
    parts = _entries(folder, "check-attr", "-z", "--stdin", "filter", given=given)
    return [
        name
        for name, value in zip(parts[::3], parts[2::3], strict=False)
        if value not in ("unspecified", "unset")
    ]


def _entries(folder: Path, *arguments: str, given: bytes = b"") -> list[str]:
    """What is told with a zero byte after each; names of files are as Python has them."""
    done = _run(folder, *arguments, given=given)
    if done.returncode != 0:
        raise _failed(folder, _text(done.stderr))
    return [os.fsdecode(each) for each in done.stdout.split(b"\0") if each]


def _commit(entry: str) -> Commit:
    heading, _, message = entry.partition("\n")
    revision, *parents = heading.split()
    return Commit(revision=revision, message=message.strip(), parents=tuple(parents))


def _inside(folder: Path, paths: Sequence[Path]) -> list[str]:
    if not paths:
        return []
    top = Path(_ask(folder, "rev-parse", "--show-toplevel"))
    resolved = (path.resolve() for path in paths)
    return [str(path) for path in resolved if path.is_relative_to(top)]


def _symbolic(folder: Path, name: str) -> str:
    if shutil.which("git") is None:
        return ""
    done = _run(folder, "symbolic-ref", "--quiet", "--short", name)
    if done.returncode in (0, 1):  # 1: it is there and names no branch, or it is not there
        return _text(done.stdout)
    if is_repository(folder):
        raise _failed(folder, _text(done.stderr))
    return ""


def _tags(folder: Path, which: str) -> tuple[str, ...]:
    # A tag's name holds no space and no control character (git-check-ref-format).
    names = _ask(folder, "for-each-ref", which, "--format=%(refname:strip=2)", "refs/tags")
    return tuple(names.split())


def _ask(folder: Path, *arguments: str) -> str:
    done = _run(folder, *arguments)
    if done.returncode != 0:
        raise _failed(folder, _text(done.stderr))
    return _text(done.stdout)


def _run(folder: Path, *arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = ["git", "--no-pager", "--literal-pathspecs", *_SETTINGS, *arguments]
    try:
        return subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, **_ENVIRONMENT},
            input=given,
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
        named = _OWN_REMEDY.search(message)
        owned = named[1] if named else shlex.quote(str(folder.resolve()))
        return ReleaseError(
            "git refuses this repository because another user owns it",
            where=str(folder),
            mend=f"run: git config --global --add safe.directory {owned}",
        )
    if any(sign in message for sign in _NO_COMMIT):
        return ReleaseError(
            "the repository has no commit yet", where=str(folder), mend="commit, then tag it"
        )
    last = message.splitlines()[-1] if message else "no message"
    return ReleaseError(f"git failed: {last[:300]!r}", where=str(folder))


def _text(output: bytes) -> str:
    return output.decode("utf-8", errors="replace").strip()
