"""Waiting, with registries in memory whose content comes bit by bit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyfest.check.readiness import readiness
from manyfest.check.soak import Decision, Event, Question, State
from manyfest.check.wait import Patience, wait
from manyfest.check.watched import Asked, Watched
from manyfest.errors import (
    AccessDenied,
    ConnectionFailed,
    DigestMismatch,
    ManyfestError,
    RateLimited,
    RegistryError,
)
from manyfest.graph import read_manifest
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Manifest
from manyfest.oci.platform import Platform
from manyfest.stores.base import Reader
from manyfest.stores.memory import MemoryStore
from manyfest.stores.registry.http import LastingFailure, Unreachable
from tests.images import content_of, image, index, platforms

TAG = "2.6.1"
WANTED = ("linux/amd64", "linux/arm64")


class Time:
    """Passes only while somebody sleeps; ``at`` says what happens when."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []
        self.at: dict[float, Callable[[], object]] = {}

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        for due in sorted(when for when in self.at if when <= self.now):
            self.at.pop(due)()

    def patience(self) -> Patience:
        return Patience(clock=lambda: self.now, sleep=self.sleep, jitter=lambda: 1.0)


class Scripted(MemoryStore):
    """A repository that counts what it is asked, and fails when it is told to."""

    def __init__(self, label: str = "one.example/app") -> None:
        super().__init__(label)
        self.calls: list[str] = []
        self.fails: ManyfestError | None = None

    def resolve(self, name: str) -> Descriptor:
        self.calls.append(f"HEAD {name}")
        if self.fails is not None:
            raise self.fails
        return super().resolve(name)

    def open(self, descriptor: Descriptor) -> Reader:
        self.calls.append("GET")
        return super().open(descriptor)

    def has(self, descriptor: Descriptor) -> bool:
        self.calls.append("HEAD part")
        return super().has(descriptor)

    def counted(self) -> dict[str, int]:
        found = {call: self.calls.count(call) for call in dict.fromkeys(self.calls)}
        self.calls.clear()
        return found

    def hold(self, root: Manifest) -> None:
        """Point the tag at it, whatever is there of it."""
        self.tag(TAG, content_of(root))

    def hold_for(self, *names: str, text: str = "") -> str:
        """Point the tag at an index for these platforms; its digest."""
        root = platforms(self, names, text=text)
        self.hold(root)
        return str(root.descriptor.digest)


class Told:
    """Notes what it is told, with the time."""

    def __init__(self, time: Time) -> None:
        self._time = time
        self.lines: list[str] = []

    def __call__(self, events: Sequence[Event], state: State) -> None:
        for each in events:
            parts = (str(each.place) if each.place >= 0 else "", each.platform, each.kind)
            what = each.what[:10] if each.kind == "holds" else each.what
            line = " ".join(filter(None, (*parts, what)))
            self.lines.append(f"{self._time.now:g}: {line}")


def watched(
    *stores: Scripted,
    rest: Callable[[], float] = lambda: 0.0,
    require_registry: Callable[[], None] = lambda: None,
) -> list[Watched]:
    return [
        Watched(
            Asked(
                source=store,
                name=TAG,
                wanted=tuple(map(Platform.parse, WANTED)),
                reference=f"{store.label}:{TAG}",
                rest=rest,
                require_registry=require_registry,
            )
        )
        for store in stores
    ]


def waited(
    time: Time, *stores: Scripted, soak: float = 0.0, timeout: float = 600.0, expected: str = ""
) -> tuple[Decision, list[str]]:
    group = tuple(range(len(stores)))
    question = Question(groups=(group,), soak=soak, timeout=timeout, expected=expected)
    told = Told(time)
    return wait(watched(*stores), question, told, time.patience()), told.lines


def test_what_is_complete_already_is_not_waited_for() -> None:
    time, store = Time(), Scripted()
    digest = store.hold_for(*WANTED)
    decision, lines = waited(time, store)
    assert (decision.verdict, decision.state.digests) == ("ready", (digest,))
    assert time.slept == []
    assert lines == [f"0: 0 holds {digest[:10]}", "0: complete"]


def test_the_story_of_a_release_that_took_its_time() -> None:
    """Two registries: an empty index first, platforms one after the other, one registry behind, a
    stale answer in between, and a digest that changes while it soaks."""
    time, one, two = Time(), Scripted("one.example/app"), Scripted("two.example/app")
    digests: dict[str, str] = {}

    def note(name: str, digest: str) -> None:
        digests[name] = digest[:10]

    def empty() -> None:
        note("empty", str(index(one, []).descriptor.digest))
        one.hold(index(one, []))

    time.at = {
        50: empty,
        100: lambda: note("amd64", one.hold_for("linux/amd64")),
        200: lambda: note("both", one.hold_for(*WANTED)),
        300: lambda: two.hold_for(*WANTED),
        350: lambda: one.hold_for("linux/amd64"),  # a cache somewhere is stale
        390: lambda: one.hold_for(*WANTED),
        480: lambda: note("again", one.hold_for(*WANTED, text="again")),
        520: lambda: two.hold_for(*WANTED, text="again"),
    }
    decision, lines = waited(time, one, two, soak=100.0)
    times = [float(line.partition(":")[0]) for line in lines]
    told = [line.partition(": ")[2] for line in lines]
    both, again, amd64 = digests["both"], digests["again"], digests["amd64"]
    assert told == [
        "0 holds",
        "1 holds",
        f"0 holds {digests['empty']}",
        "0 linux/amd64 state missing",
        "0 linux/arm64 state missing",
        f"0 holds {amd64}",
        "0 linux/amd64 state ready",
        "0 linux/arm64 state missing",
        f"0 holds {both}",
        "0 linux/arm64 state ready",
        f"1 holds {both}",
        "1 linux/amd64 state ready",
        "1 linux/arm64 state ready",
        "complete",
        f"0 holds {amd64}",
        "0 linux/arm64 state missing",
        "1 linux/amd64 state different",
        "1 linux/arm64 state different",
        "incomplete",
        f"0 holds {both}",
        "0 linux/arm64 state ready",
        "1 linux/amd64 state ready",
        "1 linux/arm64 state ready",
        "complete",
        f"0 holds {again}",
        "1 linux/amd64 state different",
        "1 linux/arm64 state different",
        "incomplete",
        f"1 holds {again}",
        "1 linux/amd64 state ready",
        "1 linux/arm64 state ready",
        "complete",
    ]
    assert decision.verdict == "ready"
    assert {each[:10] for each in decision.state.digests} == {again}
    assert times == sorted(times)
    assert time.now == pytest.approx(times[-1] + 100.0, abs=0.01)


def test_children_that_arrive_one_by_one_are_seen() -> None:
    time, store = Time(), Scripted()
    root = platforms(store, WANTED)
    arm64 = read_manifest(store, root.children[1])
    lost = {digest: store.blobs.pop(digest) for digest in _parts(arm64)}
    config, layer, manifest = lost
    store.hold(root)
    time.at = {
        10: lambda: store.blobs.update({manifest: lost[manifest]}),
        20: lambda: store.blobs.update({config: lost[config]}),
        30: lambda: store.blobs.update({layer: lost[layer]}),
    }
    decision, lines = waited(time, store)
    assert decision.verdict == "ready"
    assert 30 <= time.now <= 60
    assert [line.partition(": ")[2] for line in lines[1:]] == [
        "0 linux/arm64 state partial",
        "0 linux/arm64 state ready",
        "complete",
    ]


def _parts(manifest: Manifest) -> list[Digest]:
    own = (manifest.image.config, manifest.image.layers[-1], manifest.descriptor)
    return [each.digest for each in own]


def test_nothing_new_costs_one_head_request_a_look() -> None:
    time, store = Time(), Scripted()
    store.hold_for("linux/amd64")
    counted: list[dict[str, int]] = []
    question = Question(groups=((0,),), soak=0.0, timeout=20.0)
    wait(watched(store), question, lambda *_: counted.append(store.counted()), time.patience())
    assert counted[0] == {f"HEAD {TAG}": 1, "GET": 2, "HEAD part": 3}
    assert counted[1:] == [{f"HEAD {TAG}": 1}] * 5


def test_a_soak_costs_one_head_request_a_look_and_at_its_end_all_of_them_again() -> None:
    time, store = Time(), Scripted()
    store.hold_for(*WANTED)
    counted: list[dict[str, int]] = []
    question = Question(groups=((0,),), soak=20.0, timeout=20.0)
    wait(watched(store), question, lambda *_: counted.append(store.counted()), time.patience())
    whole = {f"HEAD {TAG}": 1, "GET": 3, "HEAD part": 5}
    assert counted == [whole, *[{f"HEAD {TAG}": 1}] * 4, whole]


def test_what_was_lost_while_it_soaked_is_noticed_at_the_end() -> None:
    time, store = Time(), Scripted()
    store.hold_for(*WANTED)
    layer = read_manifest(store, store.resolve(TAG)).children[0]
    gone = read_manifest(store, layer).image.layers[-1].digest
    time.at = {10: lambda: store.blobs.pop(gone)}
    decision, lines = waited(time, store, soak=20.0, timeout=15.0)
    assert decision.verdict == "late"
    assert lines[-2:] == ["20: 0 linux/amd64 state partial", "20: incomplete"]


def test_pauses_grow_and_begin_anew_after_a_change() -> None:
    time, store = Time(), Scripted()
    time.at = {20: lambda: store.hold_for("linux/amd64")}
    waited(time, store, timeout=100.0)
    assert time.slept[:6] == [2.0, 3.0, 4.5, 6.75, 10.125, 2.0]
    assert sum(time.slept) == 100.0
    assert max(time.slept) <= 30.0


def test_the_last_look_is_at_the_end_of_the_time() -> None:
    time, store = Time(), Scripted()
    time.at = {100: lambda: store.hold_for(*WANTED)}
    decision, _ = waited(time, store, timeout=100.0)
    assert (decision.verdict, time.now) == ("ready", 100.0)


def test_when_the_time_is_over_the_answer_is_no() -> None:
    time, store = Time(), Scripted()
    store.hold_for("linux/amd64")
    decision, _ = waited(time, store, timeout=100.0)
    assert (decision.verdict, time.now) == ("late", 100.0)


def test_an_expected_digest_is_waited_for() -> None:
    time, store = Time(), Scripted()
    new = str(platforms(store, WANTED, text="new").descriptor.digest)
    store.hold_for(*WANTED)
    time.at = {10: lambda: store.hold_for(*WANTED, text="new")}
    decision, lines = waited(time, store, expected=new)
    assert decision.state.digests == (new,)
    assert lines[1:3] == ["0: 0 linux/amd64 state different", "0: 0 linux/arm64 state different"]


@pytest.mark.parametrize(
    "error",
    [
        ConnectionFailed("the connection broke off"),
        RateLimited("too often", status=429),
        RegistryError("it is overloaded", status=503),
        DigestMismatch("half of it is missing"),
    ],
)
def test_what_may_pass_is_told_and_waited_through(error: ManyfestError) -> None:
    time, store = Time(), Scripted()
    store.hold_for(*WANTED)
    store.fails = error
    time.at = {30: lambda: setattr(store, "fails", None)}
    decision, lines = waited(time, store)
    assert decision.verdict == "ready"
    assert [line.partition(": ")[2] for line in lines][:2] == ["0 silent", "0 answers"]


@pytest.mark.parametrize(
    "error",
    [
        AccessDenied("log in", status=401),
        LastingFailure("its certificate is not trusted"),
        RegistryError("it is no registry", status=405),
        Unreachable("no such host"),
    ],
)
def test_what_does_not_pass_ends_it_at_once(error: ManyfestError) -> None:
    time, store = Time(), Scripted()
    store.fails = error
    with pytest.raises(type(error)):
        waited(time, store)
    assert time.slept == []


def test_a_registry_that_answered_once_may_be_away_for_a_while() -> None:
    time, store = Time(), Scripted()
    time.at = {
        2: lambda: setattr(store, "fails", Unreachable("nothing listens there")),
        20: lambda: setattr(store, "fails", None),
        30: lambda: store.hold_for(*WANTED),
    }
    decision, _ = waited(time, store)
    assert decision.verdict == "ready"


def test_a_host_that_is_no_registry_is_found_out_at_the_first_404() -> None:
    time, store = Time(), Scripted()

    def none() -> None:
        raise RegistryError("what answers there is no registry", status=404)

    question = Question(groups=((0,),), soak=0.0, timeout=20.0)
    with pytest.raises(RegistryError, match="no registry"):
        wait(watched(store, require_registry=none), question, Told(time), time.patience())
    assert time.slept == []


def test_whether_it_is_a_registry_is_asked_once() -> None:
    time, store = Time(), Scripted()
    asked: list[float] = []
    question = Question(groups=((0,),), soak=0.0, timeout=20.0)
    places = watched(store, require_registry=lambda: asked.append(time.now))
    assert wait(places, question, Told(time), time.patience()).verdict == "late"
    assert asked == [0.0]


def test_a_registry_that_wants_to_be_left_alone_is() -> None:
    time, store = Time(), Scripted()
    store.hold_for("linux/amd64")
    time.at = {50: lambda: store.hold_for(*WANTED)}
    question = Question(groups=((0,),), soak=0.0, timeout=300.0)
    places = watched(store, rest=lambda: max(200.0 - time.now, 0.0) if time.now else 0.0)
    told = Told(time)
    assert wait(places, question, told, time.patience()).verdict == "ready"
    assert store.calls.count(f"HEAD {TAG}") == 2  # before and after
    assert [line for line in told.lines if "rests" in line] == ["2: 0 rests"]
    assert time.now >= 200.0


class Seldom:
    """When a registry may be asked that wants a pause after each look."""

    def __init__(self, time: Time, first: float = 0.0) -> None:
        self._time = time
        self._next = first
        self.looks: list[float] = []

    def rest(self) -> float:
        if self._time.now < self._next:
            return self._next - self._time.now
        self.looks.append(self._time.now)
        self._next = self._time.now + 300.0
        return 0.0


def test_a_registry_that_wants_a_pause_after_each_look_is_heard_all_the_same() -> None:
    time, store = Time(), Scripted()
    digest = store.hold_for(*WANTED)
    seldom = Seldom(time)
    question = Question(groups=((0,),), soak=400.0, timeout=600.0)
    decision = wait(watched(store, rest=seldom.rest), question, Told(time), time.patience())
    assert (decision.verdict, decision.state.digests) == ("ready", (digest,))
    assert len(seldom.looks) == 3
    assert store.calls.count("GET") == 6  # at the beginning and at the end


@pytest.mark.parametrize("soak", [0.0, 400.0])
def test_two_that_are_never_asked_at_the_same_moment_are_both_heard(soak: float) -> None:
    time, one, two = Time(), Scripted("one.example/app"), Scripted("two.example/app")
    for store in (one, two):
        store.hold_for(*WANTED)
    rests = [Seldom(time), Seldom(time, first=150.0)]
    places = [
        place
        for store, seldom in zip((one, two), rests, strict=True)
        for place in watched(store, rest=seldom.rest)
    ]
    question = Question(groups=((0, 1),), soak=soak, timeout=600.0)
    assert wait(places, question, Told(time), time.patience()).verdict == "ready"
    assert not set(rests[0].looks) & set(rests[1].looks)
    assert time.now - rests[1].looks[0] >= soak


def test_who_falls_silent_before_all_was_asked_for_once_more_is_not_waited_for_without_end() -> (
    None
):
    time, store = Time(), Scripted()
    store.hold_for(*WANTED)
    slow = [12.0]  # seconds that the next look takes from its request to its answer

    def rest() -> float:
        if time.now >= 9.0 and slow:
            time.now += slow.pop()
            store.fails = None
        elif time.now >= 20.0:
            store.fails = ConnectionFailed("it broke off")
        return 0.0

    question = Question(groups=((0,),), soak=20.0, timeout=60.0)
    decision = wait(watched(store, rest=rest), question, Told(time), time.patience())
    assert decision.verdict == "unclear"
    assert 80.0 <= time.now <= 110.0


def test_who_was_asked_for_everything_at_the_end_is_not_while_others_are_silent() -> None:
    time, one, two = Time(), Scripted("one.example/app"), Scripted("two.example/app")
    for store in (one, two):
        store.hold_for(*WANTED)
    time.at = {
        20: lambda: setattr(two, "fails", ConnectionFailed("it broke off")),
        90: lambda: setattr(two, "fails", None),
    }
    decision, _ = waited(time, one, two, soak=50.0)
    assert decision.verdict == "ready"
    assert time.now >= 90.0
    assert [store.calls.count("GET") for store in (one, two)] == [6, 6]


def test_an_image_without_an_index_is_for_one_platform() -> None:
    time, store = Time(), Scripted()
    time.at = {5: lambda: store.hold(image(store, "linux/amd64"))}
    decision, lines = waited(time, store, timeout=60.0)
    assert decision.verdict == "late"
    assert [line.partition(": ")[2] for line in lines][-1] == "0 linux/arm64 state missing"


# Whatever happens meanwhile

STEPS = st.lists(
    st.tuples(
        st.floats(min_value=0.1, max_value=25.0),
        st.integers(min_value=0, max_value=1),
        st.sampled_from(["nothing", "part", "old", "new", "torn", "fails", "recovers"]),
    ),
    max_size=10,
)


def change(store: Scripted, what: str) -> None:
    """What may happen to a repository."""
    if what == "nothing":
        store.names.pop(TAG, None)
    elif what == "part":
        store.hold_for("linux/amd64")
    elif what in ("old", "new"):
        store.hold_for(*WANTED, text=what)
    elif what == "torn":
        root = platforms(store, WANTED, text="new")
        store.hold(root)
        del store.blobs[read_manifest(store, root.children[1]).image.layers[-1].digest]
    else:
        store.fails = ConnectionFailed("it broke off") if what == "fails" else None


@settings(deadline=None)
@given(STEPS)
def test_yes_is_said_once_it_is_true_and_only_then(steps: list[tuple[float, int, str]]) -> None:
    time, stores = Time(), [Scripted("one.example/app"), Scripted("two.example/app")]
    when = 0.0
    for pause, number, what in steps:
        when += pause
        time.at[when] = partial(change, stores[number], what)
    # In the end all is well, and early enough.
    calm = [(store, what) for store in stores for what in ("recovers", "new")]
    for number, (store, what) in enumerate(calm, start=1):
        time.at[when + number] = partial(change, store, what)
    decision, _ = waited(time, *stores, soak=50.0, timeout=300.0)
    assert decision.verdict == "ready"
    assert decision.state.since is not None
    assert time.now - decision.state.since >= 50.0
    wanted = tuple(map(Platform.parse, WANTED))
    answers = [readiness(store, TAG, wanted, "") for store in stores]
    assert [(each.ready, each.digest) for each in answers] == [
        (True, digest) for digest in decision.state.digests
    ]
    assert len(set(decision.state.digests)) == 1
    assert [store.fails for store in stores] == [None, None]
