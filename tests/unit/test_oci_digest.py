from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyfest.errors import InvalidDigest
from manyfest.oci.digest import Digest

EMPTY_JSON = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
EMPTY_JSON_512 = (
    "sha512:27c74670adb75075fad058d5ceaf7b20c4e7786c83bae8a32f626f9782af34c9"
    "a33c2046ef60fd2a7878d378e29fec851806bbd9a67878f3a9f1cda4830763fd"
)
NOTHING = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize(
    ("data", "algorithm", "expected"),
    [
        (b"{}", "sha256", EMPTY_JSON),
        (b"{}", "sha512", EMPTY_JSON_512),
        (b"", "sha256", NOTHING),
    ],
)
def test_digest_of_bytes(data: bytes, algorithm: str, expected: str) -> None:
    assert str(Digest.of(data, algorithm)) == expected


def test_hasher_is_of_the_digests_own_algorithm() -> None:
    hasher = Digest.parse(EMPTY_JSON_512).hasher()
    hasher.update(b"{")
    hasher.update(b"}")
    assert f"sha512:{hasher.hexdigest()}" == EMPTY_JSON_512


@pytest.mark.parametrize("text", [EMPTY_JSON, EMPTY_JSON_512])
def test_digest_reads_back_as_written(text: str) -> None:
    assert str(Digest.parse(text)) == text


def test_parts() -> None:
    digest = Digest.parse(EMPTY_JSON)
    assert digest.algorithm == "sha256"
    assert digest.hex == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    assert repr(digest) == f"Digest('{EMPTY_JSON}')"


def test_equal_digests_are_one_key() -> None:
    assert len({Digest.of(b"{}"), Digest.parse(EMPTY_JSON)}) == 1
    assert Digest.of(b"{}") != Digest.of(b"{}", "sha512")
    assert Digest.of(b"{}") != EMPTY_JSON


def test_digests_sort_by_algorithm_and_hash() -> None:
    digests = [Digest.parse(text) for text in (EMPTY_JSON_512, NOTHING, EMPTY_JSON)]
    assert [str(digest) for digest in sorted(digests)] == [EMPTY_JSON, NOTHING, EMPTY_JSON_512]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "has no algorithm"),
        ("44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a", "has no algorithm"),
        ("sha256:", "has 64 lower-case hexadecimal digits"),
        (EMPTY_JSON[:-1], "has 64 lower-case hexadecimal digits"),
        (EMPTY_JSON + "a", "has 64 lower-case hexadecimal digits"),
        (EMPTY_JSON + "\n", "has 64 lower-case hexadecimal digits"),
        (EMPTY_JSON[:-1] + "\n", "has 64 lower-case hexadecimal digits"),
        (EMPTY_JSON[:-1] + "A", "has 64 lower-case hexadecimal digits"),
        (EMPTY_JSON[:-1] + "٣", "has 64 lower-case hexadecimal digits"),
        ("sha512:" + EMPTY_JSON[7:], "has 128 lower-case hexadecimal digits"),
        ("SHA256:" + EMPTY_JSON[7:], "unknown digest algorithm"),
        ("md5:d41d8cd98f00b204e9800998ecf8427e", "unknown digest algorithm"),
        ("sha256:../../../../etc/passwd", "has 64 lower-case hexadecimal digits"),
        ("sha256::" + EMPTY_JSON[8:], "has 64 lower-case hexadecimal digits"),
    ],
)
def test_what_is_no_digest_is_refused(text: str, why: str) -> None:
    with pytest.raises(InvalidDigest, match=why):
        Digest.parse(text)


def test_a_refused_digest_is_shown_on_one_line() -> None:
    with pytest.raises(InvalidDigest) as caught:
        Digest.parse("sha256:\n\x1b[2J")
    assert str(caught.value).isprintable()


@given(st.binary(), st.sampled_from(["sha256", "sha512"]))
def test_every_digest_reads_back(data: bytes, algorithm: str) -> None:
    digest = Digest.of(data, algorithm)
    assert Digest.parse(str(digest)) == digest


@given(st.text() | st.from_regex(r"sha(256|512):[0-9a-fA-F]*"))
def test_any_text_is_a_digest_or_refused(text: str) -> None:
    try:
        digest = Digest.parse(text)
    except InvalidDigest:
        return
    assert str(digest) == text
