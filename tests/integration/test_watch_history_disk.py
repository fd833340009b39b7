"""The history on disks that are small, or that cannot be written to, and through kills."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from manyfest.errors import HistoryAway, HistoryError
from manyfest.watch.history.batch import Batch
from manyfest.watch.history.history import History
from tests import real
from tests.chaos.history import kill_first_starts, kill_writers
from tests.histories import amount, change, event, state


def test_a_full_disk_is_told_and_all_goes_on_when_there_is_room(tmp_path: Path) -> None:
    with _disk(tmp_path / "disk", "size=2m") as folder:
        ballast = folder / "ballast"
        with History.open(str(folder / "history.db")) as history:
            history.record(Batch(changes=(change("1.0.0", at=1.0),)))
            _fill(ballast)
            some = Batch(changes=tuple(change(f"1.0.{number}", at=2.0) for number in range(50)))
            with pytest.raises(HistoryAway, match="the disk is full; make room"):
                history.record(some)
            assert history.states() == [state("1.0.0", at=1.0)]
            ballast.unlink()
            history.record(some)
            assert amount(history, "observations") == 51
        with History.open(str(folder / "history.db")) as history:
            assert amount(history, "events") == 51


def test_a_disk_that_is_full_at_the_start_is_told(tmp_path: Path) -> None:
    with _disk(tmp_path / "disk", "size=1m") as folder:
        _fill(folder / "ballast")
        with pytest.raises(HistoryAway, match="the disk is full; make room"):
            History.open(str(folder / "history.db"))
        (folder / "ballast").unlink()
        with History.open(str(folder / "history.db")) as history:
            history.record(Batch(events=(event("2.6.1", at=1.0),)))


def test_a_folder_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    with _disk(tmp_path / "disk", "size=1m") as folder:
        _again(folder, "ro")
        with pytest.raises(HistoryError) as caught:
            History.open(str(folder / "history.db"))
        assert str(caught.value) == (
            f"{folder}/history.db: the file cannot be made: Read-only file system;"
            " name a file in a folder that the watch can write to"
        )


def test_a_file_that_can_only_be_read_is_told(tmp_path: Path) -> None:
    with _disk(tmp_path / "disk", "size=4m") as folder:
        with History.open(str(folder / "history.db")) as history:
            history.record(Batch(events=(event("2.6.1", at=1.0),)))
        _again(folder, "ro")
        with pytest.raises(HistoryError, match="it must be in a folder that can be written to"):
            History.open(str(folder / "history.db"))
        _again(folder, "rw")
        with History.open(str(folder / "history.db")) as history:
            assert amount(history, "events") == 1


def test_killed_watches_lose_nothing_and_write_nothing_twice(tmp_path: Path) -> None:
    tally = kill_writers(str(tmp_path / "history.db"), 6, seed=20261126)
    assert tally.kills == 6
    assert tally.written > 0


def test_watches_that_are_killed_while_they_make_the_history_leave_one_that_opens(
    tmp_path: Path,
) -> None:
    assert kill_first_starts(tmp_path, 3, seed=20261126).kills == 3


@contextmanager
def _disk(folder: Path, size: str) -> Iterator[Path]:
    real.need_root()
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(folder)]
    mounted = subprocess.run(command, check=False, capture_output=True, text=True)
    real.need(f"tmpfs cannot be mounted: {mounted.stderr}", met=mounted.returncode == 0)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def _again(folder: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(folder)], check=True)


def _fill(ballast: Path) -> None:
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return
