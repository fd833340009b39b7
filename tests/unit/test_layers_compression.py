from __future__ import annotations

import gzip
import hashlib
import io
import zlib

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from manyfest.errors import InvalidArchive, UsageError
from manyfest.layers.compress import LayerWriter
from manyfest.layers.compression import Compression
from manyfest.layers.decompress import decompress

SAMPLE = b"".join(b"%d is not %d\n" % (n, n * n) for n in range(250_000))  # two blocks and more
GZIP = gzip.compress(b"first", mtime=0)
ZSTD = zstandard.ZstdCompressor(write_checksum=True).compress(b"first")
SKIPPABLE = b"\x50\x2a\x4d\x18\x05\0\0\0notes"


def blob(data: bytes, how: Compression, *, threads: int = 2, portion: int = 1 << 30) -> bytes:
    sink = io.BytesIO()
    with LayerWriter(sink, how, threads=threads) as layer:
        for start in range(0, len(data), portion):
            layer.write(data[start : start + portion])
        layer.close()
    return sink.getvalue()


def unpacked(data: bytes, how: Compression | None = None, *, limit: int = 1 << 30) -> bytes:
    reader = decompress(io.BytesIO(data), how, limit=limit, where="layer 3")
    return b"".join(iter(lambda: reader.read(100_000), b""))


def refusal(data: bytes, how: Compression, *, limit: int = 1 << 30) -> str:
    with pytest.raises(InvalidArchive) as caught:
        unpacked(data, how, limit=limit)
    return str(caught.value)


@pytest.mark.parametrize(
    ("how", "media_type"),
    [
        (Compression.NONE, "application/vnd.oci.image.layer.v1.tar"),
        (Compression.GZIP, "application/vnd.oci.image.layer.v1.tar+gzip"),
        (Compression.ZSTD, "application/vnd.oci.image.layer.v1.tar+zstd"),
    ],
)
def test_each_compression_has_its_media_type(how: Compression, media_type: str) -> None:
    assert how.media_type == media_type
    assert Compression.of_media_type(media_type) is how


def test_dockers_media_types_are_known_and_others_are_not() -> None:
    docker = "application/vnd.docker.image.rootfs.diff.tar"
    assert Compression.of_media_type(docker) is Compression.NONE
    assert Compression.of_media_type(docker + ".gzip") is Compression.GZIP
    assert Compression.of_media_type(docker + ".zstd") is None


# A new version of a compressor may change these. Then every layer that is built gets a new digest,
# which is a change for docs/decisions/0003-layer-bytes.md and for the release notes.
@pytest.mark.parametrize(
    ("how", "digest"),
    [
        (Compression.NONE, "d0e95c2bf96ce961c2f8a9dd123daf52331a3876724ff987960e7655c4514b65"),
        (Compression.GZIP, "0b45c1e07d411796db588de4207ae1765bdc71aa0ce0f11a4dd21776fe29b518"),
        (Compression.ZSTD, "63c9feec31f4d3dec3d85d5e62a4d7b8decaa2c63bc5fbb7ddaeef319be6be29"),
    ],
)
def test_a_layer_has_these_bytes_on_every_machine(how: Compression, digest: str) -> None:
    assert hashlib.sha256(blob(SAMPLE, how)).hexdigest() == digest


@pytest.mark.parametrize("how", list(Compression))
def test_neither_threads_nor_portions_show_in_the_result(how: Compression) -> None:
    expected = blob(SAMPLE, how, threads=1)
    assert blob(SAMPLE, how, threads=2, portion=99_991) == expected
    assert blob(SAMPLE, how, threads=7, portion=4096) == expected


@pytest.mark.parametrize("how", list(Compression))
def test_the_digests_are_those_of_the_tar_and_of_the_blob(how: Compression) -> None:
    sink = io.BytesIO()
    with LayerWriter(sink, how) as layer:
        layer.write(SAMPLE)
        digests = layer.close()
    assert str(digests.diff_id) == "sha256:" + hashlib.sha256(SAMPLE).hexdigest()
    assert str(digests.digest) == "sha256:" + hashlib.sha256(sink.getvalue()).hexdigest()
    assert digests.uncompressed_size == 6_242_641
    assert digests.size == len(sink.getvalue())


def test_other_programs_read_what_is_written() -> None:
    assert gzip.decompress(blob(SAMPLE, Compression.GZIP)) == SAMPLE
    frames = zstandard.ZstdDecompressor().stream_reader(
        blob(SAMPLE, Compression.ZSTD), read_across_frames=True
    )
    assert frames.read() == SAMPLE


def test_a_higher_level_is_smaller() -> None:
    sizes = []
    for level in (1, 12):
        with LayerWriter(io.BytesIO(), Compression.GZIP, level=level) as layer:
            layer.write(SAMPLE)
            sizes.append(layer.close().size)
    assert sizes[1] < 0.9 * sizes[0]


@pytest.mark.parametrize(
    ("how", "level", "message"),
    [
        (Compression.GZIP, 13, "gzip has no level 13; use 1 to 12"),
        (Compression.ZSTD, 0, "zstd has no level 0; use 1 to 22"),
        (Compression.NONE, 1, "none has no level 1; use 0 to 0"),
    ],
)
def test_a_level_that_there_is_not_is_refused(how: Compression, level: int, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        LayerWriter(io.BytesIO(), how, level=level)
    assert str(caught.value) == message


def test_nothing_can_be_written_after_the_end() -> None:
    layer = LayerWriter(io.BytesIO())
    layer.close()
    with pytest.raises(ValueError, match="closed"):
        layer.write(b"more")


def test_a_sink_that_fails_stops_the_writer() -> None:
    class Full:
        def write(self, data: bytes, /) -> object:
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"), LayerWriter(Full()) as layer:  # noqa: PT012
        layer.write(SAMPLE)
        layer.close()


@pytest.mark.parametrize("how", list(Compression))
@settings(max_examples=20, deadline=None)
@given(data=st.binary(max_size=2000), repeat=st.integers(0, 600))
def test_what_is_compressed_unpacks_to_the_same(how: Compression, data: bytes, repeat: int) -> None:
    assert unpacked(blob(data * repeat, how), how) == data * repeat


@pytest.mark.parametrize(
    ("data", "how"),
    [
        (GZIP, Compression.GZIP),
        (ZSTD, Compression.ZSTD),
        (SKIPPABLE + ZSTD, Compression.ZSTD),
        (b"usr/bin/", Compression.NONE),
        (b"", Compression.NONE),
    ],
)
def test_the_first_bytes_tell_the_compression(data: bytes, how: Compression) -> None:
    assert Compression.sniff(data[:4]) is how
    assert unpacked(data) in {b"first", b"usr/bin/", b""}


@pytest.mark.parametrize(
    ("data", "how"),
    [
        (GZIP * 3, Compression.GZIP),
        (ZSTD * 3, Compression.ZSTD),
        (SKIPPABLE + ZSTD * 2 + SKIPPABLE * 2 + ZSTD + SKIPPABLE, Compression.ZSTD),
    ],
)
def test_members_and_frames_may_follow_one_another(data: bytes, how: Compression) -> None:
    assert unpacked(data, how) == b"firstfirstfirst"


@pytest.mark.parametrize(
    ("data", "how", "message"),
    [
        (b"", Compression.GZIP, "layer 3: is truncated: its last gzip member is not whole"),
        (b"", Compression.ZSTD, "layer 3: is truncated: its last zstd frame is not whole"),
        (GZIP + b"\x1f", Compression.GZIP, "layer 3: is truncated"),
        (GZIP + bytes(512), Compression.GZIP, "layer 3: is not gzip, or damaged"),
        (GZIP[:-5] + b"!" + GZIP[-4:], Compression.GZIP, "layer 3: is not gzip, or damaged"),
        (ZSTD, Compression.GZIP, "layer 3: is not gzip, or damaged"),
        (GZIP, Compression.ZSTD, "layer 3: has data that is no zstd frame"),
        (ZSTD + bytes(512), Compression.ZSTD, "layer 3: has data that is no zstd frame"),
        (ZSTD[:-1] + b"!", Compression.ZSTD, "layer 3: is not zstd, or damaged"),
        (SKIPPABLE[:-1], Compression.ZSTD, "layer 3: is truncated"),
    ],
)
def test_what_is_damaged_or_followed_by_anything_else_is_refused(
    data: bytes, how: Compression, message: str
) -> None:
    assert refusal(data, how).startswith(message)


@pytest.mark.parametrize("how", [Compression.GZIP, Compression.ZSTD])
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_a_shortened_stream_is_truncated(how: Compression, data: st.DataObject) -> None:
    whole = blob(bytes(range(256)) * 20, how)
    cut = data.draw(st.integers(0, len(whole) - 1))
    assert "is truncated" in refusal(whole[:cut], how)


@pytest.mark.parametrize("how", [Compression.GZIP, Compression.ZSTD])
@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=300), start=st.booleans())
def test_any_bytes_unpack_or_are_refused(how: Compression, data: bytes, *, start: bool) -> None:
    magic = {Compression.GZIP: b"\x1f\x8b\x08\0", Compression.ZSTD: b"\x28\xb5\x2f\xfd"}[how]
    try:
        unpacked(magic + data if start else data, how, limit=1 << 24)
    except InvalidArchive as error:
        assert str(error).startswith("layer 3: ")  # noqa: PT017


def test_a_gzip_bomb_stops_at_the_limit() -> None:
    squeeze = zlib.compressobj(9, wbits=31)
    bomb = squeeze.compress(bytes(50_000_000)) + squeeze.flush()
    assert len(bomb) < 50_000
    assert refusal(bomb, Compression.GZIP, limit=1_000_000) == (
        "layer 3: unpacks to more than the 1000000 bytes allowed"
    )


def test_a_zstd_bomb_stops_at_the_limit() -> None:
    repeated = b"\x02\0\x10" + b"a"  # a block that says: 128 KiB of this byte
    bomb = b"\x28\xb5\x2f\xfd\0\x58" + repeated * 10_000
    assert "more than the 1000000 bytes" in refusal(bomb, Compression.ZSTD, limit=1_000_000)


def test_exactly_the_limit_is_allowed() -> None:
    assert unpacked(GZIP, limit=5) == b"first"


@pytest.mark.parametrize(("window_log", "allowed"), [(27, True), (28, False)])
def test_the_zstd_window_is_bounded(window_log: int, allowed: bool) -> None:
    empty_last_block = b"\1\0\0"
    frame = b"\x28\xb5\x2f\xfd\0" + bytes([window_log - 10 << 3]) + empty_last_block
    if allowed:
        assert unpacked(frame, Compression.ZSTD) == b""
    else:
        assert "too much memory" in refusal(frame, Compression.ZSTD)
