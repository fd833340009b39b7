"""ADD of local archives: which are unpacked, and to what."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from manyfest.build.built import Built
from manyfest.errors import BuildError
from manyfest.layers.entry import EntryType
from manyfest.oci.descriptor import Descriptor
from manyfest.stores.base import Source
from tests.unit.building import EPOCH, Bench, layer_entries, layer_files, write


def plain(data: bytes) -> bytes:
    return data


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


def member(name: str, content: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    info.mtime = EPOCH - 1
    for field, value in fields.items():
        setattr(info, field, value)
    return info, content


def tar(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for info, content in members:
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def layer_of(built: Built) -> tuple[Source, Descriptor]:
    return built.source, built.platforms[0].manifest.image.layers[0]


TAR = tar(
    member(".", type=tarfile.DIRTYPE, mode=0o700),
    member("d", type=tarfile.DIRTYPE, mode=0o750, uid=5, gid=6, uname="me"),
    member("d/f", b"hello", mode=0o4600, uid=7, gid=8),
    member("d/l", type=tarfile.SYMTYPE, linkname="f"),
    member("d/h", type=tarfile.LNKTYPE, linkname="d/f", mode=0o4600, uid=7, gid=8),
    member("implied/x", b"y", mode=0o644),
)
UNPACKED = [
    "d/ 750 5:6",
    "d/f 4600 7:8 =hello",
    "d/h 4600 7:8 == d/f",
    "d/l -> f",
    "implied/ 755",
    "implied/x 644 =y",
]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path)
    write(bench.context, {"t.tar": TAR, "a.txt": "a"})
    return bench


@pytest.mark.parametrize("packed", [plain, gzip.compress, bz2.compress, lzma.compress, zstd])
def test_archives_are_told_by_their_content(bench: Bench, packed: Callable[[bytes], bytes]) -> None:
    (bench.context / "some.file").write_bytes(packed(TAR))

    assert bench.files("FROM scratch\nADD some.file /\n") == UNPACKED


@pytest.mark.parametrize(
    ("instruction", "expected"),
    [
        ("ADD t.tar /in", ["in/ 755", *(f"in/{x}" for x in UNPACKED[:2]),
            "in/d/h 4600 7:8 == in/d/f", *(f"in/{x}" for x in UNPACKED[3:])]),
        ("ADD --chown=1 --chmod=700 t.tar /", ["d/ 750 1:1", "d/f 4600 1:1 =hello",
            "d/h 4600 1:1 == d/f", "d/l 1:1 -> f", "implied/ 755", "implied/x 644 1:1 =y"]),
    ],
)  # fmt: skip
def test_owners_may_change_and_modes_do_not(
    bench: Bench, instruction: str, expected: list[str]
) -> None:
    assert bench.files(f"FROM scratch\n{instruction}\n") == expected


@pytest.mark.parametrize("instruction", ["COPY t.tar /x", "ADD --unpack=false t.tar /x"])
def test_not_unpacked_unless_asked(bench: Bench, instruction: str) -> None:
    (file,) = bench.files(f"FROM scratch\n{instruction}\n")

    assert file.startswith("x 644 =./")


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 1024, gzip.compress(b"not a tar", mtime=0), b"BZh9broken", TAR[:500]]
)
def test_what_is_no_archive_is_copied(bench: Bench, content: bytes) -> None:
    (bench.context / "file").write_bytes(content)
    ((_, copied),) = layer_entries(*layer_of(bench.build("FROM scratch\nADD file /x\n")))

    assert copied == content


def test_times_are_kept_up_to_the_epoch(bench: Bench) -> None:
    late = member("late", mtime=EPOCH + 5)
    (bench.context / "t.tar").write_bytes(tar(member("early"), late))
    entries = layer_entries(*layer_of(bench.build("FROM scratch\nADD t.tar /\n")))

    assert {entry.name: entry.mtime for entry, _ in entries} == {
        "early": EPOCH - 1,
        "late": EPOCH,
    }


def test_links_of_the_image_are_followed(bench: Bench) -> None:
    write(bench.context, {"root/real/": "", "root/d": "-> real"})
    (bench.context / "t.tar").write_bytes(tar(member("d/f", b"1")))

    assert bench.files("FROM scratch\nCOPY root /\nADD t.tar /\n") == [
        "d -> real",
        "real/ 755",
        "real/f 644 =1",
    ]


def test_links_lead_nowhere_outside_of_the_destination(bench: Bench) -> None:
    links = (
        member("away", type=tarfile.SYMTYPE, linkname="/etc"),
        member("up", type=tarfile.SYMTYPE, linkname="../../.."),
    )
    (bench.context / "t.tar").write_bytes(tar(*links, member("away/f"), member("up/g")))

    assert bench.files("FROM scratch\nADD t.tar /in\n") == [
        "in/ 755",
        "in/away -> /etc",
        "in/etc/ 755",
        "in/etc/f 644 =",
        "in/g 644 =",
        "in/up -> ../../..",
    ]


def test_of_a_name_that_comes_twice_the_last_one_stands(bench: Bench) -> None:
    again = (member("a", b"old"), member("h", type=tarfile.LNKTYPE, linkname="a"))
    (bench.context / "t.tar").write_bytes(tar(*again, member("a", b"new"), member("d/x")))

    assert bench.files("FROM scratch\nADD t.tar /\n") == [
        "a 644 =new",
        "d/ 755",
        "d/x 644 =",
        "h 644 =old",
    ]


def test_a_hard_link_may_lead_to_a_file_of_the_image(bench: Bench) -> None:
    links = (
        member("in/link", type=tarfile.LNKTYPE, linkname="in/a.txt"),
        member("in/more", type=tarfile.LNKTYPE, linkname="in/link"),
    )
    (bench.context / "t.tar").write_bytes(tar(*links))
    built = bench.build("FROM scratch\nCOPY --chown=5 a.txt /in/\nADD t.tar /\n")

    assert layer_files(built) == [
        "in/ 755 5:5",
        "in/a.txt 644 5:5 =a",
        "in/link 644 5:5 == in/a.txt",
        "in/more 644 5:5 == in/a.txt",
    ]


def test_every_kind_of_file(bench: Bench) -> None:
    long = "/".join(["ü" * 60] * 5)
    device = member("dev", type=tarfile.CHRTYPE, devmajor=1, devminor=3, mode=0o666)
    pipe = member("pipe", type=tarfile.FIFOTYPE, mode=0o600)
    (bench.context / "t.tar").write_bytes(tar(device, pipe, member(long, uid=2**31)))
    built = bench.build("FROM scratch\nADD t.tar /\n")
    entries = {e.name: e for e, _ in layer_entries(*layer_of(built))}

    assert (entries["dev"].type, entries["dev"].mode) == (EntryType.CHAR, 0o666)
    assert (entries["dev"].devmajor, entries["dev"].devminor) == (1, 3)
    assert (entries["pipe"].type, entries["pipe"].mode) == (EntryType.FIFO, 0o600)
    assert entries[long].uid == 2**31


def test_attributes_of_other_machines_stay_behind(bench: Bench) -> None:
    records = {
        "SCHILY.xattr.user.note": "n",
        "SCHILY.xattr.security.capability": "c",
        "SCHILY.xattr.security.selinux": "s",
        "SCHILY.xattr.trusted.overlay.opaque": "y",
    }
    (bench.context / "t.tar").write_bytes(tar(member("a", pax_headers=records)))
    built = bench.build("FROM scratch\nADD t.tar /\n")
    ((entry, _),) = layer_entries(*layer_of(built))

    assert entry.xattrs == {"security.capability": b"c", "user.note": b"n"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (TAR[:2000], "is truncated"),
        (gzip.compress(TAR, mtime=0)[:-20], "is truncated: its last gzip member is not whole"),
        (tar(member("../x", b"1")), "the name '../x' climbs out with '..'"),
        (tar(member("b", type=tarfile.DIRTYPE), member("a", type=tarfile.LNKTYPE, linkname="b")),
         "has 'a', a hard link to 'b', which is no file"),
        (tar(member("a", type=tarfile.LNKTYPE, linkname="b")),
         "has 'a', a hard link to 'b', which is no file"),
    ],
)  # fmt: skip
def test_broken_archives(bench: Bench, content: bytes, message: str) -> None:
    (bench.context / "t.tar").write_bytes(content)

    with pytest.raises(BuildError) as caught:
        bench.build("FROM scratch\nADD t.tar /\n")
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"{bench.context}/Dockerfile:2: ADD: ")
