"""A client that never stops pulling: every tag, for every platform, and looks for what is missing.

What it finds is held against the registry's own files. ``docker-registry`` rewrites the small files
that its manifests are found by, and who reads one at that moment is told that there is no such
thing; a part is missing if its file is.
"""

from __future__ import annotations

import hashlib
import json
import random
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from tests.chaos.scene import PROGRAMS, Registry, get

PAUSE = 0.2
"""Seconds between two rounds, so that those who release have a processor too."""
AGAIN = 0.1
"""How often what was found whole is pulled whole again; what was never seen always is."""


class Seen(Struct):
    """What a prober saw: ``pulls`` of a tag, the ``blobs`` that it fetched whole and verified, how
    often a tag, a manifest or a blob was ``torn``, what was ``wrong``, and ``digests`` of tags."""

    rounds: int = 0
    pulls: int = 0
    blobs: int = 0
    torn: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    digests: dict[str, set[str]] = field(default_factory=dict)


class Prober:
    """Pulls from one repository of a registry, in a thread of its own."""

    def __init__(self, registry: Registry, repository: str, *, seed: int) -> None:
        self.seen = Seen()
        self._registry = registry
        self._repository = repository
        self._root = registry.data / "docker/registry/v2"
        self._chance = random.Random(seed)
        self._whole: set[str] = set()
        self._connection = HTTPConnection(registry.address, timeout=30)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin to pull."""
        self._thread.start()

    def look(self) -> Seen:
        """Pull everything once, without a thread."""
        self._round()
        self._connection.close()
        return self.seen

    def stop(self) -> None:
        """Pull everything once more, and end."""
        self._stop.set()
        self._thread.join(60)
        self.look()

    def _run(self) -> None:
        while not self._stop.wait(PAUSE):
            try:
                self._round()
            except (OSError, HTTPException, ValueError, LookupError) as error:
                self.seen.wrong.append(f"{self._registry.address}: {error!r}")
                self._connection.close()

    def _round(self) -> None:
        status, body, _ = self._get("tags/list")
        tags = (json.loads(body)["tags"] or []) if status == 200 else []
        public = [tag for tag in tags if not tag.startswith("sha256-")]
        for tag in self._chance.sample(public, len(public)):
            self._pull(tag)
        self.seen.rounds += 1

    def _pull(self, tag: str) -> None:
        status, body, digest = self._get(f"manifests/{tag}")
        if status != 200:
            # It is listed a moment before it is set.
            self.seen.torn["tag"] += 1
            if tag in self.seen.digests and not self._link(f"tags/{tag}/current").exists():
                self._wrong(tag, "is gone")
            return
        self.seen.pulls += 1
        self.seen.digests.setdefault(tag, set()).add(digest)
        if digest in self._whole and self._chance.random() > AGAIN:
            return
        before = len(self.seen.wrong)
        self._look_below(tag, json.loads(body))
        if len(self.seen.wrong) == before:
            self._whole.add(digest)

    def _look_below(self, tag: str, document: dict[str, Any]) -> None:
        """Is everything there that an index or an image needs?"""
        if "manifests" not in document:
            self._image(tag, document)
            return
        listed = {_platform(entry["platform"]): entry["digest"] for entry in document["manifests"]}
        for platform in PROGRAMS.keys() - listed.keys():
            self._wrong(tag, f"has no {platform}")
        whole = self._chance.choice(sorted(listed))
        for platform, child in listed.items():
            raw = self._manifest(tag, child)
            if raw is not None:
                self._image(tag, json.loads(raw), platform=platform, whole=platform == whole)

    def _image(
        self, tag: str, document: dict[str, Any], *, platform: str = "", whole: bool = False
    ) -> None:
        """Its configuration is fetched, and all its layers if it is to be ``whole``."""
        config = self._blob(tag, document["config"]["digest"], whole=True)
        if config is not None:
            found = _platform(json.loads(config))
            suffix = found.partition("/")[2]
            if (platform and platform != found) or (not platform and not tag.endswith(suffix)):
                self._wrong(tag, f"gives an image for {found} to {platform or tag}")
        for layer in document["layers"]:
            self._blob(tag, layer["digest"], whole=whole)

    def _manifest(self, tag: str, digest: str) -> bytes | None:
        return self._part(
            tag, f"manifests/{digest}", digest, self._link(f"revisions/sha256/{digest[7:]}")
        )

    def _blob(self, tag: str, digest: str, *, whole: bool) -> bytes | None:
        link = self._folder / f"_layers/sha256/{digest[7:]}/link"
        return self._part(tag, f"blobs/{digest}", digest, link, whole=whole)

    def _part(
        self, tag: str, path: str, digest: str, link: Path, *, whole: bool = True
    ) -> bytes | None:
        """What the tag needs, or ``None`` if it cannot be had, which is noted."""
        status, body, _ = self._get(path, method="GET" if whole else "HEAD")
        if status == 200 and whole:
            self.seen.blobs += 1
            if hashlib.sha256(body).hexdigest() != digest[7:]:
                self._wrong(tag, f"leads to {digest}, which has other bytes")
            return body
        if status == 200:
            return None
        data = self._root / f"blobs/sha256/{digest[7:9]}/{digest[7:]}/data"
        if link.exists() and data.exists():
            self.seen.torn[path.partition("/")[0].removesuffix("s")] += 1
        else:
            self._wrong(tag, f"leads to {digest}, which is not there: {status}")
        return None

    def _get(self, path: str, *, method: str = "GET") -> tuple[int, bytes, str]:
        return get(self._connection, f"/v2/{self._repository}/{path}", method=method)

    def _wrong(self, tag: str, what: str) -> None:
        self.seen.wrong.append(f"{self._registry.address}/{self._repository}:{tag} {what}")

    @property
    def _folder(self) -> Path:
        return self._root / "repositories" / self._repository

    def _link(self, name: str) -> Path:
        return self._folder / "_manifests" / name / "link"


def _platform(named: dict[str, str]) -> str:
    return f"{named['os']}/{named['architecture']}"


@contextmanager
def probing(registries: Sequence[Registry], repository: str, *, seed: int) -> Iterator[list[Seen]]:
    """Pull from this repository of each registry meanwhile, and once more in the end."""
    probers = [Prober(registry, repository, seed=seed) for registry in registries]
    for prober in probers:
        prober.start()
    try:
        yield [prober.seen for prober in probers]
    finally:
        for prober in probers:
            prober.stop()
