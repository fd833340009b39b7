from __future__ import annotations

from pathlib import Path

import pytest

from manyfest.build.workspace import workspace
from tests import images


def test_a_workspace_can_be_written_to_and_is_gone_afterwards(tmp_path: Path) -> None:
    with workspace(tmp_path) as room:
        images.make(room, "index")
        assert len(list(tmp_path.iterdir())) == 1
    assert list(tmp_path.iterdir()) == []


def test_it_is_gone_after_a_failure_too(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), workspace(tmp_path):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_build_left_is_removed_and_one_in_use_is_not(tmp_path: Path) -> None:
    (tmp_path / ".manyfest-build-killed" / "layout").mkdir(parents=True)
    with workspace(tmp_path) as first, workspace(tmp_path) as second:
        assert not (tmp_path / ".manyfest-build-killed").exists()
        assert first.path.parent.is_dir()
        assert second.path.parent.is_dir()
