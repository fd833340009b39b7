"""A registry that fills itself: what it asks of its upstream, and what it says when that fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from manyfest.errors import (
    AccessDenied,
    ConnectionFailed,
    ManyfestError,
    RateLimited,
    RegistryError,
)
from manyfest.oci.digest import Digest
from tests.unit.serve_client import index_of
from tests.unit.serve_upstream import Cache

STALE = '299 - "docker.io cannot be asked now: this may be old"'


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path)


def test_an_image_is_fetched_once(cache: Cache) -> None:
    image = cache.hub.push("v1")
    digest, layer = image.descriptor.digest, image.image.layers[0].digest
    for _ in range(2):
        assert cache.call("GET", "app/manifests/v1").body == image.raw
        assert cache.call("GET", f"app/manifests/{digest}").body == image.raw
        assert cache.call("GET", f"app/blobs/{layer}").body == b"layer"
    assert cache.origins.take_asked() == [
        "docker.io/library/app HEAD manifests/v1",
        f"docker.io/library/app GET manifests/{digest}",
        f"docker.io/library/app GET blobs/{layer}",
    ]


def test_what_is_kept_is_an_oci_layout_without_what_nobody_asked_for(cache: Cache) -> None:
    image = cache.hub.push("v1")
    cache.call("GET", "app/manifests/v1")
    assert [file for file in cache.files() if file.startswith("repositories")] == [
        f"repositories/docker.io/library/app/_oci/blobs/sha256/{image.descriptor.digest.hex}",
        "repositories/docker.io/library/app/_oci/index.json",
        f"repositories/docker.io/library/app/_oci/manifests/sha256/{image.descriptor.digest.hex}",
        "repositories/docker.io/library/app/_oci/oci-layout",
    ]


def test_a_platform_of_an_index_needs_no_look_of_its_own(cache: Cache) -> None:
    image = cache.hub.push("")
    index = index_of(image)
    cache.hub.add("v1", index)
    cache.call("GET", "app/manifests/v1")
    cache.origins.take_asked()
    assert cache.call("GET", f"app/manifests/{image.descriptor.digest}").body == image.raw
    assert cache.origins.take_asked() == [
        f"docker.io/library/app GET manifests/{image.descriptor.digest}"
    ]


def test_head_of_a_blob_fetches_nothing(cache: Cache) -> None:
    layer = cache.hub.push("v1").image.layers[0].digest
    answer = cache.call("HEAD", f"app/blobs/{layer}")
    assert (answer.status, answer.headers.get("content-length")) == (200, "5")
    assert cache.origins.take_asked() == [f"docker.io/library/app HEAD blobs/{layer}"]


def test_a_range_of_what_is_not_here_yet(cache: Cache) -> None:
    layer = cache.hub.push("v1", b"0123456789").image.layers[0].digest
    answer = cache.call("GET", f"app/blobs/{layer}", range="bytes=2-4")
    assert (answer.status, answer.body) == (206, b"234")
    assert answer.headers.get("content-range") == "bytes 2-4/10"


def test_an_empty_blob(cache: Cache) -> None:
    layer = cache.hub.push("v1", b"").image.layers[0].digest
    answer = cache.call("GET", f"app/blobs/{layer}")
    assert (answer.status, answer.headers.get("content-length"), answer.body) == (200, "0", b"")


# Tags


def test_a_tag_is_looked_up_again_when_it_is_no_longer_fresh(cache: Cache) -> None:
    cache.hub.push("v1")
    cache.call("HEAD", "app/manifests/v1")
    cache.clock.now += 299
    cache.origins.take_asked()
    cache.call("HEAD", "app/manifests/v1")
    assert cache.origins.take_asked() == []
    cache.clock.now += 2
    cache.call("HEAD", "app/manifests/v1")
    assert cache.origins.take_asked() == ["docker.io/library/app HEAD manifests/v1"]


def test_a_tag_that_moved(cache: Cache) -> None:
    cache.hub.push("v1", b"one")
    cache.call("HEAD", "app/manifests/v1")
    moved = cache.hub.push("v1", b"two")
    cache.clock.now += 301
    assert cache.call("GET", "app/manifests/v1").body == moved.raw


def test_a_tag_that_is_gone(cache: Cache) -> None:
    cache.hub.push("v1")
    cache.call("HEAD", "app/manifests/v1")
    cache.hub.untag("v1")
    cache.clock.now += 301
    assert cache.call("GET", "app/manifests/v1").code == "MANIFEST_UNKNOWN"
    assert cache.kept.repository("docker.io/library/app").tags.read().names == []


def test_what_is_not_there_is_not_asked_for_again_at_once(cache: Cache) -> None:
    for _ in range(3):
        assert cache.call("GET", "app/manifests/v1").status == 404
    assert cache.origins.take_asked() == ["docker.io/library/app HEAD manifests/v1"]
    cache.clock.now += 11
    cache.hub.push("v1")
    assert cache.call("GET", "app/manifests/v1").status == 200


def test_the_list_of_tags_is_the_upstream_s(cache: Cache) -> None:
    cache.hub.push("v1")
    cache.hub.push("v2")
    cache.call("GET", "app/manifests/v1")
    expected = {"name": "app", "tags": ["v1", "v2"]}
    assert cache.call("GET", "app/tags/list").json() == expected
    cache.hub.push("v3")
    assert cache.call("GET", "app/tags/list").json() == expected
    cache.clock.now += 301
    assert cache.call("GET", "app/tags/list").json() == {"name": "app", "tags": ["v1", "v2", "v3"]}


def test_referrers_are_the_upstream_s(cache: Cache) -> None:
    image = cache.hub.push("v1")
    note = cache.hub.push("", b"note", subject=image.descriptor)
    listed = cache.call("GET", f"app/referrers/{image.descriptor.digest}").json()
    assert isinstance(listed, dict)
    found = [(each["digest"], each["artifactType"]) for each in listed["manifests"]]
    assert found == [(str(note.descriptor.digest), "application/x.note")]
    assert cache.call("GET", f"app/manifests/{note.descriptor.digest}").body == note.raw


# An upstream that is away

AWAY = [
    ConnectionFailed("no route", where="docker.io"),
    RateLimited("too often", status=429),
    RegistryError("broken", status=503),
]


@pytest.mark.parametrize("failure", AWAY)
def test_what_is_known_is_served_with_a_warning(cache: Cache, failure: ManyfestError) -> None:
    image = cache.hub.push("v1")
    layer = image.image.layers[0].digest
    cache.call("GET", "app/manifests/v1")
    cache.call("GET", f"app/blobs/{layer}")
    cache.call("GET", "app/tags/list")
    cache.clock.now += 301
    cache.hub.failure = failure
    answer = cache.call("GET", "app/manifests/v1")
    assert (answer.status, answer.body) == (200, image.raw)
    assert answer.headers.get("warning") == STALE
    assert cache.call("GET", f"app/blobs/{layer}").body == b"layer"
    tags = cache.call("GET", "app/tags/list")
    assert (tags.json(), tags.headers.get("warning")) == ({"name": "app", "tags": ["v1"]}, STALE)


def test_it_is_not_asked_again_at_once_and_then_it_is(cache: Cache) -> None:
    cache.hub.push("v1")
    cache.call("HEAD", "app/manifests/v1")
    cache.clock.now += 301
    cache.hub.failure = ConnectionFailed("no route")
    cache.call("HEAD", "app/manifests/v1")
    cache.origins.take_asked()
    assert cache.call("HEAD", "app/manifests/v1").headers.get("warning") == STALE
    assert cache.origins.take_asked() == []
    cache.hub.failure = None
    cache.clock.now += 11
    assert cache.call("HEAD", "app/manifests/v1").headers.get("warning") == ""
    assert cache.origins.take_asked() == ["docker.io/library/app HEAD manifests/v1"]


def test_an_upstream_that_wants_to_be_left_alone_is(cache: Cache) -> None:
    cache.hub.push("v1")
    cache.call("HEAD", "app/manifests/v1")
    cache.clock.now += 301
    cache.origins.take_asked()
    cache.origins.resting = 60.0
    assert cache.call("HEAD", "app/manifests/v1").headers.get("warning") == STALE
    assert cache.origins.take_asked() == []


def test_after_a_restart_what_was_kept_is_served(cache: Cache, tmp_path: Path) -> None:
    image = cache.hub.push("v1")
    note = cache.hub.push("", b"note", subject=image.descriptor)
    cache.call("GET", "app/manifests/v1")
    cache.call("GET", f"app/manifests/{note.descriptor.digest}")
    again = Cache(tmp_path)
    again.hub.failure = ConnectionFailed("no route")
    assert again.call("GET", "app/manifests/v1").body == image.raw
    assert again.call("GET", "app/tags/list").json() == {"name": "app", "tags": ["v1"]}
    listed = again.call("GET", f"app/referrers/{image.descriptor.digest}")
    assert str(note.descriptor.digest) in listed.body.decode()
    assert listed.headers.get("warning") == STALE


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        (ConnectionFailed("no route", where="docker.io"), 502, "UNKNOWN"),
        (RegistryError("broken", status=500), 502, "UNKNOWN"),
        (RateLimited("too often", status=429), 429, "TOOMANYREQUESTS"),
        (AccessDenied("log in with a password", status=401), 403, "DENIED"),
    ],
)
@pytest.mark.parametrize("kind", ["manifests/v1", "blobs", "tags/list"])
def test_what_is_not_known_is_refused(
    cache: Cache, failure: ManyfestError, status: int, code: str, kind: str
) -> None:
    layer = cache.hub.push("v1").image.layers[0].digest
    cache.hub.failure = failure
    path = f"app/blobs/{layer}" if kind == "blobs" else f"app/{kind}"
    answer = cache.call("GET", path)
    assert (answer.status, answer.code) == (status, code)
    assert b"password" not in answer.body


def test_the_operator_is_told_once_that_it_is_away(
    cache: Cache, caplog: pytest.LogCaptureFixture
) -> None:
    cache.hub.failure = ConnectionFailed("no route", where="docker.io")
    for tag in ("v1", "v2", "v3"):
        assert cache.call("GET", f"app/manifests/{tag}").status == 502
    assert caplog.messages == ["upstream docker.io: no route"]
    cache.clock.now += 11
    cache.call("GET", "app/manifests/v1")
    assert caplog.messages == ["upstream docker.io: no route"] * 2


def test_how_long_it_wants_to_be_left_alone_is_passed_on(cache: Cache) -> None:
    cache.hub.failure = RateLimited("too often", status=429)
    cache.origins.resting = 41.5
    assert cache.call("GET", "app/manifests/v1").headers.get("retry-after") == "42"


def test_wrong_bytes_for_a_manifest_are_neither_kept_nor_served(cache: Cache) -> None:
    image = cache.hub.push("v1")
    cache.hub.blobs[image.descriptor.digest] = image.raw.replace(b"linux", b"xxxxx") + b" "
    assert cache.call("GET", "app/manifests/v1").status == 502
    assert cache.files() == []


def test_a_manifest_that_is_served_as_another_kind_is_refused(cache: Cache) -> None:
    image = cache.hub.push("v1")
    docker = "application/vnd.docker.distribution.manifest.v2+json"
    cache.hub.names["v1"] = image.descriptor.of(image.raw, docker)
    answer = cache.call("GET", "app/manifests/v1")
    assert (answer.status, answer.code) == (502, "UNKNOWN")


# Whom it asks


def test_containerd_says_which_registry_it_means(tmp_path: Path) -> None:
    cache = Cache(tmp_path, "hub=docker.io", "ghcr.io")
    image = cache.hub.push("v1")
    answer = cache.call("GET", "library/app/manifests/v1?ns=docker.io")
    assert answer.body == image.raw
    layer = image.image.layers[0].digest
    assert cache.call("GET", f"library/app/blobs/{layer}?ns=docker.io").body == b"layer"


def test_no_other_registry_is_asked_than_those_that_were_named(cache: Cache) -> None:
    for host in ("ghcr.io", "169.254.169.254", "localhost:80", "@docker.io"):
        answer = cache.call("GET", f"app/manifests/v1?ns={host}")
        assert (answer.status, answer.code) == (404, "NAME_UNKNOWN")
    assert cache.origins.take_asked() == []


def test_several_upstreams_have_a_prefix_each(tmp_path: Path) -> None:
    cache = Cache(tmp_path, "docker.io", "ghcr=ghcr.io")
    one = cache.hub.push("v1", b"one")
    two = cache.origins["ghcr.io/team/app"].push("v1", b"two")
    assert cache.call("GET", "app/manifests/v1").body == one.raw
    assert cache.call("GET", "ghcr/team/app/manifests/v1").body == two.raw
    assert cache.call("GET", "_catalog").json() == {
        "repositories": ["ghcr/team/app", "library/app"]
    }


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "app/blobs/uploads/"),
        ("PUT", "app/manifests/v1"),
        ("DELETE", "app/manifests/v1"),
        ("DELETE", f"app/blobs/{Digest.of(b'')}"),
    ],
)
def test_nothing_can_be_pushed_or_deleted(cache: Cache, method: str, path: str) -> None:
    answer = cache.call(method, path, b"{}")
    assert (answer.status, answer.code) == (405, "UNSUPPORTED")
    assert answer.message == "nothing can be pushed to a cache: it has what its upstream has"
    assert cache.origins.take_asked() == []
