"""Several connections for one blob, against a registry whose every connection has one speed."""

from __future__ import annotations

import hashlib
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

import manyfest.stores.registry.downloads
import manyfest.stores.registry.parts
import manyfest.stores.registry.ranges
from manyfest.errors import ConnectionFailed, ManyfestError, RegistryError
from manyfest.oci.descriptor import Descriptor
from manyfest.stores.registry.admission import LimitedTransport
from manyfest.stores.registry.downloads import Download
from manyfest.stores.registry.headers import Headers
from manyfest.stores.registry.http import FunctionTransport, Request, Response
from manyfest.stores.registry.ranges import Blob
from manyfest.stores.registry.streams import Patience

KIB = 1024
PART = 8 * KIB
SIZE = 40 * PART + 123
DATA = hashlib.shake_256(b"blob").digest(SIZE)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything a thousandth of what it is, so that the tests are quick."""
    downloads, parts = manyfest.stores.registry.downloads, manyfest.stores.registry.parts
    monkeypatch.setattr(downloads, "LARGE", 64 * KIB)
    monkeypatch.setattr(downloads, "_PROBE", 8 * KIB)
    monkeypatch.setattr(downloads, "_TRIAL", 64 * KIB)
    monkeypatch.setattr(downloads, "SLOW", 80_000)
    monkeypatch.setattr(manyfest.stores.registry.ranges, "LARGEST_SMALL", KIB)
    monkeypatch.setattr(parts, "PART_BYTES", PART)
    monkeypatch.setattr(parts, "_memory", threading.BoundedSemaphore(4))


@pytest.fixture(autouse=True)
def _no_thread_is_left(_small: None) -> Iterator[None]:
    yield
    assert [thread.name for thread in threading.enumerate() if thread.name == "part"] == []
    memory = manyfest.stores.registry.parts._memory
    assert all(memory.acquire(blocking=False) for _ in range(4))
    assert not memory.acquire(blocking=False)


class Connection:
    """An answer's body. Of what is not the reader's own, nothing comes before ``silent`` is set;
    who asked for it may give it up."""

    def __init__(
        self,
        registry: Registry,
        content: bytes,
        *,
        is_own: bool,
        given_up: Callable[[], bool] | None = None,
    ) -> None:
        self.registry = registry
        self.given_up = given_up or (lambda: False)
        self.content = memoryview(content)
        self.is_own = is_own

    def read(self, size: int, /) -> bytes:
        chunk = bytes(self.content[: min(size, KIB)])
        self.content = self.content[len(chunk) :]
        if self.is_own:
            self.registry.now += len(chunk) / self.registry.speed
        elif self.registry.silent is not None:
            while not self.registry.silent.wait(0.01):
                if self.given_up():
                    raise ConnectionFailed("it was given up")
        return chunk

    def close(self) -> None:
        with self.registry.lock:
            self.registry.open -= 1


class Registry:
    """A registry in which every connection gives ``speed`` bytes a second, by a clock that only
    the reader's own stream moves: what comes over others meanwhile costs no time."""

    def __init__(self, speed: float, *, ranges: bool = True, shared: bool = False) -> None:
        self.speed = speed
        self.ranges = ranges
        self.now = 0.0
        self.open = 0
        self.most_open = 0
        self.lock = threading.Lock()
        self.four_open = threading.Event()
        self.silent: threading.Event | None = None
        self.asked: list[str] = []
        self.refusal: ManyfestError | Response | None = None
        self.transport = LimitedTransport(FunctionTransport(self.answer), transfers=8)
        self.shared = shared
        blob = Blob(
            send=self.transport.send,
            url="https://ghcr.io/v2/team/app/blobs/1",
            scopes=(),
            descriptor=Descriptor.of(DATA, "application/octet-stream"),
            where="ghcr.io/team/app",
        )
        self.download = Download(
            blob, patience=Patience(sleep=lambda _: None), clock=lambda: self.now
        ).open()

    def answer(self, request: Request) -> Response:
        with self.lock:
            self.asked.append(request.headers.get("Range"))
        if request.spare and self.refusal is not None:
            if isinstance(self.refusal, ManyfestError):
                raise self.refusal
            return self.refusal
        with self.lock:
            self.open += 1
            self.most_open = max(self.most_open, self.open)
            if self.open == 4:
                self.four_open.set()
        found = re.fullmatch(r"bytes=([0-9]+)-([0-9]*)", request.headers.get("Range"))
        fields = {"Accept-Ranges": "bytes"} if self.ranges else {}
        if found is None or not self.ranges:
            body = Connection(self, DATA, is_own=not request.spare)
            return Response(200, body, headers=Headers(fields))
        start, end = int(found[1]), int(found[2]) + 1 if found[2] else SIZE
        fields["Content-Range"] = f"bytes {start}-{end - 1}/{SIZE}"
        # Those of a shared network take their time away from the reader's own.
        own = not request.spare or self.shared
        body = Connection(self, DATA[start:end], is_own=own, given_up=request.given_up)
        return Response(206, body, headers=Headers(fields))


def read(download: Download) -> bytes:
    return b"".join(iter(lambda: download.read(100 * KIB), b""))


def test_a_slow_registry_is_read_over_four_connections_and_the_bytes_are_right() -> None:
    registry = Registry(20_000)
    registry.silent = registry.four_open
    assert read(registry.download) == DATA
    registry.download.close()
    assert registry.most_open == 4
    assert registry.now < 0.4 * SIZE / 20_000
    ranges = [each for each in registry.asked if each]
    assert len(set(ranges)) == len(ranges)
    assert registry.open == 0


def test_a_fast_registry_is_read_over_one_connection() -> None:
    registry = Registry(200_000)
    assert read(registry.download) == DATA
    registry.download.close()
    assert registry.asked == [""]


def test_a_registry_that_takes_no_ranges_is_asked_for_none() -> None:
    registry = Registry(20_000, ranges=False)
    assert read(registry.download) == DATA
    registry.download.close()
    assert registry.asked == [""]


def test_a_small_blob_is_not_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manyfest.stores.registry.downloads, "LARGE", SIZE)
    registry = Registry(20_000)
    assert read(registry.download) == DATA
    registry.download.close()
    assert registry.asked == [""]


def test_a_slow_reader_makes_no_registry_slow() -> None:
    registry = Registry(200_000)
    chunks = []
    while chunk := registry.download.read(4 * KIB):
        registry.now += 1.0
        chunks.append(chunk)
    registry.download.close()
    assert b"".join(chunks) == DATA
    assert registry.asked == [""]


def test_a_network_that_more_connections_do_not_widen_gets_one_again() -> None:
    registry = Registry(20_000, shared=True)
    assert read(registry.download) == DATA
    registry.download.close()
    assert registry.asked[-1].endswith("-")
    assert len(registry.asked) < 20


def test_a_busy_host_gives_no_more_connections_until_it_has_places() -> None:
    registry = Registry(20_000)
    others = [
        registry.transport.send(Request(method="GET", url="https://ghcr.io/x", bulk=True))
        for _ in range(7)
    ]
    # This thread holds places, so its own stream goes on; parts wait for nobody and do not.
    before = registry.most_open
    chunks = [registry.download.read(4 * KIB) for _ in range(20)]
    assert registry.most_open == before
    for other in others:
        other.close()
    chunks.append(read(registry.download))
    registry.download.close()
    assert b"".join(chunks) == DATA
    assert len(registry.asked) > 20


@pytest.mark.parametrize(
    "refusal", [RegistryError("no"), ConnectionFailed("broke"), Response(200), Response(429)]
)
def test_parts_that_fail_are_read_by_the_stream_and_soon_no_longer_tried(
    refusal: ManyfestError | Response,
) -> None:
    registry = Registry(20_000)
    registry.refusal = refusal
    assert read(registry.download) == DATA
    registry.download.close()
    assert len(registry.asked) < 16


def test_a_part_that_breaks_off_is_gone_on_with_where_it_was() -> None:
    registry = Registry(20_000)
    answer = registry.answer
    spares = Counter[str]()

    def cut(request: Request) -> Response:
        response = answer(request)
        if request.spare and not spares["cut"]:
            spares["cut"] += 1
            assert isinstance(response.reader, Connection)
            response.reader.content = response.reader.content[: 3 * KIB]
        return response

    registry.transport._inner = FunctionTransport(cut)
    assert read(registry.download) == DATA
    registry.download.close()
    assert registry.open == 0


@pytest.mark.parametrize("reads", [1, 10, 11, 17, 30, 60])
def test_nothing_is_left_behind_when_the_reader_goes_away(reads: int) -> None:
    registry = Registry(20_000)
    for _ in range(reads):
        registry.download.read(KIB)
    registry.download.close()
    registry.download.close()
    assert registry.open == 0


def test_a_part_that_stands_still_is_given_up_when_the_reader_goes_away() -> None:
    registry = Registry(20_000)
    registry.silent = threading.Event()
    while len(registry.asked) < 2:
        registry.download.read(KIB)
    registry.download.close()
    assert registry.open == 0


def test_what_is_skipped_ends_the_parts() -> None:
    registry = Registry(20_000)
    begun = b"".join(registry.download.read(KIB) for _ in range(20))
    assert len(registry.asked) > 1
    registry.download.skip(5 * PART)
    rest = read(registry.download)
    registry.download.close()
    assert begun == DATA[: len(begun)]
    assert rest == DATA[len(begun) + 5 * PART :]


def test_all_blobs_together_have_four_parts_in_memory_at_most() -> None:
    registries = [Registry(20_000) for _ in range(3)]
    for registry in registries:
        for _ in range(12):
            registry.download.read(KIB)
    spares = sum(len(registry.asked) - 1 for registry in registries)
    assert spares <= 4
    for registry in registries:
        registry.download.close()
