from __future__ import annotations

import io
import os
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings

from manyfest.layers.entry import Entry, EntryType
from manyfest.layers.read import read_entries, scan
from manyfest.layers.write import write_layer
from tests.trees import TREES, Folder, keeps_notes, put, told
from tests.unit.building import Bench

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(shutil.which("tar") is None, reason="GNU tar is not installed"),
]


def test_gnu_tar_lists_what_is_written(tmp_path: Path) -> None:
    long_name = "/".join(["d" * 90] * 4)
    archive = tmp_path / "layer.tar"
    with archive.open("wb") as sink:
        write_layer(
            [
                (Entry(name="bin/tool", mode=0o4755, uid=1, gid=2, size=3, mtime=86400), b"abc"),
                (Entry(name="größe", mtime=-60), b""),
                (Entry(name=long_name, uid=2**31, size=1, xattrs={"user.a": b"\0\n"}), b"x"),
                (Entry(name="same", type=EntryType.HARDLINK, linkname="bin/tool"), None),
                (Entry(name="sym", type=EntryType.SYMLINK, linkname="é" * 80), None),
            ],
            sink,
        )
    listing = subprocess.run(
        ["tar", "--numeric-owner", "--utc", "--quoting-style=literal", "-tvf", archive],
        capture_output=True,
        check=True,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )
    lines = [" ".join(line.split()) for line in listing.stdout.decode().splitlines()]
    assert listing.stderr == b""
    assert "-rwsr-xr-x 1/2 3 1970-01-02 00:00 bin/tool" in lines
    assert "-rw-r--r-- 0/0 0 1969-12-31 23:59 größe" in lines
    assert f"-rw-r--r-- 2147483648/0 1 1970-01-01 00:00 {long_name}" in lines
    assert "hrw-r--r-- 0/0 0 1970-01-01 00:00 same link to bin/tool" in lines
    assert "lrw-r--r-- 0/0 0 1970-01-01 00:00 sym -> " + "é" * 80 in lines
    assert len(lines) == 9  # and four parent directories


@pytest.mark.parametrize("form", ["pax", "gnu", "oldgnu", "ustar", "v7"])
def test_what_gnu_tar_writes_is_read(form: str, tmp_path: Path) -> None:
    (tmp_path / "dir").mkdir()
    (tmp_path / "dir" / "file").write_bytes(b"x" * 1000)
    os.utime(tmp_path / "dir" / "file", (5, 5))
    os.link(tmp_path / "dir" / "file", tmp_path / "dir" / "hard")
    (tmp_path / "dir" / "soft").symlink_to("../file")
    expected = {
        ".": (EntryType.DIR, "", b""),
        "file": (EntryType.FILE, "", b"x" * 1000),
        "hard": (EntryType.HARDLINK, "file", b""),
        "soft": (EntryType.SYMLINK, "../file", b""),
    }
    if form in {"pax", "gnu", "oldgnu"}:
        (tmp_path / "dir" / ("ü" * 120)).write_bytes(b"long")
        expected["ü" * 120] = (EntryType.FILE, "", b"long")
    tar = subprocess.run(
        ["tar", f"--format={form}", "--sort=name", "-C", tmp_path / "dir", "-cf", "-", "."],
        capture_output=True,
        check=True,
    ).stdout
    read = {
        entry.name: (entry.type, entry.linkname, content.read(2000))
        for entry, content in read_entries(io.BytesIO(tar))
    }
    assert read == expected
    offsets = {entry.name: (entry.size, at) for entry, at in scan(io.BytesIO(tar))}
    size, at = offsets["file"]
    assert tar[at : at + size] == b"x" * 1000


@settings(deadline=None, max_examples=20)
@given(TREES)
def test_gnu_tar_unpacks_any_tree_as_it_was_built(tree: Folder) -> None:
    with TemporaryDirectory() as temporary:
        bench, unpacked = Bench(Path(temporary)), Path(temporary, "unpacked")
        bench.context.mkdir()
        unpacked.mkdir()
        put(tree, bench.context / "t", notes=keeps_notes(bench.context))
        built = bench.build("FROM scratch\nCOPY t /\n")
        layer = built.platforms[0].manifest.image.layers[0].digest
        blob = bench.folder / "work1/blobs/sha256" / layer.hex
        subprocess.run(
            ["tar", "--xattrs", "--xattrs-include=user.*", "-xzpf", blob, "-C", unpacked],
            check=True,
        )

        assert told(unpacked) == told(bench.context / "t")
