from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from manyfest.copy import copy_graph
from manyfest.errors import (
    ConnectionFailed,
    InvalidManifest,
    NotFound,
    RegistryError,
    ReleaseError,
)
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.release.resume.journal import journal_path
from manyfest.release.steps.step import Release
from manyfest.release.steps.tags import TAGS
from manyfest.release.tags.pointing import Pointing
from manyfest.release.tags.rule import TagRule
from manyfest.stores.base import Content
from tests import images
from tests.unit.releases import (
    ONE,
    TWO,
    VERSION,
    FakeRegistry,
    FakeStores,
    Notes,
    Trouble,
    digests,
    hold_former_release,
    make_config,
    make_release,
    never,
    with_image,
)

ORDER = [
    "one.example/app:2.6.1",
    "two.example/app:2.6.1",
    "one.example/app:2.6.1-amd64",
    "two.example/app:2.6.1-amd64",
    "one.example/app:2.6.1-arm64",
    "two.example/app:2.6.1-arm64",
    "one.example/app:2.6",
    "two.example/app:2.6",
    "one.example/app:latest",
    "two.example/app:latest",
]


def published(release: Release) -> Release:
    """The release with all its content where it belongs."""
    release = with_image(release)
    for name in release.destinations:
        copy_graph(release.built.source, release.built.graph, release.stores.registry(name))
    return release


def test_a_tag_is_set_in_all_repositories_at_once(tmp_path: Path) -> None:
    meeting = threading.Barrier(2, timeout=10)

    class Meeting(FakeRegistry):
        def tag(self, name: str, manifest: Content) -> None:
            if name == "latest":
                meeting.wait()
            super().tag(name, manifest)

    stores = FakeStores()
    for place in (ONE, TWO):
        stores.fakes[place] = Meeting(place, stores.trouble)
    TAGS.run(published(make_release(tmp_path, stores, to=(ONE, TWO))))


def test_ctrl_c_waits_for_tags_that_are_being_set_before_it_puts_them_back(
    tmp_path: Path,
) -> None:
    ended = threading.Event()

    class Slow(FakeRegistry):
        def tag(self, name: str, manifest: Content) -> None:
            ours = name == "latest" and manifest.descriptor.digest == release.built.digest
            if ours:
                time.sleep(0.1)  # the main thread is waiting by now
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
                time.sleep(0.2)  # long enough for whoever does not wait to be done
            super().tag(name, manifest)
            if ours:
                ended.set()

    stores = FakeStores()
    stores.fakes[TWO] = Slow(TWO, stores.trouble)
    release = published(make_release(tmp_path, stores, to=(ONE, TWO)))
    former = {place: hold_former_release(stores.at(place), "latest") for place in (ONE, TWO)}
    with pytest.raises(KeyboardInterrupt):
        TAGS.run(release)
    assert ended.wait(10)
    assert {place: stores.at(place).pointers["latest"] for place in (ONE, TWO)} == former


def test_fixed_tags_come_first_and_latest_last(tmp_path: Path) -> None:
    stores = FakeStores()
    release = published(make_release(tmp_path, stores, to=(ONE, TWO)))
    assert TAGS.check(release) == ""
    assert TAGS.run(release) == "10 set"
    asked = [call for call in stores.trouble.calls if call.startswith("tag")]
    names = [call.removeprefix("tag ").replace(" ", ":") for call in asked]
    assert names[:2] == ORDER[:2]
    assert sorted(names[2:6]) == sorted(ORDER[2:6])
    assert [sorted(names[6:8]), sorted(names[8:])] == [ORDER[6:8], ORDER[8:]]
    assert release.changed_tags == ORDER


def test_the_images_of_an_index_get_their_fixed_tags_at_once(tmp_path: Path) -> None:
    meeting = threading.Barrier(2, timeout=10)

    class Meeting(FakeRegistry):
        def tag(self, name: str, manifest: Content) -> None:
            if name in ("2.6.1-amd64", "2.6.1-arm64"):
                meeting.wait()
            super().tag(name, manifest)

    stores = FakeStores()
    stores.fakes[ONE] = Meeting(ONE, stores.trouble)
    TAGS.run(published(make_release(tmp_path, stores)))


def test_an_image_that_has_two_fixed_tags_gets_one_after_the_other(tmp_path: Path) -> None:
    setting: set[Digest] = set()

    class Watched(FakeRegistry):
        def tag(self, name: str, manifest: Content) -> None:
            assert manifest.descriptor.digest not in setting
            setting.add(manifest.descriptor.digest)
            time.sleep(0.01)
            super().tag(name, manifest)
            setting.remove(manifest.descriptor.digest)

    stores = FakeStores()
    stores.fakes[ONE] = Watched(ONE, stores.trouble)
    tags = tuple(map(TagRule.parse, ("{{version}}", "v{{version}}")))
    TAGS.run(published(make_release(tmp_path, stores, config=make_config(tmp_path, tags=tags))))
    assert len(stores.at(ONE).pointers) == 6


def test_each_tag_points_where_it_should(tmp_path: Path) -> None:
    stores = FakeStores()
    release = published(make_release(tmp_path, stores))
    TAGS.run(release)
    index = release.built.graph.root
    amd64, arm64 = (entry.digest for entry in index.index.manifests)
    assert stores.at(ONE).pointers == {
        "2.6.1": index.descriptor.digest,
        "2.6.1-amd64": amd64,
        "2.6.1-arm64": arm64,
        "2.6": index.descriptor.digest,
        "latest": index.descriptor.digest,
    }


def test_what_is_done_is_skipped(tmp_path: Path) -> None:
    stores = FakeStores()
    TAGS.run(published(make_release(tmp_path, stores)))
    again = published(make_release(tmp_path, stores))
    stores.trouble.calls.clear()
    assert TAGS.check(again) == "every tag points there already"
    assert stores.trouble.count("resolve") == len(stores.trouble.calls) == 5
    assert again.changed_tags == []


def test_an_interrupted_release_sets_the_tags_that_are_left(tmp_path: Path) -> None:
    stores = FakeStores()
    release = published(make_release(tmp_path, stores))
    index = release.built.graph.root
    amd64, arm64 = index.index.manifests
    stores.at(ONE).names.update(
        {"2.6.1": index.descriptor, "2.6.1-amd64": amd64, "2.6.1-arm64": arm64}
    )
    assert TAGS.run(release) == "2 set"
    assert release.changed_tags == ["one.example/app:2.6", "one.example/app:latest"]


def test_a_release_may_have_no_tag_to_set(tmp_path: Path) -> None:
    snapshot = msgspec.structs.replace(VERSION, text="2.6.2-dev.1", prerelease=True, snapshot=True)
    config = make_config(tmp_path, tags=make_config(tmp_path).tags[2:], arch_tags=False)
    release = published(make_release(tmp_path, config=config, version=snapshot))
    assert TAGS.check(release) == "2.6.2-dev.1 has no tag to set"


def test_a_fixed_tag_that_came_in_meanwhile_is_left_alone(tmp_path: Path) -> None:
    stores = FakeStores()
    release = published(make_release(tmp_path, stores, to=(ONE, TWO)))
    other = hold_former_release(stores.at(TWO), "2.6.1")
    with pytest.raises(ReleaseError, match=r"^two.example/app:2.6.1: the tag already holds"):
        TAGS.run(release)
    assert stores.at(ONE).pointers == {}
    assert stores.at(TWO).pointers == {"2.6.1": other}


def test_a_platform_that_the_image_lacks_has_no_tag(tmp_path: Path) -> None:
    release = published(make_release(tmp_path))
    release.checked = release.checked[:1]
    with pytest.raises(ReleaseError, match=r"^sha256:[0-9a-f]{64}: the image has no linux/arm64$"):
        TAGS.check(release)


FIXED = ORDER[:6]
STAY = "set and left, naming this version alone"


def set_with(failing: str) -> list[str]:
    """What is set when this tag fails: all tags before it, and what is set at the same time, which
    is the same tag in the other repository, and of the images all tags."""
    rows = [ORDER[:2], ORDER[2:6], ORDER[6:8], ORDER[8:]]
    last = next(at for at, row in enumerate(rows) if failing in row)
    return [name for row in rows[: last + 1] for name in row if name != failing]


@pytest.mark.parametrize(
    ("failing", "told"),
    [
        (ORDER[0], "no tag was changed"),  # it decides, and is set alone
        (ORDER[1], f"{STAY}: {ORDER[0]}; no other tag was changed"),
        *[
            (failing, f"{STAY}: {', '.join(set_with(failing))}; no other tag was changed")
            for failing in ORDER[2:6]
        ],
        *[
            (
                failing,
                f"put back: {', '.join(set_with(failing)[6:])}; {STAY}: {', '.join(FIXED)};"
                " no other tag was changed",
            )
            for failing in ORDER[6:]
        ],
    ],
)
def test_wherever_it_fails_moving_tags_go_back_and_the_message_is_exact(
    tmp_path: Path, failing: str, told: str
) -> None:
    place, _, tag = failing.rpartition(":")
    failed: list[str] = []

    def fails(_number: int, call: str) -> bool:
        """The first time; it can be put back."""
        hit = call == f"tag {place} {tag}" and not failed
        failed.extend([call] if hit else [])
        return hit

    stores = FakeStores()
    release = published(make_release(tmp_path, stores, to=(ONE, TWO)))
    former = {name: hold_former_release(stores.at(name), "2.6", "latest") for name in (ONE, TWO)}
    stores.trouble.fails = fails
    with pytest.raises(ReleaseError) as stopped:
        TAGS.run(release)
    assert str(stopped.value) == (
        f"{failing}: the tag could not be set: the connection broke; {told};"
        " mend that and run the same command again"
    )
    for name in (ONE, TWO):
        pointers = stores.at(name).pointers
        assert (pointers["2.6"], pointers["latest"]) == (former[name], former[name])
        all_set = [] if failing == ORDER[0] else set_with(failing)
        fixed = {reference for reference in all_set if name in reference}
        assert {f"{name}:{tag}" for tag in pointers} == (fixed & {*FIXED}) | {
            f"{name}:2.6",
            f"{name}:latest",
        }
    stores.trouble.fails = lambda _number, _call: False
    again = published(make_release(tmp_path, stores, to=(ONE, TWO)))
    TAGS.run(again)
    assert stores.at(ONE).pointers == stores.at(TWO).pointers == digests(release)


def test_a_moving_tag_that_was_not_there_before_is_taken_away(tmp_path: Path) -> None:
    stores = FakeStores(Trouble(lambda _number, call: call == f"tag {ONE} latest"))
    release = published(make_release(tmp_path, stores))
    former = hold_former_release(stores.at(ONE), "latest")
    with pytest.raises(ReleaseError, match=rf"; taken away: one.example/app:2\.6; {STAY}: "):
        TAGS.run(release)
    assert "2.6" not in stores.at(ONE).pointers
    assert stores.at(ONE).pointers["latest"] == former


def test_where_tags_cannot_be_taken_away_that_is_reported(tmp_path: Path) -> None:
    stores = FakeStores(
        Trouble(lambda _number, call: call in (f"tag {ONE} latest", f"untag {ONE} 2.6"))
    )
    release = published(make_release(tmp_path, stores))
    former = hold_former_release(stores.at(ONE), "latest")
    with pytest.raises(
        ReleaseError, match=r"; set and left, could not be taken away: one.example/app:2\.6;"
    ):
        TAGS.run(release)
    assert stores.at(ONE).pointers["2.6"] == release.built.digest
    assert stores.at(ONE).pointers["latest"] == former


def test_a_tag_that_was_set_although_the_answer_was_lost_goes_back(tmp_path: Path) -> None:
    lost: list[str] = []

    def fails(_number: int, call: str) -> bool:
        hit = call == f"tag {ONE} latest" and not lost
        lost.extend([call] if hit else [])
        return hit

    stores = FakeStores(Trouble(fails, late=True))
    release = published(make_release(tmp_path, stores))
    former = hold_former_release(stores.at(ONE), "2.6", "latest")
    with pytest.raises(ReleaseError, match=r"put back: one.example/app:2.6, one"):
        TAGS.run(release)
    assert stores.at(ONE).pointers["2.6"] == stores.at(ONE).pointers["latest"] == former


def dead_from(call: str) -> Callable[[int, str], bool]:
    """A registry that says nothing more from this call on."""
    place = call.split()[1]
    dead: list[str] = []

    def fails(_number: int, made: str) -> bool:
        if made == call:
            dead.append(made)
        return bool(dead) and made.split()[1] == place

    return fails


def test_of_a_registry_that_died_nothing_is_known(tmp_path: Path) -> None:
    stores = FakeStores()
    release = published(make_release(tmp_path, stores, to=(ONE, TWO)))
    former = hold_former_release(stores.at(ONE), "2.6", "latest")
    hold_former_release(stores.at(TWO), "2.6", "latest")
    stores.trouble.fails = dead_from(f"tag {TWO} latest")
    with pytest.raises(ReleaseError) as stopped:
        TAGS.run(release)
    assert str(stopped.value) == (
        "two.example/app:latest: the tag could not be set: the connection broke;"
        " not known: two.example/app:2.6.1, two.example/app:2.6.1-amd64,"
        " two.example/app:2.6.1-arm64, two.example/app:2.6, two.example/app:latest;"
        " put back: one.example/app:2.6, one.example/app:latest;"
        f" {STAY}: one.example/app:2.6.1, one.example/app:2.6.1-amd64,"
        " one.example/app:2.6.1-arm64; no other tag was changed;"
        " mend that and run the same command again"
    )
    assert stores.at(ONE).pointers["2.6"] == stores.at(ONE).pointers["latest"] == former


def test_no_repository_waits_for_one_that_does_not_answer(tmp_path: Path) -> None:
    failed, back = threading.Event(), threading.Event()

    class Dying(FakeRegistry):
        def tag(self, name: str, manifest: Content) -> None:
            if name == "latest":
                failed.set()
                raise ConnectionFailed("the connection broke", where=TWO)
            super().tag(name, manifest)

        def resolve(self, name: str) -> Descriptor:
            if failed.is_set():
                assert back.wait(10)
                raise ConnectionFailed("no answer", where=TWO)
            return super().resolve(name)

    class Healthy(FakeRegistry):
        def tag(self, name: str, manifest: Content) -> None:
            super().tag(name, manifest)
            if failed.is_set() and name == "2.6":
                back.set()

    stores = FakeStores()
    stores.fakes = {ONE: Healthy(ONE, stores.trouble), TWO: Dying(TWO, stores.trouble)}
    release = published(make_release(tmp_path, stores, to=(ONE, TWO)))
    former = hold_former_release(stores.at(ONE), "2.6", "latest")
    with pytest.raises(
        ReleaseError, match=r"put back: one.example/app:2.6, one.example/app:latest"
    ):
        TAGS.run(release)
    assert stores.at(ONE).pointers["2.6"] == stores.at(ONE).pointers["latest"] == former


def test_a_tag_that_others_have_moved_on_is_theirs(tmp_path: Path) -> None:
    stores = FakeStores()
    release = published(make_release(tmp_path, stores))
    hold_former_release(stores.at(ONE), "2.6", "latest")
    theirs = release.built.graph.root.index.manifests[0]

    def fails(_number: int, call: str) -> bool:
        if call == f"tag {ONE} latest":
            stores.at(ONE).names["2.6"] = theirs
        return call == f"tag {ONE} latest"

    stores.trouble.fails = fails
    with pytest.raises(ReleaseError, match=r"changed by others: one.example/app:2.6;"):
        TAGS.run(release)
    assert stores.at(ONE).pointers["2.6"] == theirs.digest


def test_ctrl_c_puts_moving_tags_back_too(tmp_path: Path) -> None:
    class Interrupted(FakeRegistry):
        def tag(self, name: str, manifest: Content) -> None:
            super().tag(name, manifest)
            if name == "latest" and manifest.descriptor.digest == release.built.digest:
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    stores = FakeStores()
    stores.fakes[ONE] = Interrupted(ONE, stores.trouble)
    release = published(make_release(tmp_path, stores))
    former = hold_former_release(stores.at(ONE), "2.6", "latest")
    with pytest.raises(KeyboardInterrupt) as stopped:
        TAGS.run(release)
    assert stopped.value.__notes__ == [
        "stopped at one.example/app:latest: put back: one.example/app:2.6, one.example/app:latest;"
        f" {STAY}: one.example/app:2.6.1, one.example/app:2.6.1-amd64,"
        " one.example/app:2.6.1-arm64; no other tag was changed"
    ]
    assert stores.at(ONE).pointers["2.6"] == stores.at(ONE).pointers["latest"] == former


def test_a_former_image_that_we_cannot_read_can_be_put_back(tmp_path: Path) -> None:
    stores = FakeStores(Trouble(lambda _number, call: call == f"tag {ONE} latest"))
    release = published(make_release(tmp_path, stores))
    registry = stores.at(ONE)
    strange = b'{"schemaVersion":1,"signatures":[]}'
    descriptor = msgspec.structs.replace(
        release.built.graph.root.descriptor, digest=Digest.of(strange), size=len(strange)
    )
    registry.blobs[descriptor.digest] = strange
    registry.names["2.6"] = registry.names[str(descriptor.digest)] = descriptor
    with pytest.raises(ReleaseError, match=r"put back: one.example/app:2.6"):
        TAGS.run(release)
    assert registry.names["2.6"].digest == descriptor.digest


def test_a_tag_whose_former_image_is_gone_is_said_to_stay(tmp_path: Path) -> None:
    class Pruned(FakeRegistry):
        def resolve(self, name: str) -> Descriptor:
            if name == str(former):
                raise NotFound("no such manifest", where=ONE)
            return super().resolve(name)

    stores = FakeStores(Trouble(lambda _number, call: call == f"tag {ONE} latest"))
    stores.fakes[ONE] = Pruned(ONE, stores.trouble)
    release = published(make_release(tmp_path, stores))
    former = hold_former_release(stores.at(ONE), "2.6", "latest")
    with pytest.raises(ReleaseError, match=r"left, could not be put back: one.example/app:2\.6;"):
        TAGS.run(release)
    assert release.standing[f"{ONE}:2.6"] == "set and left"
    assert release.standing[f"{ONE}:latest"] == "as before"


def test_a_former_image_that_is_damaged_does_not_keep_a_release_from_going_on(
    tmp_path: Path,
) -> None:
    class Damaged(FakeRegistry):
        def resolve(self, name: str) -> Descriptor:
            if name == str(former):
                raise InvalidManifest("it came with another digest", where=ONE)
            return super().resolve(name)

    stores = FakeStores()
    stores.fakes[ONE] = Damaged(ONE, stores.trouble)
    release = published(make_release(tmp_path, stores))
    release.progress = Notes()
    former = hold_former_release(stores.at(ONE), "latest")
    TAGS.run(release)
    assert stores.at(ONE).pointers["latest"] == release.built.digest
    assert release.progress.said == [
        f"one.example/app:latest: what it held, {former}, is damaged in the registry; should this"
        " release fail, it cannot be put back"
    ]


def killed_at(release: Release, reference: str) -> None:
    """Run it, and let it die when it sets this tag: nothing is put back."""

    class Killed(BaseException):
        pass

    place, _, tag = reference.rpartition(":")
    stores = release.stores
    assert isinstance(stores, FakeStores)

    def dies(_number: int, call: str) -> bool:
        if call == f"tag {place} {tag}":
            raise Killed
        return False

    stores.trouble.fails = dies
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Pointing, "_put_all_back", lambda _: "")
        with pytest.raises(Killed):
            TAGS.run(release)
    stores.trouble.fails = never


def fails_once(stores: FakeStores, call: str) -> None:
    failed: list[str] = []

    def fails(_number: int, made: str) -> bool:
        hit = made == call and not failed
        failed.extend([made] if hit else [])
        return hit

    stores.trouble.fails = fails


def killed_then_failed(folder: Path, again: Path) -> tuple[FakeStores, Digest, str]:
    """A release that is killed before it sets ``latest``, and goes on in the folder ``again``,
    where it fails; the tags' former image, and what was said."""
    stores = FakeStores()
    first = published(make_release(folder, stores))
    former = hold_former_release(stores.at(ONE), "2.6", "latest")
    killed_at(first, f"{ONE}:latest")
    assert stores.at(ONE).pointers["2.6"] == first.built.digest
    fails_once(stores, f"tag {ONE} latest")
    second = published(make_release(again, stores))
    with pytest.raises(ReleaseError) as stopped:
        TAGS.run(second)
    return stores, former, str(stopped.value)


def test_what_a_killed_run_has_moved_goes_back_too(tmp_path: Path) -> None:
    stores, former, said = killed_then_failed(tmp_path, tmp_path)
    assert said == (
        "one.example/app:latest: the tag could not be set: the connection broke;"
        " put back: one.example/app:2.6; no other tag was changed;"
        " mend that and run the same command again"
    )
    assert stores.at(ONE).pointers["2.6"] == stores.at(ONE).pointers["latest"] == former


def test_another_machine_learns_from_the_registry_where_tags_were(tmp_path: Path) -> None:
    stores, former, said = killed_then_failed(tmp_path / "here", tmp_path / "there")
    assert "put back: one.example/app:2.6;" in said
    assert stores.at(ONE).pointers["2.6"] == former


def test_where_nobody_knows_what_a_tag_held_it_stays(tmp_path: Path) -> None:
    stores = FakeStores()
    release = published(make_release(tmp_path, stores))
    hold_former_release(stores.at(ONE), "latest")
    stores.at(ONE).names["2.6"] = release.built.graph.root.descriptor
    fails_once(stores, f"tag {ONE} latest")
    with pytest.raises(ReleaseError, match=f"{STAY}: one.example/app:2.6.1, "):
        TAGS.run(release)
    assert stores.at(ONE).pointers["2.6"] == release.built.digest


def test_a_release_that_was_complete_stays_when_it_goes_on_to_one_more_place(
    tmp_path: Path,
) -> None:
    stores = FakeStores()
    hold_former_release(stores.at(ONE), "2.6", "latest")
    first = published(make_release(tmp_path, stores))
    TAGS.run(first)
    fails_once(stores, f"tag {TWO} latest")
    with pytest.raises(ReleaseError, match=r"taken away: two.example/app:2.6;"):
        TAGS.run(published(make_release(tmp_path, stores, to=(ONE, TWO))))
    assert stores.at(ONE).pointers == digests(first)


def test_a_release_that_was_complete_stays_when_it_gets_one_more_tag(tmp_path: Path) -> None:
    stores = FakeStores()
    hold_former_release(stores.at(ONE), "2.6", "latest")
    first = published(make_release(tmp_path, stores))
    TAGS.run(first)
    fails_once(stores, f"tag {ONE} stable")
    tags = tuple(map(TagRule.parse, ("{{version}}", "{{major}}.{{minor}}", "stable", "latest")))
    again = make_release(tmp_path, stores, config=make_config(tmp_path, tags=tags))
    with pytest.raises(ReleaseError, match=r"broke; no tag was changed; mend that"):
        TAGS.run(published(again))
    assert stores.at(ONE).pointers == digests(first)


def test_a_tag_goes_back_to_what_it_held_last_and_not_first(tmp_path: Path) -> None:
    stores = FakeStores()
    release = published(make_release(tmp_path, stores))
    hold_former_release(stores.at(ONE), "2.6", "latest")
    fails_once(stores, f"tag {ONE} latest")
    with pytest.raises(ReleaseError):
        TAGS.run(release)
    newer = images.platforms(stores.at(ONE), text="2.6.0 mended").descriptor
    stores.at(ONE).names["2.6"] = newer
    fails_once(stores, f"tag {ONE} latest")
    with pytest.raises(ReleaseError):
        TAGS.run(published(make_release(tmp_path, stores)))
    assert stores.at(ONE).pointers["2.6"] == newer.digest


def test_the_journal_is_written_everywhere_before_a_public_tag_changes(tmp_path: Path) -> None:
    stores = FakeStores()
    release = published(make_release(tmp_path, stores, to=(ONE, TWO)))
    former = hold_former_release(stores.at(ONE), "latest")
    stores.trouble.calls.clear()
    TAGS.run(release)
    kinds = [call.split()[0] for call in stores.trouble.calls]
    assert kinds.index("tag") > max(at for at, kind in enumerate(kinds) if kind == "attach")
    assert stores.trouble.count("attach") == 2
    assert release.open_journal().held == {
        "one.example/app:2.6": None,
        "two.example/app:2.6": None,
        "one.example/app:latest": former,
        "two.example/app:latest": None,
    }


def test_the_journal_is_written_here_before_any_tag_changes(tmp_path: Path) -> None:
    stores = FakeStores()
    release = published(make_release(tmp_path, stores))
    written: list[bool] = []

    def looks(_number: int, call: str) -> bool:
        if call.startswith("tag"):
            written.append(journal_path(release.archive, release.version).exists())
        return False

    stores.trouble.fails = looks
    TAGS.run(release)
    assert written == [True] * 5


def test_a_release_that_goes_on_writes_the_journal_too(tmp_path: Path) -> None:
    stores = FakeStores()
    release = published(make_release(tmp_path, stores))
    stores.at(ONE).names["2.6.1"] = release.built.graph.root.descriptor
    TAGS.run(release)
    calls = stores.trouble.calls
    attached = calls.index(f"attach {ONE} {release.built.digest}")
    assert attached < calls.index(f"tag {ONE} 2.6")


def test_the_tags_are_looked_at_once_before_the_first_is_set(tmp_path: Path) -> None:
    stores = FakeStores()
    release = published(make_release(tmp_path, stores))
    stores.trouble.calls.clear()
    TAGS.check(release)
    TAGS.run(release)
    assert stores.trouble.count("list") == 1


def test_a_run_again_leaves_no_second_journal(tmp_path: Path) -> None:
    stores = FakeStores()
    release = published(make_release(tmp_path, stores))
    hold_former_release(stores.at(ONE), "2.6", "latest")
    killed_at(release, f"{ONE}:latest")
    TAGS.run(published(make_release(tmp_path / "elsewhere", stores)))
    assert len(stores.at(ONE).referrers(release.built.digest)) == 1


@pytest.mark.parametrize("status", [400, 403, 405])
def test_a_registry_that_keeps_no_journal_is_told_of(tmp_path: Path, status: int) -> None:
    class Plain(FakeRegistry):
        def attach(self, subject: Descriptor, referrer: Descriptor) -> None:
            raise RegistryError("it takes no such thing", where=ONE, status=status)

    stores = FakeStores()
    stores.fakes[ONE] = Plain(ONE, stores.trouble)
    release = published(make_release(tmp_path, stores))
    notes = release.progress = Notes()
    TAGS.run(release)
    assert stores.at(ONE).pointers == digests(release)
    assert notes.said == [
        "warning: the registry keeps no copy of the journal:"
        " one.example/app: it takes no such thing"
    ]


def test_a_journal_that_could_not_be_sent_ends_the_release_before_any_tag(tmp_path: Path) -> None:
    stores = FakeStores(Trouble(lambda _number, call: call.startswith(f"attach {ONE}")))
    with pytest.raises(ConnectionFailed):
        TAGS.run(published(make_release(tmp_path, stores)))
    assert stores.at(ONE).pointers == {}


class Contested(FakeRegistry):
    """Another release of the same version sets its tag right after ours."""

    other: Descriptor

    def tag(self, name: str, manifest: Content) -> None:
        super().tag(name, manifest)
        if name == "2.6.1":
            self.names[name] = self.other


def test_of_two_releases_of_a_version_at_once_one_says_that_the_other_was_first(
    tmp_path: Path,
) -> None:
    stores = FakeStores()
    contested = stores.fakes[ONE] = Contested(ONE, stores.trouble)
    release = published(make_release(tmp_path, stores, to=(ONE, TWO)))
    contested.other = images.platforms(contested, text="another").descriptor
    with pytest.raises(ReleaseError) as stopped:
        TAGS.run(release)
    assert str(stopped.value) == (
        "one.example/app:2.6.1: another release of this version came in between: the tag holds"
        f" {contested.other.digest}, not {release.built.digest};"
        " changed by others: one.example/app:2.6.1; no other tag was changed;"
        " look whose release that is; yours takes a new version"
    )
    assert stores.at(TWO).pointers == {}


def test_the_tag_that_decides_is_the_same_in_whatever_order_repositories_are_named(
    tmp_path: Path,
) -> None:
    """Otherwise each of two releases at once could win in one of them, and neither be whole."""
    stores = FakeStores()
    TAGS.run(published(make_release(tmp_path, stores, to=(TWO, ONE))))
    asked = [call for call in stores.trouble.calls if call.startswith("tag ")]
    assert asked[:2] == [f"tag {ONE} 2.6.1", f"tag {TWO} 2.6.1"]


def test_the_first_tag_is_looked_at_again_after_a_pause(tmp_path: Path) -> None:
    pauses: list[float] = []
    stores = FakeStores()
    release = published(make_release(tmp_path, stores))
    release.sleep = pauses.append
    TAGS.run(release)
    assert len(pauses) == 1
    assert pauses[0] >= 0.1


def test_a_moving_tag_that_somebody_moves_meanwhile_ends_the_release(tmp_path: Path) -> None:
    stores = FakeStores()
    release = published(make_release(tmp_path, stores))
    hold_former_release(stores.at(ONE), "2.6", "latest")
    theirs = images.platforms(stores.at(ONE), text="2.7.0").descriptor

    def moves(_number: int, call: str) -> bool:
        if call == f"tag {ONE} 2.6":
            stores.at(ONE).names["latest"] = theirs
        return False

    stores.trouble.fails = moves
    with pytest.raises(ReleaseError) as stopped:
        TAGS.run(release)
    assert str(stopped.value).startswith(
        f"one.example/app:latest: somebody else has just moved the tag to {theirs.digest};"
        " changed by others: one.example/app:latest; put back: one.example/app:2.6; "
    )
    assert stores.at(ONE).pointers["latest"] == theirs.digest


def test_a_tag_that_somebody_overwrites_while_others_are_set_ends_the_release(
    tmp_path: Path,
) -> None:
    stores = FakeStores()
    release = published(make_release(tmp_path, stores))
    former = hold_former_release(stores.at(ONE), "2.6", "latest")
    other = images.platforms(stores.at(ONE), ["linux/amd64"], text="another").descriptor

    def fails(_number: int, call: str) -> bool:
        if call == f"tag {ONE} latest":
            stores.at(ONE).names["2.6.1"] = other
        return False

    stores.trouble.fails = fails
    with pytest.raises(ReleaseError, match=f"came in between: the tag holds {other.digest}"):
        TAGS.run(release)
    assert stores.at(ONE).pointers["latest"] == former


def test_a_moving_tag_that_is_moved_on_afterwards_is_no_fault(tmp_path: Path) -> None:
    class Busy(FakeRegistry):
        def tag(self, name: str, manifest: Content) -> None:
            super().tag(name, manifest)
            if name == "latest":
                self.names["2.6"] = theirs

    stores = FakeStores()
    stores.fakes[ONE] = Busy(ONE, stores.trouble)
    release = published(make_release(tmp_path, stores))
    theirs = images.platforms(stores.at(ONE), text="2.6.2").descriptor
    notes = release.progress = Notes()
    TAGS.run(release)
    assert notes.said == [f"one.example/app:2.6: somebody else has moved it on to {theirs.digest}"]
    assert release.moved_on == {"one.example/app:2.6": theirs.digest}


def test_where_tags_stand_is_kept_for_the_report(tmp_path: Path) -> None:
    stores = FakeStores()
    release = published(make_release(tmp_path, stores))
    hold_former_release(stores.at(ONE), "2.6", "latest")
    fails_once(stores, f"tag {ONE} latest")
    with pytest.raises(ReleaseError):
        TAGS.run(release)
    assert release.standing == {
        "one.example/app:latest": "as before",
        "one.example/app:2.6": "put back",
        "one.example/app:2.6.1-arm64": "set and left",
        "one.example/app:2.6.1-amd64": "set and left",
        "one.example/app:2.6.1": "set and left",
    }
