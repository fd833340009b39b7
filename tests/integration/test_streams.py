"""Archives on standard input and output, between processes as a shell connects them."""

from __future__ import annotations

import gzip
import os
import pty
import subprocess
from pathlib import Path

import pytest

from manyfest.stores.layout import LayoutStore
from tests import images
from tests.integration.conftest import MANYFEST


@pytest.fixture
def digest(tmp_path: Path) -> str:
    """Of the index in ``oci:image:v1``."""
    layout = LayoutStore(tmp_path / "image")
    return str(images.make(layout, "index", "v1").descriptor.digest)


def copy(folder: Path, *arguments: str, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [MANYFEST, "copy", *arguments], cwd=folder, input=data, capture_output=True, check=False
    )


def test_one_copy_reads_what_another_writes(digest: str, tmp_path: Path) -> None:
    written = copy(tmp_path, "oci:image:v1", "-")
    read = copy(tmp_path, "-", "oci:other:v1", data=written.stdout)

    assert (read.returncode, read.stdout.decode()) == (0, f"{digest}\n")
    assert written.stderr.decode() == f"oci-archive:-: 11.5 kB sent\n{digest}\n"


def test_a_stream_is_the_file_that_would_be_written(digest: str, tmp_path: Path) -> None:
    copy(tmp_path, "oci:image:v1", "docker-archive:image.tar:team/app:v1")
    written = copy(tmp_path, "oci:image:v1", "docker-archive:-:team/app:v1")
    assert written.stdout == (tmp_path / "image.tar").read_bytes()


def test_a_compressed_stream_is_read_too(digest: str, tmp_path: Path) -> None:
    written = copy(tmp_path, "oci:image:v1", "-")
    read = copy(tmp_path, "-", "oci:other:v1", data=gzip.compress(written.stdout))
    assert (read.returncode, read.stdout.decode()) == (0, f"{digest}\n")


def test_a_tag_in_a_stream_is_kept(digest: str, tmp_path: Path) -> None:
    written = copy(tmp_path, "oci:image:v1", "-")
    copy(tmp_path, "oci-archive:-:v1", "oci-archive:other.tar", data=written.stdout)
    listed = subprocess.run(
        [MANYFEST, "ls", "oci-archive:other.tar"], cwd=tmp_path, capture_output=True, check=True
    )
    assert listed.stdout.decode() == "v1\n"


def test_half_a_stream_is_refused_and_nothing_written(digest: str, tmp_path: Path) -> None:
    written = copy(tmp_path, "oci:image:v1", "-").stdout
    read = copy(tmp_path, "-", "oci:other:v1", data=written[: len(written) // 2])
    assert read.returncode == 1
    assert read.stderr.decode().startswith("manyfest: oci-archive:-, byte 12288: is truncated")
    assert not (tmp_path / "other").exists()


def test_a_reader_that_goes_away_is_an_error(tmp_path: Path) -> None:
    layout = LayoutStore(tmp_path / "image")
    images.make(layout, "index", "v1")
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run(
        [MANYFEST, "copy", "oci:image:v1", "-"],
        cwd=tmp_path, stdout=writing, stderr=subprocess.PIPE, check=False,
    )  # fmt: skip
    os.close(writing)
    assert (ended.returncode, ended.stderr.decode()) == (
        1,
        "manyfest: standard output: cannot be written: Broken pipe\n",
    )


def test_an_archive_is_not_written_to_a_terminal(digest: str, tmp_path: Path) -> None:
    master, terminal = pty.openpty()
    ended = subprocess.run(
        [MANYFEST, "copy", "oci:image:v1", "-"],
        cwd=tmp_path, stdout=terminal, stderr=subprocess.PIPE, check=False,
    )  # fmt: skip
    os.close(terminal)
    os.close(master)
    assert (ended.returncode, ended.stderr.decode()) == (
        2,
        "manyfest: standard output: an archive is not for a terminal to show;"
        " send it to a file or a program\n",
    )


def test_an_archive_is_not_read_from_a_terminal(tmp_path: Path) -> None:
    master, terminal = pty.openpty()
    ended = subprocess.run(
        [MANYFEST, "copy", "-", "oci:image:v1"],
        cwd=tmp_path, stdin=terminal, stderr=subprocess.PIPE, check=False,
    )  # fmt: skip
    os.close(terminal)
    os.close(master)
    assert (ended.returncode, ended.stderr.decode()) == (
        2,
        "manyfest: oci-archive:-: standard input is a terminal; send an archive into it\n",
    )


def test_a_file_is_not_written_that_standard_input_is(digest: str, tmp_path: Path) -> None:
    copy(tmp_path, "oci:image:v1", "oci-archive:image.tar")
    before = (tmp_path / "image.tar").read_bytes()
    with (tmp_path / "image.tar").open("rb") as file:
        ended = subprocess.run(
            [MANYFEST, "copy", "-", "oci-archive:image.tar"],
            cwd=tmp_path, stdin=file, stderr=subprocess.PIPE, check=False,
        )  # fmt: skip
    assert (ended.returncode, ended.stderr.decode()) == (
        2,
        "manyfest: oci-archive:image.tar: it would be read from and written to at once;"
        " write another file\n",
    )
    assert (tmp_path / "image.tar").read_bytes() == before


def test_a_file_on_standard_input_is_read_where_it_lies(digest: str, tmp_path: Path) -> None:
    copy(tmp_path, "oci:image:v1", "oci-archive:image.tar")
    with (tmp_path / "image.tar").open("rb") as file:
        read = subprocess.run(
            [MANYFEST, "copy", "-", "oci:other:v1"],
            cwd=tmp_path, stdin=file, capture_output=True, check=False,
            env={**os.environ, "TMPDIR": "/nowhere"},
        )  # fmt: skip
    assert (read.returncode, read.stdout.decode()) == (0, f"{digest}\n")
