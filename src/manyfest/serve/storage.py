"""The registry's folder.

::

    ROOT/blobs/sha256/HEX            every blob once
    ROOT/repositories/NAME/_oci/     each repository, an OCI layout of links to the blobs
    ROOT/uploads/                    blobs on their way in

Several processes may serve one folder at the same time.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from manyfest.errors import StoreError, UsageError
from manyfest.oci.digest import Digest
from manyfest.serve.errors import unknown_repository
from manyfest.serve.holdings import LAYOUT
from manyfest.serve.memory import ManifestMemory
from manyfest.serve.pool import BlobPool
from manyfest.serve.repository import Repository
from manyfest.serve.room import Room
from manyfest.serve.rounds import Rounds
from manyfest.serve.uploads import Uploads
from manyfest.stores.blobs import BlobFolder

_OWN = {"blobs", "repositories", "uploads"}


class Storage:
    """All repositories in ``root``, which together may have ``quota`` bytes; a blob that is pushed
    may have ``largest``. Threads and processes may share them."""

    read_only = False
    why_read_only = "nothing can be pushed or deleted here: the registry is read-only"

    def __init__(self, root: Path, *, quota: int | None = None, largest: int | None = None) -> None:
        self.root = root
        self.room = Room(root, quota=quota)
        self.uploads = Uploads(root / "uploads", self.room, largest=largest)
        self._pool = BlobPool(BlobFolder(root / "blobs"), root / "uploads", self.room, Rounds())
        self._memory = ManifestMemory()
        self._repositories: dict[str, Repository] = {}

    @property
    def storage(self) -> Storage:
        """Itself."""
        return self

    def prepare(self, *, read_only: bool = False) -> None:
        """Make the folder ready for writing, unless it is only to be read, and clear what was
        given up.

        Raises :class:`UsageError` if it is no registry's folder, and :class:`StoreError` if it
        cannot be written to or has no hard links.
        """
        self._check()
        if read_only:
            if not self.root.is_dir():
                raise UsageError("there is no such folder", where=str(self.root))
            return
        try:
            self.uploads.folder.mkdir(parents=True, exist_ok=True)
            self._pool.check_links()
            self.uploads.remove_stale()
        except OSError as error:
            raise StoreError(
                f"cannot be used for a registry: {error.strerror}", where=str(self.root)
            ) from None

    def repository(self, name: str) -> Repository:
        """The repository of this valid name, whether it exists or not."""
        known = self._repositories.get(name)
        if known is not None:
            return known
        folder = self.root / "repositories" / name
        repository = Repository(name, folder, self._pool, self._memory)
        if repository.exists():
            # Only what exists is kept, so asking for many names fills no memory.
            self._repositories[name] = repository
        return repository

    def existing(self, name: str) -> Repository:
        """The same; raises :class:`~manyfest.serve.errors.Refusal` unless something was pushed
        to it."""
        repository = self.repository(name)
        if repository.exists():
            return repository
        raise unknown_repository(name)

    def shared(self) -> Iterator[tuple[Digest, os.stat_result]]:
        """Every blob, whether a repository has it or not."""
        return self._pool.shared()

    def is_held(self, digest: Digest) -> bool:
        """Whether some repository has the blob."""
        return self._pool.is_held(digest)

    def release(self, digest: Digest) -> None:
        """Give a blob's disk space back if no repository has it."""
        self._pool.release(digest)

    def named(self, name: str, registry: str) -> str:  # noqa: ARG002 - it stands for all of them
        """The name as it is: whoever asks for a registry's repository here means this one."""
        return name

    def other_name(self, name: str) -> str:  # noqa: ARG002 - a folder has one name
        """Empty: each repository has one name."""
        return ""

    def tidy(self) -> None:
        """Remove the uploads that were given up."""
        self.uploads.remove_stale()

    def give_up(self) -> None:
        """Nobody else is ever asked."""

    def close(self) -> None:
        """Nothing is held open."""

    def names(self) -> list[str]:
        """Every repository, in ASCII order."""
        top = self.root / "repositories"
        return [name for name in self.begun() if (top / name / LAYOUT / "index.json").exists()]

    def begun(self) -> list[str]:
        """The same, and those whose first push was killed before there was anything in them."""
        top = self.root / "repositories"
        found = []
        for folder, below, _ in os.walk(top):
            if LAYOUT in below:
                below.remove(LAYOUT)
                found.append(os.path.relpath(folder, top))
        return sorted(found)

    def _check(self) -> None:
        if (self.root / "oci-layout").exists():
            raise UsageError(
                "this is one OCI layout, not a registry's folder",
                where=str(self.root),
                mend="name another folder, and copy the layout's images into the registry",
            )
        try:
            names = {name for name in os.listdir(self.root) if not name.startswith(".")}
        except OSError:
            return  # it is not there yet, or what is wrong with it is told when it is used
        if names - {"lost+found"} and not names & _OWN:
            raise UsageError(
                "this folder has other things in it and is no registry's",
                where=str(self.root),
                mend="name an empty folder, or one that is not there yet",
            )
