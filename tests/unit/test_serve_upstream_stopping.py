"""What a cache that is stopped gives up: questions that nobody answers, and what does not come."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from manyfest.errors import ConnectionFailed
from manyfest.oci.digest import Digest
from manyfest.stores.base import Reader
from tests.unit.serve_client import Answer
from tests.unit.serve_upstream import Cache, Gate, wait_for

DATA = bytes(range(256)) * 40
DIGEST = Digest.of(DATA)
STOPPING = (503, "UNKNOWN", "this registry is being stopped")


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    cache = Cache(tmp_path)
    cache.hub.push("v1", DATA)
    return cache


@contextmanager
def asked(cache: Cache, path: str) -> Iterator[Future[Answer]]:
    """The answer that will come."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(cache.call, "GET", path)


def half_of_it(cache: Cache) -> bool:
    """Whether the first half has come."""
    files = cache.kept.uploads.folder.iterdir()
    return [file.read_bytes()[:5120] for file in files] == [DATA[:5120]]


def said(answer: Answer) -> tuple[int, str, str]:
    return answer.status, answer.code, answer.message


@pytest.mark.parametrize("path", ["manifests/v1", f"manifests/{DIGEST}", "tags/list"])
def test_who_waits_for_an_upstream_is_told(cache: Cache, path: str) -> None:
    held = cache.hub.held = threading.Event()
    with asked(cache, f"app/{path}") as answer:
        wait_for(lambda: cache.origins.asked)
        cache.content.give_up()
        assert said(answer.result()) == STOPPING
    held.set()


def test_whoever_asks_then_is_told_without_a_question(cache: Cache) -> None:
    cache.content.give_up()
    assert said(cache.call("GET", "app/manifests/v1")) == STOPPING
    assert cache.origins.asked == []


def test_what_is_here_is_still_given(cache: Cache) -> None:
    raw = cache.call("GET", "app/manifests/v1").body
    cache.content.give_up()
    assert cache.call("GET", "app/manifests/v1").body == raw


def test_an_answer_that_comes_too_late_harms_nobody(cache: Cache) -> None:
    held = cache.hub.held = threading.Event()
    with asked(cache, "app/manifests/v1") as answer:
        wait_for(lambda: cache.origins.asked)
        cache.content.give_up()
        assert answer.result().status == 503
    held.set()
    wait_for(lambda: cache.kept.is_held(cache.hub.names["v1"].digest))


def test_a_download_that_has_not_begun_is_an_error(
    cache: Cache, caplog: pytest.LogCaptureFixture
) -> None:
    begun, opened = threading.Event(), threading.Event()

    def silent(data: bytes) -> Reader:
        begun.set()
        assert opened.wait(20)
        return Gate()(data)

    cache.hub.reader = silent
    with asked(cache, f"app/blobs/{DIGEST}") as answer:
        wait_for(begun.is_set)
        cache.content.give_up()
        assert said(answer.result()) == STOPPING
    opened.set()
    wait_for(lambda: not list(cache.kept.uploads.folder.iterdir()))
    assert caplog.messages == []


def test_a_body_of_which_something_is_missing_is_cut_and_not_kept(
    cache: Cache, caplog: pytest.LogCaptureFixture
) -> None:
    gate = cache.hub.reader = Gate()
    with asked(cache, f"app/blobs/{DIGEST}") as answer:
        wait_for(lambda: half_of_it(cache))
        cache.content.give_up()
        assert isinstance(answer.exception(), ConnectionFailed)
    gate.opened.set()
    wait_for(lambda: not list(cache.kept.uploads.folder.iterdir()))
    assert not cache.kept.is_held(DIGEST)
    assert caplog.messages == []


def test_a_download_of_which_all_has_come_is_kept(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = threading.Event()
    add_blob = type(cache.kept.repository("app")).add_blob

    def late(*given: object) -> None:
        assert kept.wait(20)
        add_blob(*given)  # type: ignore[arg-type]

    monkeypatch.setattr("manyfest.serve.repository.Repository.add_blob", late)
    assert cache.call("GET", f"app/blobs/{DIGEST}").body == DATA
    cache.content.give_up()
    kept.set()
    cache.content.close()
    assert cache.kept.is_held(DIGEST)
