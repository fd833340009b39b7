"""Whole or not at all: whichever call fails, no tag shows half a release."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from manyfest.errors import ManyfestError
from manyfest.oci.digest import Digest
from manyfest.release.run import run
from manyfest.release.steps.publish import PUBLISH
from manyfest.release.steps.step import Release
from manyfest.release.steps.tags import TAGS
from tests.unit.releases import (
    ONE,
    TWO,
    FakeStores,
    Trouble,
    assert_whole,
    digests,
    hold_former_release,
    make_release,
    with_image,
)

MOVING = ("2.6", "latest")
Pointers = dict[str, Digest]


def prepared(folder: Path, stores: FakeStores) -> Release:
    """A release to two registries, one of which holds an earlier one."""
    hold_former_release(stores.at(ONE), *MOVING)
    hold_former_release(stores.at(TWO), "2.6")
    return with_image(make_release(folder, stores, to=(ONE, TWO)))


def carry_out(release: Release) -> str:
    """The steps that talk to registries; why they ended, or nothing."""
    try:
        for _ in run(release, (PUBLISH, TAGS)):
            pass
    except ManyfestError as error:
        return str(error)
    return ""


def pointers(stores: FakeStores) -> Pointers:
    return {
        f"{place}:{tag}": digest
        for place in (ONE, TWO)
        for tag, digest in stores.at(place).pointers.items()
    }


def calls_of_a_release(folder: Path) -> int:
    stores = FakeStores()
    assert carry_out(prepared(folder, stores)) == ""
    return len(stores.trouble.calls)


def assert_kept_or_done(before: Pointers, after: Pointers, release: Release) -> None:
    all_set = done(release)
    assert after == all_set or all(after[tag] == digest for tag, digest in before.items())
    assert all(digest in (before.get(tag), all_set[tag]) for tag, digest in after.items())


def done(release: Release) -> Pointers:
    """Every tag everywhere, as it is after a release."""
    return {
        f"{name.place}:{tag}": digest
        for name in release.destinations
        for tag, digest in digests(release).items()
    }


def assert_true(said: str, before: Pointers, after: Pointers, release: Release) -> None:
    """The message, word for word, is what the registries hold."""
    told = {
        tag: standing
        for standing, tags in re.findall(
            r"(put back|taken away|set and left|not known|changed by others)[^:;]*: ([^;]+)", said
        )
        for tag in tags.split(", ")
    }
    for tag in before.keys() | after.keys():
        if told.get(tag) == "set and left":
            assert after[tag] == digests(release)[tag.rpartition(":")[2]]
        elif told.get(tag) != "not known":
            assert after.get(tag) == before.get(tag)


@pytest.mark.parametrize("late", [False, True], ids=["refused", "answer lost"])
def test_one_call_fails(tmp_path: Path, late: bool) -> None:
    for number in range(1, calls_of_a_release(tmp_path) + 1):
        stores = FakeStores(Trouble(late=late))
        release = prepared(tmp_path, stores)
        before = pointers(stores)
        stores.trouble.fails = exactly(number)
        said = carry_out(release)
        after = pointers(stores)
        assert_kept_or_done(before, after, release)
        if said:
            assert_true(said, before, after, release)
        else:  # its answer was not needed after all
            assert after == done(release)
        assert_whole(stores.at(ONE))
        assert_whole(stores.at(TWO))


@pytest.mark.parametrize("late", [False, True], ids=["refused", "answer lost"])
def test_a_registry_dies(tmp_path: Path, late: bool) -> None:
    for number in range(1, calls_of_a_release(tmp_path) + 1):
        stores = FakeStores(Trouble(late=late))
        release = prepared(tmp_path, stores)
        before = pointers(stores)
        stores.trouble.fails = dead_from(number, TWO)
        said = carry_out(release)
        assert said != ""
        after = pointers(stores)
        assert_true(said, before, after, release)
        alive = {tag for tag in before if tag.startswith(ONE)}
        assert {after[tag] for tag in alive} in (
            {before[tag] for tag in alive},
            {release.built.digest},
        )
        assert_whole(stores.at(ONE))
        assert_whole(stores.at(TWO))


def test_whatever_failed_the_same_command_finishes(tmp_path: Path) -> None:
    for number in range(1, calls_of_a_release(tmp_path) + 1, 3):
        stores = FakeStores()
        release = prepared(tmp_path, stores)
        stores.trouble.fails = exactly(number)
        carry_out(release)
        stores.trouble.fails = lambda _number, _call: False
        again = with_image(make_release(tmp_path, stores, to=(ONE, TWO)))
        assert carry_out(again) == ""
        assert stores.at(ONE).pointers == stores.at(TWO).pointers == digests(again)


def exactly(number: int) -> Callable[[int, str], bool]:
    return lambda made, _call: made == number


def dead_from(number: int, place: str) -> Callable[[int, str], bool]:
    return lambda made, call: made >= number and call.split()[1] == place
