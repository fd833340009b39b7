"""Whichever call fails while platforms are staged and published, the same command finishes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from manyfest.errors import ManyfestError
from manyfest.oci.reference import Reference
from manyfest.release.steps.step import Release
from tests.unit.releases import (
    ONE,
    TWO,
    FakeStores,
    Trouble,
    assert_whole,
    hold_former_release,
    never,
)
from tests.unit.staging import (
    AMD64,
    ARM64,
    archive,
    publish,
    publishing,
    runnable_index,
    stage,
    staging,
)

BOTH = (ONE, TWO)
PUBLIC = ("2.6.1", "2.6", "latest")

Job = Callable[[FakeStores], Release]


def copy_of(stores: FakeStores, *, late: bool = False) -> FakeStores:
    """Other registries with the same content."""
    made = FakeStores(Trouble(late=late))
    for place in BOTH:
        made.at(place).blobs.update(stores.at(place).blobs)
        made.at(place).names.update(stores.at(place).names)
    return made


def each_failure(before: FakeStores, job: Job, *, late: bool) -> Iterator[FakeStores]:
    """The registries after every other call that ``job`` makes has failed once."""
    undisturbed = copy_of(before)
    job(undisturbed)
    for number in range(1, len(undisturbed.trouble.calls) + 1, 2):
        stores = copy_of(before, late=late)
        stores.trouble.fails = exactly(number)
        with suppress(ManyfestError):
            job(stores)
        stores.trouble.fails = never
        yield stores


def exactly(number: int) -> Callable[[int, str], bool]:
    return lambda made, _call: made == number


@pytest.fixture
def taken(tmp_path: Path) -> Reference:
    """An archive whose images say nothing of themselves: records are needed too."""
    return archive(tmp_path, runnable_index)


@pytest.mark.parametrize("late", [False, True], ids=["refused", "answer lost"])
def test_a_call_fails_while_a_platform_is_staged(
    tmp_path: Path, taken: Reference, late: bool
) -> None:
    def job(stores: FakeStores) -> Release:
        release = staging(tmp_path, stores, ARM64, to=BOTH, taken_from=taken)
        stage(release)
        return release

    for stores in each_failure(FakeStores(), job, late=late):
        for place in BOTH:
            tags = [tag for tag in stores.at(place).pointers if not tag.startswith("sha256-")]
            assert tags in ([], ["2.6.1-arm64"])
            assert_whole(stores.at(place))
        release = job(stores)
        for place in BOTH:
            assert stores.at(place).pointers["2.6.1-arm64"] == release.built.digest
            assert len(stores.at(place).referrers(release.built.digest)) == 1


@pytest.mark.parametrize("late", [False, True], ids=["refused", "answer lost"])
def test_a_call_fails_while_platforms_are_published(
    tmp_path: Path, taken: Reference, late: bool
) -> None:
    staged = FakeStores()
    for platform in (AMD64, ARM64):
        stage(staging(tmp_path, staged, platform, to=BOTH, taken_from=taken))
    former = hold_former_release(staged.at(ONE), "2.6", "latest")

    def job(stores: FakeStores) -> Release:
        release = publishing(tmp_path, stores, to=BOTH)
        publish(release)
        return release

    expected = job(copy_of(staged)).built.digest
    for stores in each_failure(staged, job, late=late):
        for place in BOTH:
            held = {stores.at(place).pointers.get(tag) for tag in PUBLIC}
            assert held <= {None, former, expected}
            assert_whole(stores.at(place))
        job(stores)
        for place in BOTH:
            assert {stores.at(place).pointers[tag] for tag in PUBLIC} == {expected}
