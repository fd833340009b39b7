"""What the ADDs of one build fetch, each address once. What fetches is loaded when it is needed.

A fetched file is 0600, root's, and has the build's time: what a server says of when it last
changed differs from one server to the next, and the same bytes are to make the same image.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from manyfest.build.add.address import name_of, parse_repository
from manyfest.build.context import Context
from manyfest.build.dockerfile import instructions as ins
from manyfest.build.dockerfile.place import shown
from manyfest.build.dockerignore import Ignore
from manyfest.build.files import File, OneFile, Tree, resolve
from manyfest.build.once import Once
from manyfest.build.stretch import slice_of
from manyfest.errors import DockerfileError
from manyfest.layers.entry import Entry
from manyfest.progress import Progress

if TYPE_CHECKING:
    from manyfest.build.add.address import Repository
    from manyfest.build.add.download import Download
    from manyfest.build.add.git import Checkout
    from manyfest.stores.registry.http import Transport

_FILE_MODE = 0o600


class Remotes:
    """Threads may share it. What is fetched lies in ``folder``; ``open_web`` is called when the
    first file is wanted, and :meth:`close` closes what it gives. ``mtime`` is the time of all
    files, in seconds since 1970. Once ``stop`` is set, what is under way ends early."""

    def __init__(
        self,
        folder: Path,
        progress: Progress,
        *,
        mtime: int,
        open_web: Callable[[], Transport],
        stop: threading.Event,
    ) -> None:
        self._folder = folder
        self._progress = progress
        self._mtime = mtime
        self._open_web = open_web
        self._stop = stop
        self._web: Transport | None = None
        self._lock = threading.Lock()
        self._files: Once[str, Download] = Once()
        self._clones: Once[tuple[Repository, bool], tuple[Checkout, Context]] = Once()

    def get(self, add: ins.Add, source: str) -> tuple[Tree, str]:
        """What ``source``, an address, stands for: a tree, and the name in it to copy.

        Raises :class:`~manyfest.errors.DockerfileError`, without a place, for what is asked
        wrongly, and :class:`~manyfest.errors.BuildError` for what cannot be had or is not what
        ``--checksum`` says.
        """
        repository = parse_repository(source)
        if repository is None:
            return self._file(source, add.checksum)
        return self._repository(repository, add)

    def close(self) -> None:
        """End the connections, and wait for the clones under way: their programs end with us."""
        self._stop.set()
        self._clones.settle()
        with self._lock:
            if self._web is not None:
                self._web.close()
                self._web = None

    def _connected(self) -> Transport:
        with self._lock:
            if self._web is None:
                self._web = self._open_web()
            return self._web

    def _file(self, url: str, checksum: str) -> tuple[Tree, str]:
        from manyfest.build.add.download import check_trust, parse_checksum, verify
        from manyfest.stores.registry.http import show_url

        wanted = parse_checksum(checksum) if checksum else None
        check_trust(url, has_checksum=wanted is not None)
        fetched = self._files.get(url, lambda: self._download(url))
        if wanted is not None:
            verify(fetched, url, wanted)
        name = name_of(url)
        entry = Entry(name=name, mode=_FILE_MODE, size=fetched.size, mtime=self._mtime)
        content = slice_of(fetched.path, 0, fetched.size)
        file = File(entry=entry, content=content, identity=("fetched", str(fetched.digest)))
        return OneFile(file, show_url(url)), name

    def _download(self, url: str) -> Download:
        from manyfest.build.add.download import download
        from manyfest.stores.registry.http import show_url

        self._progress.say(f"fetching {show_url(url)}")
        return download(url, self._connected(), self._folder, given_up=self._stop.is_set)

    def _repository(self, repository: Repository, add: ins.Add) -> tuple[Tree, str]:
        from manyfest.build.add.git import check_commit, check_repository

        check_repository(repository)
        key = (repository, add.keep_git_dir is True)
        checkout, tree = self._clones.get(key, lambda: self._clone(*key))
        if add.checksum:
            check_commit(checkout, repository, add.checksum)
        found = tree.find(resolve(tree, repository.folder))
        if found is not None and not found.is_directory:
            raise DockerfileError(
                f"{shown(repository.folder)} is a {found.entry.type} in {tree.label}, not a folder"
            )
        return tree, repository.folder

    def _clone(self, repository: Repository, keep_git_dir: bool) -> tuple[Checkout, Context]:  # noqa: FBT001
        from manyfest.build.add.git import clone
        from manyfest.stores.registry.http import show_url

        self._progress.say(f"fetching {show_url(repository.address)}")
        checkout = clone(
            repository, self._folder, keep_git_dir=keep_git_dir, given_up=self._stop.is_set
        )
        label = show_url(repository.address)
        return checkout, Context(checkout.folder, Ignore(), mtime=self._mtime, label=label)
