from __future__ import annotations

import itertools
import signal
import threading
from pathlib import Path

import pytest

from manyfest.errors import ConnectionFailed, ReleaseError
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.reference import Name
from manyfest.release.project.config import Config
from manyfest.release.resume.reuse import find_settled
from manyfest.release.steps.publish import PUBLISH
from manyfest.release.steps.tags import TAGS
from manyfest.release.tags.rule import TagRule
from manyfest.stores.base import Content, Source
from tests.unit.releases import (
    ONE,
    TWO,
    FakeRegistry,
    FakeStores,
    Notes,
    Trouble,
    assert_whole,
    hold_former_release,
    make_config,
    make_release,
    with_image,
)


def test_content_goes_by_digest_and_no_tag_is_touched(tmp_path: Path) -> None:
    stores = FakeStores()
    release = with_image(make_release(tmp_path, stores, to=(ONE, TWO)))
    former = hold_former_release(stores.at(ONE), "latest")
    assert PUBLISH.check(release) == ""
    PUBLISH.run(release)
    for place in (ONE, TWO):
        assert all(
            part.digest in stores.at(place).blobs for part in release.built.graph.descriptors
        )
    assert stores.at(ONE).pointers == {"latest": former}
    assert stores.at(TWO).pointers == {}
    assert stores.trouble.count("tag") == 0


def test_of_a_repository_without_the_index_no_more_is_asked_in_advance(tmp_path: Path) -> None:
    stores = FakeStores()
    release = with_image(make_release(tmp_path, stores))
    assert PUBLISH.check(release) == ""
    assert sorted(stores.trouble.calls) == [
        f"has {ONE} {release.built.digest}",
        f"resolve {ONE} 2.6.1",
        f"resolve {ONE} 2.6.1-amd64",
        f"resolve {ONE} 2.6.1-arm64",
    ]


def test_tags_that_were_looked_at_before_the_check_are_not_asked_for_again(tmp_path: Path) -> None:
    stores = FakeStores()
    release = with_image(make_release(tmp_path, stores))
    assert not find_settled(release)
    stores.trouble.calls.clear()
    assert PUBLISH.check(release) == ""
    assert stores.trouble.calls == [f"has {ONE} {release.built.digest}"]


def test_a_tag_that_was_seen_to_be_taken_before_the_check_is_refused(tmp_path: Path) -> None:
    stores = FakeStores()
    held = hold_former_release(stores.at(ONE), "2.6.1-arm64")
    release = with_image(make_release(tmp_path, stores))
    assert not find_settled(release)
    with pytest.raises(ReleaseError, match=f"already holds {held}"):
        PUBLISH.check(release)
    assert release.sent == {}


def test_a_repository_that_lost_a_layer_gets_that_and_what_is_above_it(tmp_path: Path) -> None:
    stores = FakeStores()
    PUBLISH.run(with_image(make_release(tmp_path, stores)))
    again = with_image(make_release(tmp_path, stores))
    lost = again.built.graph.blobs[-1]
    del stores.at(ONE).blobs[lost.digest]
    assert PUBLISH.check(again) == ""
    PUBLISH.run(again)
    graph = again.built.graph
    above = [each for each in graph.manifests if lost in each.children]
    manifests = [graph.root, *above]
    assert again.sent == {ONE: lost.size + sum(each.descriptor.size for each in manifests)}


def test_it_tells_the_bytes_sent_to_each_repository(tmp_path: Path) -> None:
    stores = FakeStores()
    release = with_image(make_release(tmp_path, stores, to=(ONE, TWO)))
    size = release.built.graph.size
    assert PUBLISH.run(release) == f"{2 * size:,} bytes uploaded, verified in the registry"
    assert release.sent == {ONE: size, TWO: size}


def test_what_is_there_is_not_sent_again(tmp_path: Path) -> None:
    stores = FakeStores()
    PUBLISH.run(with_image(make_release(tmp_path, stores)))
    stores.trouble.calls.clear()
    again = with_image(make_release(tmp_path, stores))
    assert PUBLISH.check(again) == "all 8 parts are there; 0 bytes uploaded"
    assert again.sent == {ONE: 0}
    assert stores.trouble.count("put") == 0


def test_only_the_repository_that_lacks_something_is_sent_to(tmp_path: Path) -> None:
    stores = FakeStores()
    PUBLISH.run(with_image(make_release(tmp_path, stores)))
    both = with_image(make_release(tmp_path, stores, to=(ONE, TWO)))
    assert PUBLISH.check(both) == ""
    PUBLISH.run(both)
    assert both.sent == {ONE: 0, TWO: both.built.graph.size}


def test_a_fixed_tag_with_another_digest_is_refused_before_anything_is_written(
    tmp_path: Path,
) -> None:
    stores = FakeStores()
    release = with_image(make_release(tmp_path, stores, to=(ONE, TWO)))
    former = hold_former_release(stores.at(TWO), "2.6.1")
    with pytest.raises(ReleaseError) as refused:
        PUBLISH.check(release)
    assert str(refused.value) == (
        f"two.example/app:2.6.1: the tag already holds {former}, and this release is"
        f" {release.built.digest}; this run has set no tag; release a new version, or go on with"
        " what is there: manyfest release --from two.example/app:2.6.1, and --allow-other-commit if"
        " it is of another commit"
    )
    assert stores.trouble.count("put") == stores.trouble.count("tag") == 0


def test_the_same_fixed_tag_is_already_done(tmp_path: Path) -> None:
    stores = FakeStores()
    release = with_image(make_release(tmp_path, stores))
    stores.at(ONE).names["2.6.1"] = release.built.graph.root.descriptor
    assert PUBLISH.check(release) == ""


def test_repositories_are_sent_to_at_the_same_time(tmp_path: Path) -> None:
    meeting = threading.Barrier(2, timeout=10)

    class Meeting(FakeRegistry):
        def put(self, content: Content) -> None:
            if content.descriptor == release.built.graph.root.descriptor:
                meeting.wait()
            super().put(content)

    stores = FakeStores()
    for place in (ONE, TWO):
        stores.fakes[place] = Meeting(place, stores.trouble)
    release = with_image(make_release(tmp_path, stores, to=(ONE, TWO)))
    PUBLISH.run(release)


def test_a_failure_ends_the_other_uploads(tmp_path: Path) -> None:
    class Endless(FakeRegistry):
        """Asks for the same bytes again and again, until there are none any more."""

        def put(self, content: Content) -> None:
            while True:
                content.open().read(1)

    stores = FakeStores(Trouble(lambda _number, call: call.startswith(f"put {ONE}")))
    stores.fakes[TWO] = Endless(TWO, stores.trouble)
    release = with_image(make_release(tmp_path, stores, to=(ONE, TWO)))
    with pytest.raises(ConnectionFailed, match=r"^one.example/app: the connection broke"):
        PUBLISH.run(release)
    assert stores.at(TWO).blobs == {}
    assert stores.trouble.count("tag") == 0


def test_ctrl_c_ends_the_uploads(tmp_path: Path) -> None:
    puts = itertools.count()

    class Interrupted(FakeRegistry):
        def put(self, content: Content) -> None:
            if next(puts) == 0:
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            while True:
                content.open().read(1)

    stores = FakeStores()
    stores.fakes[ONE] = Interrupted(ONE, stores.trouble)
    release = with_image(make_release(tmp_path, stores))
    with pytest.raises(KeyboardInterrupt):
        PUBLISH.run(release)


def test_a_registry_that_forgets_what_it_took_is_found_out(tmp_path: Path) -> None:
    pauses: list[float] = []

    class Forgetful(FakeRegistry):
        def has(self, descriptor: Descriptor) -> bool:
            return False

    stores = FakeStores()
    stores.fakes[ONE] = Forgetful(ONE, stores.trouble)
    release = with_image(make_release(tmp_path, stores))
    release.sleep = pauses.append
    with pytest.raises(ReleaseError) as refused:
        PUBLISH.run(release)
    assert str(refused.value) == (
        f"one.example/app: the registry took {release.built.digest} and now does not have it;"
        " run the same command again"
    )
    assert sum(pauses) == 15


def test_a_registry_that_shows_what_it_took_a_little_later_is_given_time(tmp_path: Path) -> None:
    shows = threading.Event()

    class Late(FakeRegistry):
        def has(self, descriptor: Descriptor) -> bool:
            return shows.is_set() and super().has(descriptor)

    stores = FakeStores()
    stores.fakes[ONE] = Late(ONE, stores.trouble)
    release = with_image(make_release(tmp_path, stores))
    release.sleep = lambda _seconds: shows.set()
    assert PUBLISH.run(release).endswith("bytes uploaded, verified in the registry")


@pytest.mark.parametrize(
    ("to", "label"),
    [((ONE,), "linux/arm64"), ((ONE, TWO), "two.example/app linux/arm64")],
)
def test_progress_says_where_to_if_there_are_several(
    tmp_path: Path, to: tuple[str, ...], label: str
) -> None:
    release = with_image(make_release(tmp_path, to=to))
    notes = release.progress = Notes()
    PUBLISH.run(release)
    assert label in {label for _, label in notes.begun}
    assert len({item for item, _ in notes.begun}) == 8 * len(to)


def test_the_registry_that_is_asked_is_the_one_of_the_name(tmp_path: Path) -> None:
    stores = FakeStores()
    PUBLISH.run(with_image(make_release(tmp_path, stores, to=(ONE,))))
    assert stores.registry(Name.parse(f"{ONE}:any")).blobs
    assert not stores.at(TWO).blobs


ARM = f"{ONE}-arm64"
THIRD = "one.example/other"


class Sibling(FakeRegistry):
    """A repository that takes blobs from others of its registry, if they have them."""

    closed = False

    def mount(self, descriptor: Descriptor, source: Source) -> bool:
        if self.closed or not isinstance(source, Sibling):
            return False
        with self.trouble.call(f"mount {self.label} {source.label} {descriptor.digest}"):
            self.blobs[descriptor.digest] = source.blobs[descriptor.digest]
        return True


def siblings(*places: str) -> FakeStores:
    stores = FakeStores()
    for place in places:
        stores.fakes[place] = Sibling(place, stores.trouble)
    return stores


def with_arm(folder: Path) -> Config:
    return make_config(folder, arch_repositories={"linux/arm64": "-arm64"})


def test_a_repository_for_one_platform_gets_its_image_alone(tmp_path: Path) -> None:
    stores = FakeStores()
    release = with_image(make_release(tmp_path, stores, config=with_arm(tmp_path)))
    PUBLISH.run(release)
    TAGS.run(release)
    arm64 = release.built.graph.root.index.manifests[1]
    assert stores.at(ARM).pointers == dict.fromkeys(("2.6.1", "2.6", "latest"), arm64.digest)
    amd64 = release.built.graph.root.index.manifests[0]
    assert arm64.digest in stores.at(ARM).blobs
    assert amd64.digest not in stores.at(ARM).blobs
    assert release.built.digest not in stores.at(ARM).blobs
    assert_whole(stores.at(ARM))
    assert stores.at(ONE).pointers["2.6.1-arm64"] == arm64.digest


def test_it_is_sent_nothing_a_second_time(tmp_path: Path) -> None:
    stores = FakeStores()
    config = with_arm(tmp_path)
    PUBLISH.run(with_image(make_release(tmp_path, stores, config=config)))
    again = with_image(make_release(tmp_path, stores, config=config))
    assert PUBLISH.check(again) == "all 8 parts are there; 0 bytes uploaded"
    assert again.sent == {ONE: 0, ARM: 0}


def test_one_registry_gets_each_blob_once_and_its_repositories_share_it(tmp_path: Path) -> None:
    stores = siblings(ONE, THIRD, ARM, f"{THIRD}-arm64", TWO, f"{TWO}-arm64")
    places = (ONE, THIRD, TWO)
    release = with_image(make_release(tmp_path, stores, to=places, config=with_arm(tmp_path)))
    PUBLISH.run(release)
    blobs = {str(blob.digest) for blob in release.built.graph.blobs}
    sent = [call.split() for call in stores.trouble.calls if call.startswith("put")]
    received = [(place, digest) for _, place, digest in sent if digest in blobs]
    assert sorted(received) == sorted((place, digest) for place in (ONE, TWO) for digest in blobs)
    assert stores.trouble.count(f"mount {THIRD} {ONE}") == len(blobs) == 5
    assert stores.trouble.count(f"mount {ARM} {ONE}") == 3
    assert stores.trouble.count(f"mount {TWO}-arm64 {TWO}") == 3
    whole = {part.digest for part in release.built.graph.descriptors}
    assert whole <= stores.at(THIRD).blobs.keys()


def test_what_a_sibling_does_not_give_is_sent(tmp_path: Path) -> None:
    stores = siblings(ONE, ARM)
    closed = stores.fakes[ARM]
    assert isinstance(closed, Sibling)
    closed.closed = True
    release = with_image(make_release(tmp_path, stores, config=with_arm(tmp_path)))
    PUBLISH.run(release)
    arm64 = release.built.graph.root.index.manifests[1]
    assert arm64.digest in closed.blobs
    assert release.sent[ARM] > arm64.size


def test_one_more_tag_costs_no_upload(tmp_path: Path) -> None:
    stores = FakeStores()
    release = with_image(make_release(tmp_path, stores))
    PUBLISH.run(release)
    TAGS.run(release)
    parts = release.built.graph.descriptors
    stores.trouble.calls.clear()
    more = (*make_config(tmp_path).tags, TagRule.parse("{{major}}"))
    again = with_image(make_release(tmp_path, stores, config=make_config(tmp_path, tags=more)))
    assert PUBLISH.check(again) == "all 8 parts are there; 0 bytes uploaded"
    TAGS.run(again)
    assert again.built.graph == release.built.graph
    assert [stores.trouble.count(f"put {ONE} {part.digest}") for part in parts] == [0] * 8
    assert stores.trouble.count("tag") == stores.trouble.count(f"tag {ONE} 2") == 1
    assert again.changed_tags == ["one.example/app:2"]


def test_an_unchanged_release_only_looks(tmp_path: Path) -> None:
    stores = FakeStores()
    release = with_image(make_release(tmp_path, stores, to=(ONE, TWO)))
    PUBLISH.run(release)
    TAGS.run(release)
    stores.trouble.calls.clear()
    again = with_image(make_release(tmp_path, stores, to=(ONE, TWO)))
    assert PUBLISH.check(again) != ""
    assert {call.split()[0] for call in stores.trouble.calls} == {"resolve", "has"}


def test_tags_that_were_found_to_be_right_are_not_looked_at_again(tmp_path: Path) -> None:
    stores = FakeStores()
    release = with_image(make_release(tmp_path, stores))
    PUBLISH.run(release)
    stores.trouble.calls.clear()
    release.settled = True
    assert PUBLISH.check(release) != ""
    assert {call.split()[0] for call in stores.trouble.calls} == {"has"}
