"""What an archive's bytes are read from: its file, standard input, or a copy that has no name."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import zstandard

from manyfest.errors import ManyfestError, NotFound, StoreError, UsageError
from manyfest.stores.archives.spool import open_archive, open_standard_input, spooled
from tests.tars import header, tar

TAR = tar(("a", b"hello"), ("b", bytes(100_000)))
PACKS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zstd": zstandard.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
}


NO_TAR = [
    (b"", "app.tar: it is empty"),
    (b'{"a":1}', "app.tar: it is no tar archive, or a truncated one"),
    (bytes(10_240), "app.tar: it is an archive with nothing in it, or no archive"),
    (
        b"\x7fELF" * 200,
        "app.tar: it is no tar archive, or a damaged one: a header's checksum is not",
    ),
    (
        b"?" + TAR[1:],
        "app.tar: it is no tar archive, or a damaged one: a header's checksum is wron",
    ),
]


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """TMPDIR. Nothing may ever have a name there."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    yield folder
    assert not list(folder.iterdir())


@contextmanager
def pipe_with(data: bytes) -> Iterator[int]:
    """A descriptor from which these bytes come, as from a pipe; no more than it holds."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    assert os.write(writing, data) == len(data)
    os.close(writing)
    yield reading
    os.close(reading)


def refusal(data: bytes) -> str:
    with pytest.raises(ManyfestError) as caught:
        spooled(io.BytesIO(data), "app.tar")
    return str(caught.value)


def test_a_plain_archive_is_read_where_it_lies(tmp_path: Path) -> None:
    path = tmp_path / "app.tar"
    path.write_bytes(TAR)
    with open_archive(path, "app.tar") as file:
        assert os.path.samestat(os.fstat(file.fileno()), path.stat())
        assert file.read() == TAR


@pytest.mark.parametrize("pack", PACKS.values(), ids=PACKS)
def test_a_compressed_archive_is_unpacked_to_a_file_without_a_name(
    tmp_path: Path, scratch: Path, pack: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "app.tar.x"
    path.write_bytes(pack(TAR))
    with open_archive(path, "app.tar") as file:
        assert file.read() == TAR
        assert os.pread(file.fileno(), 5, 512) == b"hello"
        assert os.fstat(file.fileno()).st_nlink == 0
        assert os.fstat(file.fileno()).st_dev == scratch.stat().st_dev


@pytest.mark.parametrize("pack", [bytes, *PACKS.values()], ids=["plain", *PACKS])
def test_a_pipe_is_spooled(pack: Callable[[bytes], bytes]) -> None:
    small = tar(("a", b"hello"))
    with pipe_with(pack(small)) as descriptor:
        with open_standard_input(descriptor, "-") as file:
            assert file.read() == small
            assert os.fstat(file.fileno()).st_nlink == 0
        os.fstat(descriptor)  # it is still open: it belongs to the process


@pytest.mark.parametrize("pack", [bytes, *PACKS.values()], ids=["plain", *PACKS])
def test_a_file_on_standard_input_is_read_from_its_start(
    tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "app.tar"
    path.write_bytes(pack(TAR))
    with path.open("rb") as shared:
        os.lseek(shared.fileno(), 7, os.SEEK_SET)
        with open_standard_input(shared.fileno(), "-") as file:
            assert file.read(10) == TAR[:10]
            file.seek(-3, os.SEEK_CUR)
            assert file.read() == TAR[7:]
            assert file.seek(0, os.SEEK_END) == len(TAR)
        # Whoever shares the file, as a shell's next command does, finds its position unchanged.
        assert os.lseek(shared.fileno(), 0, os.SEEK_CUR) == 7


def test_a_terminal_is_no_archive() -> None:
    ours, theirs = os.openpty()
    with pytest.raises(UsageError) as caught:
        open_standard_input(theirs, "oci-archive:-")
    assert str(caught.value) == (
        "oci-archive:-: standard input is a terminal; send an archive into it"
    )
    os.close(ours)
    os.close(theirs)


def test_standard_input_may_be_closed() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    os.close(writing)
    with pytest.raises(UsageError, match="standard input is closed; send an archive "):
        open_standard_input(reading, "-")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "app.tar: there is no such file"),
        (
            os.mkdir,
            "app.tar: cannot be read: it is not a regular file;"
            " an image layout is read with oci:FOLDER",
        ),
        (
            os.mkfifo,
            "app.tar: cannot be read: it is not a regular file;"
            " a stream is read from standard input, which is called -",
        ),
        (lambda path: os.symlink(path, path), "app.tar: cannot be read: Too many levels of symb"),
    ],
    ids=["nothing", "folder", "pipe", "circle"],
)
def test_what_is_no_file_is_told(
    tmp_path: Path, make: Callable[[Path], object], message: str
) -> None:
    make(tmp_path / "app.tar")
    with pytest.raises((NotFound, StoreError)) as caught:
        open_archive(tmp_path / "app.tar", "app.tar")
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        *NO_TAR,
        *((gzip.compress(data, mtime=0), message) for data, message in NO_TAR),
        (b"\x1f\x8b" + b"?" * 600, "app.tar: is not gzip, or damaged"),
        (
            gzip.compress(TAR, mtime=0)[:-9],
            "app.tar: is truncated: its last gzip member is not whole",
        ),
        (zstandard.compress(TAR)[:-9], "app.tar: is truncated: its last zstd frame is not whole"),
        (bz2.compress(TAR)[:-9], "app.tar: is truncated: its compressed data is not whole"),
        (lzma.compress(TAR)[:-9], "app.tar: is truncated: its compressed data is not whole"),
    ],
)
def test_what_is_no_archive_is_refused(data: bytes, message: str) -> None:
    assert refusal(data).startswith(message)


@pytest.mark.parametrize(("data", "message"), NO_TAR)
def test_a_file_that_is_no_archive_is_refused(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "app.tar"
    path.write_bytes(data)
    with pytest.raises(ManyfestError) as caught:
        open_archive(path, "app.tar")
    assert str(caught.value).startswith(message)


def test_a_stream_that_breaks_off_is_told() -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            data = super().read(size)
            if not data:
                raise OSError(5, "Input/output error")
            return data

    source = Broken(TAR[:700])
    with pytest.raises(StoreError, match=r"^app\.tar: cannot be read: Input/output error$"):
        spooled(source, "app.tar")
    assert source.closed


@pytest.mark.parametrize("pack", PACKS.values(), ids=PACKS)
def test_a_bomb_is_refused(pack: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("manyfest.stores.archives.allowance.FREE", 1_000_000)
    message = refusal(pack(header("a", 30_000_000) + bytes(30_001_024)))
    assert message.startswith("app.tar: ")
    assert message.endswith("it is a decompression bomb; if you know better, unpack it first")


def test_a_bomb_of_real_size_is_refused() -> None:
    zeros = zstandard.ZstdCompressor(level=1).compressobj()
    parts = [zeros.compress(header("a", 2**34))]
    parts += (zeros.compress(bytes(2**24)) for _ in range(17))
    parts.append(zeros.flush())
    assert "unpack to over 2" in refusal(b"".join(parts))


def test_a_full_disk_is_told_with_the_way_out(scratch: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        message = refusal(TAR)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert message == (
        f"app.tar: it must be unpacked to be read, which cannot be done in {scratch}:"
        " File too large; set TMPDIR to a folder with more room"
    )


def test_a_tmpdir_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/none")
    assert refusal(TAR) == (
        "app.tar: it must be unpacked to be read, which cannot be done in /none:"
        " No such file or directory; set TMPDIR to a folder with more room"
    )
