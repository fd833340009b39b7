from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyfest.serve.errors import Refusal
from manyfest.serve.ranges import chunk, wanted


@pytest.mark.parametrize(
    ("field", "part"),
    [
        ("bytes=0-0", range(1)),
        ("bytes=2-4", range(2, 5)),
        ("bytes=5-", range(5, 10)),
        ("bytes=-3", range(7, 10)),
        ("bytes=-99", range(10)),
        ("bytes=8-99999999999999999999999999", range(8, 10)),
    ],
)
def test_a_range_within_the_blob(field: str, part: range) -> None:
    assert wanted(field, 10) == part


@pytest.mark.parametrize(
    "field", ["", "bytes=-", "bytes=a-b", "bytes=1-2,4-5", "items=0-1", "bytes= 1-2"]
)
def test_what_is_no_single_range_means_the_whole(field: str) -> None:
    assert wanted(field, 10) is None


@pytest.mark.parametrize(
    "field", ["bytes=10-", "bytes=10-20", "bytes=4-2", "bytes=-0", "bytes=" + "9" * 5000 + "-"]
)
def test_a_range_without_a_byte_of_the_blob_is_a_416(field: str) -> None:
    with pytest.raises(Refusal) as caught:
        wanted(field, 10)
    assert caught.value.status == 416
    assert caught.value.headers == {"Content-Range": "bytes */10"}


@given(
    st.from_regex(r"bytes=([0-9]{0,4})-([0-9]{0,4})", fullmatch=True) | st.text(max_size=20),
    st.integers(0, 2000),
)
def test_whatever_is_asked_the_part_is_within_the_blob(field: str, size: int) -> None:
    with suppress(Refusal):
        part = wanted(field, size)
        assert part is None or 0 <= part.start < part.stop <= size


def test_a_chunk_names_its_first_and_last_byte() -> None:
    assert chunk("0-4") == range(5)
    assert chunk("") is None


@pytest.mark.parametrize("field", ["4-0", "-4", "4-", "a-b", "bytes 0-4/5", "0-" + "9" * 19])
def test_a_malformed_chunk_is_a_400(field: str) -> None:
    with pytest.raises(Refusal) as caught:
        chunk(field)
    assert caught.value.status == 400
