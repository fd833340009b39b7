"""ADD of a git repository: one commit's files, fetched by the ``git`` program.

git is run without the settings of this machine and user, so that what it makes depends on nothing
but the commit: no conversion of line ends, no filters, no hooks. It asks nobody for a password; the
keys of ssh are those of ssh's agent and settings. It speaks https and ssh, for submodules too, and
plain http only where the repository itself is on this machine. As little of the history as possible
is fetched.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec import Struct

from manyfest.build.add.address import Repository
from manyfest.build.dockerfile.place import shown
from manyfest.errors import BuildError, DockerfileError
from manyfest.processes import signal_group
from manyfest.stores.registry.addresses import Place, place_of
from manyfest.stores.registry.http import Origin, show_url

LONGEST = 3600
"""Seconds that one command may take."""

_LOOK = 0.2

_SETTINGS = """\
[core]
autocrlf = false
attributesFile = /dev/null
excludesFile = /dev/null
fsmonitor = false
hooksPath = /dev/null
logAllRefUpdates = false
symlinks = true
fileMode = true
[advice]
detachedHead = false
[init]
defaultBranch = main
[gc]
auto = 0
[maintenance]
auto = false
[fetch]
unpackLimit = 1000000000
writeCommitGraph = false
[http]
lowSpeedLimit = 1024
lowSpeedTime = 60
"""
"""Objects are unpacked, since how a server packs them is its own affair."""

_PASSED_ON = (
    "PATH TMPDIR SSH_AUTH_SOCK SSL_CERT_FILE SSL_CERT_DIR GIT_SSL_CAINFO GIT_SSH GIT_SSH_COMMAND"
    " http_proxy https_proxy all_proxy no_proxy HTTPS_PROXY ALL_PROXY NO_PROXY"
).split()
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_WHOLE_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_HISTORY = ("+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*")


class Checkout(Struct, frozen=True):
    """A commit's files, in ``folder``."""

    folder: Path
    commit: str


def check_repository(repository: Repository) -> None:
    """Raise :class:`~manyfest.errors.DockerfileError`, without a place, for one that would come
    over plain http from another machine."""
    if not repository.address.lower().startswith("http://"):
        return
    if place_of(Origin.of(repository.address).host) is not Place.LOOPBACK:
        raise DockerfileError(
            f"{shown(show_url(repository.address))} comes over plain http, where anybody can"
            " change it",
            mend="use https",
        )


def check_commit(checkout: Checkout, repository: Repository, wanted: str) -> None:
    """Raise unless the commit is the one that ``--checksum`` names, or begins with it."""
    if not _COMMIT.fullmatch(wanted):
        raise DockerfileError(
            f"--checksum={shown(wanted)} is no commit", mend="write the commit's 40 digits"
        )
    if not checkout.commit.startswith(wanted):
        raise BuildError(
            f"{shown(show_url(repository.address))} is not what --checksum says: its commit is"
            f" {checkout.commit}",
            mend="if it was meant to move on, change --checksum too",
        )


def clone(
    repository: Repository,
    room: Path,
    *,
    keep_git_dir: bool,
    given_up: Callable[[], bool] = lambda: False,
) -> Checkout:
    """Check out what ``repository`` names into a new folder in ``room``; it ends early once
    ``given_up`` says yes.

    With ``keep_git_dir`` the folder has a ``.git``, whose bytes depend on the commit alone.
    Raises :class:`~manyfest.errors.BuildError` if it cannot be had.
    """
    own = room / f"git-{os.urandom(8).hex()}"
    return _Clone(repository, own, given_up).make(keep_git_dir=keep_git_dir)


class _Clone:
    """One clone under way. ``room`` has the files, and beside them what git needs."""

    def __init__(self, repository: Repository, room: Path, given_up: Callable[[], bool]) -> None:
        self._repository = repository
        self._given_up = given_up
        self._files = room / "files"
        self._home = room / "home"

    def make(self, *, keep_git_dir: bool) -> Checkout:
        self._begin()
        commit = self._fetch(*self._find())
        self._git("checkout", "--quiet", "--force", "--detach", commit)
        if (self._files / ".gitmodules").exists():
            if keep_git_dir:
                raise self._failure("--keep-git-dir is not for repositories with submodules")
            self._git("submodule", "update", "--quiet", "--init", "--recursive", "--depth=1")
        if keep_git_dir:
            self._tidy()
        else:
            self._drop_git()
        return Checkout(self._files, commit)

    def _begin(self) -> None:
        self._home.mkdir(parents=True)
        self._files.mkdir(mode=0o755)
        (self._home / "settings").write_text(_SETTINGS)
        self._git("init", "--quiet", "--template=")
        self._git("config", "remote.origin.url", self._repository.address)

    def _find(self) -> tuple[str, str]:
        """The full name of the ref that is meant, and its commit; without a name, a commit."""
        ref = self._repository.ref
        if not ref or ref == "HEAD":
            wanted = ["HEAD"]
        else:
            wanted = [f"refs/heads/{ref}", f"refs/tags/{ref}"]
            wanted += [ref] if ref.startswith("refs/") else []
        told = self._git("ls-remote", "origin", *wanted).split("\n")
        found = {name: commit for commit, _, name in (line.partition("\t") for line in told)}
        for name in wanted:
            if name in found:
                return name, found[name]
        if _COMMIT.fullmatch(ref):
            return "", ref
        raise self._failure(f"it has no branch or tag {shown(ref)}" if ref else "it is empty")

    def _fetch(self, name: str, commit: str) -> str:
        """The commit that is here then. Not every server gives a single commit, nor one without
        what came before it."""
        if name or _WHOLE_COMMIT.fullmatch(commit):
            for how in (["--depth=1"], []):
                fetched = self._run("fetch", "--quiet", "--no-tags", *how, "origin", name or commit)
                if fetched.returncode == 0:
                    return self._git("rev-parse", "--verify", "FETCH_HEAD^{commit}")
            if name:
                raise self._failed(fetched)
        self._git("fetch", "--quiet", "--no-tags", "origin", *_HISTORY)
        known = self._run("rev-parse", "--quiet", "--verify", f"{commit}^{{commit}}")
        if known.returncode:
            raise self._failure(f"it has no commit {commit}")
        return known.stdout.strip()

    def _drop_git(self) -> None:
        """Remove what is git's own: of the repository, and of each submodule."""
        for folder, folders, files in os.walk(self._files):
            if ".git" in folders:
                folders.remove(".git")
                shutil.rmtree(Path(folder, ".git"))
            if ".git" in files:
                Path(folder, ".git").unlink()

    def _tidy(self) -> None:
        """Leave nothing in ``.git`` that tells when, where or by whom it was made: the index would
        tell the times and numbers of the files."""
        git = self._files / ".git"
        for name in ("index", "FETCH_HEAD", "ORIG_HEAD"):
            (git / name).unlink(missing_ok=True)
        self._git("read-tree", "HEAD")

    def _git(self, *arguments: str) -> str:
        done = self._run(*arguments)
        if done.returncode:
            raise self._failed(done)
        return done.stdout.strip()

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        try:
            process = subprocess.Popen(
                ["git", "--no-pager", *arguments],
                cwd=self._files,
                env=self._environment(os.environ),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
                umask=0o022,
                start_new_session=True,
            )
        except FileNotFoundError:
            raise self._failure("git is not installed", mend="install git") from None
        except OSError as error:
            raise self._failure(f"git cannot be run: {error.strerror}") from None
        with process:
            try:
                told, faults = self._wait(process)
            except BaseException:
                # With what it has started: git does not end that when it is killed.
                signal_group(process, signal.SIGKILL)
                raise
        return subprocess.CompletedProcess(arguments, process.returncode, told, faults)

    def _wait(self, process: subprocess.Popen[str]) -> tuple[str, str]:
        """What it prints until it ends, on stdout and on stderr."""
        latest = time.monotonic() + LONGEST
        while True:
            try:
                return process.communicate(timeout=_LOOK)
            except subprocess.TimeoutExpired:
                if self._given_up():
                    raise self._failure("it was given up") from None
                if time.monotonic() > latest:
                    raise self._failure(f"git took longer than {LONGEST} seconds") from None

    def _environment(self, ours: Mapping[str, str]) -> dict[str, str]:
        is_plain = self._repository.address.lower().startswith("http://")
        return {
            "GIT_SSH_COMMAND": "ssh -o BatchMode=yes -o ConnectTimeout=15",
            **{name: ours[name] for name in _PASSED_ON if name in ours},
            "HOME": str(self._home),
            "LC_ALL": "C",
            "GIT_ALLOW_PROTOCOL": "http:https:ssh" if is_plain else "https:ssh",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": str(self._home / "settings"),
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "true",
            "SSH_ASKPASS": "true",
            **({"GIT_SSL_CAINFO": ours["SSL_CERT_FILE"]} if "SSL_CERT_FILE" in ours else {}),
        }

    def _failed(self, done: subprocess.CompletedProcess[str]) -> BuildError:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        told = [line for line in lines if not line.lower().startswith("warning:")]
        return self._failure(f"git says: {(told or lines or ['nothing'])[0][:300]}")

    def _failure(self, why: str, mend: str = "") -> BuildError:
        where = shown(show_url(self._repository.address))
        return BuildError(f"{where} cannot be fetched: {why}", mend=mend)
