from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from manyfest.copy import missing
from manyfest.errors import CheckFailed, ReleaseError
from manyfest.oci.digest import Digest
from manyfest.release.project.config import Build
from manyfest.release.rendezvous.staging import with_platforms
from manyfest.release.run import run
from manyfest.stores.memory import MemoryStore
from tests import images
from tests.unit.releases import (
    ONE,
    TWO,
    FakeRegistry,
    FakeStores,
    Trouble,
    assert_whole,
    hold_former_release,
    make_config,
    make_project,
    make_release,
)
from tests.unit.staging import (
    AMD64,
    ARM64,
    DenyingStores,
    archive,
    how,
    publish,
    publishing,
    runnable_index,
    stage,
    staging,
)

ORDER = ["2.6.1", "2.6.1-amd64", "2.6.1-arm64", "2.6", "latest"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    make_project(tmp_path)
    return tmp_path


def stage_both(folder: Path, stores: FakeStores, *places: str) -> None:
    for platform in (ARM64, AMD64):
        stage(staging(folder, stores, platform, to=places or (ONE,)))


def release_in_one_job(folder: Path) -> Digest:
    """The digest that ``manyfest release`` makes of the project."""
    release = make_release(folder, FakeStores())
    release.sleep = lambda _: None
    list(run(release))
    release.close()
    return release.built.digest


def test_the_index_is_the_one_that_a_single_job_makes(project: Path) -> None:
    stores = FakeStores()
    stage_both(project, stores)
    release = publishing(project, stores)
    publish(release)
    assert release.built.digest == release_in_one_job(project)


def test_every_tag_is_set_as_a_release_does(project: Path) -> None:
    stores = FakeStores()
    stage_both(project, stores, ONE, TWO)
    release = publishing(project, stores, to=(ONE, TWO))
    outcomes = publish(release)
    assert how(outcomes) == {
        "preflight": "done",
        "wait": "skipped",
        "join": "done",
        "check": "done",
        "publish": "done",
        "tags": "done",
    }
    for place in (ONE, TWO):
        assert_whole(stores.at(place))
        assert sorted(set(stores.at(place).pointers) & set(ORDER)) == sorted(ORDER)
        assert stores.at(place).pointers["latest"] == release.built.digest


def test_neither_the_dockerfile_nor_the_context_is_needed(project: Path) -> None:
    stores = FakeStores()
    stage_both(project, stores)
    empty = project / "elsewhere"
    empty.mkdir()
    publish(publishing(empty, stores))
    assert "latest" in stores.at(ONE).pointers


def test_what_is_published_is_not_published_again(project: Path) -> None:
    stores = FakeStores()
    stage_both(project, stores)
    publish(publishing(project, stores))
    stores.trouble.calls.clear()
    outcomes = how(publish(publishing(project, stores)))
    assert (outcomes["publish"], outcomes["tags"]) == ("skipped", "skipped")
    assert stores.trouble.count("put") == stores.trouble.count("tag") == 0


def test_a_platform_in_one_repository_alone_is_copied_to_the_other(project: Path) -> None:
    stores = FakeStores()
    stage(staging(project, stores, AMD64, to=(ONE,)))
    stage(staging(project, stores, ARM64, to=(TWO,)))
    release = publishing(project, stores, to=(ONE, TWO))
    publish(release)
    for place in (ONE, TWO):
        assert missing(stores.at(place), release.built.graph) == []
        assert stores.at(place).pointers["latest"] == release.built.digest


def test_a_part_that_one_repository_lost_comes_from_another(project: Path) -> None:
    stores = FakeStores()
    stage_both(project, stores, ONE, TWO)
    for blob in list(stores.at(ONE).blobs):
        if blob not in stores.at(ONE).pointers.values():
            del stores.at(ONE).blobs[blob]
    publish(publishing(project, stores, to=(ONE, TWO)))
    assert_whole(stores.at(ONE))


def test_some_of_the_platforms_can_be_expected(project: Path) -> None:
    stores = FakeStores()
    stage(staging(project, stores, ARM64))
    config = with_platforms(make_config(project), (ARM64,))
    release = publishing(project, stores, config=config)
    publish(release)
    assert [str(e.platform) for e in release.built.graph.root.index.manifests] == ["linux/arm64"]
    assert sorted(stores.at(ONE).pointers) == ["2.6", "2.6.1", "2.6.1-arm64", "latest"]


def test_the_order_is_the_configurations(project: Path) -> None:
    stores = FakeStores()
    stage_both(project, stores)
    config = make_config(project, build=Build(platforms=(ARM64, AMD64)))
    release = publishing(project, stores, config=config)
    publish(release)
    entries = release.built.graph.root.index.manifests
    assert [str(entry.platform) for entry in entries] == ["linux/arm64", "linux/amd64"]


def test_images_that_others_built_are_joined_as_they_are(tmp_path: Path) -> None:
    stores = FakeStores()
    taken = archive(tmp_path, runnable_index)
    for platform in (AMD64, ARM64):
        stage(staging(tmp_path, stores, platform, taken_from=taken))
    release = publishing(tmp_path, stores)
    publish(release)
    entries = release.built.graph.root.index.manifests
    assert [entry.digest for entry in entries] == [
        stores.at(ONE).pointers["2.6.1-amd64"],
        stores.at(ONE).pointers["2.6.1-arm64"],
    ]


def test_a_tag_that_names_another_release_stops_it_before_any_tag_is_set(project: Path) -> None:
    stores = FakeStores()
    stage_both(project, stores)
    before = stores.at(ONE).pointers
    other = hold_former_release(stores.at(ONE), "2.6.1")
    with pytest.raises(ReleaseError, match=r"^one\.example/app:2\.6\.1: the tag already holds"):
        publish(publishing(project, stores))
    assert stores.at(ONE).pointers == {**before, "2.6.1": other}


def test_what_is_damaged_in_the_registry_is_not_published(project: Path) -> None:
    stores = FakeStores()
    stage_both(project, stores)
    arm64 = staging(project, stores)
    stage(arm64)
    layer = arm64.built.graph.root.image.layers[0].digest
    stores.at(ONE).blobs[layer] = b"\0" * len(stores.at(ONE).blobs[layer])
    with pytest.raises(CheckFailed):
        publish(publishing(project, stores))
    assert "latest" not in stores.at(ONE).pointers


def test_a_platform_that_is_staged_anew_meanwhile_is_seen(project: Path) -> None:
    stores = FakeStores()
    stage_both(project, stores)
    registry = stores.at(ONE)
    stores.trouble = registry.trouble = Trouble(replacing(registry, "2.6.1-arm64"))
    with pytest.raises(ReleaseError, match=r"2\.6\.1-arm64 was sha256:.* a moment ago"):
        publish(publishing(project, stores))
    assert "latest" not in registry.pointers


def replacing(registry: FakeRegistry, tag: str) -> Callable[[int, str], bool]:
    """Put another image under the tag when it has been looked at once."""
    looks = 0

    def fails(_number: int, call: str) -> bool:
        nonlocal looks
        looks += call == f"resolve {registry.label} {tag}"
        if looks == 2:
            registry.names[tag] = images.image(MemoryStore(), text="another").descriptor
        return False

    return fails


def test_two_at_once_publish_the_same(project: Path) -> None:
    stores = FakeStores()
    stage_both(project, stores)
    first, second = publishing(project, stores), publishing(project, stores)
    publish(first)
    publish(second)
    assert first.built.digest == second.built.digest
    assert stores.at(ONE).pointers["latest"] == first.built.digest


def test_what_is_staged_in_one_repository_comes_to_one_that_is_yet_to_be_made(
    project: Path,
) -> None:
    stores = DenyingStores()
    stage_both(project, stores, TWO)
    release = publishing(project, stores, to=(ONE, TWO))
    publish(release)
    assert stores.at(ONE).pointers["latest"] == release.built.digest


def test_nothing_is_asked_of_a_repository_for_one_platform(project: Path) -> None:
    config = make_config(project, arch_repositories={"linux/arm64": "-arm64"})
    stores = FakeStores()
    stage_both(project, stores)
    release = publishing(project, stores, config=config)
    publish(release)
    arm64 = stores.at(ONE).pointers["2.6.1-arm64"]
    assert stores.at(f"{ONE}-arm64").pointers["2.6.1"] == arm64
    assert stores.trouble.count(f"resolve {ONE}-arm64 2.6.1-arm64") == 0


def test_an_index_keeps_only_the_annotations_that_all_images_have(project: Path) -> None:
    stores = FakeStores()
    stage_both(project, stores)
    release = publishing(project, stores)
    publish(release)
    assert msgspec.json.decode(release.built.graph.root.raw)["annotations"] == {
        "org.opencontainers.image.created": "2023-11-14T22:13:20Z",
        "org.opencontainers.image.revision": "0123456789abcdef0123456789abcdef01234567",
        "org.opencontainers.image.title": "app",
        "org.opencontainers.image.version": "2.6.1",
    }
