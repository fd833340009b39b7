"""How much may come out of what is compressed in one archive."""

from __future__ import annotations

import io

import pytest

from manyfest.errors import InvalidArchive
from manyfest.layers.streams import Reader
from manyfest.stores.archives.allowance import Allowance


class Zeros:
    """Makes of each byte of a stream so many zeros."""

    def __init__(self, source: Reader, ratio: int) -> None:
        self._source = source
        self._ratio = ratio

    def read(self, size: int, /) -> bytes:
        return bytes(self._ratio * len(self._source.read(size)))


def drain(reader: Reader) -> int:
    return sum(map(len, iter(lambda: reader.read(100_000), b"")))


def test_what_is_not_compressed_passes() -> None:
    allowance = Allowance("app.tar")
    assert drain(allowance.unpacked(io.BytesIO(bytes(3_000_000)), lambda raw: raw)) == 3_000_000


def test_two_hundred_bytes_for_each_and_a_quarter_of_a_gigabyte_are_free() -> None:
    reader = Allowance("app.tar").unpacked(
        io.BytesIO(bytes(2)), lambda raw: Zeros(raw, 2**27 + 200)
    )
    assert len(reader.read(2)) == 268_435_856
    reader = Allowance("app.tar").unpacked(
        io.BytesIO(bytes(2)), lambda raw: Zeros(raw, 2**27 + 201)
    )
    with pytest.raises(InvalidArchive) as caught:
        reader.read(2)
    assert str(caught.value) == (
        "app.tar: 2 compressed bytes unpack to over 268435858: it is a decompression bomb"
    )


def test_all_that_is_in_an_archive_counts_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("manyfest.stores.archives.allowance.FREE", 1000)
    allowance = Allowance("app.tar", mend="unpack it")
    assert drain(allowance.unpacked(io.BytesIO(bytes(1)), lambda raw: Zeros(raw, 900))) == 900
    assert drain(allowance.unpacked(io.BytesIO(bytes(1)), lambda raw: Zeros(raw, 500))) == 500
    with pytest.raises(InvalidArchive, match=r"^app\.tar: 3 compressed bytes unpack"):
        drain(allowance.unpacked(io.BytesIO(bytes(1)), lambda raw: Zeros(raw, 201)))
