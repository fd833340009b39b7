from __future__ import annotations

from itertools import islice
from pathlib import Path

import msgspec
import pytest

from manyfest.copy import copy_graphs
from manyfest.errors import AnswerIsNo, RegistryError, ReleaseError, StoreError
from manyfest.graph import read_graph
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.reference import Name
from manyfest.release.origin import Origin, record_of
from manyfest.release.rendezvous.waiting import Patience, Waiting
from manyfest.release.steps.step import Release
from manyfest.release.versions.version import Version
from tests import images
from tests.unit.check_images import Images
from tests.unit.releases import ONE, TWO, VERSION, FakeStores, Notes, Trouble
from tests.unit.staging import AMD64, ARM64, Clock, DenyingStores, publishing, runnable

OTHER = "fedcba9876543210fedcba9876543210fedcba98"
OURS = {
    "org.opencontainers.image.version": "2.6.1",
    "org.opencontainers.image.revision": VERSION.revision,
}
NO_GIT = msgspec.structs.replace(VERSION, revision="", commit_time=0)


def put(
    stores: FakeStores,
    tag: str = "2.6.1-arm64",
    place: str = ONE,
    *,
    labels: dict[str, str] | None = None,
    record: Origin | None = None,
) -> None:
    """An image under the tag of a platform; its labels say that it is ours unless told."""
    made = Images()
    platform = AMD64 if tag.endswith("amd64") else ARM64
    image = read_graph(made, runnable(made, platform, OURS if labels is None else labels)).root
    registry = stores.registry(Name.parse(place), writing=True)
    registry.blobs.update(made.blobs)
    registry.names[tag] = image.descriptor
    if record is not None:
        source, item = record_of(image, record)
        copy_graphs(source, [item], registry)


def put_both(stores: FakeStores) -> None:
    put(stores, "2.6.1-amd64")
    put(stores, "2.6.1-arm64")


def waited(release: Release, patience: Patience | None = None) -> Waiting:
    waiting = Waiting(release)
    waiting.look()
    waiting.wait(patience or Clock().patience())
    return waiting


def said(release: Release) -> list[str]:
    assert isinstance(release.progress, Notes)
    return release.progress.said


def test_who_is_there_need_not_be_waited_for(tmp_path: Path) -> None:
    stores, clock = FakeStores(), Clock()
    put_both(stores)
    waiting = waited(publishing(tmp_path, stores), clock.patience())
    assert list(waiting.found) == [AMD64, ARM64]
    assert clock.slept == []


def test_a_late_platform_is_waited_for_and_named(tmp_path: Path) -> None:
    stores, clock = FakeStores(), Clock()
    put(stores, "2.6.1-amd64")
    clock.at[3] = lambda: put(stores)
    release = publishing(tmp_path, stores)
    waited(release, clock.patience())
    assert clock.slept == [1.0, 1.5, 2.25]
    assert said(release) == [
        "waiting for linux/arm64: 1 of 2 platforms found, 1 min left",
    ]


def test_a_repository_that_is_yet_to_be_made_is_waited_for(tmp_path: Path) -> None:
    stores, clock = DenyingStores(), Clock()
    clock.at[1] = lambda: put_both(stores)
    waiting = waited(publishing(tmp_path, stores), clock.patience())
    assert list(waiting.found) == [AMD64, ARM64]


def test_who_is_still_late_is_named_again(tmp_path: Path) -> None:
    stores, clock = FakeStores(), Clock()
    clock.at[2] = lambda: put(stores)
    clock.at[7] = lambda: put(stores, "2.6.1-amd64")
    release = publishing(tmp_path, stores)
    waited(release, clock.patience())
    assert said(release) == [
        "waiting for linux/amd64, linux/arm64: 0 of 2 platforms found, 1 min left",
        "waiting for linux/amd64: 1 of 2 platforms found, 58 s left",
        "waiting for linux/amd64: 1 of 2 platforms found, 44 s left",
    ]


def test_only_those_that_are_late_are_asked_for_once_a_round(tmp_path: Path) -> None:
    stores, clock = FakeStores(), Clock()
    put(stores, "2.6.1-amd64")
    clock.at[3] = lambda: put(stores, place=TWO)
    waited(publishing(tmp_path, stores, to=(ONE, TWO)), clock.patience())
    calls = [call for call in stores.trouble.calls if "2.6.1-" in call]
    assert sorted(calls) == [
        f"resolve {ONE} 2.6.1-amd64",
        *[f"resolve {ONE} 2.6.1-arm64"] * 4,
        f"resolve {TWO} 2.6.1-amd64",
        *[f"resolve {TWO} 2.6.1-arm64"] * 4,
    ]


def test_pauses_grow_and_are_never_the_same_for_two() -> None:
    def pauses(jitter: float) -> list[float]:
        patience = Patience(first=1.0, longest=3.0, jitter=lambda: jitter)
        return list(islice(patience.pauses(), 5))

    assert pauses(1.0) == [1.0, 1.5, 2.25, 3.0, 3.0]
    assert pauses(0.0) == [0.5, 0.75, 1.125, 1.5, 1.5]


def test_when_the_time_is_over_the_answer_is_no(tmp_path: Path) -> None:
    stores, clock = FakeStores(), Clock()
    put(stores, "2.6.1-amd64")
    with pytest.raises(AnswerIsNo) as caught:
        waited(publishing(tmp_path, stores, to=(ONE, TWO)), clock.patience(10))
    assert caught.value.exit_code == 3
    assert str(caught.value) == (
        "after 10 s linux/arm64 cannot be found in one.example/app, two.example/app (as"
        " 2.6.1-arm64); nothing was changed; see how their `manyfest stage` ended, and run the same"
        " command again"
    )
    assert sum(clock.slept) == 10.0
    assert stores.trouble.count("put") == stores.trouble.count("tag") == 0


def test_who_comes_in_the_last_moment_is_there(tmp_path: Path) -> None:
    stores, clock = FakeStores(), Clock()
    put(stores, "2.6.1-amd64")
    clock.at[4] = lambda: put(stores)  # 1 + 1.5 + 2.25 + the 0.25 that are left
    waiting = waited(publishing(tmp_path, stores), clock.patience(5))
    assert clock.slept[-1] == 0.25
    assert waiting.late == []


def test_a_registry_that_is_away_for_a_while_is_asked_again(tmp_path: Path) -> None:
    stores, clock = FakeStores(Trouble(lambda number, _call: number <= 4)), Clock()
    put_both(stores)
    release = publishing(tmp_path, stores)
    waited(release, clock.patience())
    assert len(clock.slept) == 2
    assert said(release)[0] == (
        "waiting for linux/amd64, linux/arm64: 0 of 2 platforms found, 1 min left;"
        " one.example/app: the connection broke"
    )


@pytest.mark.parametrize("status", [429, 500, 503])
def test_an_answer_that_may_pass_is_waited_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    stores, clock = FakeStores(), Clock()
    put_both(stores)
    registry, resolve = stores.at(ONE), stores.at(ONE).resolve

    def answer(name: str) -> Descriptor:
        if not clock.slept:
            raise RegistryError("not now", where=ONE, status=status)
        return resolve(name)

    monkeypatch.setattr(registry, "resolve", answer)
    assert waited(publishing(tmp_path, stores), clock.patience()).late == []
    assert clock.slept == [1.0]


def test_what_could_not_be_told_is_an_error_and_not_a_no(tmp_path: Path) -> None:
    stores = FakeStores(Trouble(lambda _number, _call: True))
    with pytest.raises(StoreError) as caught:
        waited(publishing(tmp_path, stores), Clock().patience(10))
    assert str(caught.value) == (
        "one.example/app: the time is over, and it does not tell of linux/amd64, linux/arm64:"
        " the connection broke; nothing was changed"
    )


def test_what_will_not_pass_ends_the_waiting_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores, clock = FakeStores(), Clock()

    def wrong(_: str) -> None:
        raise RegistryError("it is no registry", where=ONE, status=405)

    monkeypatch.setattr(stores.at(ONE), "resolve", wrong)
    with pytest.raises(RegistryError, match="it is no registry"):
        waited(publishing(tmp_path, stores), clock.patience())
    assert clock.slept == []


@pytest.mark.parametrize(
    ("others", "why"),
    [
        ({}, "nothing says of which version and commit it is"),
        (
            {**OURS, "org.opencontainers.image.revision": OTHER},
            f"is 2.6.1 of commit {OTHER}, and not 2.6.1 of commit {VERSION.revision}",
        ),
        (
            {**OURS, "org.opencontainers.image.version": "2.6.0"},
            f"is 2.6.0 of commit {VERSION.revision}, and not 2.6.1 of commit {VERSION.revision}",
        ),
        (
            {"org.opencontainers.image.version": "2.6.1"},
            f"is 2.6.1 of no known commit, and not 2.6.1 of commit {VERSION.revision}",
        ),
    ],
)
def test_an_image_of_another_release_is_refused_at_once(
    tmp_path: Path, others: dict[str, str], why: str
) -> None:
    stores, clock = FakeStores(), Clock()
    put(stores, labels=others)
    with pytest.raises(ReleaseError) as caught:
        waited(publishing(tmp_path, stores), clock.patience())
    assert str(caught.value) == (
        f"one.example/app:2.6.1-arm64: {why}; nothing was changed; stage this commit under a"
        " version of its own, or remove what is there"
    )
    assert clock.slept == []


@pytest.mark.parametrize("labels", [{}, {"org.opencontainers.image.version": "24.04"}])
def test_a_record_vouches_for_what_says_nothing_or_repeats_its_base(
    tmp_path: Path, labels: dict[str, str]
) -> None:
    stores = FakeStores()
    put(stores, "2.6.1-amd64")
    put(stores, labels=labels, record=Origin("2.6.1", VERSION.revision))
    assert waited(publishing(tmp_path, stores)).late == []


@pytest.mark.parametrize(
    "record", [Origin("2.6.0", VERSION.revision), Origin("2.6.1", OTHER), Origin("2.6.1", "")]
)
def test_a_record_of_another_release_vouches_for_nothing(tmp_path: Path, record: Origin) -> None:
    stores = FakeStores()
    put(stores, labels={}, record=record)
    with pytest.raises(ReleaseError, match=r"^one\.example/app:2\.6\.1-arm64: "):
        waited(publishing(tmp_path, stores))


def test_a_record_about_another_image_does_not_count(tmp_path: Path) -> None:
    stores = FakeStores()
    put(stores, labels={})
    registry = stores.at(ONE)
    ours = registry.names["2.6.1-arm64"]
    store, item = record_of(images.image(Images()), Origin("2.6.1", VERSION.revision))
    copy_graphs(store, [item], registry)
    registry.attach(ours, item.graph.root.descriptor)  # a list that says what is not so
    with pytest.raises(ReleaseError, match="nothing says of which version"):
        waited(publishing(tmp_path, stores))


@pytest.mark.parametrize("version", [VERSION, NO_GIT])
def test_platforms_of_two_commits_are_not_joined(tmp_path: Path, version: Version) -> None:
    stores = FakeStores()
    put(stores, "2.6.1-amd64")
    put(stores, labels={**OURS, "org.opencontainers.image.revision": OTHER})
    with pytest.raises(ReleaseError, match=f"commit {OTHER}"):
        waited(publishing(tmp_path, stores, version=version))


def test_without_git_platforms_of_one_commit_are_joined(tmp_path: Path) -> None:
    stores = FakeStores()
    put_both(stores)
    assert waited(publishing(tmp_path, stores, version=NO_GIT)).late == []


def test_what_was_staged_without_git_is_published_without_git(tmp_path: Path) -> None:
    stores = FakeStores()
    put(stores, "2.6.1-amd64", labels={}, record=Origin("2.6.1", ""))
    put(stores, "2.6.1-arm64", labels={}, record=Origin("2.6.1", ""))
    assert waited(publishing(tmp_path, stores, version=NO_GIT)).late == []


def test_an_image_for_another_platform_is_refused(tmp_path: Path) -> None:
    stores = FakeStores()
    put(stores, "2.6.1-amd64")
    stores.at(ONE).names["2.6.1-arm64"] = stores.at(ONE).names["2.6.1-amd64"]
    with pytest.raises(ReleaseError, match="is for linux/amd64, not for linux/arm64"):
        waited(publishing(tmp_path, stores))


def test_an_index_is_refused(tmp_path: Path) -> None:
    stores = FakeStores()
    stores.at(ONE).names["2.6.1-arm64"] = images.platforms(stores.at(ONE)).descriptor
    with pytest.raises(ReleaseError, match="is no image of one platform"):
        waited(publishing(tmp_path, stores))


def test_two_repositories_must_agree(tmp_path: Path) -> None:
    stores = FakeStores()
    put(stores)
    put(stores, place=TWO, labels={**OURS, "org.example": "another"})
    with pytest.raises(ReleaseError, match=r"^two images were staged for linux/arm64: one"):
        waited(publishing(tmp_path, stores, to=(ONE, TWO)))


def test_a_manifest_that_is_not_to_be_had_yet_is_waited_for(tmp_path: Path) -> None:
    stores, clock = FakeStores(), Clock()
    put_both(stores)
    registry = stores.at(ONE)
    digest = registry.names["2.6.1-arm64"].digest
    raw = registry.blobs.pop(digest)
    clock.at[1] = lambda: registry.blobs.update({digest: raw})
    assert waited(publishing(tmp_path, stores), clock.patience()).late == []
