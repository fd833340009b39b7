"""Which tags are set in which repository: decided by what it holds."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from manyfest.cli.release_report import as_table
from manyfest.errors import AccessDenied, ConnectionFailed, ReleaseError, Unsupported
from manyfest.graph import read_graph
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.manifest import Image, Manifest
from manyfest.oci.mediatypes import OCI_CONFIG
from manyfest.release.project.template import TagTemplate
from manyfest.release.reporting.report import KeptReport, release_report
from manyfest.release.run import run
from manyfest.release.steps.moves import moves
from manyfest.release.steps.publish import PUBLISH
from manyfest.release.steps.step import Release
from manyfest.release.steps.tags import TAGS
from manyfest.release.tags.judge import REVISION, revision_of
from manyfest.release.tags.plan import plan_tags
from manyfest.release.tags.rule import TagRule
from manyfest.release.versions.occasion import Occasion
from manyfest.release.versions.version import Version
from manyfest.stores.memory import MemoryStore
from tests import images
from tests.unit.releases import (
    ONE,
    TWO,
    VERSION,
    FakeRegistry,
    FakeStores,
    Trouble,
    digests,
    hold_former_release,
    make_config,
    make_release,
    with_image,
)

BACK_PORT = msgspec.structs.replace(VERSION, text="2.5.9", minor=5, patch=9)
HIGHER = "skipped: 2.6.1 is there, a higher final version"


def to_set(release: Release) -> list[str]:
    return [str(move.name) for move in moves(release)]


def back_port(folder: Path, stores: FakeStores) -> Release:
    """A release of 2.5.9 to two repositories, one of which holds 2.6.1."""
    hold_former_release(stores.at(ONE), "2.6.1", "2.6", "latest")
    config = make_config(folder, arch_tags=False)
    release = make_release(folder, stores, to=(ONE, TWO), config=config, version=BACK_PORT)
    return with_image(release)


def test_a_back_port_leaves_latest_where_a_higher_version_is(tmp_path: Path) -> None:
    release = back_port(tmp_path, FakeStores())
    assert to_set(release) == [
        "one.example/app:2.5.9",
        "two.example/app:2.5.9",
        "one.example/app:2.5",
        "two.example/app:2.5",
        "two.example/app:latest",
    ]
    assert release.kept == {"one.example/app:latest": HIGHER}


def test_what_was_released_before_a_back_port_keeps_its_tags(tmp_path: Path) -> None:
    stores = FakeStores()
    release = back_port(tmp_path, stores)
    former = stores.at(ONE).pointers["latest"]
    for _ in run(release, (PUBLISH, TAGS)):
        pass
    ours = release.built.digest
    assert stores.at(ONE).pointers == {
        "2.6.1": former,
        "2.6": former,
        "latest": former,
        "2.5.9": ours,
        "2.5": ours,
    }
    assert stores.at(TWO).pointers == {"2.5.9": ours, "2.5": ours, "latest": ours}


def test_the_report_says_what_stays_where_it_is_and_why(tmp_path: Path) -> None:
    stores = FakeStores()
    release = back_port(tmp_path, stores)
    outcomes = list(run(release, (PUBLISH, TAGS)))
    report = release_report(release, outcomes)
    one, two = report.destinations
    assert one.tags == ("2.5.9", "2.5")
    assert one.kept == (KeptReport(tag="latest", reason=HIGHER),)
    assert [each.reference for each in one.references] == [f"{ONE}:2.5.9", f"{ONE}:2.5"]
    assert (two.tags, two.kept) == (("2.5.9", "2.5", "latest"), ())
    assert "  not set   latest: 2.6.1 is there, a higher final version\n" in as_table(report)


def test_where_a_higher_version_came_in_meanwhile_there_may_be_nothing_left_to_set(
    tmp_path: Path,
) -> None:
    stores = FakeStores()
    config = make_config(tmp_path, tags=(TagRule.parse("latest"),), arch_tags=False)
    release = with_image(make_release(tmp_path, stores, config=config, version=BACK_PORT))
    PUBLISH.run(release)
    hold_former_release(stores.at(ONE), "2.6.1")
    assert TAGS.check(release) == "2.5.9 has no tag to set"
    assert release.kept == {"one.example/app:latest": HIGHER}


ARM = f"{ONE}-arm64"


def for_arm_too(folder: Path, stores: FakeStores) -> Release:
    config = make_config(folder, arch_repositories={"linux/arm64": "-arm64"}, arch_tags=False)
    return with_image(make_release(folder, stores, config=config))


def test_a_repository_for_one_platform_has_moving_tags_that_go_back(tmp_path: Path) -> None:
    stores = FakeStores()
    release = for_arm_too(tmp_path, stores)
    former = {place: hold_former_release(stores.at(place), "2.6", "latest") for place in (ONE, ARM)}
    PUBLISH.run(release)
    failed: list[str] = []

    def fails(_number: int, call: str) -> bool:
        """The first time; it can be put back."""
        hit = call == f"tag {ARM} latest" and not failed
        failed.extend([call] if hit else [])
        return hit

    stores.trouble.fails = fails
    with pytest.raises(ReleaseError, match=rf"put back: {ONE}:2.6, {ARM}:2.6, {ONE}:latest"):
        TAGS.run(release)
    for place in (ONE, ARM):
        pointers = stores.at(place).pointers
        assert (pointers["2.6"], pointers["latest"]) == (former[place], former[place])


def test_it_says_for_which_platform_it_is(tmp_path: Path) -> None:
    stores = FakeStores()
    release = for_arm_too(tmp_path, stores)
    outcomes = list(run(release, (PUBLISH, TAGS)))
    whole, arm = release_report(release, outcomes).destinations
    assert (whole.repository, whole.platform) == (ONE, None)
    assert (arm.repository, arm.platform) == (ARM, "linux/arm64")
    image = release.built.graph.root.index.manifests[1]
    assert {each.digest for each in arm.references} == {str(image.digest)}


def test_its_tag_that_names_a_release_for_good_is_not_taken_from_another(tmp_path: Path) -> None:
    stores = FakeStores()
    release = for_arm_too(tmp_path, stores)
    hold_former_release(stores.at(ARM), "2.6.1")
    with pytest.raises(ReleaseError, match=rf"^{ARM}:2.6.1: the tag already holds"):
        PUBLISH.check(release)
    assert stores.trouble.count("put") == 0


def test_each_repository_is_asked_for_its_tags_once(tmp_path: Path) -> None:
    stores = FakeStores()
    moves(back_port(tmp_path, stores))
    assert stores.trouble.count(f"list {ONE}") == stores.trouble.count(f"list {TWO}") == 1


def test_what_is_done_asks_for_no_list(tmp_path: Path) -> None:
    stores = FakeStores()
    release = with_image(make_release(tmp_path, stores))
    for tag, digest in digests(release).items():
        graph = read_graph(release.built.source, release.built.source.resolve(str(digest)))
        stores.at(ONE).names[tag] = graph.root.descriptor
    assert all(move.is_done for move in moves(release))
    assert stores.trouble.count("list") == 0


def test_with_no_tag_that_moves_no_list_is_asked_for(tmp_path: Path) -> None:
    stores = FakeStores()
    config = make_config(tmp_path, tags=(TagRule.parse("{{version}}"),))
    moves(with_image(make_release(tmp_path, stores, config=config)))
    assert stores.trouble.count("list") == 0


class NoList(FakeRegistry):
    """A repository that is there, and lists nothing."""

    error: Exception = Unsupported("the registry lists no tags", where=ONE)

    def tags(self) -> Iterator[str]:
        raise self.error


@pytest.mark.parametrize(
    "error",
    [
        Unsupported("the registry lists no tags", where=ONE),
        AccessDenied("the registry lists no tags", where=ONE),
    ],
)
def test_a_registry_that_lists_no_tags_is_an_error_that_says_how_to_go_on(
    tmp_path: Path, error: Exception
) -> None:
    stores = FakeStores()
    registry = stores.fakes[ONE] = NoList(ONE, stores.trouble)
    registry.error = error
    release = with_image(make_release(tmp_path, stores))
    with pytest.raises(ReleaseError) as refused:
        moves(release)
    assert str(refused.value) == (
        "one.example/app: the tags that are there decide whether 2.6 may move, and the registry"
        " lists no tags; let us list them, or have the tag moved whatever is there, by"
        " {tag: '{{major}}.{{minor}}', forward: false}"
    )


def test_a_tag_that_is_moved_whatever_is_there_needs_no_list(tmp_path: Path) -> None:
    stores = FakeStores()
    stores.fakes[ONE] = NoList(ONE, stores.trouble)
    rule = TagRule(tag=TagTemplate("latest"), forward=False)
    config = make_config(tmp_path, tags=(rule,), arch_tags=False)
    release = with_image(make_release(tmp_path, stores, config=config, version=BACK_PORT))
    assert to_set(release) == ["one.example/app:latest"]


def test_a_list_that_does_not_come_decides_nothing(tmp_path: Path) -> None:
    stores = FakeStores(Trouble(lambda _number, call: call == f"list {TWO}"))
    release = with_image(make_release(tmp_path, stores, to=(ONE, TWO)))
    with pytest.raises(ConnectionFailed, match=r"^two.example/app: the connection broke"):
        moves(release)


# A branch's tag goes by commits.

EDGE = (TagRule(tag=TagTemplate("edge"), branches=("main",)),)


class History:
    """A repository with two commits, and images of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._git("init", "-q", "-b", "main")
        self.older = self._commit("one")
        self.newer = self._commit("two")

    def _git(self, *arguments: str) -> str:
        who = ("-c", "user.name=we", "-c", "user.email=we@example.org")
        command = ["git", *who, *arguments]
        done = subprocess.run(command, cwd=self.folder, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def _commit(self, message: str) -> str:
        self._git("commit", "-q", "--allow-empty", "-m", message)
        return self._git("rev-parse", "HEAD")

    def version(self, commit: str) -> Version:
        text = f"2.6.2-dev.1-g{commit[:7]}"
        return msgspec.structs.replace(
            VERSION, text=text, revision=commit, patch=2, prerelease=True, snapshot=True
        )


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path)


def of_branch(history: History, stores: FakeStores, commit: str) -> Release:
    config = make_config(history.folder, tags=EDGE, arch_tags=False)
    version = history.version(commit)
    release = make_release(history.folder, stores, config=config, version=version)
    release.tags = plan_tags(config, version, Occasion(branch="main"))
    return with_image(release)


def hold(registry: FakeRegistry, commit: str) -> Manifest:
    """Let ``edge`` be an image of a commit."""
    index = images.platforms(registry, ["linux/amd64"], text="edge").index
    told = {REVISION: commit} if commit else {}
    manifest = Manifest.of_index(msgspec.structs.replace(index, annotations=told))
    registry.tag("edge", images.content_of(manifest))
    return manifest


def test_the_late_job_of_an_older_commit_does_not_move_edge_back(history: History) -> None:
    stores = FakeStores()
    hold(stores.at(ONE), history.newer)
    release = of_branch(history, stores, history.older)
    assert to_set(release) == []
    assert release.kept == {
        "one.example/app:edge": f"skipped: it is at commit {history.newer[:7]},"
        f" which is after {history.older[:7]}"
    }
    assert stores.trouble.count("list") == 0


@pytest.mark.parametrize("there", ["older", "none", "nonsense"])
def test_edge_moves_on_from_what_is_not_known_to_be_newer(history: History, there: str) -> None:
    stores = FakeStores()
    told = {"older": history.older, "none": "", "nonsense": "--all"}
    hold(stores.at(ONE), told[there])
    release = of_branch(history, stores, history.newer)
    assert to_set(release) == ["one.example/app:edge"]
    assert release.kept == {}


def test_a_tag_that_is_not_there_yet_is_set(history: History) -> None:
    release = of_branch(history, FakeStores(), history.older)
    assert to_set(release) == ["one.example/app:edge"]


def labelled(store: MemoryStore, labels: str) -> Manifest:
    """An image whose configuration has these labels, as JSON."""
    config = images.put(
        store,
        b'{"architecture":"amd64","os":"linux","config":{"Labels":%s},'
        b'"rootfs":{"type":"layers","diff_ids":[]}}' % labels.encode(),
        OCI_CONFIG,
    )
    image = Manifest.of_image(Image(schema_version=2, config=config, layers=()))
    return images.put_manifest(store, image)


def test_one_platform_s_image_tells_its_commit_in_a_label() -> None:
    store = MemoryStore()
    image = labelled(store, f'{{"{REVISION}":"{"a" * 40}"}}')
    assert revision_of(store, image.descriptor) == "a" * 40


def test_what_is_damaged_tells_no_commit() -> None:
    store = MemoryStore()
    image = labelled(store, "{}")
    store.blobs[image.descriptor.digest] = b"?"
    assert revision_of(store, image.descriptor) == ""


def test_an_index_that_tells_no_commit_has_images_that_do() -> None:
    store = MemoryStore()
    image = labelled(store, f'{{"{REVISION}":"{"b" * 40}"}}')
    index = images.index(store, [images.entry(image, "linux/amd64")])
    assert revision_of(store, index.descriptor) == "b" * 40


class Denies(FakeRegistry):
    """Denies a tag that is not there, as Artifactory does, and one that it is told to."""

    denied = ""
    lists = True

    def resolve(self, name: str) -> Descriptor:
        if name == self.denied or (":" not in name and name not in self.names):
            raise AccessDenied("it may not be read", where=f"{self.label}:{name}")
        return super().resolve(name)

    def tags(self) -> Iterator[str]:
        if not self.lists:
            raise AccessDenied("its tags may not be listed", where=self.label)
        return super().tags()


def denying(stores: FakeStores) -> Denies:
    registry = Denies(ONE, stores.trouble)
    stores.fakes[ONE] = registry
    return registry


def test_a_tag_that_is_denied_and_not_listed_is_not_there(tmp_path: Path) -> None:
    stores = FakeStores()
    denying(stores)
    release = with_image(make_release(tmp_path, stores))
    assert [move.before for move in moves(release)] == [None] * 5


def test_a_tag_that_is_denied_and_listed_is_not_known(tmp_path: Path) -> None:
    stores = FakeStores()
    registry = denying(stores)
    hold_former_release(registry, "2.6.1")
    registry.denied = "2.6.1"
    release = with_image(make_release(tmp_path, stores))
    with pytest.raises(AccessDenied, match=r"^one.example/app:2.6.1: it may not be read"):
        moves(release)


def test_where_nothing_is_listed_a_denied_tag_is_not_known_either(tmp_path: Path) -> None:
    stores = FakeStores()
    denying(stores).lists = False
    release = with_image(make_release(tmp_path, stores))
    with pytest.raises(AccessDenied, match=r"^one.example/app:2.6.1: it may not be read"):
        moves(release)
