"""The short form of ``python -m tests.chaos.serve``."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.serve import contend, run


def test_killed_registries_have_all_that_they_acknowledged_and_nothing_false(
    tmp_path: Path,
) -> None:
    tally = run(tmp_path, 5, seed=20261126)

    assert tally.kills == 5
    assert tally.finished > 0
    assert tally.hashed > 0


def test_two_registries_on_one_folder_take_the_same_blobs_and_tags_at_once(tmp_path: Path) -> None:
    tally = contend(tmp_path, 3, seed=20261126)

    assert tally.finished > 0
    assert tally.hashed > 0
