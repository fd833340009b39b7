"""Looking at registries all the time, against stores in memory."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

import pytest
from msgspec.structs import replace

from manyfest.check.readiness import Readiness
from manyfest.errors import (
    AccessDenied,
    ConnectionFailed,
    ContentError,
    ManyfestError,
    NotFound,
    RateLimited,
    RegistryError,
)
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.stores.base import Source
from manyfest.watch.config.values import TagChoice, WatchedImage
from manyfest.watch.decide import beginning
from manyfest.watch.history.batch import WasListed, WasRead
from manyfest.watch.poll.asking import outcome_of
from manyfest.watch.poll.lane import Outcome
from manyfest.watch.poll.poller import Poller
from manyfest.watch.values import Facts, Observation, Place, PlaceSeen, PlatformSeen, Rule, TagState
from tests.unit.test_watch_seen import WANTED, Asked, release

HUB, GHCR = "hub.example.org/app", "ghcr.example.org/app"
PATIENCE = 20.0
"""Seconds after which a test gives up; none takes so long unless it fails."""


class Repositories:
    """Stores in memory as repositories of registries."""

    def __init__(self, *places: str) -> None:
        self.stores = {place: Asked() for place in places}
        self.rests: dict[str, float] = {}
        self.no_registries: set[str] = set()
        self.anew: list[str] = []

    def source(self, place: str) -> Source:
        return self.stores[place]

    def learn_anew(self, place: str) -> None:
        self.anew.append(place)

    def require_registry(self, registry: str) -> None:
        if registry in self.no_registries:
            raise RegistryError("what answers there is no registry", where=registry)

    def rest(self, registry: str) -> float:
        return self.rests.get(registry, 0.0)

    def sent(self) -> int:
        return 0


class Told:
    """Keeps what is found, and lets tests wait for it."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.found: list[tuple[str, frozenset[str], bool]] = []
        self.lists: list[tuple[WasListed, int]] = []
        self.observed: list[Observation] = []
        self.learned: list[tuple[str, str, Facts]] = []
        self.left: set[str] = set()

    def find(self, image: str, tags: Collection[str], *, was_there: bool) -> None:
        with self.changed:
            self.found.append((image, frozenset(tags), was_there))

    def listed(self, lists: WasListed) -> None:
        with self.changed:
            self.lists.append((lists, len(self.found)))
            self.changed.notify_all()

    def observe(self, observation: Observation) -> None:
        with self.changed:
            self.observed.append(observation)
            self.changed.notify_all()

    def leave(self, image: str, tags: Collection[str]) -> None:
        with self.changed:
            self.left.update(tags)
            self.changed.notify_all()

    def learn(self, image: str, tag: str, facts: Facts) -> None:
        with self.changed:
            self.learned.append((image, tag, facts))
            self.changed.notify_all()

    def until(self, is_so: Callable[[], object]) -> None:
        """Wait until it is."""
        with self.changed:
            assert self.changed.wait_for(is_so, PATIENCE), self.observed

    def of(self, tag: str, place: str = HUB) -> list[Readiness | None]:
        """What a place answered for a tag, in order."""
        return [each.answer for each in self.observed if (each.tag, each.place) == (tag, place)]


def watched(
    *places: str,
    tags: TagChoice | None = None,
    every: float = 0.05,
    settle: float = 0.0,
    soak: float = 0.0,
) -> WatchedImage:
    """An image that should be in these places."""
    rule = Rule(
        image="app",
        places=tuple(Place(repository=each) for each in places or (HUB,)),
        platforms=WANTED,
        settle=settle,
        soak=soak,
    )
    return WatchedImage(rule=rule, tags=tags or TagChoice(versions="*", newest=3), every=every)


@contextmanager
def polling(
    repositories: Repositories, *images: WatchedImage, states: Collection[TagState] = ()
) -> Iterator[tuple[Poller, Told]]:
    """A poller that looks at the images while the block runs."""
    told = Told()
    poller = Poller(repositories, told, jitter=lambda: 0.5)
    poller.watch(images, states=states)
    with running(poller):
        yield poller, told


@contextmanager
def running(poller: Poller) -> Iterator[None]:
    """The poller looks while the block runs."""
    thread = threading.Thread(target=poller.run)
    thread.start()
    try:
        yield
    finally:
        poller.stop()
        thread.join(PATIENCE)
        assert not thread.is_alive()


def listed(repositories: Repositories, times: int) -> None:
    """Wait until the hub was asked so often for its list of tags."""
    for _ in range(int(PATIENCE / 0.01)):
        if repositories.stores[HUB].asked.count("LIST") >= times:
            return
        time.sleep(0.01)
    raise AssertionError(repositories.stores[HUB].asked)


def test_what_is_listed_is_looked_at_in_every_place() -> None:
    both = Repositories(HUB, GHCR)
    digest = release(both.stores[HUB], "2.6.1", *WANTED)

    with polling(both, watched(HUB, GHCR)) as (_, told):
        told.until(lambda: told.of("2.6.1", HUB) and told.of("2.6.1", GHCR))

    hub, ghcr = told.of("2.6.1", HUB)[0], told.of("2.6.1", GHCR)[0]
    assert hub is not None
    assert ghcr is not None
    assert (hub.ready, hub.digest, ghcr.ready, ghcr.digest) == (True, digest, False, "")


def test_what_the_first_look_finds_was_there_and_what_a_later_one_finds_is_new() -> None:
    hub = Repositories(HUB)
    release(hub.stores[HUB], "2.6.0", *WANTED)

    with polling(hub, watched()) as (_, told):
        told.until(lambda: told.of("2.6.0"))
        release(hub.stores[HUB], "2.6.1", *WANTED)
        told.until(lambda: told.of("2.6.1"))

    assert told.found == [
        ("app", frozenset({"2.6.0"}), True),
        ("app", frozenset({"2.6.1"}), False),
    ]


def test_an_old_version_that_is_watched_once_a_newer_one_is_gone_is_not_new() -> None:
    hub = Repositories(HUB)
    for tag in ("1.0.0", "1.1.0", "1.2.0", "1.3.0"):
        release(hub.stores[HUB], tag, *WANTED)

    with polling(hub, watched()) as (_, told):
        told.until(lambda: told.of("1.3.0"))
        hub.stores[HUB].untag("1.3.0")
        told.until(lambda: told.of("1.0.0"))

    assert told.found == [
        ("app", frozenset({"1.1.0", "1.2.0", "1.3.0"}), True),
        ("app", frozenset({"1.0.0"}), True),
    ]


def test_what_newer_versions_leave_no_room_for_is_left() -> None:
    hub = Repositories(HUB)
    for tag in ("1.0.0", "1.1.0", "1.2.0"):
        release(hub.stores[HUB], tag, *WANTED)
    rule = watched().rule
    ancient = beginning(rule, "0.9.0", 0.0)
    known = replace(ancient, places=(replace(ancient.places[0], digest="sha256:x"),))

    with polling(hub, watched(), states=[known]) as (poller, told):
        told.until(lambda: told.left == {"0.9.0"})
        release(hub.stores[HUB], "1.3.0", *WANTED)
        told.until(lambda: told.left == {"0.9.0", "1.0.0"})
        told.until(lambda: told.of("1.3.0"))

        assert poller.looks_at("app", "1.3.0")
        assert not poller.looks_at("app", "1.0.0")
        assert not poller.looks_at("other", "1.3.0")


def test_another_choice_of_tags_makes_nothing_new() -> None:
    hub = Repositories(HUB)
    for tag in ("1.0.0", "1.1.0", "2.0.0"):
        release(hub.stores[HUB], tag, *WANTED)

    with polling(hub, watched(tags=TagChoice(versions="1", newest=1))) as (poller, told):
        told.until(lambda: told.of("1.1.0"))
        poller.watch([watched(tags=TagChoice(versions="*", newest=5))])
        told.until(lambda: told.of("2.0.0") and told.of("1.0.0"))
        release(hub.stores[HUB], "2.0.1", *WANTED)
        told.until(lambda: told.of("2.0.1"))

    assert {tag for _, tags, was_there in told.found for tag in tags if not was_there} == {"2.0.1"}


def test_after_a_start_anew_a_wider_choice_makes_nothing_new() -> None:
    hub = Repositories(HUB)
    for tag in ("1.0.0", "1.1.0", "2.0.0"):
        release(hub.stores[HUB], tag, *WANTED)
    wider, told = watched(tags=TagChoice(versions="*", newest=5)), Told()
    seen = PlaceSeen(place=HUB, digest="sha256:x", answered_at=1.0)
    known = TagState(image="app", tag="1.0.0", began=0.0, places=(seen,))
    poller = Poller(hub, told, jitter=lambda: 0.5)
    poller.recall(lists=[WasListed("app", HUB, TagChoice(versions="1", newest=1))])
    poller.watch([wider], states=[known])

    with running(poller):
        told.until(lambda: told.of("2.0.0"))

    assert told.found[1:] == [
        ("app", frozenset({"2.0.0"}), True),
        ("app", frozenset({"1.1.0"}), False),
    ]


def test_by_which_choice_a_list_was_read_is_told_once_and_after_what_it_found() -> None:
    hub = Repositories(HUB)
    release(hub.stores[HUB], "1.0.0", *WANTED)
    one, other = TagChoice(versions="1"), TagChoice(names=("1.0.0",))

    with polling(hub, watched(tags=one)) as (poller, told):
        listed(hub, 3)
        poller.watch([watched(tags=other)])

    assert told.lists == [(WasListed("app", HUB, one), 1), (WasListed("app", HUB, other), 2)]


def test_it_says_once_that_of_all_tags_none_is_watched(caplog: pytest.LogCaptureFixture) -> None:
    hub = Repositories(HUB)
    for tag in ("1.0", "edge"):
        release(hub.stores[HUB], tag, *WANTED)

    with polling(hub, watched()):
        listed(hub, 3)

    (said,) = caplog.messages
    assert said.startswith("hub.example.org/app has 2 tags, and none of them is watched: ")


def test_named_tags_may_have_been_there_for_years() -> None:
    hub = Repositories(HUB)

    with polling(hub, watched(tags=TagChoice(names=("latest",)))) as (poller, told):
        told.until(lambda: told.of("latest"))

        assert not poller.hint(HUB, "")
        assert poller.unlisted("app") == ()

    assert told.found == [("app", frozenset({"latest"}), True)]
    assert "LIST" not in hub.stores[HUB].since()


def test_it_looks_again_and_again_by_one_request() -> None:
    hub = Repositories(HUB)
    release(hub.stores[HUB], "2.6.1", *WANTED)

    with polling(hub, watched()) as (_, told):
        told.until(lambda: told.learned and told.of("2.6.1"))
        hub.stores[HUB].since()
        count = len(told.of("2.6.1"))
        told.until(lambda: len(told.of("2.6.1")) > count + 4)

    asked = Counter(hub.stores[HUB].since())
    assert set(asked) == {"HEAD 2.6.1", "LIST"}
    assert asked["HEAD 2.6.1"] >= 4


def test_what_a_version_consists_of_is_read_once_and_once_more_for_what_comes_later() -> None:
    both = Repositories(HUB, GHCR)
    for store in both.stores.values():
        digest = release(store, "2.6.1", *WANTED)
        release(store, "2.6", *WANTED, text="")

    with polling(both, watched(HUB, GHCR, soak=0.2)) as (_, told):
        told.until(lambda: len(told.learned) == 2)
        count = len(told.observed)
        told.until(lambda: len(told.observed) > count + 8)

    first, second = (facts for _, _, facts in told.learned)
    assert (first.digest, first.is_last, second.digest, second.is_last) == (
        digest,
        False,
        digest,
        True,
    )
    assert [each.platform for each in first.platforms] == list(WANTED)
    assert first.platforms == second.platforms


def test_that_it_cannot_be_read_is_no_fault_of_the_version() -> None:
    hub = Repositories(HUB)
    release(hub.stores[HUB], "2.6.1", *WANTED)
    asked: list[str] = []

    def broken(subject: Digest) -> tuple[Descriptor, ...]:
        asked.append(str(subject))
        raise RegistryError("the list of referrers is broken", status=400)

    hub.stores[HUB].referrers = broken  # type: ignore[method-assign]
    with polling(hub, watched()) as (_, told):
        told.until(lambda: asked and len(told.of("2.6.1")) > 4)

    assert told.learned == []
    assert all(each is not None and each.ready for each in told.of("2.6.1"))
    assert len(asked) == 1


def test_what_the_history_has_read_is_not_read_again() -> None:
    hub = Repositories(HUB)
    digest = release(hub.stores[HUB], "2.6.1", *WANTED)
    told = Told()
    poller = Poller(hub, told, jitter=lambda: 0.5)
    poller.recall([WasRead(digest, 0.0, is_last=True)])
    poller.watch([watched()])

    with running(poller):
        told.until(lambda: len(told.of("2.6.1")) > 4)

    assert told.learned == []
    assert [each for each in hub.stores[HUB].since() if "GET" in each] == ["GET 2.6.1"]


def test_a_hint_has_a_tag_looked_at_before_it_is_due() -> None:
    both = Repositories(HUB, GHCR)

    with polling(both, watched(HUB, GHCR, every=3600.0)) as (poller, told):
        listed(both, 1)
        release(both.stores[HUB], "2.6.1", *WANTED)

        assert poller.hint(HUB, "2.6.1")
        told.until(lambda: told.of("2.6.1", HUB) and told.of("2.6.1", GHCR))
        assert not poller.hint("elsewhere.example.org/app", "2.6.1")


def test_a_hint_at_what_is_not_watched_does_nothing() -> None:
    hub = Repositories(HUB)

    with polling(hub, watched(every=3600.0)) as (poller, told):
        listed(hub, 1)
        assert not poller.hint(HUB, "edge")
        assert not poller.hint(HUB, "../../etc")
        release(hub.stores[HUB], "2.6.1", *WANTED)
        assert poller.hint(HUB, "")
        told.until(lambda: told.of("2.6.1"))

    assert {each.tag for each in told.observed} == {"2.6.1"}


def test_a_place_that_cannot_tell_is_told_and_not_taken_for_a_no() -> None:
    hub = Repositories(HUB)
    release(hub.stores[HUB], "2.6.1", *WANTED)

    with polling(hub, watched(every=0.5)) as (_, told):
        told.until(lambda: told.of("2.6.1"))
        hub.stores[HUB].fails = AccessDenied("log in", where=HUB, status=401)
        told.until(lambda: None in told.of("2.6.1"))

    silent = next(each for each in told.observed if each.answer is None)
    assert silent.silence == f"{HUB}: log in"
    assert all(each is None or each.ready for each in told.of("2.6.1"))


def test_a_list_that_is_refused_is_a_trouble_until_it_is_given(
    caplog: pytest.LogCaptureFixture,
) -> None:
    hub = Repositories(HUB)
    release(hub.stores[HUB], "2.6.1", *WANTED)
    hub.stores[HUB].fails = AccessDenied("log in", where=HUB, status=401)

    with polling(hub, watched()) as (poller, told):
        listed(hub, 4)
        assert poller.troubles() == (f"the tags of {HUB} are not known: {HUB}: log in",)
        assert poller.unlisted("app") == (HUB,)
        hub.stores[HUB].fails = None
        told.until(lambda: told.of("2.6.1"))
        assert poller.troubles() == ()
        assert poller.unlisted("app") == ()

    assert len(caplog.messages) == 1


def test_a_list_that_cannot_be_had_takes_nothing_away() -> None:
    hub = Repositories(HUB)
    release(hub.stores[HUB], "2.6.1", *WANTED)

    with polling(hub, watched()) as (poller, told):
        told.until(lambda: told.of("2.6.1"))
        hub.stores[HUB].tags = _no_list  # type: ignore[method-assign]
        before = len(told.of("2.6.1"))
        told.until(lambda: len(told.of("2.6.1")) > before + 4 and poller.unlisted("app"))

    assert all(each is not None and each.ready for each in told.of("2.6.1"))


def _no_list() -> Iterator[str]:
    raise RegistryError("the list of tags is broken", status=404)


def test_a_registry_that_hangs_holds_up_no_other() -> None:
    both = Repositories(HUB, GHCR)
    for store in both.stores.values():
        release(store, "2.6.1", *WANTED)
    goes_on = threading.Event()
    both.stores[HUB].means = lambda *_: goes_on.wait(PATIENCE)  # type: ignore[method-assign]

    with polling(both, watched(HUB, GHCR)) as (_, told):
        told.until(lambda: len(told.of("2.6.1", GHCR)) > 5)
        assert len(told.of("2.6.1", HUB)) <= 1
        goes_on.set()


def test_a_registry_that_fails_for_one_tag_is_asked_for_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("manyfest.watch.poll.lane.FIRST_REST", 0.02)
    hub = Repositories(HUB)
    for tag in ("2.6.0", "2.6.1"):
        release(hub.stores[HUB], tag, *WANTED)
    hub.stores[HUB].broken = "2.6.0"

    with polling(hub, watched()) as (_, told):
        told.until(lambda: len(told.of("2.6.0")) > 3 and len(told.of("2.6.1")) > 3)

    assert all(each is None for each in told.of("2.6.0"))
    assert None not in told.of("2.6.1")
    assert Counter(hub.stores[HUB].since())["LIST"] > 1


def test_who_wants_to_be_left_alone_is_not_asked() -> None:
    both = Repositories(HUB, GHCR)
    both.rests["hub.example.org"] = 3600.0

    with polling(both, watched(HUB, GHCR, tags=TagChoice(names=("1",)))) as (_, told):
        told.until(lambda: len(told.of("1", GHCR)) > 3)

    assert both.stores[HUB].since() == []


def test_what_never_had_anything_must_be_a_registry() -> None:
    hub = Repositories(HUB)
    hub.no_registries.add("hub.example.org")

    with polling(hub, watched(tags=TagChoice(names=("1",)))) as (_, told):
        told.until(lambda: told.of("1"))

    assert told.observed[0].answer is None
    assert told.observed[0].silence == "hub.example.org: what answers there is no registry"


def test_a_fault_of_our_own_ends_nothing() -> None:
    hub = Repositories(HUB)
    release(hub.stores[HUB], "2.6.1", *WANTED)
    hub.stores[HUB].fails = ZeroDivisionError()

    with polling(hub, watched(), watched_as("other", HUB)) as (poller, told):
        listed(hub, 2)
        hub.stores[HUB].fails = None
        poller.hint(HUB, "")
        told.until(lambda: told.of("2.6.1"))


def watched_as(name: str, *places: str) -> WatchedImage:
    """The same image under another name."""
    rule = Rule(
        image=name,
        places=tuple(Place(repository=each) for each in places),
        platforms=WANTED,
    )
    return WatchedImage(rule=rule, tags=TagChoice(versions="*"), every=0.05)


def test_what_is_not_watched_any_more_is_not_asked_for() -> None:
    both = Repositories(HUB, GHCR)
    for store in both.stores.values():
        release(store, "2.6.1", *WANTED)

    with polling(both, watched_as("a", HUB), watched_as("b", GHCR)) as (poller, told):
        told.until(lambda: told.of("2.6.1", HUB) and told.of("2.6.1", GHCR))
        poller.watch([watched_as("b", GHCR)])
        count = len(told.of("2.6.1", GHCR))
        told.until(lambda: len(told.of("2.6.1", GHCR)) > count + 3)
        both.stores[HUB].since()
        count = len(told.of("2.6.1", GHCR))
        told.until(lambda: len(told.of("2.6.1", GHCR)) > count + 3)

    assert both.stores[HUB].since() == []


def test_what_the_history_knows_waits_for_its_turn_and_is_not_read_again() -> None:
    hub = Repositories(HUB)
    release(hub.stores[HUB], "2.6.1", *WANTED)
    with polling(hub, watched()) as (_, told):
        told.until(lambda: told.of("2.6.1"))
    known = told.of("2.6.1")[0]
    assert known is not None
    image = watched()
    platforms = {
        each.platform: PlatformSeen(state="ready", digest=each.digest) for each in known.platforms
    }
    seen = PlaceSeen(place=HUB, digest=known.digest, platforms=platforms, answered_at=1.0)
    state = beginning(image.rule, "2.6.1", 0.0)
    state = TagState(image="app", tag="2.6.1", began=state.began, places=(seen,))
    hub.stores[HUB].since()

    with polling(hub, image, states=[state]) as (_, told):
        told.until(lambda: told.of("2.6.1"))
        release(hub.stores[HUB], "2.7.0", *WANTED)
        told.until(lambda: told.of("2.7.0"))

    assert told.of("2.6.1")[0] == known
    assert told.found[-1] == ("app", frozenset({"2.7.0"}), False)


def test_what_was_asked_before_the_image_was_another_one_is_not_told() -> None:
    hub = Repositories(HUB)
    release(hub.stores[HUB], "2.6.1", *WANTED)
    asked, goes_on = threading.Event(), threading.Event()

    def slow(*_: object) -> bool:
        asked.set()
        return goes_on.wait(PATIENCE)

    with polling(hub, watched(tags=TagChoice(names=("2.6.1",)))) as (poller, told):
        told.until(lambda: told.of("2.6.1"))
        hub.stores[HUB].means = slow  # type: ignore[assignment,method-assign]
        assert asked.wait(PATIENCE)
        told.observed.clear()
        other = watched(tags=TagChoice(names=("2.6.1",)), every=3600.0)
        poller.watch([replace(other, rule=replace(other.rule, platforms=("linux/amd64",)))])
        goes_on.set()
        told.until(lambda: told.observed)

    (answer,) = told.of("2.6.1")
    assert answer is not None
    assert [each.platform for each in answer.platforms] == ["linux/amd64"]


def test_what_is_asked_once_in_centuries_is_waited_for() -> None:
    hub = Repositories(HUB)

    with polling(hub, watched(tags=TagChoice(names=("2.6.1",)), every=9.3e9)) as (poller, told):
        told.until(lambda: told.of("2.6.1"))
        poller.recheck("app", "2.6.1")
        told.until(lambda: len(told.of("2.6.1")) == 2)


def test_a_recheck_asks_for_all_once_more() -> None:
    hub = Repositories(HUB)
    release(hub.stores[HUB], "2.6.1", *WANTED)

    with polling(hub, watched(every=3600.0)) as (poller, told):
        told.until(lambda: told.of("2.6.1"))
        hub.stores[HUB].since()
        poller.recheck("app", "2.6.1")
        told.until(lambda: len(told.of("2.6.1")) == 2)

    assert Counter(hub.stores[HUB].since())["HEAD child"] == 2
    assert hub.anew == [HUB]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConnectionFailed("no answer"), "failed"),
        (RateLimited("too often", status=429), "failed"),
        (RegistryError("it is overloaded", status=503), "failed"),
        (RegistryError("it does not like this", status=400), "refused"),
        (AccessDenied("log in", status=401), "refused"),
        (NotFound("no such tag"), "refused"),
        (ContentError("nonsense"), "refused"),
    ],
)
def test_a_registry_is_left_alone_for_what_is_its_own_fault(
    error: ManyfestError, expected: Outcome
) -> None:
    assert outcome_of(error) == expected


def test_many_tags_are_spread_over_a_round() -> None:
    hub = Repositories(HUB)
    for number in range(40):
        release(hub.stores[HUB], f"1.0.{number}", *WANTED)
    image = watched(tags=TagChoice(versions="*", newest=100))

    with polling(hub, image) as (_, told):
        told.until(lambda: len({each.tag for each in told.observed}) == 40)

    per_tag: defaultdict[str, int] = defaultdict(int)
    for each in told.observed:
        per_tag[each.tag] += 1
    assert set(per_tag) == {f"1.0.{number}" for number in range(40)}
