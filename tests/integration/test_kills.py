"""The short form of ``make chaos``."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.kills import run


def test_a_copy_that_is_killed_finishes_the_next_time_and_leaves_nothing_false(
    tmp_path: Path,
) -> None:
    tallies = run(tmp_path, 6, layer_bytes=8 * 1024 * 1024, seed=20261125)

    assert {name: tally.kills for name, tally in tallies.items()} == {
        "archive to registry": 6,
        "registry to layout": 6,
    }
