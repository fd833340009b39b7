"""The folder in which everything happens: nothing that a tool keeps survives a run."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks.tools import folders

MEMORY = Path("/dev/shm")
KEPT = ("LANG", "LC_ALL", "SYSTEMROOT", "GOMAXPROCS")


class Scratch:
    """A new folder in ``base``; if none is named, in memory if that can be, so that the tools are
    measured and not the disk.

    ``aside`` holds what a tool may want besides its source and target: home, temporary and working
    folder. ``cache`` is for what it keeps for its next run, and ``out`` for targets that are files.
    ``clear`` empties all three. ``kept`` stays for a whole job.
    """

    def __init__(self, base: Path | None = None) -> None:
        if base is None:
            base = MEMORY if os.access(MEMORY, os.W_OK) else Path(tempfile.gettempdir())
        self.root = Path(tempfile.mkdtemp(prefix="manyfest-benchmark-", dir=base))
        self.aside = self.root / "aside"
        self.work = self.aside / "work"
        self.cache = self.root / "cache"
        self.out = self.root / "out"
        self.kept = self.root / "kept"
        self.notes = self.root / "notes"
        self.notes.mkdir()
        self.forget()

    def clear(self) -> None:
        """Empty what a run may fill: its target, and every cache."""
        for folder in (self.aside, self.cache, self.out):
            shutil.rmtree(folder, ignore_errors=True)
        for folder in (self.work, self.aside / "home" / "run", self.aside / "tmp", self.out):
            folder.mkdir(parents=True)

    def forget(self) -> None:
        """Empty what a job may fill."""
        shutil.rmtree(self.kept, ignore_errors=True)
        self.kept.mkdir()
        self.clear()

    def remove(self) -> None:
        """Leave nothing behind."""
        shutil.rmtree(self.root, ignore_errors=True)

    def environment(self) -> dict[str, str]:
        """The environment of every command that is run: nothing of the user's but the tools."""
        home = self.aside / "home"
        own = Path(sys.executable).parent
        path = [str(own), *map(str, folders()), os.environ.get("PATH", os.defpath)]
        return {
            **{name: os.environ[name] for name in KEPT if name in os.environ},
            "PATH": os.pathsep.join(path),
            "HOME": str(home),
            "TMPDIR": str(self.aside / "tmp"),
            "XDG_CACHE_HOME": str(self.cache),
            "XDG_CONFIG_HOME": str(home / ".config"),
            "XDG_DATA_HOME": str(self.cache),
            "XDG_RUNTIME_DIR": str(home / "run"),
            # skopeo has one cache for root, elsewhere; for another user it is among the data.
            "_CONTAINERS_ROOTLESS_UID": str(os.geteuid() or 1000),
        }
