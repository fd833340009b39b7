"""Registries that are killed while they are pushed to: what they said is stored is there, what is
there is what its name says, and what was not finished can be finished or cleared.

``python -m tests.chaos.serve 100`` kills 100 times two registries that share one folder, while
several clients push the same blobs and tags to both; then it lets them push for a minute. It prints
what came of it.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import random
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from manyfest.oci.digest import Digest
from manyfest.serve.garbage import find, remove
from manyfest.serve.storage import Storage
from tests.serving import Answer, ask, served

CLIENTS = 6
REPOSITORIES = ("app", "team/app", "other")
TAGS = ("v1", "v2", "latest")
SHARED = [random.Random(number).randbytes(300_000) for number in range(4)]
"""Blobs that every client pushes."""

_KEPT = 100

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


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
            possible = _possible(pointings)
            self.tags[key] = [each for each in pointings if each.digest in possible]


@dataclass
class Tally:
    """What was done and looked at."""

    kills: int = 0
    finished: int = 0
    resumed: int = 0
    hashed: int = 0


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
        ways = (self._whole, self._at_once, self._chunks, self._mount, self._image, self._image)
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
        repository, tag = self._chance.choice(REPOSITORIES), self._chance.choice(TAGS)
        config, layer = json.dumps({"n": self._chance.random()}).encode(), self._data()
        raw = json.dumps({
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": self._part(repository, config),
            "layers": [self._part(repository, layer)],
        }).encode()  # fmt: skip
        digest, began = str(Digest.of(raw)), time.monotonic()
        pointings = self._told.tags.setdefault((repository, tag), [])
        attempt = Pointing(digest, began, None)
        pointings.append(attempt)
        path = f"/v2/{repository}/manifests/{tag}"
        status, _, said = self._ask("PUT", path, raw, content_type=OCI_MANIFEST)
        assert status == 201, said
        pointings.append(Pointing(digest, began, time.monotonic()))
        pointings.remove(attempt)
        self._told.manifests[repository, digest] = raw

    def _part(self, repository: str, data: bytes) -> dict[str, object]:
        digest = self._whole(repository, data)
        return {"mediaType": "application/x", "digest": digest, "size": len(data)}


def run(folder: Path, kills: int, *, seed: int) -> Tally:
    """Kill two registries on one folder so many times, and look at it each time.

    Raises ``AssertionError`` when something false is found.
    """
    chance = random.Random(seed)
    root, told, tally, files = folder / "registry", Told(), Tally(), Files()
    for number in range(kills):
        began = time.monotonic()
        _push_and_kill(root, told, chance, seconds=chance.uniform(0.05, 1.5), largest=1_500_000)
        pushed = time.monotonic()
        _check(root, told, tally, files, chance)
        progress(
            f"kill {number + 1} of {kills}: pushed for {pushed - began:.1f} s, looked at for"
            f" {time.monotonic() - pushed:.1f} s; {tally.finished} blobs and {tally.hashed} files"
            " in all"
        )
    return tally


def contend(folder: Path, seconds: float, *, seed: int) -> Tally:
    """Let clients push the same blobs and tags through two registries for so long; the end of that
    is a kill too. Raises as :func:`run` does."""
    chance = random.Random(seed)
    root, told, tally = folder / "registry", Told(), Tally()
    progress(f"two registries are pushed to for {seconds:.0f} s")
    _push_and_kill(root, told, chance, seconds=seconds, largest=1000)
    progress(f"{len(told.blobs)} blobs and {len(told.manifests)} manifests are looked at")
    _check(root, told, tally, Files(), chance)
    return tally


def progress(line: str) -> None:
    """How far it is, on stderr."""
    print(line, file=sys.stderr, flush=True)


def _check(root: Path, told: Told, tally: Tally, files: Files, chance: random.Random) -> None:
    tally.kills += 1
    tally.hashed += files.check(root)
    tally.finished += len(told.blobs)
    with served(root) as (_, address):
        _check_told(address, told)
        tally.resumed += _finish(address, told)
    told.forget(chance)
    _delete_others(root, told)
    _clean(root)
    files.are_old()
    with served(root) as (_, address):
        _check_told(address, told)


def _push_and_kill(
    root: Path, told: Told, chance: random.Random, *, seconds: float, largest: int
) -> None:
    failures: list[BaseException] = []

    def work(client: Client) -> None:
        try:
            client.run()
        except BaseException as error:  # noqa: BLE001 - the test raises it
            failures.append(error)

    with ExitStack() as stack:
        registries = [stack.enter_context(served(root)) for _ in range(2)]
        clients = [
            Client(number, registries[number % 2][1], told, random.Random(chance.random()), largest)
            for number in range(CLIENTS)
        ]
        threads = [threading.Thread(target=work, args=[client]) for client in clients]
        for thread in threads:
            thread.start()
        time.sleep(seconds)
        for process, _ in registries:
            process.kill()
            time.sleep(chance.choice([0, 0, 0.1]))
        for thread in threads:
            thread.join()
    for failure in failures:
        raise failure


class Files:
    """The files that are named after a digest, each hashed when it is new or was changed."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, str], tuple[int, int, str]] = {}

    def check(self, root: Path) -> int:
        """Each has the digest that it is named after; how many had to be hashed for that."""
        hashed = 0
        for path in root.rglob("*"):
            if path.parent.parent.name not in ("blobs", "manifests") or not path.is_file():
                continue
            state, algorithm = path.stat(), path.parent.name
            known = self._known.get((state.st_ino, algorithm))
            if known is None or known[:2] != (state.st_mtime_ns, state.st_size):
                with path.open("rb") as file:
                    found = hashlib.file_digest(file, algorithm).hexdigest()
                known = (state.st_mtime_ns, state.st_size, found)
                self._known[state.st_ino, algorithm] = known
                hashed += 1
            assert known[2] == path.name, f"{path} has another digest"
        return hashed

    def are_old(self) -> None:
        """All files were made to look as if they were of long ago."""
        self._known = {key: (0, size, found) for key, (_, size, found) in self._known.items()}


def _delete_others(root: Path, told: Told) -> None:
    """Delete the manifests that will not be looked at again, so that there is not more to look at
    with each kill."""
    storage = Storage(root)
    for name in storage.names():
        repository = storage.repository(name)
        tagged = set(repository.tags.read().by_name.values())
        for manifest in list(repository.manifests()):
            digest = manifest.descriptor.digest
            if digest not in tagged and (name, str(digest)) not in told.manifests:
                repository.remove_manifest(digest)


def _check_told(address: str, told: Told) -> None:
    """All that was acknowledged is there, and tags mean what was pushed last."""
    for repository, digest in told.blobs:
        status, _, body = ask(address, "GET", f"/v2/{repository}/blobs/{digest}")
        arrived = str(Digest.of(body, digest.partition(":")[0]))
        assert (status, arrived) == (200, digest), f"{repository}: {status}"
    for (repository, digest), raw in told.manifests.items():
        assert ask(address, "GET", f"/v2/{repository}/manifests/{digest}")[2] == raw
        for part in [json.loads(raw)["config"], *json.loads(raw)["layers"]]:
            path = f"/v2/{repository}/blobs/{part['digest']}"
            assert ask(address, "HEAD", path)[0] == 200, path
    for (repository, tag), pointings in told.tags.items():
        status, fields, _ = ask(address, "HEAD", f"/v2/{repository}/manifests/{tag}")
        found = fields.get("docker-content-digest", "")
        assert found in _possible(pointings), f"{repository}:{tag} is {status} {found}"


def _possible(pointings: list[Pointing]) -> set[str]:
    """What a tag may mean: no attempt counts that was over before an acknowledged one began."""
    last = max((each.began for each in pointings if each.ended is not None), default=None)
    possible = {
        each.digest
        for each in pointings
        if last is None or each.ended is None or each.ended >= last
    }
    return possible if last is not None else {"", *possible}


def _finish(address: str, told: Told) -> int:
    """Go on with what was being uploaded when the registry was killed; how many could be."""
    resumed = 0
    for upload in told.uploads.values():
        status, fields, _ = ask(address, "GET", upload.location)
        if status == 404 and upload.acknowledged == len(upload.data):
            continue  # it is on its way to be a blob: it is pushed anew
        assert status == 204
        have = int(fields["range"].partition("-")[2]) + 1
        have = 0 if have == 1 and not upload.acknowledged else have
        assert upload.acknowledged <= have <= len(upload.data)
        digest = str(Digest.of(upload.data))
        path = f"{upload.location}?digest={digest}"
        place = (
            {"content_range": f"{have}-{len(upload.data) - 1}"} if have < len(upload.data) else {}
        )
        status, fields, said = ask(address, "PUT", path, upload.data[have:], **place)
        if status == 416:  # one byte and none look the same
            have = 1
            place = {"content_range": f"1-{len(upload.data) - 1}"}
            status, fields, said = ask(address, "PUT", path, upload.data[1:], **place)
        assert status == 201, said
        resumed += 1
    told.uploads.clear()
    return resumed


def _clean(root: Path) -> None:
    """Let everything be old and clear up: nothing is left that nobody needs."""
    for path in root.rglob("*"):
        if path.is_file():
            os.utime(path, (0, 0))
    storage = Storage(root)
    remove(storage, find(storage))
    assert list((root / "uploads").iterdir()) == []
    assert list(root.rglob(".manyfest-*")) == []
    assert [digest for digest, state in storage.shared() if state.st_nlink < 2] == []
    assert find(storage).blobs == ()


def main() -> None:
    """Print what came of it."""
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else int(time.time())
    print(f"seed {seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        tally = run(Path(folder) / "killed", kills, seed=seed)
        together = contend(Path(folder) / "contended", 60, seed=seed)
    print(
        f"{tally.kills} kills of two registries on one folder; {tally.finished} finished pushes of"
        f" blobs, all there; {tally.hashed} files hashed, all as named; {tally.resumed} broken"
        " uploads gone on with"
    )
    print(
        f"a minute of the same blobs and tags through both: {together.finished} finished pushes of"
        f" blobs, all there; {together.hashed} files hashed, all as named"
    )


if __name__ == "__main__":
    main()
