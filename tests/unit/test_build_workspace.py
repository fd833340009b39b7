from __future__ import annotations

import errno
from pathlib import Path

import pytest

from manyfest.build.workspace import room, workspace
from manyfest.errors import BuildError
from tests import images
from tests.unit.building import Bench, write


def test_a_workspace_can_be_written_to_and_is_gone_afterwards(tmp_path: Path) -> None:
    with workspace(tmp_path) as room:
        images.make(room, "index")
        assert len(list(tmp_path.iterdir())) == 1
    assert list(tmp_path.iterdir()) == []


def test_nothing_in_it_waits_for_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.fsync", lambda _: pytest.fail("something was synced"))
    with workspace(tmp_path) as room:
        images.make(room, "index")


def test_it_is_gone_after_a_failure_too(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), workspace(tmp_path):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_becomes_full_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(BuildError) as caught, workspace():
        raise OSError(errno.ENOSPC, "No space left on device")
    assert str(caught.value) == (
        f"{tmp_path}: the image cannot be written: No space left on device;"
        " make room there, or let TMPDIR name another place"
    )


def test_what_a_killed_build_left_is_removed_and_one_in_use_is_not(tmp_path: Path) -> None:
    (tmp_path / ".manyfest-build-killed" / "layout").mkdir(parents=True)
    with workspace(tmp_path) as first, workspace(tmp_path) as second:
        assert not (tmp_path / ".manyfest-build-killed").exists()
        assert first.path.parent.is_dir()
        assert second.path.parent.is_dir()


def test_a_workspace_in_the_context_is_no_part_of_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    write(bench.context, {"dist/image.tar": "x", ".dockerignore": "!**/.manyfest-build-*\n"})
    with workspace(bench.context / "dist") as room:
        (room.path.parent / "secret").write_text("hush")
        files = bench.files("FROM scratch\nCOPY dist /dist\n")
    assert files == ["dist/ 755", "dist/image.tar 644 =x"]


def test_folders_that_may_not_be_written_to_are_removed_too(tmp_path: Path) -> None:
    with room(tmp_path) as place:
        (place / "closed" / "inner").mkdir(parents=True)
        (place / "closed" / "inner" / "file").touch()
        (place / "elsewhere").symlink_to(tmp_path)
        (place / "closed" / "inner").chmod(0o500)
        (place / "closed").chmod(0)
    assert list(tmp_path.iterdir()) == []
