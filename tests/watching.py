"""The whole watch as a process of its own, as a user runs it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from manyfest.oci.reference import Name
from manyfest.stores.base import Target
from manyfest.stores.open import Stores
from tests import images, real

MANYFEST = Path(sys.executable).parent / "manyfest"
PATIENCE = 60.0
"""Seconds after which a test gives up; none takes so long unless it fails."""


class WatchProcess:
    """``manyfest watch`` in ``folder``, whose ``watch.yaml`` is ``config``."""

    def __init__(self, folder: Path, config: str, *arguments: str) -> None:
        self.folder = folder
        self.port = real.free_port()
        self.log = folder / "watch.log"
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self.configure(config)

    def configure(self, config: str) -> None:
        """Write another ``watch.yaml``."""
        (self.folder / "watch.yaml").write_text(config)

    def start(self, **environ: str) -> None:
        """Start it. It may not be ready yet."""
        command = [str(MANYFEST), "watch", "--listen", f"127.0.0.1:{self.port}", *self._arguments]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=self.folder, stderr=log, env={**os.environ, **environ}
            )

    def wait_ready(self) -> None:
        """Return once it says that it is ready."""
        self.until(lambda: self.ask("GET", "/readyz")[0] == 200, "it is not ready")

    def kill(self) -> None:
        """End it at once, as a power cut does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self) -> int:
        """Ask it to stop; its exit code."""
        if self._process is None:
            return 0
        self._process.terminate()
        return self._process.wait(PATIENCE)

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, bytes]:
        """What it answers; status 0 if nobody does."""
        data = None if body is None else json.dumps(body).encode()
        try:
            with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)) as line:
                line.request(method, path, data, dict(headers or {}))
                answer = line.getresponse()
                return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            return 0, b""

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """What its history holds; nothing while that is yet to be made."""
        path = self.folder / "watch.db"
        if not path.exists():
            return []
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as database:
            try:
                return database.execute(query, values).fetchall()
            except sqlite3.OperationalError:
                return []

    def events(self, tag: str = "%") -> list[tuple[str, str, str]]:
        """What happened to a tag, in order: the kind, the place and the platform."""
        query = "SELECT kind, place, platform FROM events WHERE tag LIKE ? ORDER BY id"
        return [(kind, place, platform) for kind, place, platform in self.rows(query, tag)]

    def standing(self, tag: str) -> str:
        """How a tag stands; empty if it is not known."""
        found = self.rows("SELECT standing FROM tags WHERE tag = ?", tag)
        return str(found[0][0]) if found else ""

    def until_complete(self, tag: str) -> None:
        """Wait until it knows that the tag is complete everywhere."""
        self.until(lambda: self.standing(tag) == "complete", f"{tag} is not seen to be complete")

    def logged(self) -> str:
        """All that it has logged."""
        return self.log.read_text() if self.log.exists() else ""

    def until(self, is_so: Callable[[], object], otherwise: str) -> None:
        """Wait until it is; fails with the log if it does not come to be, or the watch ends."""
        end = time.monotonic() + PATIENCE
        while not is_so():
            ended = self._process is not None and self._process.poll() is not None
            if ended or time.monotonic() > end:
                raise AssertionError(f"{otherwise}; {self.logged()[-3000:]}")
            time.sleep(0.02)


def push(place: str, tag: str, platforms: Iterable[str], *, text: str = "") -> str:
    """Push an index of an image for each of these platforms; its digest. The same words make the
    same bytes."""
    with Stores() as stores, stores.registry(Name.parse(place), writing=True) as target:
        return push_to(target, tag, platforms, text=text or tag)


def push_to(target: Target, tag: str, platforms: Iterable[str], *, text: str) -> str:
    """The same to a place that is open."""
    entries = [images.entry(images.image(target, each, text=text), each) for each in platforms]
    index = images.index(target, entries)
    target.tag(tag, images.content_of(index))
    return str(index.descriptor.digest)
