from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from manyfest.serve.syncs import sync_files, sync_folders, write_out

Calls = list[tuple[str, str]]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """What is asked of the system, and of which file."""
    made: Calls = []

    def name(descriptor: int) -> str:
        return Path(os.readlink(f"/proc/self/fd/{descriptor}")).name

    def advise(descriptor: int, _start: int, _size: int, advice: int) -> None:
        assert advice == os.POSIX_FADV_DONTNEED
        made.append(("begin", name(descriptor)))

    monkeypatch.setattr(os, "posix_fadvise", advise)
    monkeypatch.setattr(os, "fsync", lambda descriptor: made.append(("wait", name(descriptor))))
    return made


def test_all_files_are_begun_before_one_is_waited_for(tmp_path: Path, calls: Calls) -> None:
    with (tmp_path / "one").open("w") as one, (tmp_path / "two").open("w") as two:
        sync_files([one.fileno(), two.fileno()])
    assert calls == [("begin", "one"), ("begin", "two"), ("wait", "one"), ("wait", "two")]


def test_one_file_is_only_waited_for(tmp_path: Path, calls: Calls) -> None:
    with (tmp_path / "one").open("w") as one:
        sync_files([one.fileno()])
    assert calls == [("wait", "one")]


def test_each_folder_is_synced(tmp_path: Path, calls: Calls) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    sync_folders([str(tmp_path / "one"), str(tmp_path / "two")])
    assert calls == [("wait", "one"), ("wait", "two")]


def test_a_file_that_cannot_be_begun_is_synced_all_the_same(
    tmp_path: Path, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: int) -> None:
        raise OSError(errno.EINVAL, "it knows nothing of that")

    monkeypatch.setattr(os, "posix_fadvise", refuse)
    with (tmp_path / "one").open("w") as one, (tmp_path / "two").open("w") as two:
        sync_files([one.fileno(), two.fileno()])
    assert calls == [("wait", "one"), ("wait", "two")]


def test_what_is_written_out_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with path.open("wb", 0) as file:
        file.write(b"begun")
        write_out(file.fileno())
        file.write(b" and ended")
    assert path.read_bytes() == b"begun and ended"
