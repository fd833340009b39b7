from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyfest.errors import DigestMismatch
from manyfest.oci.descriptor import Descriptor
from manyfest.stores.base import Content, Reader, Store, VerifyingReader, read_all

CONTENT = b"0123456789"
DESCRIPTOR = Descriptor.of(CONTENT, "text/plain")


@dataclass
class Source:
    """A reader of ours that notes what is asked of it."""

    data: bytes
    most: int = 1 << 20
    asked: list[int] = field(default_factory=list)
    closed: bool = False

    def __post_init__(self) -> None:
        self._stream = BytesIO(self.data)

    def read(self, size: int, /) -> bytes:
        self.asked.append(size)
        return self._stream.read(min(size, self.most))

    def close(self) -> None:
        self.closed = True


class OneBlob(Store):
    """A store that opens the same source whatever is asked for."""

    label = "registry.example.org/app"

    def __init__(self, source: Source) -> None:
        self.source = source
        self.opened = 0

    def open(self, descriptor: Descriptor) -> Reader:
        self.opened += 1
        return self.source

    def resolve(self, name: str) -> Descriptor:
        raise NotImplementedError

    def has(self, descriptor: Descriptor) -> bool:
        raise NotImplementedError

    def put(self, content: Content) -> None:
        raise NotImplementedError

    def tag(self, name: str, manifest: Content) -> None:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError

    def __enter__(self) -> OneBlob:
        raise NotImplementedError

    def __exit__(self, *_: object) -> None:
        raise NotImplementedError


def verifying(source: Source, descriptor: Descriptor = DESCRIPTOR) -> VerifyingReader:
    return VerifyingReader(source, descriptor, where="here")


def drain(reader: VerifyingReader, size: int = 4) -> bytes:
    return b"".join(iter(lambda: reader.read(size), b""))


def test_right_content_passes_through() -> None:
    assert drain(verifying(Source(CONTENT))) == CONTENT


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_content_is_hashed_by_the_descriptors_algorithm(algorithm: str) -> None:
    descriptor = Descriptor.of(CONTENT, "text/plain", algorithm=algorithm)
    assert drain(verifying(Source(CONTENT), descriptor)) == CONTENT


def test_nothing_is_content_too() -> None:
    assert drain(verifying(Source(b""), Descriptor.of(b"", "text/plain"))) == b""


def test_short_content_is_refused_at_its_end() -> None:
    reader = verifying(Source(CONTENT[:7]))
    assert reader.read(10) == b"0123456"
    with pytest.raises(DigestMismatch, match="ends after 7 of 10 bytes"):
        reader.read(10)


def test_no_content_is_refused() -> None:
    with pytest.raises(DigestMismatch, match="ends after 0 of 10 bytes"):
        verifying(Source(b"")).read(10)


def test_long_content_is_refused_and_no_byte_of_the_excess_comes_through() -> None:
    reader = verifying(Source(CONTENT + b"!", most=6))
    assert reader.read(6) == b"012345"
    with pytest.raises(DigestMismatch, match="is longer than the 10 bytes promised"):
        reader.read(6)


def test_excess_after_the_last_byte_is_refused() -> None:
    reader = verifying(Source(CONTENT + b"!", most=10))
    assert reader.read(10) == CONTENT
    with pytest.raises(DigestMismatch, match="is longer than the 10 bytes promised"):
        reader.read(10)


def test_the_last_bytes_of_wrong_content_do_not_come_through() -> None:
    reader = verifying(Source(b"012345678X"))
    assert reader.read(8) == b"01234567"
    with pytest.raises(DigestMismatch, match="has the digest sha256:"):
        reader.read(8)


def test_a_mismatch_names_the_place_and_the_digest() -> None:
    with pytest.raises(DigestMismatch) as caught:
        drain(verifying(Source(b"x" * 10)))
    assert str(caught.value) == (
        "here: sha256:84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882"
        " has the digest sha256:fc11d6f28e59d3cc33c0b14ceb644bf0902ebd63d61218dffe9e7dac7c254542"
        "; the content is damaged: get it again from where it came from"
    )


def test_closing_closes_the_source() -> None:
    source = Source(CONTENT)
    verifying(source).close()
    assert source.closed


def test_read_all_gives_the_content_and_closes_the_source() -> None:
    store = OneBlob(Source(CONTENT, most=3))
    assert read_all(store, DESCRIPTOR) == CONTENT
    assert store.source.closed


@pytest.mark.parametrize("data", [CONTENT[:9], CONTENT + b"!", b"012345678X", b""])
def test_read_all_refuses_wrong_content_and_closes_the_source(data: bytes) -> None:
    store = OneBlob(Source(data))
    with pytest.raises(DigestMismatch, match=r"^registry\.example\.org/app: sha256:84d898"):
        read_all(store, DESCRIPTOR)
    assert store.source.closed


def test_read_all_stops_reading_an_endless_source() -> None:
    store = OneBlob(Source(b"x" * 100, most=8))
    with pytest.raises(DigestMismatch):
        read_all(store, DESCRIPTOR)
    assert len(store.source.asked) == 2


def test_read_all_does_not_open_what_is_too_large() -> None:
    store = OneBlob(Source(CONTENT))
    with pytest.raises(DigestMismatch, match="is 10 bytes, more than the 9 allowed"):
        read_all(store, DESCRIPTOR, limit=9)
    assert store.opened == 0


def test_read_all_takes_4_mib_by_default() -> None:
    store = OneBlob(Source(b""))
    large = Descriptor(media_type="text/plain", digest=DESCRIPTOR.digest, size=4_194_305)
    with pytest.raises(DigestMismatch, match="more than the 4194304 allowed"):
        read_all(store, large)


_changes: st.SearchStrategy[Callable[[bytes], bytes]] = st.sampled_from(
    [lambda data: data[:-1], lambda data: data + b"\0", lambda data: bytes(255 - b for b in data)]
)


@given(st.binary(min_size=1), st.integers(1, 50), st.integers(1, 50))
def test_any_content_in_any_pieces_passes(data: bytes, size: int, most: int) -> None:
    descriptor = Descriptor.of(data, "text/plain")
    assert drain(verifying(Source(data, most=most), descriptor), size) == data


@given(st.binary(min_size=1), _changes, st.integers(1, 50))
def test_any_change_is_noticed_before_the_end(
    data: bytes, change: Callable[[bytes], bytes], size: int
) -> None:
    reader = verifying(Source(change(data)), Descriptor.of(data, "text/plain"))
    with pytest.raises(DigestMismatch):
        drain(reader, size)
