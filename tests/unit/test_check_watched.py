"""Registries that fail while they are waited for, or want to be asked seldom."""

from __future__ import annotations

import pytest

from manyfest.check.soak import Question
from manyfest.check.wait import wait
from manyfest.errors import (
    AccessDenied,
    ConnectionFailed,
    DigestMismatch,
    ManyfestError,
    RateLimited,
    RegistryError,
)
from manyfest.stores.registry.http import LastingFailure, Unreachable
from tests.unit.waiting import TAG, WANTED, Scripted, Time, Told, waited, watched


@pytest.mark.parametrize(
    "error",
    [
        ConnectionFailed("the connection broke off"),
        RateLimited("too often", status=429),
        RegistryError("it is overloaded", status=503),
        DigestMismatch("half of it is missing"),
        Unreachable("no such host"),
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
    ],
)
def test_what_does_not_pass_ends_it_at_once(error: ManyfestError) -> None:
    time, store = Time(), Scripted()
    store.fails = error
    with pytest.raises(type(error)):
        waited(time, store)
    assert time.slept == []


def test_a_registry_that_is_away_until_the_time_is_over_did_not_tell() -> None:
    time, store = Time(), Scripted()
    store.fails = Unreachable("nothing listens there")
    decision, lines = waited(time, store, timeout=60.0)
    assert (decision.verdict, time.now) == ("unclear", 60.0)
    assert [line.partition(": ")[2] for line in lines] == ["0 silent"]


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
