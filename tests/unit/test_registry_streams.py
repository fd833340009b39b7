"""One stream of a blob, moved about in it as parts need; that it goes on where it broke off is
tested with the downloads."""

from __future__ import annotations

from manyfest.errors import ConnectionFailed
from manyfest.oci.descriptor import Descriptor
from manyfest.stores.registry.headers import Headers
from manyfest.stores.registry.http import BytesReader, FunctionTransport, Request, Response
from manyfest.stores.registry.ranges import Blob
from manyfest.stores.registry.streams import BlobStream, Patience

DATA = bytes(range(100))


class Registry:
    """Takes ranges, or not; the next answer breaks off after ``cut`` bytes, if that is said."""

    def __init__(self, *, ranges: bool = True, data: bytes = DATA) -> None:
        self.ranges = ranges
        self.data = data
        self.cut: int | None = None
        self.transport = FunctionTransport(self.answer)
        self.pauses: list[float] = []
        blob = Blob(
            send=self.transport.send,
            url="https://ghcr.io/v2/team/app/blobs/1",
            scopes=(),
            descriptor=Descriptor.of(data, "application/octet-stream"),
            where="ghcr.io/team/app",
        )
        self.stream = BlobStream(blob, Patience(sleep=self.pauses.append))

    def answer(self, request: Request) -> Response:
        first, _, last = request.headers.get("Range").removeprefix("bytes=").partition("-")
        if not first or not self.ranges:
            return Response(200, self.body(self.data))
        end = int(last) + 1 if last else len(self.data)
        stated = f"bytes {first}-{end - 1}/{len(self.data)}"
        body = self.body(self.data[int(first) : end])
        return Response(206, body, headers=Headers({"Content-Range": stated}))

    def body(self, content: bytes) -> Breaking:
        cut, self.cut = self.cut, None
        return Breaking(content, cut)

    @property
    def asked(self) -> list[str]:
        return [request.headers.get("Range") for request in self.transport.requests]


class Breaking:
    def __init__(self, content: bytes, cut: int | None) -> None:
        self.reader = BytesReader(content if cut is None else content[:cut])
        self.breaks = cut is not None

    def read(self, size: int, /) -> bytes:
        chunk = self.reader.read(size)
        if not chunk and self.breaks:
            raise ConnectionFailed("it broke off", where="ghcr.io")
        return chunk

    def close(self) -> None:
        self.reader.close()


def rest(stream: BlobStream) -> bytes:
    return b"".join(iter(lambda: stream.read(7), b""))


def test_an_empty_blob_is_asked_for_and_has_nothing() -> None:
    registry = Registry(data=b"")
    registry.stream.open()
    assert registry.stream.read(10) == b""
    assert registry.asked == [""]


def test_the_answer_that_leads_there_is_kept() -> None:
    registry = Registry()
    registry.stream.open()
    assert registry.stream.read(10) == DATA[:10]
    registry.stream.move(10, 20)
    assert rest(registry.stream) == DATA[10:20]
    registry.stream.move(20)
    assert rest(registry.stream) == DATA[20:]
    assert registry.asked == [""]


def test_another_place_is_asked_for_when_it_is_read() -> None:
    registry = Registry()
    registry.stream.open()
    registry.stream.move(50, 60)
    assert registry.asked == [""]
    assert rest(registry.stream) == DATA[50:60]
    assert registry.asked == ["", "bytes=50-59"]
    registry.stream.move(60, 70)
    assert rest(registry.stream) == DATA[60:70]
    registry.stream.move(70)
    assert rest(registry.stream) == DATA[70:]
    assert registry.asked[2:] == ["bytes=60-69", "bytes=70-"]


def test_nothing_is_asked_for_beyond_the_end() -> None:
    registry = Registry()
    registry.stream.open()
    registry.stream.move(100)
    assert registry.stream.read(10) == b""
    assert registry.asked == [""]


def test_a_stretch_that_breaks_off_is_asked_for_to_its_own_end() -> None:
    registry = Registry()
    registry.stream.open()
    registry.cut = 4
    registry.stream.move(50, 60)
    assert rest(registry.stream) == DATA[50:60]
    assert registry.asked == ["", "bytes=50-59", "bytes=54-59"]
    assert len(registry.pauses) == 1


def test_without_ranges_a_stretch_is_found_in_the_whole() -> None:
    registry = Registry(ranges=False)
    registry.stream.open()
    registry.stream.move(50, 60)
    assert rest(registry.stream) == DATA[50:60]
    registry.stream.move(60)
    assert rest(registry.stream) == DATA[60:]
    assert registry.asked == ["", "bytes=50-59"]


def test_what_breaks_off_while_it_is_passed_over_is_asked_for_again() -> None:
    registry = Registry(ranges=False)
    registry.stream.open()
    registry.cut = 30
    registry.stream.move(50)
    assert rest(registry.stream) == DATA[50:]
    assert registry.asked == ["", "bytes=50-", "bytes=50-"]


def test_whether_ranges_are_taken_is_seen_in_the_last_answer() -> None:
    registry = Registry()
    registry.stream.open()
    assert not registry.stream.takes_ranges
    registry.stream.move(50)
    registry.stream.read(1)
    assert registry.stream.takes_ranges


def test_closing_lets_go_and_the_next_read_asks_again() -> None:
    registry = Registry()
    registry.stream.open()
    registry.stream.read(10)
    registry.stream.close()
    registry.stream.close()
    assert registry.stream.read(5) == DATA[10:15]
    assert registry.asked == ["", "bytes=10-"]
