"""A cache with a quota: what was asked for longest ago makes room, and no tag is left half-way."""

from __future__ import annotations

import os
import time
from functools import partial
from pathlib import Path

import pytest
from msgspec.structs import replace

from manyfest.errors import ConnectionFailed
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Manifest
from tests.unit.serve_client import OCI_LAYER
from tests.unit.serve_upstream import Cache, wait_for

QUOTA = 100_000
LARGE = 40_000


def layer(number: int) -> bytes:
    return bytes([number]) * LARGE


def digest_of(number: int) -> Digest:
    return Descriptor.of(layer(number), OCI_LAYER).digest


def pull(cache: Cache, *numbers: int) -> None:
    for number in numbers:
        cache.hub.push(f"v{number}", layer(number))
        assert cache.call("GET", f"app/manifests/v{number}").status == 200
        assert cache.call("GET", f"app/blobs/{digest_of(number)}").body == layer(number)
        wait_for(partial(cache.kept.is_held, digest_of(number)))


def age(cache: Cache, seconds: float) -> None:
    """Let all that is there have been of use so long ago."""
    then = time.time() - seconds
    for _, state in cache.kept.shared():
        for path in (cache.root / "blobs").rglob("*"):
            if path.is_file() and path.stat().st_ino == state.st_ino:
                os.utime(path, (then, min(then, path.stat().st_mtime)))


def kept(cache: Cache, *numbers: int) -> list[int]:
    return [number for number in numbers if cache.kept.is_held(digest_of(number))]


def test_what_was_asked_for_longest_ago_goes_first(tmp_path: Path) -> None:
    cache = Cache(tmp_path, quota=QUOTA)
    pull(cache, 1)
    age(cache, 200)
    pull(cache, 2)
    age(cache, 100)
    cache.call("GET", f"app/blobs/{digest_of(1)}")
    pull(cache, 3)
    assert kept(cache, 1, 2, 3) == [1, 3]


def test_it_stays_within_its_quota(tmp_path: Path) -> None:
    cache = Cache(tmp_path, quota=QUOTA)
    for number in range(8):
        pull(cache, number)
        age(cache, 100)
    stored = sum(state.st_size for _, state in cache.kept.shared())
    assert 0 < stored <= QUOTA


def test_what_was_taken_away_is_fetched_again(tmp_path: Path) -> None:
    cache = Cache(tmp_path, quota=QUOTA)
    for number in (1, 2, 3):
        pull(cache, number)
        age(cache, 100)
    pull(cache, 1)


def test_a_tag_goes_with_its_manifest(tmp_path: Path) -> None:
    cache = Cache(tmp_path, quota=QUOTA)
    pull(cache, 1)
    age(cache, 1000)
    for number in (2, 3, 4, 5):
        pull(cache, number)
        age(cache, 100)
    repository = cache.kept.repository("docker.io/library/app")
    tags = repository.tags.read().by_name
    assert "v1" not in tags
    assert tags
    assert all(repository.is_manifest(digest) for digest in tags.values())


def test_a_damaged_manifest_goes_too(tmp_path: Path) -> None:
    cache = Cache(tmp_path, quota=QUOTA)
    pull(cache, 1)
    image = cache.kept.repository("docker.io/library/app").tags.read().by_name["v1"]
    (cache.root / "blobs/sha256" / image.hex).write_bytes(b"damaged")
    again = Cache(tmp_path, quota=QUOTA)
    for number in (2, 3):
        age(again, 100)
        pull(again, number)
    assert not again.kept.is_held(image)


def test_what_has_to_stay_makes_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("manyfest.serve.holdings._TRIES", 1)
    cache = Cache(tmp_path, quota=QUOTA)
    pull(cache, 1)
    age(cache, 200)
    cache.origins["docker.io/team/other"].push("v2", layer(2))
    cache.call("GET", f"team/other/blobs/{digest_of(2)}")
    wait_for(partial(cache.kept.is_held, digest_of(2)))
    age(cache, 100)
    with cache.kept.repository("docker.io/library/app").adding():
        cache.origins["docker.io/team/third"].push("v3", layer(3))
        answer = cache.call("GET", f"team/third/blobs/{digest_of(3)}")
    assert answer.body == layer(3)
    assert kept(cache, 1, 2) == [1]


def test_what_was_just_of_use_stays_and_the_new_is_refused(tmp_path: Path) -> None:
    cache = Cache(tmp_path, quota=QUOTA)
    pull(cache, 1, 2)
    third = cache.hub.push("v3", layer(3)).image.layers[0].digest
    answer = cache.call("GET", f"app/blobs/{third}")
    assert (answer.status, answer.code) == (403, "DENIED")
    assert kept(cache, 1, 2, 3) == [1, 2]


def test_nothing_goes_for_what_is_larger_than_the_quota(tmp_path: Path) -> None:
    cache = Cache(tmp_path, quota=QUOTA)
    pull(cache, 1, 2)
    age(cache, 100)
    whole = cache.hub.push("whole", b"x" * (QUOTA + 1)).image.layers[0].digest
    assert cache.call("GET", f"app/blobs/{whole}").code == "DENIED"
    assert kept(cache, 1, 2) == [1, 2]


def test_nothing_goes_for_a_size_that_only_a_manifest_says(tmp_path: Path) -> None:
    cache = Cache(tmp_path, quota=QUOTA)
    pull(cache, 1, 2)
    age(cache, 100)
    honest = cache.hub.push("honest", layer(3)).image
    lie = replace(honest, layers=(replace(honest.layers[0], size=QUOTA - 10_000),))
    cache.hub.add("lie", Manifest.of_image(lie))
    assert cache.call("GET", "app/manifests/lie").status == 200
    assert cache.call("GET", f"app/blobs/{digest_of(3)}").status == 502
    assert kept(cache, 1, 2) == [1, 2]


def test_a_blob_is_taken_from_every_repository(tmp_path: Path) -> None:
    cache = Cache(tmp_path, quota=QUOTA)
    pull(cache, 1)
    cache.origins["docker.io/team/other"].push("v1", layer(1))
    cache.call("GET", f"team/other/blobs/{digest_of(1)}")
    for number in (2, 3, 4):
        age(cache, 100)
        pull(cache, number)
    assert kept(cache, 1) == []
    assert [path for path in cache.files() if digest_of(1).hex in path] == []


def test_a_read_that_began_goes_on_when_its_blob_is_taken_away(tmp_path: Path) -> None:
    cache = Cache(tmp_path, quota=QUOTA)
    pull(cache, 1)
    with cache.kept.repository("docker.io/library/app").blob(digest_of(1)).open("rb") as reading:
        begun = reading.read(10)
        for number in (2, 3, 4):
            age(cache, 100)
            pull(cache, number)
        assert kept(cache, 1) == []
        assert begun + reading.read() == layer(1)


def test_without_its_upstream_what_was_taken_away_is_not_there(tmp_path: Path) -> None:
    cache = Cache(tmp_path, quota=QUOTA)
    for number in (1, 2, 3):
        pull(cache, number)
        age(cache, 100)
    cache.hub.failure = ConnectionFailed("no route")
    assert cache.call("GET", f"app/blobs/{digest_of(1)}").status == 502
