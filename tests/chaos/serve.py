"""Registries that are killed while they are pushed to: what they said is stored is there, what is
there is what its name says, and what was not finished can be finished or cleared, by a process that
is killed as well.

``python -m tests.chaos.serve 100`` kills 100 times two registries that share one folder, while
several clients push the same blobs and tags to both; then it lets them push for a minute. It prints
what came of it.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manyfest.oci.digest import Digest
from manyfest.serve.garbage import find, remove
from manyfest.serve.storage import Storage
from tests.chaos.pushing import Client, Told, possible
from tests.serving import ask, served

CLIENTS = 6

COLLECT = """\
import sys
from pathlib import Path
from manyfest.serve.garbage import find, remove
from manyfest.serve.storage import Storage
storage = Storage(Path(sys.argv[1]))
found = find(storage, untagged=True)
print("found", flush=True)
remove(storage, found)
"""


@dataclass
class Tally:
    """What was done and looked at."""

    kills: int = 0
    finished: int = 0
    resumed: int = 0
    hashed: int = 0


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
    _clean(root, told, chance)
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


def _check_told(address: str, told: Told) -> None:
    """All that was acknowledged is there, and tags mean what was pushed last."""
    for repository, digest in told.blobs:
        status, _, body = ask(address, "GET", f"/v2/{repository}/blobs/{digest}")
        arrived = str(Digest.of(body, digest.partition(":")[0]))
        assert (status, arrived) == (200, digest), f"{repository}: {status}"
    for (repository, digest), raw in told.manifests.items():
        assert ask(address, "GET", f"/v2/{repository}/manifests/{digest}")[2] == raw
        for kind, part in _parts(json.loads(raw)):
            path = f"/v2/{repository}/{kind}/{part}"
            assert ask(address, "HEAD", path)[0] == 200, path
    for (repository, tag), pointings in told.tags.items():
        status, fields, _ = ask(address, "HEAD", f"/v2/{repository}/manifests/{tag}")
        found = fields.get("docker-content-digest", "")
        assert found in possible(pointings), f"{repository}:{tag} is {status} {found}"


def _parts(manifest: dict[str, Any]) -> list[tuple[str, str]]:
    """What it names: where that is asked for, and its digest."""
    entries = [("manifests", entry["digest"]) for entry in manifest.get("manifests", [])]
    blobs = [manifest["config"], *manifest["layers"]] if not entries else []
    return [*entries, *(("blobs", blob["digest"]) for blob in blobs)]


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


def _clean(root: Path, told: Told, chance: random.Random) -> None:
    """Let everything be old but the manifests that will be looked at again, and clear up, in a
    process that is killed, and once more: nothing is left that nobody needs."""
    for path in root.rglob("*"):
        if path.is_file():
            os.utime(path, (0, 0))
    storage = Storage(root)
    for name, digest in told.manifests:
        os.utime(storage.repository(name).blob(Digest.parse(digest)))
    _kill_collecting(root, chance)
    _check_whole(storage)
    remove(storage, find(storage, untagged=True))
    _check_whole(storage)
    assert list((root / "uploads").iterdir()) == []
    assert list(root.rglob(".manyfest-*")) == []
    assert [digest for digest, state in storage.shared() if state.st_nlink < 2] == []
    left = find(storage, untagged=True)
    assert (left.manifests, left.blobs) == ((), ())


def _kill_collecting(root: Path, chance: random.Random) -> None:
    command = [sys.executable, "-c", COLLECT, str(root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"found\n"
        time.sleep(chance.uniform(0, 0.05))
        process.kill()


def _check_whole(storage: Storage) -> None:
    """No manifest misses a part."""
    for name in storage.names():
        repository = storage.repository(name)
        for manifest in repository.manifests():
            repository.check_children(manifest)


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
