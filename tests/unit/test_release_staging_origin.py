"""What a release does with an image that says which version and commit it is of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from manyfest.errors import CheckFailed, ManyfestError, ReleaseError
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.reference import Reference
from manyfest.release.rendezvous.staging import with_platforms
from manyfest.release.run import run
from manyfest.release.steps.step import Release
from tests.unit.check_images import Images
from tests.unit.releases import ONE, VERSION, FakeStores, Notes, make_config, make_release
from tests.unit.staging import (
    AMD64,
    ARM64,
    archive,
    attested_index,
    how,
    runnable,
    runnable_index,
)

Make = Callable[[Images], Descriptor]

OTHER = "fedcba9876543210fedcba9876543210fedcba98"


def labelled(version: str = "", revision: str = "") -> dict[str, str]:
    said = {"version": version, "revision": revision}
    return {f"org.opencontainers.image.{key}": value for key, value in said.items() if value}


def saying(labels: dict[str, str]) -> Make:
    """Makes an index whose arm64 image has these labels."""

    def make(store: Images) -> Descriptor:
        return store.index(runnable(store, AMD64), runnable(store, ARM64, labels))

    return make


def taking(folder: Path, taken: Reference, stores: FakeStores | None = None) -> Release:
    release = make_release(folder, stores or FakeStores())
    release.taken_from = taken
    release.sleep = lambda _: None
    return release


def release_from(folder: Path, make: Make, stores: FakeStores | None = None) -> Release:
    """A release of what ``make`` makes, done."""
    release = taking(folder, archive(folder, make), stores)
    try:
        list(run(release))
    finally:
        release.close()
    return release


def said(release: Release) -> list[str]:
    assert isinstance(release.progress, Notes)
    return [line for line in release.progress.said if line.startswith("warning")]


def origin(folder: Path, labels: dict[str, str]) -> str:
    """What the step says."""
    release = taking(folder, archive(folder, saying(labels)))
    outcomes = list(run(release))
    release.close()
    return next(each.what for each in outcomes if each.step == "origin")


@pytest.mark.parametrize("make", [runnable_index, attested_index])
def test_an_archive_is_released_byte_for_byte(tmp_path: Path, make: Make) -> None:
    stores = FakeStores()
    release = release_from(tmp_path, make, stores)
    expected = Images()
    digest = make(expected).digest
    assert release.built.digest == digest
    assert stores.at(ONE).pointers["2.6.1"] == stores.at(ONE).pointers["latest"] == digest
    assert stores.at(ONE).blobs[digest] == expected.blobs[digest]


def test_a_single_image_is_released_where_one_platform_is_asked_for(tmp_path: Path) -> None:
    config = with_platforms(make_config(tmp_path), (ARM64,))
    stores = FakeStores()
    release = make_release(tmp_path, stores, config=config)
    release.sleep = lambda _: None
    release.taken_from = archive(tmp_path, runnable)
    list(run(release))
    release.close()
    assert stores.at(ONE).pointers["2.6.1"] == runnable(Images()).digest


def test_an_image_that_lacks_a_platform_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckFailed, match=r"the platform is missing; there are: linux/arm64"):
        release_from(tmp_path, lambda store: store.index(runnable(store)))


def test_platforms_that_were_not_asked_for_are_released_too_and_named(tmp_path: Path) -> None:
    config = with_platforms(make_config(tmp_path), (ARM64,))
    stores = FakeStores()
    release = make_release(tmp_path, stores, config=config)
    release.sleep = lambda _: None
    release.taken_from = archive(tmp_path, runnable_index)
    list(run(release))
    release.close()
    assert stores.at(ONE).pointers["2.6.1"] == runnable_index(Images()).digest
    assert said(release) == [
        f"warning: oci-archive:{tmp_path}/image.tar has linux/amd64 too, which 'build.platforms'"
        " does not name; it is released as it is"
    ]


def test_an_image_that_is_not_there_is_refused(tmp_path: Path) -> None:
    taken = Reference.parse(f"oci-archive:{tmp_path / 'none.tar'}")
    with pytest.raises(ManyfestError, match=r"none\.tar: "):
        list(run(taking(tmp_path, taken)))


def test_what_is_of_this_commit_is_released(tmp_path: Path) -> None:
    assert (
        origin(tmp_path, labelled("2.6.1", VERSION.revision))
        == "it says that it is of commit 0123456"
    )


def test_a_short_commit_is_enough(tmp_path: Path) -> None:
    assert origin(tmp_path, labelled("2.6.1", "0123456")) == "it says that it is of commit 0123456"


def test_what_says_nothing_is_released_and_that_is_said(tmp_path: Path) -> None:
    assert origin(tmp_path, {}) == "it does not say of which commit it is"


def test_an_image_of_another_commit_is_refused_before_anything_is_uploaded(
    tmp_path: Path,
) -> None:
    stores = FakeStores()
    with pytest.raises(ReleaseError) as caught:
        release_from(tmp_path, saying(labelled("2.6.1", OTHER)), stores)
    assert str(caught.value) == (
        f"oci-archive:{tmp_path}/image.tar: its linux/arm64 is of commit '{OTHER}', and this is"
        f" {VERSION.revision}; check that commit out, or take the image all the same with"
        " --allow-other-commit"
    )
    assert stores.trouble.count("put") == stores.trouble.count("tag") == 0


def test_no_image_hides_behind_another_for_the_same_platform(tmp_path: Path) -> None:
    def make(store: Images) -> Descriptor:
        first = runnable(store, ARM64, labelled("2.6.1", OTHER))
        second = runnable(store, ARM64, labelled("2.6.1", VERSION.revision))
        return store.index(runnable(store, AMD64), first, second)

    with pytest.raises(ReleaseError, match=f"is of commit '{OTHER}'"):
        release_from(tmp_path, make)


def test_it_is_released_all_the_same_if_that_is_asked_for(tmp_path: Path) -> None:
    stores = FakeStores()
    taken = archive(tmp_path, saying(labelled("2.6.1", OTHER)))
    release = taking(tmp_path, taken, stores)
    release.allow_other_commit = True
    list(run(release))
    release.close()
    assert "latest" in stores.at(ONE).pointers
    assert said(release) == [
        f"warning: oci-archive:{tmp_path}/image.tar: its linux/arm64 is of commit '{OTHER}', and"
        f" this is {VERSION.revision}"
    ]


@pytest.mark.parametrize("version", ["24.04", "2.6.1-dev.5-g0123456", "main"])
def test_another_version_is_a_warning(tmp_path: Path, version: str) -> None:
    release = release_from(tmp_path, saying(labelled(version, VERSION.revision)))
    assert said(release) == [
        f"warning: oci-archive:{tmp_path}/image.tar calls itself '{version}', and is released as"
        " 2.6.1"
    ]


def test_an_annotation_of_the_index_counts_too(tmp_path: Path) -> None:
    def make(store: Images) -> Descriptor:
        index = msgspec.json.decode(store.blobs[runnable_index(store).digest])
        index["annotations"] = labelled(revision=OTHER)
        return store.blob(msgspec.json.encode(index), "application/vnd.oci.image.index.v1+json")

    with pytest.raises(ReleaseError, match=f"its index is of commit '{OTHER}'"):
        release_from(tmp_path, make)


def test_outside_git_there_is_nothing_to_compare_with(tmp_path: Path) -> None:
    version = msgspec.structs.replace(VERSION, revision="")
    release = make_release(tmp_path, FakeStores(), version=version)
    release.sleep = lambda _: None
    release.taken_from = archive(tmp_path, saying(labelled("2.6.1", OTHER)))
    outcomes = list(run(release))
    release.close()
    assert how(outcomes)["tags"] == "done"
    assert [each.what for each in outcomes if each.step == "origin"] == [
        "no commit is known here to compare it with"
    ]
