"""A cache that is wrong, torn, full or not ours costs time and nothing else."""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from manyfest.build.cache import BuildCache, Note, _second_name
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.mediatypes import OCI_LAYER_GZIP
from manyfest.stores.base import Content
from manyfest.stores.blobs import BlobFolder
from manyfest.stores.files import remove_abandoned
from tests.unit.test_build_cache import Kept, kept, layer_digests

__all__ = ["kept"]

RAW = b"a layer"
LAYER = Descriptor.of(RAW, OCI_LAYER_GZIP)
KEY = "0" * 64
NOTE = Note(digest=LAYER.digest, size=LAYER.size, diff_id=Digest.of(b"its tar"), since=7)


@pytest.fixture
def room(tmp_path: Path) -> BlobFolder:
    room = BlobFolder(tmp_path / "room")
    room.put(Content(LAYER, lambda: io.BytesIO(RAW)))
    return room


@pytest.fixture
def empty(tmp_path: Path) -> BlobFolder:
    return BlobFolder(tmp_path / "empty")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "builds"


@pytest.fixture
def cache(folder: Path, room: BlobFolder) -> BuildCache:
    """Holds one layer."""
    cache = BuildCache(folder)
    cache.keep(LAYER, room)
    cache.note(KEY, NOTE)
    return cache


def blob_of(folder: Path) -> Path:
    return folder / f"sha256-{LAYER.digest.hex}"


def refuse_links(monkeypatch: pytest.MonkeyPatch) -> None:
    def link(*_: object, **__: object) -> None:
        raise OSError(errno.EXDEV, "another file system")

    monkeypatch.setattr(os, "link", link)


def test_what_was_kept_is_found(cache: BuildCache, empty: BlobFolder) -> None:
    assert cache.find(KEY) == NOTE
    assert cache.take(LAYER, empty)
    assert empty.path(LAYER.digest).read_bytes() == RAW


def test_a_note_is_json_with_these_keys(cache: BuildCache, folder: Path) -> None:
    del cache
    assert (folder / f"layer-{KEY}").read_text() == (
        f'{{"digest":"{LAYER.digest}","size":7,"diff_id":"{NOTE.diff_id}","since":7}}'
    )


def test_a_blob_lies_on_the_disk_once(
    cache: BuildCache, folder: Path, room: BlobFolder, empty: BlobFolder
) -> None:
    cache.take(LAYER, empty)
    places = [blob_of(folder), room.path(LAYER.digest), empty.path(LAYER.digest)]
    assert len({place.stat().st_ino for place in places}) == 1


def test_between_file_systems_it_is_copied(
    folder: Path, room: BlobFolder, empty: BlobFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_links(monkeypatch)
    cache = BuildCache(folder)
    cache.keep(LAYER, room)
    assert cache.take(LAYER, empty)
    assert empty.path(LAYER.digest).read_bytes() == RAW
    assert len(list(folder.iterdir())) == 1


def test_nobody_else_can_read_it(cache: BuildCache, folder: Path) -> None:
    del cache
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def overwrite(content: bytes) -> Callable[[Path], object]:
    def change(path: Path) -> None:
        path.unlink()
        path.write_bytes(content)

    return change


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def link_to(target: str) -> Callable[[Path], object]:
    def change(path: Path) -> None:
        path.unlink()
        path.symlink_to(target)

    return change


def directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGED: dict[str, Callable[[Path], object]] = {
    "gone": Path.unlink,
    "empty": overwrite(b""),
    "cut off": overwrite(RAW[:-1]),
    "longer": overwrite(RAW + b"!"),
    "other bytes": overwrite(b"A layer"),
    "a pipe": pipe,
    "a directory": directory,
    "a link to nothing": link_to("nothing"),
    "a link to what never ends": link_to("/dev/zero"),
}


@pytest.mark.parametrize("links", [True, False], ids=["linked", "copied"])
@pytest.mark.parametrize("damage", DAMAGED)
def test_a_blob_that_is_not_what_it_should_be_is_not_taken(
    cache: BuildCache,
    folder: Path,
    empty: BlobFolder,
    monkeypatch: pytest.MonkeyPatch,
    damage: str,
    *,
    links: bool,
) -> None:
    DAMAGED[damage](blob_of(folder))
    if not links:
        refuse_links(monkeypatch)
    assert not cache.take(LAYER, empty)
    assert not empty.path(LAYER.digest).exists()
    assert not any(path.is_file() for path in empty.root.rglob("*"))


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_build_mends_a_damaged_blob(kept: Kept, damage: str) -> None:
    first, _ = kept.build()
    (blob,) = kept.folder.glob("sha256-*")
    DAMAGED[damage](blob)
    second, outcomes = kept.build()
    assert outcomes == ["done"]
    assert layer_digests(second) == layer_digests(first)
    if damage != "a directory":  # which only a person can have made
        assert kept.outcome() == "present"


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"digest":"../../etc/passwd","size":7,"diff_id":"x","since":7}',
        b'{"digest":"sha256:00","size":7,"diff_id":"sha256:00","since":7}',
        b'{"size":7}',
        b"\xff" * 40,
        b" " * 5000,
    ],
)
def test_a_note_that_is_none_is_not_believed(
    cache: BuildCache, folder: Path, damaged: bytes
) -> None:
    (folder / f"layer-{KEY}").write_bytes(damaged)
    assert cache.find(KEY) is None


def test_a_note_of_another_size_takes_nothing(cache: BuildCache, empty: BlobFolder) -> None:
    other = Descriptor(media_type=OCI_LAYER_GZIP, digest=LAYER.digest, size=8)
    assert not cache.take(other, empty)


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_a_folder_that_others_can_write_to_is_not_used(
    cache: BuildCache, folder: Path, room: BlobFolder, empty: BlobFolder, mode: int
) -> None:
    del cache
    folder.chmod(mode)
    cache = BuildCache(folder)
    assert cache.find(KEY) is None
    assert not cache.take(LAYER, empty)
    before = sorted(folder.iterdir())
    cache.keep(LAYER, room)
    cache.note("1" * 64, NOTE)
    assert sorted(folder.iterdir()) == before


def test_a_folder_of_somebody_else_is_not_used(
    cache: BuildCache, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del cache
    monkeypatch.setattr(os, "geteuid", lambda: folder.stat().st_uid + 1)
    assert BuildCache(folder).find(KEY) is None


def test_a_folder_that_cannot_be_made_is_no_error(tmp_path: Path, room: BlobFolder) -> None:
    (tmp_path / "file").write_text("")
    cache = BuildCache(tmp_path / "file" / "builds")
    cache.keep(LAYER, room)
    cache.note(KEY, NOTE)
    assert cache.find(KEY) is None
    assert not cache.take(LAYER, room)


def test_a_folder_that_goes_away_is_no_error(
    cache: BuildCache, folder: Path, room: BlobFolder
) -> None:
    cache.find(KEY)
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    cache.keep(LAYER, room)
    cache.note(KEY, NOTE)
    assert cache.find(KEY) in {None, NOTE}


def test_a_full_disk_keeps_nothing_and_the_build_goes_on(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_links(monkeypatch)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("manyfest.build.cache._copy", full)
    assert kept.outcome() == "done"
    assert not list(kept.folder.glob("sha256-*"))
    assert kept.outcome() == "done"


def test_what_a_killed_build_left_goes_when_room_is_made(folder: Path, room: BlobFolder) -> None:
    cache = BuildCache(folder, limit=1, chance=lambda: 0.0)
    folder.mkdir(parents=True, mode=0o700)
    (folder / ".manyfest-0123").write_bytes(b"half")
    cache.keep(LAYER, room)
    assert not (folder / ".manyfest-0123").exists()


def test_what_was_not_used_for_the_longest_time_goes_first(
    folder: Path, room: BlobFolder, empty: BlobFolder
) -> None:
    cache = BuildCache(folder, limit=4 * 4096, chance=lambda: 0.0)
    layers = [Descriptor.of(f"layer {n}".encode(), OCI_LAYER_GZIP) for n in range(5)]
    for number, layer in enumerate(layers):
        raw = f"layer {number}".encode()
        room.put(Content(layer, lambda raw=raw: io.BytesIO(raw)))  # type: ignore[misc]
        if number == 4:
            for age, path in enumerate(layers[:4]):
                os.utime(folder / f"sha256-{path.digest.hex}", (age, age))
            assert cache.take(layers[0], empty)  # and so it is the newest
        cache.keep(layer, room)
    found = [(folder / f"sha256-{layer.digest.hex}").exists() for layer in layers]
    assert found == [True, False, False, True, True]


def test_clearing_up_leaves_alone_what_is_being_taken(tmp_path: Path) -> None:
    """A layout that is written by several threads is cleared up while a blob gets its name in it,
    which is not its own before it was hashed."""
    (tmp_path / "kept").write_bytes(b"a layer")
    with _second_name(tmp_path / "kept", tmp_path / "room" / "layer") as name:
        remove_abandoned(tmp_path / "room")
        assert name is not None
        assert name.read_bytes() == b"a layer"
