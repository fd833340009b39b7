from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from manyfest.watch.health.incidents import follow, unwatched
from manyfest.watch.values import Event, Incident, Kind, Place, Rule

MIRROR = "mirror.example/gotify/server"


def event(kind: Kind, at: float, *, place: str = "", what: str = "", why: str = "") -> Event:
    return Event(
        kind=kind, at=at, image="gotify/server", tag="2.6.1", place=place, what=what, why=why
    )


def of_registry(kind: Kind, at: float, lag: float = 0.0) -> Event:
    return Event(kind=kind, at=at, registry="ghcr.io", why="it is down", lag=lag)


def incident(kind: Kind, began: float, place: str = "", cause: str = "why") -> Incident:
    return Incident(
        kind=kind, began=began, cause=cause, image="gotify/server", tag="2.6.1", place=place
    )


def ended(closed: Sequence[Incident]) -> list[tuple[str, float, float | None]]:
    return [(each.kind, each.began, each.ended) for each in closed]


def test_a_registry_that_is_unreachable_began_to_be_so_at_its_first_silence() -> None:
    opened, closed = follow([], [of_registry("unreachable", 100.0, lag=60.0)])
    assert opened == (
        Incident(kind="unreachable", began=40.0, cause="it is down", registry="ghcr.io"),
    )
    assert closed == ()
    again, closed = follow(opened, [of_registry("recovered", 500.0, lag=460.0)])
    assert again == ()
    assert ended(closed) == [("unreachable", 40.0, 500.0)]


def test_a_version_that_is_late_is_so_until_it_is_complete() -> None:
    opened, _ = follow([], [event("late", 10.0, why="in ghcr.io …")])
    assert opened == (incident("late", 10.0, cause="in ghcr.io …"),)
    assert follow(opened, [event("platform ready", 15.0), event("agree", 16.0)]) == ((), ())
    assert ended(follow(opened, [event("complete", 20.0)])[1]) == [("late", 10.0, 20.0)]


def test_registries_that_differ_do_so_until_they_agree() -> None:
    opened, _ = follow([], [event("differ", 10.0)])
    assert [each.cause for each in opened] == ["differ"]
    assert follow(opened, [event("complete", 15.0)]) == ((), ())
    assert ended(follow(opened, [event("agree", 20.0)])[1]) == [("differ", 10.0, 20.0)]


def test_what_is_incomplete_is_so_until_it_is_complete() -> None:
    open_ = [incident("incomplete", 10.0)]
    assert ended(follow(open_, [event("complete", 20.0)])[1]) == [("incomplete", 10.0, 20.0)]


def test_a_mirror_and_the_version_end_each_for_itself() -> None:
    open_ = [incident("late", 10.0), incident("late", 11.0, MIRROR)]
    assert ended(follow(open_, [event("complete", 20.0)])[1]) == [("late", 10.0, 20.0)]
    assert ended(follow(open_, [event("complete", 20.0, place=MIRROR)])[1]) == [
        ("late", 11.0, 20.0)
    ]


def test_a_tag_that_is_gone_ends_all_that_was_wrong_with_it_and_nothing_else() -> None:
    other = Incident(kind="late", began=1.0, cause="why", image="gotify/server", tag="2.6.0")
    registry = Incident(kind="unreachable", began=2.0, cause="why", registry="ghcr.io")
    open_ = [other, registry, incident("differ", 10.0), incident("late", 11.0, MIRROR)]
    closed = follow(open_, [event("vanished", 20.0, place=MIRROR, what="gone")])[1]
    assert ended(closed) == [("differ", 10.0, 20.0), ("late", 11.0, 20.0)]
    assert follow(open_, [event("vanished", 20.0, place=MIRROR)]) == ((), ())


def test_what_is_wrong_already_does_not_begin_again() -> None:
    assert follow([incident("late", 10.0)], [event("late", 20.0)]) == ((), ())


def test_what_begins_and_ends_at_once_is_opened_with_its_end() -> None:
    opened, closed = follow([], [event("late", 10.0), event("complete", 10.0)])
    assert ended(opened) == [("late", 10.0, 10.0)]
    assert closed == ()


def test_one_that_ends_may_begin_again_at_once() -> None:
    told = [event("complete", 20.0), event("incomplete", 30.0)]
    opened, closed = follow([incident("incomplete", 10.0)], told)
    assert ended(opened) == [("incomplete", 30.0, None)]
    assert ended(closed) == [("incomplete", 10.0, 20.0)]


def test_who_acknowledged_it_stays() -> None:
    seen = Incident(kind="late", began=1.0, cause="why", image="gotify/server", tag="2.6.1",
                    acknowledged_at=5.0, acknowledged_by="ann")  # fmt: skip
    ((closed,)) = follow([seen], [event("complete", 20.0)])[1]
    assert (closed.acknowledged_by, closed.ended) == ("ann", 20.0)


def test_none_ends_before_it_began() -> None:
    """A clock was put back."""
    closed = follow([incident("late", 100.0)], [event("complete", 20.0)])[1]
    assert ended(closed) == [("late", 100.0, 100.0)]


EVENTS = st.lists(
    st.one_of(
        st.builds(event, st.sampled_from(["late", "complete", "incomplete", "differ", "agree",
            "moved"]), st.just(1.0), place=st.sampled_from(["", MIRROR])),
        st.builds(of_registry, st.sampled_from(["unreachable", "recovered"]), st.just(1.0)),
        st.builds(event, st.just("vanished"), st.just(1.0), what=st.sampled_from(["", "gone"])),
    ),
    max_size=20,
)  # fmt: skip


@given(EVENTS, st.integers(min_value=0, max_value=20))
def test_it_is_the_same_in_one_go_and_in_two(events: list[Event], count: int) -> None:
    """What is open in the end, and how often each thing began."""
    opened, _ = follow([], events)
    first, _ = follow([], events[:count])
    going_on = [each for each in first if each.ended is None]
    second, closed = follow(going_on, events[count:])
    still = [each for each in going_on if (each.kind, each.place) not in [
        (other.kind, other.place) for other in closed
    ]]  # fmt: skip
    in_two = [*still, *(each for each in second if each.ended is None)]
    assert shown(in_two) == shown([each for each in opened if each.ended is None])
    assert shown([*first, *second]) == shown(opened)


def shown(incidents: list[Incident] | tuple[Incident, ...]) -> list[tuple[str, str]]:
    return sorted((each.kind, each.place) for each in incidents)


def test_what_is_about_nothing_that_is_watched_ends_and_says_so() -> None:
    watched = Rule(
        image="gotify/server", places=(Place(repository=MIRROR),), platforms=("linux/amd64",)
    )
    registry = Incident(kind="unreachable", began=5.0, cause="down", registry="ghcr.io")
    mirrors = Incident(kind="unreachable", began=5.0, cause="down", registry="mirror.example")
    late, elsewhere = incident("late", 7.0, MIRROR), incident("late", 7.0, "quay.io/gotify/server")
    standing = [registry, mirrors, late, elsewhere]

    closed = unwatched(standing, {"gotify/server": watched}, (), 90.0)

    assert [(each.registry or each.place, each.ended) for each in closed] == [
        ("ghcr.io", 90.0),
        ("quay.io/gotify/server", 90.0),
    ]
    assert {each.cause for each in closed} == {
        "down; it is not watched any more",
        "why; it is not watched any more",
    }
    assert len(unwatched(standing, {}, (), 90.0)) == 4
    left = {("gotify/server", "2.6.1")}
    assert unwatched([late], {"gotify/server": watched}, left, 90.0)[0].ended == 90.0
