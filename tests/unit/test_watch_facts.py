"""What versions consist of: how it is read, when, where, and how long it is kept."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from manyfest.errors import NotFound, RegistryError
from manyfest.graph import read_config, read_manifest
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.watch.config.values import Budget
from manyfest.watch.history.batch import Batch, WasRead
from manyfest.watch.history.history import History
from manyfest.watch.history.read.facts import facts_of
from manyfest.watch.poll.facts import read_facts
from manyfest.watch.poll.lane import SPARE, Lane, Look
from manyfest.watch.poll.reading import LATER, Planned, Reading
from manyfest.watch.values import Change, Facts, PlatformFacts, TagState
from tests import images
from tests.signing import Key, payload_of, sign_by_bundle, sign_by_tag, statement_of
from tests.unit.test_watch_deciding import PATIENCE, running
from tests.unit.test_watch_seen import WANTED, Asked
from tests.unit.watch_web import digest, seen, state
from tests.unit.watching import image

KEY = Key()


def released(store: Asked, tag: str = "1") -> tuple[str, dict[str, str]]:
    """An index for these platforms, and the digests of its images."""
    made = {each: images.image(store, each, text=each) for each in WANTED}
    index = images.index(store, [images.entry(it, name) for name, it in made.items()])
    store.tag(tag, images.content_of(index))
    return str(index.descriptor.digest), {
        name: str(it.descriptor.digest) for name, it in made.items()
    }


def read(store: Asked, root: str, of: dict[str, str]) -> Facts:
    return read_facts(store, root, of, 5.0, is_last=False)


def test_sizes_are_those_of_what_is_downloaded() -> None:
    store = Asked()
    root, of = released(store)

    facts = read(store, root, of)

    manifest = read_manifest(store, store.resolve(of["linux/arm64"])).image
    assert (facts.digest, facts.read_at, facts.is_last) == (root, 5.0, False)
    assert [each.platform for each in facts.platforms] == list(WANTED)
    assert facts.platforms[1] == PlatformFacts(
        platform="linux/arm64",
        digest=of["linux/arm64"],
        size=manifest.config.size + sum(layer.size for layer in manifest.layers),
        layers=len(manifest.layers),
        created=read_config(store, manifest).created,
    )


def test_what_is_attached_is_told_of_what_it_is_attached_to() -> None:
    store = Asked()
    root, of = released(store)
    index = read_manifest(store, store.resolve(root))
    sign_by_bundle(store, index, KEY, statement_of(root))
    arm64 = read_manifest(store, store.resolve(of["linux/arm64"]))
    payload = payload_of(of["linux/arm64"])
    sign_by_tag(store, arm64, (payload, KEY.sign(payload)))

    facts = read(store, root, of)

    assert facts.attached == ("signature (Sigstore bundle)",)
    assert [each.attached for each in facts.platforms] == [(), ("signature (cosign)",)]


def test_what_buildkit_attests_to_lies_in_the_index() -> None:
    store = Asked()
    index = images.attested(store)
    amd64 = next(each for each in index.index.manifests if not each.is_attestation)

    root = str(index.descriptor.digest)
    known = read(store, root, {str(amd64.platform): str(amd64.digest)})

    assert known.attached == ()
    assert [(each.platform, each.attached) for each in known.platforms] == [
        ("linux/amd64", ("provenance (SLSA)",))
    ]


def test_an_index_within_an_index_is_looked_into() -> None:
    store = Asked()
    amd64 = images.image(store, "linux/amd64")
    inner = images.index(store, [images.entry(amd64, "linux/amd64")])
    outer = images.index(store, [inner.descriptor])

    known = read(store, str(outer.descriptor.digest), {"linux/amd64": str(amd64.descriptor.digest)})

    assert [each.layers for each in known.platforms] == [len(amd64.image.layers)]


def test_of_an_image_without_an_index_all_is_attached_to_the_image() -> None:
    store = Asked()
    only = images.image(store, "linux/amd64")
    store.tag("1", images.content_of(only))
    root = str(only.descriptor.digest)
    sign_by_bundle(store, only, KEY, statement_of(root))

    facts = read(store, root, {"linux/amd64": root})

    assert facts.attached == ()
    assert [each.attached for each in facts.platforms] == [("signature (Sigstore bundle)",)]


def test_each_manifest_is_read_once() -> None:
    store = Asked()
    root, of = released(store)
    store.referrers = lambda _: ()  # type: ignore[method-assign,assignment]
    store.since()

    read(store, root, of)

    # The index; the manifest and the configuration of each image.
    assert store.since().count("GET") == 1 + 2 + 2


def test_nothing_more_is_asked_of_a_registry_that_fails() -> None:
    store = Asked()
    root, of = released(store)
    asked: list[Digest] = []

    def overloaded(subject: Digest) -> tuple[Descriptor, ...]:
        asked.append(subject)
        raise RegistryError("it is overloaded", status=503)

    store.referrers = overloaded  # type: ignore[method-assign]
    with pytest.raises(RegistryError, match="overloaded"):
        read(store, root, of)
    assert len(asked) == 1


def test_what_is_gone_is_not_read() -> None:
    with pytest.raises(NotFound):
        read(Asked(), digest("a"), {"linux/amd64": digest("b")})


# When, and where

BOTH = image(places=("docker.io/app", "ghcr.io/app"))
HUB, GHCR = (Look(BOTH.name, place.repository, "1") for place in BOTH.rule.places)
ROOT = digest("a")


def of(look: Look) -> Look:
    """The look that reads what the tag means."""
    return Look(look.image, look.repository, look.tag, ROOT)


def facts(*, is_last: bool = False, at: float = 0.0) -> Facts:
    return Facts(digest=ROOT, platforms=(), read_at=at, is_last=is_last)


def test_what_is_new_comes_before_what_was_there() -> None:
    assert Reading().want(BOTH, GHCR, ROOT, is_new=True, is_signed=True, now=0.0) == Planned(
        of(GHCR), 0.0, SPARE
    )
    assert Reading().want(BOTH, GHCR, ROOT, is_new=False, is_signed=True, now=0.0) == Planned(
        of(GHCR), 0.0, LATER
    )


def test_docker_hub_is_asked_only_if_no_other_registry_has_it_in_time() -> None:
    reading = Reading()

    assert reading.want(BOTH, HUB, ROOT, is_new=True, is_signed=True, now=0.0) == Planned(
        of(HUB), 600.0, SPARE
    )
    assert reading.want(BOTH, GHCR, ROOT, is_new=True, is_signed=True, now=9.0) == Planned(
        of(GHCR), 0.0, SPARE, instead=of(HUB)
    )
    assert reading.want(BOTH, HUB, ROOT, is_new=True, is_signed=True, now=10.0) is None


def test_docker_hub_is_asked_at_once_where_there_is_no_other() -> None:
    only = image(places=("docker.io/app",))

    assert Reading().want(only, HUB, ROOT, is_new=True, is_signed=True, now=0.0) == Planned(
        of(HUB), 0.0, SPARE
    )


def test_what_is_planned_is_not_planned_twice_whatever_tag_means_it() -> None:
    reading = Reading()
    reading.want(BOTH, GHCR, ROOT, is_new=True, is_signed=True, now=0.0)

    assert (
        reading.want(BOTH, replace(GHCR, tag="1.0"), ROOT, is_new=True, is_signed=True, now=0.0)
        is None
    )


@pytest.mark.parametrize(("soak", "again"), [(0.0, 3600.0), (7200.0, 7200.0)])
def test_it_is_read_once_more_when_it_has_soaked_or_an_hour_after(
    soak: float, again: float
) -> None:
    asked = replace(BOTH, rule=replace(BOTH.rule, soak=soak))
    reading = Reading()
    reading.want(asked, GHCR, ROOT, is_new=True, is_signed=True, now=0.0)

    assert of(GHCR) not in reading
    assert reading.over(of(GHCR), asked, facts(), is_signed=True) == again
    assert of(GHCR) in reading
    assert reading.want(asked, GHCR, ROOT, is_new=True, is_signed=True, now=9.0) is None
    assert reading.over(of(GHCR), asked, facts(is_last=True), is_signed=True) is None
    assert reading.want(asked, GHCR, ROOT, is_new=True, is_signed=True, now=99.0) is None


def test_a_clock_that_was_put_back_does_not_put_it_off_for_longer() -> None:
    reading = Reading()
    reading.recall([WasRead(ROOT, 1_000_000.0, is_last=False)])

    assert reading.want(BOTH, GHCR, ROOT, is_new=False, is_signed=True, now=0.0) == Planned(
        of(GHCR), 3600.0, LATER
    )


def test_what_is_to_be_signed_is_read_once_more_when_it_is() -> None:
    reading = Reading()
    reading.want(BOTH, GHCR, ROOT, is_new=True, is_signed=False, now=0.0)

    assert reading.over(of(GHCR), BOTH, facts(), is_signed=False) is None
    assert reading.want(BOTH, GHCR, ROOT, is_new=True, is_signed=False, now=9.0) is None
    assert reading.want(BOTH, GHCR, ROOT, is_new=True, is_signed=True, now=600.0) == Planned(
        of(GHCR), 3000.0, LATER
    )


def test_it_is_tried_again_a_few_times() -> None:
    reading = Reading()
    reading.want(BOTH, GHCR, ROOT, is_new=True, is_signed=True, now=0.0)

    tries = [reading.over(of(GHCR), BOTH, None, is_signed=True) for _ in range(4)]

    assert tries == [300.0, 3600.0, 21600.0, None]
    assert reading.want(BOTH, GHCR, ROOT, is_new=True, is_signed=True, now=0.0) is None


def test_what_nobody_asks_for_any_more_may_be_asked_for_later() -> None:
    reading = Reading()
    reading.want(BOTH, GHCR, ROOT, is_new=True, is_signed=True, now=0.0)

    assert reading.over(of(GHCR), None, None, is_signed=True) is None
    assert reading.want(BOTH, GHCR, ROOT, is_new=False, is_signed=True, now=0.0) == Planned(
        of(GHCR), 0.0, LATER
    )


def test_after_a_restart_what_was_read_is_only_read_for_what_comes_later() -> None:
    reading = Reading()
    reading.recall([WasRead(ROOT, 1000.0, is_last=False)])

    assert reading.want(BOTH, GHCR, ROOT, is_new=True, is_signed=True, now=1600.0) == Planned(
        of(GHCR), 3000.0, LATER
    )
    assert of(GHCR) in reading


# Only what is left over

TAG, ONE, TWO = (Look("app", "a.example.org/app", tag) for tag in ("tag", "one", "two"))


def lane(budget: Budget | None = None, gap: float = 10.0) -> Lane:
    return Lane(budget=budget, now=0.0, jitter=lambda: 0.5, gap=gap)


def test_polling_comes_first() -> None:
    ours = lane()
    ours.plan(ONE, 0.0, SPARE)
    ours.plan(TAG, 5.0, rank=3)

    assert [ours.take(5.0), ours.take(5.0)] == [TAG, ONE]


def test_one_version_is_read_at_a_time_and_not_at_once_after_another() -> None:
    ours = lane()
    ours.plan(ONE, 0.0, SPARE)
    ours.plan(TWO, 0.0, SPARE)

    assert (ours.take(0.0), ours.take(0.0)) == (ONE, None)
    assert ours.wait(0.0) is None
    ours.done(ONE, "answered", 1.0, requests=7)
    ours.drop(ONE)
    assert ours.take(1.0) is None
    assert ours.wait(1.0) == 10.0
    assert ours.take(11.0) == TWO


def test_a_look_that_turns_out_to_be_of_no_use_holds_up_no_other() -> None:
    ours = lane()
    ours.plan(ONE, 0.0, SPARE)
    ours.plan(TWO, 0.0, SPARE)
    ours.take(0.0)
    ours.drop(ONE)
    ours.done(ONE, "answered", 0.0, requests=0)

    assert ours.take(0.0) == TWO


def test_what_is_waited_for_holds_up_no_tag() -> None:
    ours = lane(gap=100.0)
    ours.plan(ONE, 0.0, SPARE)
    ours.take(0.0)
    ours.plan(TWO, 0.0, SPARE)
    ours.plan(TAG, 20.0, rank=3)

    assert ours.take(5.0) is None
    assert ours.wait(5.0) == 15.0
    assert ours.take(20.0) == TAG


def test_a_budget_that_polling_needs_is_not_spent_on_it() -> None:
    hundred = Budget(requests=100, seconds=750.0)  # 25 at once, then one in 10 seconds
    ours = lane(hundred)
    ours.plan(ONE, 0.0, SPARE)
    for number in range(10):
        tag = replace(TAG, tag=str(number))
        ours.plan(tag, 0.0, rank=3)
        assert ours.take(0.0) == tag
        ours.done(tag, "answered", 0.0)
        ours.drop(tag)

    assert ours.take(0.0) is None
    assert ours.wait(0.0) == 40.0  # until 19 of the 25 are there
    assert ours.take(40.0) == ONE


# The history


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History.open(str(tmp_path / "watch.db"))


def kept(history: History, of: TagState) -> dict[str, Facts]:
    with history.reading() as connection:
        return facts_of(connection, of)


def test_what_is_read_again_takes_the_place_of_what_was(history: History) -> None:
    with history:
        history.record(Batch(facts=(facts(at=1.0),)))
        later = replace(facts(is_last=True, at=2.0), attached=("signature (cosign)",))
        history.record(Batch(facts=(later,)))

        assert kept(history, state()) == {ROOT: later}
        assert history.facts_read() == [WasRead(ROOT, 2.0, is_last=True)]


def test_it_is_known_by_what_each_place_holds(history: History) -> None:
    other = Facts(digest=digest("c"), platforms=(), read_at=1.0)
    history.record(Batch(facts=(facts(), other)))

    with history:
        both = state("2.6.1", seen(), seen("ghcr.io/gotify/server", index=digest("c")))
        assert kept(history, both) == {ROOT: facts(), digest("c"): other}
        assert kept(history, state("2.6.1", seen())) == {ROOT: facts()}


def test_it_is_forgotten_with_the_version(history: History) -> None:
    with history:
        history.record(Batch(facts=(facts(at=1.0),), changes=(Change(state=state()),)))
        history.forget(1000.0)
        assert history.facts_read() == [WasRead(ROOT, 1.0, is_last=False)]

        history.record(Batch(changes=(Change(state=TagState(image="a", tag="b", began=0.0)),)))
        gone = TagState(image=state().image, tag=state().tag, began=0.0)
        history.record(Batch(changes=(Change(state=gone),)))
        assert history.forget(1.0) == 0
        assert history.forget(1000.0) >= 1
        assert history.facts_read() == []


# Told


def test_what_was_read_is_kept_and_open_pages_are_told(tmp_path: Path) -> None:
    with running(tmp_path / "watch.db") as part:
        part.decider.learn("app", "1", facts())

        news = part.news.wait(PATIENCE)
        assert news is not None
        assert news.tags == {("app", "1")}
        assert part.history.facts_read() == [WasRead(ROOT, 0.0, is_last=False)]
