"""Clients that push whatever they think of to a registry until that is killed, and what they were
told meanwhile."""

from __future__ import annotations

import http.client
import json
import random
import time
from dataclasses import dataclass, field

from manyfest.oci.digest import Digest
from tests.serving import Answer, ask

REPOSITORIES = ("app", "team/app", "other")
TAGS = ("v1", "v2", "latest")
SHARED = [random.Random(number).randbytes(300_000) for number in range(4)]
"""Blobs that every client pushes."""

_KEPT = 100

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"


class Gone(Exception):
    """The registry was killed."""


@dataclass(frozen=True)
class Pointing:
    """An attempt to set a tag, when it began and, if it was acknowledged, ended."""

    digest: str
    began: float
    ended: float | None


@dataclass(frozen=True)
class Unfinished:
    """An upload: what it is to become, and how many bytes of that were acknowledged."""

    location: str
    data: bytes
    acknowledged: int


@dataclass
class Told:
    """What the registries said that they have, since the last clean-up; of the manifests before
    it, some."""

    blobs: dict[tuple[str, str], None] = field(default_factory=dict)
    manifests: dict[tuple[str, str], bytes] = field(default_factory=dict)
    tags: dict[tuple[str, str], list[Pointing]] = field(default_factory=dict)
    uploads: dict[int, Unfinished] = field(default_factory=dict)

    def forget(self, chance: random.Random) -> None:
        """Keep of what is old no more than can be looked at again in a second."""
        self.blobs.clear()
        kept = chance.sample(sorted(self.manifests), min(_KEPT, len(self.manifests)))
        self.manifests = {key: self.manifests[key] for key in kept}
        for key, pointings in self.tags.items():
            meant = possible(pointings)
            self.tags[key] = [each for each in pointings if each.digest in meant]


class Client:
    """Pushes whatever it thinks of to one registry, until that is killed: blobs of ``largest``
    bytes at most, besides those that all push."""

    def __init__(
        self, number: int, address: str, told: Told, chance: random.Random, largest: int
    ) -> None:
        self._number = number
        self._largest = largest
        self._address = address
        self._told = told
        self._chance = chance

    def run(self) -> None:
        ways = (self._whole, self._at_once, self._chunks, self._mount, self._image, self._index)
        try:
            while True:
                self._chance.choice(ways)()
        except Gone:
            return

    def _ask(self, method: str, path: str, body: bytes | None = None, **fields: str) -> Answer:
        try:
            answer = ask(self._address, method, path, body, **fields)
        except (OSError, http.client.HTTPException):
            raise Gone from None
        assert answer[0] < 500, answer
        return answer

    def _data(self) -> bytes:
        if self._chance.random() < 0.5:
            return self._chance.choice(SHARED)
        size = self._chance.choice([0, 10, 1000, 100_000, 1_500_000])
        return self._chance.randbytes(min(size, self._largest))

    def _digest(self, data: bytes) -> str:
        return str(Digest.of(data, self._chance.choice(["sha256", "sha256", "sha512"])))

    def _whole(self, repository: str = "", data: bytes | None = None) -> str:
        repository = repository or self._chance.choice(REPOSITORIES)
        data = self._data() if data is None else data
        digest = self._digest(data)
        location = self._ask("POST", f"/v2/{repository}/blobs/uploads/")[1]["location"]
        status, _, said = self._ask("PUT", f"{location}?digest={digest}", data)
        assert status == 201, said
        self._told.blobs[repository, digest] = None
        return digest

    def _at_once(self) -> None:
        repository, data = self._chance.choice(REPOSITORIES), self._data()
        digest = self._digest(data)
        path = f"/v2/{repository}/blobs/uploads/?digest={digest}"
        assert self._ask("POST", path, data)[0] == 201
        self._told.blobs[repository, digest] = None

    def _chunks(self) -> None:
        repository, data = self._chance.choice(REPOSITORIES), self._data() or b"x"
        location = self._ask("POST", f"/v2/{repository}/blobs/uploads/")[1]["location"]
        size = max(1, len(data) // 4)
        for start in range(0, len(data), size):
            self._told.uploads[self._number] = Unfinished(location, data, start)
            chunk = data[start : start + size]
            place = f"{start}-{start + len(chunk) - 1}"
            assert self._ask("PATCH", location, chunk, content_range=place)[0] == 202
        self._told.uploads[self._number] = Unfinished(location, data, len(data))
        digest = self._digest(data)
        assert self._ask("PUT", f"{location}?digest={digest}")[0] == 201
        del self._told.uploads[self._number]
        self._told.blobs[repository, digest] = None

    def _mount(self) -> None:
        known = list(self._told.blobs)
        if not known:
            return
        source, digest = self._chance.choice(known)
        target = self._chance.choice(REPOSITORIES)
        path = f"/v2/{target}/blobs/uploads/?mount={digest}&from={source}"
        assert self._ask("POST", path)[0] == 201
        self._told.blobs[target, digest] = None

    def _image(self) -> None:
        repository = self._chance.choice(REPOSITORIES)
        self._tag(repository, self._image_in(repository), OCI_MANIFEST)

    def _index(self) -> None:
        repository = self._chance.choice(REPOSITORIES)
        entries = []
        for _ in range(2):
            raw = self._image_in(repository)
            digest = str(Digest.of(raw))
            self._put(repository, digest, raw, OCI_MANIFEST)
            entries.append({"mediaType": OCI_MANIFEST, "digest": digest, "size": len(raw)})
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}
        self._tag(repository, json.dumps(index).encode(), OCI_INDEX)

    def _image_in(self, repository: str) -> bytes:
        """An image whose blobs are pushed and whose manifest is not."""
        config, layer = json.dumps({"n": self._chance.random()}).encode(), self._data()
        return json.dumps({
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": self._part(repository, config),
            "layers": [self._part(repository, layer)],
        }).encode()  # fmt: skip

    def _tag(self, repository: str, raw: bytes, media_type: str) -> None:
        tag, digest, began = self._chance.choice(TAGS), str(Digest.of(raw)), time.monotonic()
        pointings = self._told.tags.setdefault((repository, tag), [])
        attempt = Pointing(digest, began, None)
        pointings.append(attempt)
        self._put(repository, tag, raw, media_type)
        pointings.append(Pointing(digest, began, time.monotonic()))
        pointings.remove(attempt)

    def _put(self, repository: str, reference: str, raw: bytes, media_type: str) -> None:
        path = f"/v2/{repository}/manifests/{reference}"
        status, _, said = self._ask("PUT", path, raw, content_type=media_type)
        assert status == 201, said
        self._told.manifests[repository, str(Digest.of(raw))] = raw

    def _part(self, repository: str, data: bytes) -> dict[str, object]:
        digest = self._whole(repository, data)
        return {"mediaType": "application/x", "digest": digest, "size": len(data)}


def possible(pointings: list[Pointing]) -> set[str]:
    """What a tag may mean: no attempt counts that was over before an acknowledged one began."""
    last = max((each.began for each in pointings if each.ended is not None), default=None)
    possible = {
        each.digest
        for each in pointings
        if last is None or each.ended is None or each.ended >= last
    }
    return possible if last is not None else {"", *possible}
