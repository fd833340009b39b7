"""What pages are made of: words for times, the grid, and the pictures. Pure."""

from __future__ import annotations

import pytest

from manyfest.watch import addresses
from manyfest.watch.config.values import WatchedImage
from manyfest.watch.history.read.registries import Latency
from manyfest.watch.values import Incident, Place, PlaceSeen, PlatformSeen
from manyfest.watch.web.pages.chart import chart
from manyfest.watch.web.pages.grid import grid
from manyfest.watch.web.pages.page import Fragment, Page
from manyfest.watch.web.pages.timeline import Timeline, timeline
from manyfest.watch.web.pages.times import ago, ago_mark, day, exact, fill_in, iso, moment
from manyfest.watch.web.pages.words import incident_title, labels
from manyfest.watch.web.rendering import millis, percent
from tests.unit.watch_web import GHCR, HUB, image, seen, state
from tests.unit.watching import NOW


def test_moments_are_in_utc() -> None:
    assert iso(NOW) == "2026-11-26T20:31:00Z"
    assert moment(NOW) == "26 Nov 2026, 20:31 UTC"
    assert exact(NOW + 5.9) == "26 Nov 2026, 20:31:05 UTC"
    assert day(20_783) == "26 November 2026"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "just now"),
        (44, "just now"),
        (45, "1 minute ago"),
        (89, "1 minute ago"),
        (120, "2 minutes ago"),
        (5400, "90 minutes ago"),
        (7200, "2 hours ago"),
        (86400, "24 hours ago"),
        (86400 * 40, "40 days ago"),
        (-10, "in a moment"),
        (-50, "in 1 minute"),
        (-7200, "in 2 hours"),
    ],
)
def test_how_long_ago(seconds: float, words: str) -> None:
    assert ago(seconds) == words


def test_how_long_ago_is_filled_in_at_last() -> None:
    kept = f"seen {ago_mark(NOW)}, told {ago_mark(NOW + 60)}"
    assert fill_in(kept, NOW + 120) == "seen 2 minutes ago, told 1 minute ago"
    assert fill_in(kept, NOW + 3600) == "seen 60 minutes ago, told 59 minutes ago"


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (None, "\N{EN DASH}"),
        (1.0, "100 %"),
        (0.99999, "99.99 %"),
        (0.9663, "96.63 %"),
        (0.0, "0.00 %"),
    ],
)
def test_only_what_is_whole_is_100(share: float | None, words: str) -> None:
    assert percent(share) == words


@pytest.mark.parametrize(
    ("seconds", "words"), [(None, "\N{EN DASH}"), (0.0421, "42 ms"), (1.26, "1.3 s")]
)
def test_times_of_answers(seconds: float | None, words: str) -> None:
    assert millis(seconds) == words


@pytest.mark.parametrize(
    ("name", "tag", "address"),
    [
        ("gotify/server", "2.6.1", "/images/gotify/server/2.6.1"),
        ("a b", "x/../y", "/images/a%20b/x%2F..%2Fy"),
        ("a?b#c", "<i>", "/images/a%3Fb%23c/%3Ci%3E"),
    ],
)
def test_an_address_has_each_name_in_its_place(name: str, tag: str, address: str) -> None:
    assert addresses.version(name, tag) == address


def test_a_registry_s_port_stays_in_its_address() -> None:
    assert addresses.registry("localhost:5000") == "/registries/localhost:5000"


def test_a_place_is_called_by_its_registry_if_that_is_enough() -> None:
    places = [Place(repository=each) for each in ("a.example/x", "b.example/x", "b.example/y")]
    assert labels(places) == {
        "a.example/x": "a.example",
        "b.example/x": "b.example/x",
        "b.example/y": "b.example/y",
    }


@pytest.mark.parametrize(
    ("incident", "words"),
    [
        (
            Incident(kind="unreachable", began=0, cause="", registry="ghcr.io"),
            "ghcr.io unreachable",
        ),
        (
            Incident(kind="late", began=0, cause="", image="app", tag="1", place="m.example/app"),
            "app 1 late in m.example/app",
        ),
        (
            Incident(kind="differ", began=0, cause="", image="app", tag="1"),
            "app 1 not the same in all registries",
        ),
        (
            Incident(kind="incomplete", began=0, cause="", image="app", tag="1"),
            "app 1 no longer complete",
        ),
    ],
)
def test_an_incident_is_named_alike_while_it_lasts_and_afterwards(
    incident: Incident, words: str
) -> None:
    assert incident_title(incident) == words


class TestGrid:
    def test_it_has_what_is_expected_in_the_order_of_the_rule(self) -> None:
        found = grid(state("1", seen(GHCR), seen(HUB)), image())
        assert [each.label for each in found.columns] == ["docker.io", "ghcr.io"]
        assert [each.label for each in found.rows] == ["amd64", "arm64"]
        assert (found.ready, found.size) == (4, 4)

    def test_a_tag_that_is_not_in_a_place_is_missing_there(self) -> None:
        gone = seen(GHCR, index="", ready=(), answered_at=NOW)
        assert _states(state("1", seen(HUB), gone), image()) == [
            ["ready", "missing"],
            ["ready", "missing"],
        ]

    def test_what_nobody_knows_is_unknown(self) -> None:
        silent = seen(GHCR, index="", ready=(), silence="no route", silent_since=NOW)
        found = grid(state("1", seen(HUB), silent), image())
        assert [(row.cells[1].state, row.cells[1].why) for row in found.rows] == [
            ("unknown", "no route"),
            ("unknown", "no route"),
        ]

    def test_an_image_that_is_not_watched_has_what_was_seen(self) -> None:
        found = grid(state("1", seen(HUB, ready=["linux/s390x"])), None)
        assert [each.repository for each in found.columns] == [HUB]
        assert [each.platform for each in found.rows] == ["linux/s390x"]


def _states(of: object, watched: WatchedImage) -> list[list[str]]:
    return [[cell.state for cell in row.cells] for row in grid(of, watched).rows]  # type: ignore[arg-type]


class TestTimeline:
    def test_each_platform_is_ready_where_it_was(self) -> None:
        picture = _picture(soak=0)
        assert [group.column.label for group in picture.groups] == ["docker.io", "ghcr.io"]
        lines = [line for group in picture.groups for line in group.lines]
        assert {line.ready_after for line in lines} == {60.0}
        assert picture.first_x < (lines[0].ready_x or 0) < picture.end_x
        assert picture.complete_x == lines[0].ready_x
        assert picture.soak is None

    def test_the_soak_time_fills_its_strip(self) -> None:
        begun = _picture(soak=120, now=NOW).soak
        assert begun is not None
        assert begun.passed_x == pytest.approx((begun.x + begun.end_x) / 2)
        over = _picture(soak=120, now=NOW, soaked_at=NOW).soak
        assert over is not None
        assert over.passed_x == over.end_x

    def test_what_is_not_there_yet_is_waited_for_until_now(self) -> None:
        ghcr = seen(GHCR, ready=["linux/amd64"], missing=["linux/arm64"])
        picture = _picture(seen(HUB), ghcr, soak=60, now=NOW + 3600, complete_at=None)
        line = picture.groups[1].lines[1]
        assert (line.label, line.ready_x, line.cell.state) == ("arm64", None, "missing")
        assert picture.complete_x is None
        assert picture.soak is None
        assert [tick.label for tick in picture.ticks][:2] == ["first seen", "+15 min"]

    def test_what_became_different_was_ready_all_the_same(self) -> None:
        other = PlatformSeen(state="different", ready_at=NOW - 90)
        ghcr = PlaceSeen(place=GHCR, digest="sha256:e", platforms={"linux/amd64": other})
        line = _picture(seen(HUB), ghcr).groups[1].lines[0]
        assert (line.cell.state, line.ready_after) == ("different", 30.0)

    def test_nobody_knows_when_what_was_there_before_came(self) -> None:
        before = state("1", was_there=True)
        assert timeline(before, grid(before, image()), 0, NOW) is None

    @pytest.mark.parametrize("seconds", [0.5, 59, 3601, 86400 * 3, 86400 * 400])
    def test_a_scale_has_a_few_ticks_of_any_length(self, seconds: float) -> None:
        picture = _picture(seen(HUB), now=NOW - 120 + seconds, complete_at=None)
        assert 1 <= len(picture.ticks) <= 7
        assert all(picture.first_x <= tick.x <= picture.end_x for tick in picture.ticks)


def _picture(*places: object, soak: float = 0, now: float = NOW, **more: object) -> Timeline:
    known = state("1", *places, **more)  # type: ignore[arg-type]
    found = timeline(known, grid(known, image()), soak, now)
    assert found is not None
    return found


class TestChart:
    def test_a_line_breaks_off_where_nothing_was_measured(self) -> None:
        found = chart([_taken(9000), _taken(8700), _taken(4000), _taken(3700)], NOW)
        assert found is not None
        assert len(found.p50) == 2

    def test_its_scale_is_above_all_values(self) -> None:
        found = chart([_taken(600, p95=0.043), _taken(300, p95=0.021)], NOW)
        assert found is not None
        assert [label for _, label in found.levels] == [
            "0 ms", "20 ms", "40 ms", "60 ms", "80 ms",
        ]  # fmt: skip

    def test_it_shows_when_answers_were_missing(self) -> None:
        found = chart([_taken(600), _taken(300, failed=2)], NOW)
        assert found is not None
        assert len(found.failures) == 1
        assert found.words.endswith("; 2 answers were missing")

    def test_nothing_was_measured(self) -> None:
        assert chart([], NOW) is None

    def test_no_answer_came_at_all(self) -> None:
        found = chart([Latency(NOW - 300, 3, 3, None, None)], NOW)
        assert found is not None
        assert found.words == "No answer came; 3 answers were missing"


def _taken(before: float, *, p95: float = 0.04, failed: int = 0) -> Latency:
    return Latency(NOW - before, 10, failed, 0.02, p95)


def test_a_page_has_another_version_once_anything_in_it_differs() -> None:
    def page(html: str = "<p>", state: str = "Complete") -> Page:
        fragments = (Fragment.of("a", html), Fragment.of("b", "<i>"))
        return Page(title="x", state=state, level="good", fragments=fragments)

    assert page().version == page().version
    assert page().version != page("<b>").version
    assert page().version != page(state="Late").version
