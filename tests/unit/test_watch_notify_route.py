"""Who is told of what."""

from __future__ import annotations

from collections import Counter
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from manyfest.watch.notify.route import route
from manyfest.watch.notify.times import after_quiet
from manyfest.watch.recipients import Digest, Quiet, Recipient
from manyfest.watch.values import Event, Kind, Notice
from tests.unit.watching import NOW, at, event, image, of_registry, recipient

COMPLETE = event("complete")
LATE = event("late")


def test_an_image_s_events_go_to_those_whom_it_names() -> None:
    told = [recipient("ops"), recipient("boss"), recipient("nobody")]
    images = [image(notify=("ops", "boss"))]
    assert route([COMPLETE], told, images, NOW) == [
        Notice(recipient="ops", due=NOW, events=(COMPLETE,)),
        Notice(recipient="boss", due=NOW, events=(COMPLETE,)),
    ]


def test_an_image_that_names_nobody_is_told_to_nobody() -> None:
    assert route([COMPLETE], [recipient()], [image(notify=())], NOW) == []


def test_an_image_that_is_not_watched_any_more_is_told_to_everybody() -> None:
    assert [each.recipient for each in route([COMPLETE], [recipient("ops")], [], NOW)] == ["ops"]


def test_only_kinds_that_a_recipient_wants() -> None:
    told = [recipient(kinds=frozenset({"late"}))]
    assert [each.events for each in route([COMPLETE, LATE], told, [image()], NOW)] == [(LATE,)]


def test_a_registry_s_events_go_to_those_who_hear_of_an_image_in_it() -> None:
    told = [recipient("ops"), recipient("boss")]
    images = [
        image("one", places=["ghcr.io/us/one"], notify=["ops"]),
        image("two", places=["docker.io/us/two"], notify=["boss"]),
    ]
    silent = of_registry("unreachable", "ghcr.io")
    assert [each.recipient for each in route([silent], told, images, NOW)] == ["ops"]


def test_what_becomes_of_one_version_at_one_moment_is_one_notice() -> None:
    told = [recipient(kinds=frozenset({"platform ready", "complete"}))]
    platforms = "linux/amd64 linux/arm64 linux/arm/v7 linux/386 linux/riscv64".split()
    events = [event("platform ready", platform=platform) for platform in platforms]
    events += [COMPLETE, event("complete", tag="2.6.2")]
    notices = route(events, told, [image()], NOW)
    assert [len(each.events) for each in notices] == [6, 1]
    assert notices[0].events == tuple(events[:6])


def test_what_is_put_off_is_one_notice() -> None:
    told = [recipient(digest=Digest.parse("daily 08:00"))]
    events = [COMPLETE, event("complete", tag="2.6.2"), of_registry("recovered")]
    assert route(events, told, [image()], NOW) == [
        Notice(recipient="ops", due=at("2026-11-27T08:00Z"), events=tuple(events))
    ]


def test_what_is_urgent_does_not_wait_for_the_rest() -> None:
    told = [recipient(quiet=Quiet.parse("20:00-06:00"))]
    assert route([COMPLETE, LATE], told, [image()], NOW) == [
        Notice(recipient="ops", due=at("2026-11-27T06:00Z"), events=(COMPLETE,)),
        Notice(recipient="ops", due=NOW, events=(LATE,)),
    ]


KINDS: list[Kind] = ["appeared", "complete", "late", "moved", "unreachable"]


@st.composite
def happenings(draw: st.DrawFn) -> list[Event]:
    """Events that can be told from one another by their time."""
    kinds = draw(st.lists(st.sampled_from(KINDS), max_size=12))
    tags = [draw(st.sampled_from(["1", "2"])) for _ in kinds]
    return [
        of_registry(kind, at=number) if kind == "unreachable" else event(kind, tag=tag, at=number)
        for number, (kind, tag) in enumerate(zip(kinds, tags, strict=True))
    ]


MINUTES = st.integers(0, 1439)
QUIET = st.builds(lambda a, b: Quiet(start=a, end=b), MINUTES, MINUTES).filter(
    lambda quiet: quiet.start != quiet.end
)
DIGEST = st.builds(Digest, every=st.sampled_from(["hour", "day"]), at=MINUTES)


@st.composite
def somebody(draw: st.DrawFn, name: str) -> Recipient:
    return recipient(
        name,
        kinds=frozenset(draw(st.sets(st.sampled_from(KINDS)))),
        urgent=frozenset(draw(st.sets(st.sampled_from(KINDS)))),
        quiet=draw(st.none() | QUIET),
        digest=draw(st.none() | DIGEST),
        zone=draw(st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe"])),
    )


TWO_YEARS = st.floats(at("2026-01-01T00:00Z"), at("2028-01-01T00:00Z"))


@given(happenings(), somebody("ops"), somebody("boss"), TWO_YEARS)
def test_nothing_is_lost_or_told_twice_and_the_order_stays(
    events: list[Event], ops: Recipient, boss: Recipient, now: float
) -> None:
    notices = route(events, [ops, boss], [image(notify=("ops", "boss"))], now)
    for each in (ops, boss):
        told = [
            event for notice in notices if notice.recipient == each.name for event in notice.events
        ]
        wanted = [event for event in events if event.kind in each.kinds]
        assert Counter(event.at for event in told) == Counter(event.at for event in wanted)
    for notice in notices:
        assert list(notice.events) == sorted(notice.events, key=lambda event: event.at)


@given(happenings(), somebody("ops"), TWO_YEARS)
def test_nothing_comes_before_its_time_or_much_later(
    events: list[Event], ops: Recipient, now: float
) -> None:
    for notice in route(events, [ops], [image()], now):
        urgent = {event.kind in ops.urgent for event in notice.events}
        if True in urgent:
            assert notice.due == now
        elif ops.quiet:
            assert after_quiet(ops.quiet, ZoneInfo(ops.zone), notice.due) == notice.due
        assert now <= notice.due <= now + 80 * 3600
        if not ops.digest and not ops.quiet:
            assert notice.due == now
