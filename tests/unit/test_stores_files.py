from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from manyfest.errors import StoreError
from manyfest.stores.archives.writer import ArchiveWriter
from manyfest.stores.files import (
    FolderLock,
    new_file,
    open_file,
    read_small,
    remove_abandoned,
    unnamed_file,
    write_errors,
)
from manyfest.stores.layout import LayoutStore
from tests.images import make


def test_a_new_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a" / "file"
    with new_file(path) as file:
        file.write(b"content")
        file.flush()
        assert not path.exists()
    assert path.read_bytes() == b"content"
    assert os.listdir(path.parent) == ["file"]


@pytest.mark.parametrize("mode", [0o600, 0o640])
def test_a_new_file_has_its_mode_from_the_first(tmp_path: Path, mode: int) -> None:
    with new_file(tmp_path / "file", mode=mode) as file:
        assert os.fstat(file.fileno()).st_mode & 0o777 == mode
    assert (tmp_path / "file").stat().st_mode & 0o777 == mode


def fail(path: Path, error: BaseException) -> None:
    with new_file(path) as file:
        file.write(b"half")
        raise error


@pytest.mark.parametrize("error", [ValueError(), KeyboardInterrupt()])
def test_a_new_file_that_fails_leaves_the_old_one(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(type(error)):
        fail(path, error)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_new_file_is_synced_before_it_is_renamed_and_its_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []

    def fsync(descriptor: int) -> None:
        named = (tmp_path / "file").exists()
        steps.append(f"sync {'after' if named else 'before'} the name")

    monkeypatch.setattr(os, "fsync", fsync)
    with new_file(tmp_path / "file"):
        pass
    assert steps == ["sync before the name", "sync after the name"]


def test_what_need_not_last_is_not_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    with unnamed_file(tmp_path) as unnamed:
        unnamed.file.write(b"content")
        unnamed.name(tmp_path / "file", lasting=False)
    assert synced == []
    assert (tmp_path / "file").read_bytes() == b"content"


def test_whoever_has_a_folder_alone_waits_for_nobody_and_keeps_others_waiting(
    tmp_path: Path,
) -> None:
    with FolderLock(tmp_path) as one, FolderLock(tmp_path) as other:
        one.share()
        other.share()
        assert not one.try_alone()
        other.close()
        assert one.try_alone()
    assert os.listdir(tmp_path) == []


def test_a_lock_that_nobody_has_any_more_is_let_go(tmp_path: Path) -> None:
    FolderLock(tmp_path).share()
    with FolderLock(tmp_path) as lock:
        assert lock.try_alone()


def test_what_killed_runs_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / ".manyfest-0123456789abcdef").write_bytes(b"half")
    (tmp_path / ".manyfest-folder").mkdir()
    (tmp_path / "mine").write_bytes(b"whole")
    (tmp_path / ".manyfest-link").symlink_to("mine")
    with new_file(tmp_path / "file") as file:
        file.write(b"under way")
        remove_abandoned(tmp_path)
        assert len(os.listdir(tmp_path)) == 3
    assert (tmp_path / "file").read_bytes() == b"under way"
    assert (tmp_path / "mine").read_bytes() == b"whole"


def test_stores_clear_up_after_runs_that_were_killed(tmp_path: Path) -> None:
    left = [
        tmp_path / ".manyfest-archive",
        tmp_path / "layout" / ".manyfest-index",
        tmp_path / "layout" / "blobs" / "sha256" / ".manyfest-blob",
    ]
    left[2].parent.mkdir(parents=True)
    for path in left:
        path.write_bytes(b"half")
    with LayoutStore(tmp_path / "layout") as layout, ArchiveWriter(tmp_path / "a.tar") as archive:
        make(layout, "image")
        make(archive, "image")
    assert [path for path in left if path.exists()] == []


def test_clearing_up_where_there_is_no_folder_is_nothing(tmp_path: Path) -> None:
    remove_abandoned(tmp_path / "none")


def test_a_small_file_is_read_up_to_its_limit(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"1234")
    assert read_small(path, 4) == b"1234"
    with pytest.raises(OSError, match="it is 4 bytes, more than the 3 allowed"):
        read_small(path, 3)


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, Path("/dev/null")):
        with pytest.raises(OSError, match="it is not a regular file"):
            open_file(path)


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.ENOSPC, "No space left on device; make room there, and run it again"),
        (errno.EROFS, "Read-only file system; write to where you may, or have that changed"),
        (errno.EPIPE, "Broken pipe"),
    ],
)
def test_what_the_system_says_becomes_an_error_of_ours(number: int, says: str) -> None:
    with pytest.raises(StoreError) as caught, write_errors("oci:dir"):
        raise OSError(number, os.strerror(number))
    assert str(caught.value) == f"oci:dir: cannot be written: {says}"
