"""The short form of ``make chaos`` for releases: real registries, kills, faults and races."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.faults import Campaign, campaign
from tests.chaos.releases import AtOnce, Kills
from tests.chaos.scene import places
from tests.chaos.trouble import KINDS

pytestmark = pytest.mark.real

RUNS = {
    "500": 3,
    "502": 2,
    "429": 3,
    "reset": 2,
    "truncation": 4,
    "slow": 0,
    "expired-token": 1,
    "stale": 2,
    "stale-and-reset": 4,
    "death": 3,
}
"""For each kind of fault the number of a run that meets it while tags are set, or near that."""


def test_releases_that_are_killed_go_on_and_nobody_sees_half_of_one(tmp_path: Path) -> None:
    with places(tmp_path) as place:
        tally = Kills(place, tmp_path, seed=20261126, layer_bytes=100_000).run(4)

    assert tally.releases == 4
    assert tally.kills >= 4
    assert all(seen.pulls for seen in tally.seen)


def test_of_two_releases_of_one_version_at_once_one_wins_unless_they_are_the_same(
    tmp_path: Path,
) -> None:
    with places(tmp_path) as place:
        race = AtOnce(place, tmp_path, seed=20261126, layer_bytes=10_000).run(1)

    assert (race.same, race.different) == (1, 1)


@pytest.fixture(scope="module")
def faults(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Campaign]:
    with campaign(tmp_path_factory.mktemp("faults"), seed=20261126) as prepared:
        yield prepared


@pytest.mark.parametrize("kind", KINDS)
def test_a_release_that_meets_faults_ends_whole_or_not_at_all_and_says_which(
    faults: Campaign, kind: str
) -> None:
    tally = faults.run(kind, [RUNS[kind]], lasting=False)

    assert tally.wrong == []
    assert tally.runs == 1
