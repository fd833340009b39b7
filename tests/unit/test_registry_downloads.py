from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from manyfest.errors import ConnectionFailed, ManyfestError, NotFound, RegistryError
from manyfest.oci.descriptor import Descriptor
from manyfest.stores.base import Skips
from manyfest.stores.registry.downloads import Download
from manyfest.stores.registry.headers import Headers
from manyfest.stores.registry.http import (
    BytesReader,
    FunctionTransport,
    LastingFailure,
    Request,
    Response,
)
from manyfest.stores.registry.ranges import Blob
from manyfest.stores.registry.streams import Patience

MIB = 1024 * 1024
DATA = bytes(range(256)) * 20
BLOB = Descriptor.of(DATA, "application/octet-stream")
URL = "https://ghcr.io/v2/team/app/blobs/1"
BROKEN = ConnectionFailed("the connection broke off", where="ghcr.io")

Handler = Callable[[Request], Response]


class Broken:
    """A body that gives so many bytes and then breaks off, or just ends."""

    def __init__(self, content: bytes, failure: ManyfestError | None = BROKEN) -> None:
        self.content = BytesReader(content)
        self.failure = failure
        self.closed = False

    def read(self, size: int, /) -> bytes:
        chunk = self.content.read(size)
        if not chunk and self.failure is not None:
            raise self.failure
        return chunk

    def close(self) -> None:
        self.closed = True


def start_of(request: Request) -> int:
    """The byte that is asked for first."""
    found = re.fullmatch(r"bytes=([0-9]+)-[0-9]*", request.headers.get("Range"))
    return int(found[1]) if found else 0


def part(data: bytes, start: int, body: bytes | Broken | None = None, **fields: str) -> Response:
    """The rest from ``start`` on, as a registry that takes ranges sends it."""
    stated = f"bytes {start}-{len(data) - 1}/{len(data)}"
    headers = Headers(
        {"Content-Range": stated} | {k.replace("_", "-"): v for k, v in fields.items()}
    )
    return Response(206, data[start:] if body is None else body, headers=headers)


class Registry:
    """Answers each request by the next step; keeps the pauses."""

    def __init__(self, *steps: Handler | Response | ManyfestError, data: bytes = DATA) -> None:
        self.steps = list(steps)
        self.pauses: list[float] = []
        self.transport = FunctionTransport(self.answer)
        blob = Blob(
            send=self.transport.send,
            url=URL,
            scopes=("repository:team/app:pull",),
            descriptor=Descriptor.of(data, "application/octet-stream"),
            where="ghcr.io/team/app",
        )
        patience = Patience(sleep=self.pauses.append, jitter=lambda: 1.0)
        self.download = Download(blob, patience=patience)

    def answer(self, request: Request) -> Response:
        step = self.steps.pop(0)
        if isinstance(step, ManyfestError):
            raise step
        return step if isinstance(step, Response) else step(request)

    def read(self, size: int = 1000) -> bytes:
        return read(self.download.open(), size)

    @property
    def asked(self) -> list[str]:
        return [request.headers.get("Range") for request in self.transport.requests]


def read(download: Download, size: int = 1000) -> bytes:
    return b"".join(iter(lambda: download.read(size), b""))


def test_a_blob_that_comes_whole_is_asked_for_once() -> None:
    registry = Registry(Response(200, DATA))
    assert registry.read() == DATA
    assert registry.asked == [""]
    assert registry.transport.requests[0].scopes == ("repository:team/app:pull",)
    assert registry.pauses == []


@pytest.mark.parametrize("failure", [BROKEN, None], ids=["breaks off", "ends early"])
def test_a_body_that_breaks_off_goes_on_where_it_was(failure: ManyfestError | None) -> None:
    first = Broken(DATA[:1500], failure)
    second = Broken(DATA[1500:4000], failure)
    registry = Registry(Response(200, first), part(DATA, 1500, second), part(DATA, 4000))
    assert registry.read() == DATA
    assert registry.asked == ["", "bytes=1500-", "bytes=4000-"]
    assert registry.pauses == [0.5, 1.0]
    assert first.closed
    assert second.closed


def test_a_registry_without_ranges_sends_the_whole_again_and_its_beginning_is_passed_over() -> None:
    registry = Registry(
        Response(200, Broken(DATA[:3000])), Response(200, Broken(DATA[:10])), Response(200, DATA)
    )
    assert registry.read() == DATA
    assert registry.asked == ["", "bytes=3000-", "bytes=3000-"]


def test_failures_without_progress_come_to_an_end() -> None:
    registry = Registry(
        Response(200, Broken(DATA[:10])),
        *(part(DATA, 10 + n, Broken(DATA[10 + n : 11 + n])) for n in range(9)),
    )
    with pytest.raises(ConnectionFailed, match="broke off"):
        registry.read()
    assert len(registry.asked) == 5
    assert registry.pauses == [0.5, 1.0, 2.0, 4.0]


def test_answers_that_end_too_early_come_to_an_end_too() -> None:
    empty = [part(DATA, 0, b"") for _ in range(9)]
    registry = Registry(Response(200, b""), *empty)
    with pytest.raises(ConnectionFailed, match=r"^ghcr\.io/team/app: the answer ended"):
        registry.read()
    assert len(registry.asked) == 5


def test_after_a_mebibyte_failures_count_anew() -> None:
    data = DATA * 2048
    starts = range(0, len(data), MIB)

    def rest(request: Request) -> Response:
        start = start_of(request)
        return part(data, start, Broken(data[start : start + MIB]))

    registry = Registry(Response(200, Broken(data[:MIB])), *[rest] * 9, data=data)
    assert registry.read(MIB) == data
    assert registry.asked == ["", *(f"bytes={start}-" for start in starts[1:])]
    assert registry.pauses == [0.5] * (len(starts) - 1)


def test_a_size_that_the_registry_states_is_the_end_and_the_reader_finds_it_wrong() -> None:
    stated = Response(200, DATA[:100], headers=Headers({"Content-Length": "100"}))
    registry = Registry(stated)
    assert registry.read() == DATA[:100]
    assert registry.asked == [""]


def test_a_whole_that_is_shorter_than_what_came_before_is_the_end() -> None:
    registry = Registry(Response(200, Broken(DATA[:100])), Response(200, DATA[:50]))
    assert registry.read() == DATA[:100]


@pytest.mark.parametrize(
    ("status", "stated", "said"),
    [
        (416, "bytes */100", "the registry has nothing from byte 100 on"),
        (206, "", "the registry answers with the bytes '' instead"),
        (206, "bytes 0-5119/5120", "answers with the bytes 'bytes 0-5119/5120' instead"),
        (206, "bytes 101-5119/5120", "answers with the bytes"),
        (206, "bytes 100-99/5120", "answers with the bytes"),
        (206, "bytes 100-5119/9999", "answers with the bytes"),
        (206, "bytes 100-5120/5120", "answers with the bytes"),
        (206, "bytes 100-/5120", "answers with the bytes"),
        (206, "100-5119/5120", "answers with the bytes"),
        (206, "bytes 100-" + "9" * 5000 + "/*", "answers with the bytes"),
        (204, "", r"the blob sha256:\w+ failed \(204\)"),
        (302, "", r"the blob sha256:\w+ failed \(302\)"),
    ],
)
def test_an_answer_that_is_not_the_rest_is_refused(status: int, stated: str, said: str) -> None:
    headers = Headers({"Content-Range": stated})
    registry = Registry(Response(200, Broken(DATA[:100])), Response(status, DATA, headers=headers))
    with pytest.raises(RegistryError, match=said) as caught:
        registry.read()
    assert "\n" not in str(caught.value)
    assert len(registry.asked) == 2


@pytest.mark.parametrize("stated", ["bytes 100-5119/*", "Bytes 100-5119/5120"])
def test_the_total_need_not_be_known(stated: str) -> None:
    rest = Response(206, DATA[100:], headers=Headers({"Content-Range": stated}))
    assert Registry(Response(200, Broken(DATA[:100])), rest).read() == DATA


def test_a_blob_that_vanishes_meanwhile_is_not_found() -> None:
    registry = Registry(Response(200, Broken(DATA[:100])), Response(404))
    with pytest.raises(NotFound):
        registry.read()


def test_what_does_not_pass_is_not_tried_again() -> None:
    registry = Registry(Response(200, Broken(DATA[:9], LastingFailure("certificate"))))
    with pytest.raises(LastingFailure):
        registry.read()
    registry = Registry(Response(200, Broken(DATA[:9])), ConnectionFailed("nobody is there"))
    with pytest.raises(ConnectionFailed, match="nobody is there"):
        registry.read()
    assert registry.pauses == [0.5]


def test_a_blob_that_is_not_there_is_told_when_it_is_opened() -> None:
    with pytest.raises(NotFound):
        Registry(Response(404)).download.open()


def test_what_is_skipped_is_not_asked_for() -> None:
    registry = Registry(Response(200, Broken(DATA)), part(DATA, 2000))
    download = registry.download.open()
    assert isinstance(download, Skips)
    download.skip(2000)
    assert read(download) == DATA[2000:]
    assert registry.asked == ["", "bytes=2000-"]


def test_skipping_goes_on_from_what_was_read() -> None:
    registry = Registry(Response(200, DATA), part(DATA, 1010))
    download = registry.download.open()
    assert download.read(10) == DATA[:10]
    download.skip(1000)
    assert read(download) == DATA[1010:]


def test_everything_can_be_skipped() -> None:
    registry = Registry(Response(200, DATA))
    download = registry.download.open()
    download.skip(len(DATA))
    assert download.read(10) == b""
    assert registry.asked == [""]


@pytest.mark.parametrize(("size", "bulk"), [(MIB, False), (MIB + 1, True)])
def test_only_large_blobs_queue_with_transfers(size: int, bulk: bool) -> None:
    registry = Registry(Response(200), data=bytes(size))
    registry.download.open().close()
    assert registry.transport.requests[0].bulk is bulk


def test_the_connection_is_let_go_of() -> None:
    body = Broken(DATA)
    download = Registry(Response(200, body)).download.open()
    download.read(10)
    download.close()
    assert body.closed
