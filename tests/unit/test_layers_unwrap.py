"""Files that are compressed as a whole, in four ways or not at all."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
from collections.abc import Callable

import pytest
import zstandard

from manyfest.errors import InvalidArchive
from manyfest.layers.unwrap import Wrapping, unwrap

DATA = b"".join(b"%d is not %d\n" % (n, n * n) for n in range(50_000))

PACKED: dict[Wrapping, Callable[[bytes], bytes]] = {
    Wrapping.NONE: bytes,
    Wrapping.GZIP: gzip.compress,
    Wrapping.ZSTD: zstandard.compress,
    Wrapping.BZIP2: bz2.compress,
    Wrapping.XZ: lzma.compress,
}
COMPRESSED = [wrapping for wrapping in PACKED if wrapping is not Wrapping.NONE]


class Trickle(io.BytesIO):
    """A stream that gives one byte at a time."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(1 if size else 0)


def unwrapped(data: bytes, *, limit: int = 1 << 30) -> bytes:
    reader = unwrap(io.BytesIO(data), limit=limit, where="app.tar")
    return b"".join(iter(lambda: reader.read(100_000), b""))


@pytest.mark.parametrize("wrapping", PACKED)
def test_what_is_in_it_comes_out(wrapping: Wrapping) -> None:
    packed = PACKED[wrapping](DATA)
    assert Wrapping.sniff(packed[:6]) is wrapping
    assert unwrapped(packed) == DATA


@pytest.mark.parametrize("wrapping", PACKED)
def test_a_stream_may_come_in_any_portions(wrapping: Wrapping) -> None:
    reader = unwrap(Trickle(PACKED[wrapping](b"hello")))
    assert b"".join(iter(lambda: reader.read(2), b"")) == b"hello"


@pytest.mark.parametrize("head", [b"", b"\x1f", b"BZ", b"\xfd7zXZ", b"index.json"])
def test_what_is_compressed_in_no_known_way_passes_through(head: bytes) -> None:
    assert Wrapping.sniff(head) is Wrapping.NONE
    assert unwrapped(head) == head


@pytest.mark.parametrize("wrapping", COMPRESSED)
def test_streams_may_follow_one_another(wrapping: Wrapping) -> None:
    pack = PACKED[wrapping]
    assert unwrapped(pack(b"one, ") + pack(b"") + pack(b"two")) == b"one, two"


@pytest.mark.parametrize("pack", [bz2.compress, lzma.compress])
def test_zeros_may_pad_bzip2_and_xz(pack: Callable[[bytes], bytes]) -> None:
    assert unwrapped(pack(b"one, ") + bytes(8) + pack(b"two") + bytes(100_000)) == b"one, two"


@pytest.mark.parametrize("wrapping", COMPRESSED)
def test_other_data_may_not_follow(wrapping: Wrapping) -> None:
    with pytest.raises(InvalidArchive, match=r"^app\.tar: "):
        unwrapped(PACKED[wrapping](b"hello") + b"something else")


@pytest.mark.parametrize("wrapping", COMPRESSED)
def test_other_data_behind_many_zeros_is_not_overlooked(wrapping: Wrapping) -> None:
    with pytest.raises(InvalidArchive, match=r"^app\.tar: "):
        unwrapped(PACKED[wrapping](b"hello") + bytes(300_000) + b"something else")


@pytest.mark.parametrize("wrapping", COMPRESSED)
def test_every_truncation_is_told(wrapping: Wrapping) -> None:
    packed = PACKED[wrapping](b"hello")
    for size in range(6, len(packed)):
        with pytest.raises(InvalidArchive, match=r"^app\.tar: "):
            unwrapped(packed[:size])


@pytest.mark.parametrize("wrapping", [Wrapping.GZIP, Wrapping.BZIP2, Wrapping.XZ])
def test_damage_is_told(wrapping: Wrapping) -> None:
    packed = bytearray(PACKED[wrapping](DATA))
    packed[len(packed) // 2] ^= 0x10
    with pytest.raises(InvalidArchive, match=r"^app\.tar: is (not gzip, or )?damaged"):
        unwrapped(bytes(packed))


@pytest.mark.parametrize("wrapping", PACKED)
def test_no_more_comes_out_than_allowed(wrapping: Wrapping) -> None:
    packed = PACKED[wrapping](DATA)
    assert len(unwrapped(packed, limit=len(DATA))) == len(DATA)
    with pytest.raises(InvalidArchive, match="unpacks to more than the 9999 bytes allowed"):
        unwrapped(packed, limit=9999)


def test_xz_that_needs_much_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = lzma.compress(b"hello", preset=9)  # for which 65 MiB are needed
    assert unwrapped(packed) == b"hello"
    monkeypatch.setattr("manyfest.layers.unwrap.MAX_ZSTD_WINDOW", 16 * 1024**2)
    with pytest.raises(InvalidArchive, match="cannot be unpacked: Memory usage limit exceeded"):
        unwrapped(packed)
