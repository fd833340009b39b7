"""A blob on its way in: fetched once for all who want it, and never half of it for the whole."""

from __future__ import annotations

import io
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from msgspec.structs import replace

from manyfest.errors import ConnectionFailed, NotFound
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Manifest
from manyfest.stores.base import Reader
from tests.unit.serve_client import OCI_CONFIG, Answer
from tests.unit.serve_upstream import Cache, Gate, wait_for

DATA = bytes(range(256)) * 40
DIGEST = Digest.of(DATA)
PATH = f"app/blobs/{DIGEST}"


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    cache = Cache(tmp_path)
    cache.hub.push("v1", DATA)
    return cache


def fetched(cache: Cache) -> list[str]:
    return [line for line in cache.origins.asked if " GET blobs/" in line]


def test_all_who_want_it_share_one_download(cache: Cache) -> None:
    gate = cache.hub.reader = Gate()
    with ThreadPoolExecutor(5) as pool:
        answers = [pool.submit(cache.call, "GET", PATH) for _ in range(4)]
        part = pool.submit(cache.call, "GET", PATH, range="bytes=10000-10002")
        wait_for(lambda: gate.readers > 0)
        gate.opened.set()
        assert [answer.result().body == DATA for answer in answers] == [True] * 4
        assert part.result().body == DATA[10000:10003]
    assert len(fetched(cache)) == 1


def test_the_first_bytes_are_sent_before_the_last_arrive(cache: Cache) -> None:
    gate = cache.hub.reader = Gate()
    answer = cache.call("GET", PATH, range="bytes=0-99")
    assert answer.body == DATA[:100]
    assert not gate.opened.is_set()
    gate.opened.set()
    wait_for(lambda: cache.kept.is_held(DIGEST))


def test_nobody_waits_for_a_download_that_could_not_be_started(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = threading.Thread.start

    def started(thread: threading.Thread) -> None:
        if thread.name == "download":
            raise RuntimeError("can't start new thread")
        start(thread)

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", started)
        assert cache.call("GET", PATH).status == 500
    assert cache.content._shared.downloads.find(DIGEST) is None
    assert cache.call("GET", PATH).body == DATA


def test_a_download_goes_on_when_its_client_has_gone_away(cache: Cache) -> None:
    gate = cache.hub.reader = Gate()
    cache.call("GET", PATH, range="bytes=0-0")
    gate.opened.set()
    wait_for(lambda: cache.kept.is_held(DIGEST))
    assert cache.call("GET", PATH).body == DATA
    assert len(fetched(cache)) == 1


@pytest.mark.parametrize("sent", [DATA[:-1], DATA[:100]], ids=["one too few", "half"])
def test_what_breaks_off_is_never_a_whole_body_and_is_not_kept(cache: Cache, sent: bytes) -> None:
    cache.hub.reader = lambda _: io.BytesIO(sent)
    with pytest.raises(ConnectionFailed):
        cache.call("GET", PATH)
    check_that_nothing_is_kept(cache)


@pytest.mark.parametrize(
    "sent",
    [DATA[:-1] + b"x", b"", DATA + b"x"],
    ids=["other bytes", "nothing", "one too many"],
)
def test_what_is_seen_to_be_wrong_at_once_is_an_error_and_is_not_kept(
    cache: Cache, sent: bytes
) -> None:
    cache.hub.reader = lambda _: io.BytesIO(sent)
    answer = cache.call("GET", PATH)
    assert (answer.status, answer.code) == (502, "UNKNOWN")
    check_that_nothing_is_kept(cache)


def check_that_nothing_is_kept(cache: Cache) -> None:
    """What was wrong goes, and can be had anew."""
    wait_for(lambda: not list(cache.kept.uploads.folder.iterdir()))
    assert [file for file in cache.files() if DIGEST.hex in file] == []
    cache.hub.reader = io.BytesIO
    assert cache.call("GET", PATH).body == DATA


def test_one_that_breaks_off_breaks_off_for_all(cache: Cache) -> None:
    gate = Gate()

    def broken(data: bytes) -> Reader:
        return gate(data[:5000])

    cache.hub.reader = broken
    outcomes: list[Future[Answer]] = []
    with ThreadPoolExecutor(3) as pool:
        outcomes += [pool.submit(cache.call, "GET", PATH) for _ in range(3)]
        wait_for(lambda: gate.readers > 0)
        gate.opened.set()
    assert {type(outcome.exception()) for outcome in outcomes} == {ConnectionFailed}


def test_a_blob_that_a_manifest_names_and_the_upstream_lost(cache: Cache) -> None:
    cache.call("GET", "app/manifests/v1")

    def gone(_: bytes) -> Reader:
        raise NotFound("it is gone")

    cache.hub.reader = gone
    assert cache.call("GET", PATH).code == "BLOB_UNKNOWN"


def test_another_repository_s_blob_is_taken_once_its_own_upstream_says_that_it_has_it(
    cache: Cache,
) -> None:
    cache.call("GET", PATH)
    wait_for(lambda: cache.kept.is_held(DIGEST))
    other = cache.origins["docker.io/team/other"]
    assert cache.call("GET", f"team/other/blobs/{DIGEST}").code == "BLOB_UNKNOWN"
    other.push("v1", DATA)
    cache.clock.now += 11
    cache.origins.take_asked()
    assert cache.call("GET", f"team/other/blobs/{DIGEST}").body == DATA
    assert cache.origins.take_asked() == [f"docker.io/team/other HEAD blobs/{DIGEST}"]


def test_a_download_serves_two_repositories(cache: Cache) -> None:
    gate = cache.hub.reader = Gate()
    cache.origins["docker.io/team/other"].push("v1", DATA)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(cache.call, "GET", PATH)
        wait_for(lambda: gate.readers > 0)
        second = pool.submit(cache.call, "GET", f"team/other/blobs/{DIGEST}")
        wait_for(lambda: "docker.io/team/other HEAD blobs/" + str(DIGEST) in cache.origins.asked)
        gate.opened.set()
        assert (first.result().body == DATA, second.result().body == DATA) == (True, True)
    wait_for(lambda: cache.kept.repository("docker.io/team/other").blob(DIGEST).exists())
    assert len(fetched(cache)) == 1


def test_what_has_come_is_kept_before_the_end(cache: Cache) -> None:
    assert cache.call("GET", PATH).body == DATA
    cache.content.close()
    assert cache.kept.is_held(DIGEST)


def test_what_has_not_come_does_not_hold_up_the_end(cache: Cache) -> None:
    gate = cache.hub.reader = Gate()
    cache.call("GET", PATH, range="bytes=0-0")
    cache.content.close()
    assert not cache.kept.is_held(DIGEST)
    gate.opened.set()
    wait_for(lambda: cache.kept.is_held(DIGEST))


def test_what_a_killed_download_left_is_cleared_at_the_next_start(
    cache: Cache, tmp_path: Path
) -> None:
    left = tmp_path / "uploads/.manyfest-0123456789abcdef"
    left.write_bytes(DATA[:100])
    Cache(tmp_path)
    assert not left.exists()


def test_a_start_leaves_the_downloads_of_another_process_alone(
    cache: Cache, tmp_path: Path
) -> None:
    gate = cache.hub.reader = Gate()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(cache.call, "GET", PATH)
        wait_for(lambda: gate.readers > 0)
        wait_for(lambda: len(list((tmp_path / "uploads").iterdir())) == 1)
        Cache(tmp_path)
        gate.opened.set()
        assert answer.result().body == DATA


def test_many_questions_at_once_are_one(cache: Cache) -> None:
    held = cache.hub.held = threading.Event()
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(cache.call, "HEAD", "app/manifests/v1") for _ in range(8)]
        wait_for(lambda: cache.origins.asked)
        held.set()
        assert {answer.result().status for answer in answers} == {200}
    assert cache.origins.asked.count("docker.io/library/app HEAD manifests/v1") == 1


def test_the_page_reads_no_layer_that_is_named_as_a_small_configuration(cache: Cache) -> None:
    rootfs = b'"rootfs":{"type":"layers","diff_ids":[]}'
    data = (b'{"os":"linux","architecture":"amd64",%b}' % rootfs).ljust(10_000)
    honest = cache.hub.push("v1", data).image
    layer = honest.layers[0]
    lie = replace(honest, config=replace(layer, media_type=OCI_CONFIG, size=100))
    cache.hub.add("lie", Manifest.of_image(lie))
    assert cache.call("GET", f"app/blobs/{layer.digest}").body == data
    wait_for(lambda: cache.kept.is_held(layer.digest))
    assert cache.call("GET", "app/manifests/lie").status == 200
    page = cache.call("GET", "/repositories/app").body
    assert b"<span>unknown" in page
    assert b"amd64" not in page


def test_the_page_asks_no_upstream(cache: Cache) -> None:
    assert cache.call("GET", "app/manifests/v1").status == 200
    cache.origins.take_asked()
    assert b"<span>unknown" in cache.call("GET", "/repositories/app").body
    assert cache.origins.take_asked() == []
