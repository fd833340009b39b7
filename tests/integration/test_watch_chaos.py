"""A few kills of the whole watch; ``python -m tests.chaos.watch`` does many."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.watch import kill_again_and_again


def test_a_watch_that_is_killed_loses_nothing_and_tells_nothing_twice(tmp_path: Path) -> None:
    tally = kill_again_and_again(4, tmp_path)

    assert tally.wrong == []
    assert tally.kills == 4
    assert tally.events == 4 * 7
