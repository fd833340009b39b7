from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from manyfest.copy import missing
from manyfest.errors import CheckFailed, ConfigError, NotFound, ReleaseError, UsageError
from manyfest.oci.platform import Platform
from manyfest.release.rendezvous.staging import with_platforms
from manyfest.release.tags.rule import TagRule
from tests.unit.check_images import Images
from tests.unit.releases import (
    ONE,
    TWO,
    VERSION,
    FakeStores,
    Notes,
    hold_former_release,
    make_config,
    make_project,
)
from tests.unit.staging import (
    AMD64,
    ARM64,
    archive,
    attested_index,
    how,
    runnable,
    runnable_index,
    stage,
    staging,
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    make_project(tmp_path)
    return tmp_path


def test_one_platform_is_built_checked_and_tagged(project: Path) -> None:
    stores = FakeStores()
    release = staging(project, stores)
    assert how(stage(release)) == {
        "preflight": "done",
        "before": "skipped",
        "build": "done",
        "origin": "skipped",
        "platform": "done",
        "check": "done",
        "smoke": "skipped",
        "publish": "done",
        "vouch": "skipped",
        "tags": "done",
    }
    assert stores.at(ONE).pointers == {"2.6.1-arm64": release.built.digest}
    assert (project / "dist" / "app-2.6.1-arm64.tar").is_file()


def test_no_index_is_pushed(project: Path) -> None:
    stores = FakeStores()
    release = staging(project, stores)
    stage(release)
    graph = release.built.graph
    assert not graph.root.is_index
    assert set(stores.at(ONE).blobs) == {part.digest for part in graph.descriptors}


def test_it_goes_to_every_repository(project: Path) -> None:
    stores = FakeStores()
    release = staging(project, stores, to=(ONE, TWO))
    stage(release)
    for place in (ONE, TWO):
        assert stores.at(place).pointers == {"2.6.1-arm64": release.built.digest}
        assert missing(stores.at(place), release.built.graph) == []


def test_the_tag_is_set_though_the_project_wants_no_arch_tags(project: Path) -> None:
    stores = FakeStores()
    stage(staging(project, stores, config=make_config(project, arch_tags=False)))
    assert list(stores.at(ONE).pointers) == ["2.6.1-arm64"]


def test_all_arch_tags_of_the_platform_are_set(project: Path) -> None:
    rules = tuple(map(TagRule.parse, ("v{{version}}", "latest")))
    stores = FakeStores()
    stage(staging(project, stores, config=make_config(project, tags=rules)))
    assert sorted(stores.at(ONE).pointers) == ["2.6.1-arm64", "v2.6.1-arm64"]


def test_what_is_staged_is_not_staged_again(project: Path) -> None:
    stores = FakeStores()
    stage(staging(project, stores))
    stores.trouble.calls.clear()
    outcomes = how(stage(staging(project, stores)))
    assert (outcomes["publish"], outcomes["vouch"], outcomes["tags"]) == ("skipped",) * 3
    assert stores.trouble.count("put") == stores.trouble.count("tag") == 0


def test_a_tag_that_holds_another_image_is_refused_before_anything_is_written(
    project: Path,
) -> None:
    stores = FakeStores()
    other = hold_former_release(stores.at(TWO), "2.6.1-arm64")
    with pytest.raises(ReleaseError, match=r"^two\.example/app:2\.6\.1-arm64: "):
        stage(staging(project, stores, to=(ONE, TWO)))
    assert stores.trouble.count("put") == stores.trouble.count("tag") == 0
    assert stores.at(TWO).pointers == {"2.6.1-arm64": other}


def test_a_platform_of_another_project_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r": linux/s390x is not among 'build\.platforms'"):
        staging(tmp_path, FakeStores(), Platform.parse("linux/s390x"))


def test_a_tag_of_the_whole_image_cannot_be_a_platforms_too(tmp_path: Path) -> None:
    rules = tuple(map(TagRule.parse, ("{{version}}", "2.6.1-arm64")))
    config = make_config(tmp_path, tags=rules, arch_tags=False)
    with pytest.raises(ConfigError, match="the tag to stage, is a tag of the whole image too"):
        staging(tmp_path, FakeStores(), config=config)


def test_platforms_keep_the_configurations_order(tmp_path: Path) -> None:
    narrowed = with_platforms(make_config(tmp_path), (ARM64, AMD64))
    assert narrowed.build.platforms == (AMD64, ARM64)


def test_a_platform_is_taken_out_of_an_archive(tmp_path: Path) -> None:
    stores = FakeStores()
    taken = archive(tmp_path, runnable_index)
    release = staging(tmp_path, stores, taken_from=taken)
    stage(release)
    assert stores.at(ONE).pointers["2.6.1-arm64"] == runnable(Images()).digest
    assert list(tmp_path.rglob("*.tar")) == [tmp_path / "image.tar"]


def test_what_says_nothing_of_itself_gets_a_record_and_keeps_its_digest(tmp_path: Path) -> None:
    stores = FakeStores()
    release = staging(tmp_path, stores, taken_from=archive(tmp_path, runnable_index))
    assert how(stage(release))["vouch"] == "done"
    (record,) = stores.at(ONE).referrers(release.built.digest)
    assert record.artifact_type == "application/vnd.manyfest.staged.v1"
    assert record.annotations == {
        "org.opencontainers.image.version": "2.6.1",
        "org.opencontainers.image.revision": "0123456789abcdef0123456789abcdef01234567",
    }


def test_a_record_is_there_before_the_tag(tmp_path: Path) -> None:
    stores = FakeStores()
    stores.trouble.fails = lambda _number, call: call == f"tag {ONE} 2.6.1-arm64"
    release = staging(tmp_path, stores, taken_from=archive(tmp_path, runnable_index))
    with pytest.raises(ReleaseError):
        stage(release)
    assert len(stores.at(ONE).referrers(release.built.digest)) == 1


def test_a_record_is_made_once(tmp_path: Path) -> None:
    stores = FakeStores()
    taken = archive(tmp_path, runnable_index)
    stage(staging(tmp_path, stores, taken_from=taken))
    again = staging(tmp_path, stores, taken_from=taken)
    assert how(stage(again))["vouch"] == "skipped"
    assert len(stores.at(ONE).referrers(again.built.digest)) == 1


def test_what_says_that_it_is_of_another_commit_is_staged_only_if_that_is_asked_for(
    tmp_path: Path,
) -> None:
    other = {"org.opencontainers.image.revision": "fedcba9876543210fedcba9876543210fedcba98"}
    taken = archive(tmp_path, lambda store: runnable(store, ARM64, other))
    stores = FakeStores()
    with pytest.raises(ReleaseError, match="is of commit 'fedcba9876543210"):
        stage(staging(tmp_path, stores, taken_from=taken))
    assert stores.at(ONE).pointers == {}
    allowed = staging(tmp_path, stores, taken_from=taken)
    allowed.allow_other_commit = True
    assert how(stage(allowed))["vouch"] == "done"
    assert stores.at(ONE).pointers["2.6.1-arm64"] == allowed.built.digest


def test_an_attestation_that_stays_behind_is_named(tmp_path: Path) -> None:
    release = staging(tmp_path, FakeStores(), taken_from=archive(tmp_path, attested_index))
    stage(release)
    assert isinstance(release.progress, Notes)
    assert release.progress.said == [
        "warning: what BuildKit attests of linux/arm64 is left behind: an index is joined of images"
        " alone"
    ]


def test_an_image_of_another_platform_is_refused(tmp_path: Path) -> None:
    taken = archive(tmp_path, lambda store: runnable(store, AMD64))
    with pytest.raises(NotFound, match=r"it has no linux/arm64; it has linux/amd64$"):
        stage(staging(tmp_path, FakeStores(), taken_from=taken))


def test_a_program_for_another_platform_is_not_staged(project: Path) -> None:
    foreign = project / "bin/linux/arm64/app"
    foreign.write_bytes((project / "bin/linux/amd64/app").read_bytes())
    stores = FakeStores()
    with pytest.raises(CheckFailed, match="built for linux/amd64, not for linux/arm64"):
        stage(staging(project, stores))
    assert stores.trouble.count("put") == 0


def test_a_snapshot_is_staged_too(project: Path) -> None:
    snapshot = msgspec.structs.replace(
        VERSION, text="2.6.2-dev.1-g0123456", prerelease=True, snapshot=True
    )
    stores = FakeStores()
    stage(staging(project, stores, version=snapshot))
    assert list(stores.at(ONE).pointers) == ["2.6.2-dev.1-g0123456-arm64"]
