"""What is known, in others' forms: the summary, badges, the feed, metrics."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

import pytest
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as openmetrics_families,
)
from prometheus_client.parser import text_string_to_metric_families

from manyfest.watch.health.values import RegistryState
from manyfest.watch.values import Event, Incident, Notice, Sample
from manyfest.watch.web.api.svg import badge, width
from tests.unit.watch_openapi import described_answer
from tests.unit.watch_web import (
    GHCR,
    HUB,
    IMAGE,
    Answer,
    Client,
    Watch,
    client,
    image,
    seen,
    state,
)
from tests.unit.watching import NOW, event

ATOM = "{http://www.w3.org/2005/Atom}"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    watch = Watch(tmp_path)
    yield watch
    watch.history.close()


@pytest.fixture
def web(watch: Watch) -> Client:
    return client(watch)


def get(web: Client, path: str, status: int = 200, **headers: str) -> Answer:
    answer = web.get(path, **headers)
    assert answer.status == status, answer.text
    described_answer("GET", path, answer)
    return answer


def summary(web: Client) -> Any:
    return get(web, "/api/v2/summary.json").json()


def test_a_watch_that_has_seen_nothing_wrong_is_operational(watch: Watch, web: Client) -> None:
    watch.knows(state())
    told = summary(web)
    assert told["status"] == {"indicator": "none", "description": "All Systems Operational"}
    assert told["page"]["name"] == "Our releases"
    assert told["page"]["url"] == "http://watch.test"
    assert told["incidents"] == []
    assert told["scheduled_maintenances"] == []
    assert {each["name"]: each["status"] for each in told["components"]} == {
        "Images": "operational",
        "gotify/server": "operational",
        "Registries": "operational",
        "docker.io": "operational",
        "ghcr.io": "operational",
    }


def test_groups_and_their_members_name_each_other(web: Client) -> None:
    components = {each["id"]: each for each in summary(web)["components"]}
    assert components["registries"]["group"] is True
    assert components["registries"]["components"] == ["registry/docker.io", "registry/ghcr.io"]
    assert components["registry/ghcr.io"]["group_id"] == "registries"


@pytest.mark.parametrize(
    ("known", "status", "indicator"),
    [
        ({"complete_at": None}, "degraded_performance", "minor"),
        ({"complete_at": None, "late_at": NOW}, "partial_outage", "major"),
        ({"differ_at": NOW}, "partial_outage", "major"),
    ],
)
def test_an_image_is_as_its_newest_version_is(
    watch: Watch, web: Client, known: dict[str, Any], status: str, indicator: str
) -> None:
    watch.knows(state("2.6.1", **known), state("2.6.0"))
    told = summary(web)
    assert told["components"][1]["status"] == status
    assert told["status"]["indicator"] == indicator


def test_a_registry_that_is_down_is_a_major_outage_with_an_incident(
    watch: Watch, web: Client
) -> None:
    watch.knows(
        state(),
        registries=[RegistryState(registry="ghcr.io", at=NOW, down_since=NOW - 60, why="refused")],
        opened=[
            Incident(kind="unreachable", began=NOW - 60, cause="refused", registry="ghcr.io"),
            Incident(kind="late", began=NOW - 90, ended=NOW, cause="", image=IMAGE, tag="2.6.0"),
        ],
    )
    told = summary(web)
    assert told["status"]["indicator"] == "critical"
    [incident] = told["incidents"]
    assert incident["name"].startswith("ghcr.io ")
    assert (incident["status"], incident["impact"]) == ("investigating", "critical")
    assert incident["started_at"] == "2026-11-26T20:30:00Z"
    assert incident["resolved_at"] is None
    assert incident["shortlink"] == "http://watch.test/registries/ghcr.io"
    assert [each["id"] for each in incident["components"]] == ["registry/ghcr.io"]
    assert [each["body"] for each in incident["incident_updates"]] == ["refused"]
    watch.history.acknowledge(1, "ada", NOW)
    assert summary(web)["incidents"][0]["status"] == "identified"


def test_the_summary_is_the_same_as_long_as_nothing_changes(watch: Watch, web: Client) -> None:
    watch.knows(state(), events=[event("complete")])
    first = get(web, "/api/v2/summary.json").body
    watch.now += 3600
    assert get(web, "/api/v2/summary.json").body == first


def words(answer: Answer) -> tuple[str, str]:
    """What a badge says, on the left and on the right."""
    left, right = ElementTree.fromstring(answer.body).iter(f"{SVG}text")
    return left.text or "", right.text or ""


@pytest.mark.parametrize(
    ("known", "message"),
    [
        ({}, "complete"),
        ({"complete_at": None, "late_at": NOW}, "late"),
        ({"differ_at": NOW}, "registries differ"),
        ({"digest": "", "complete_at": None}, "gone"),
    ],
)
def test_a_badge_says_how_a_version_stands(
    watch: Watch, web: Client, known: dict[str, Any], message: str
) -> None:
    watch.knows(state("2.6.1", **known))
    answer = get(web, f"/badge/{IMAGE}/2.6.1.svg")
    assert words(answer) == ("gotify/server 2.6.1", message)
    assert answer.header("content-type") == "image/svg+xml"
    assert answer.header("cache-control") == "max-age=60, stale-while-revalidate=300"


def test_a_badge_of_an_image_is_about_its_newest_version(watch: Watch, web: Client) -> None:
    watch.knows(state("2.6.1"), state("2.6.0"))
    assert words(get(web, f"/badge/{IMAGE}.svg")) == ("gotify/server 2.6.1", "complete")


def test_a_badge_counts_the_platforms_that_are_ready_everywhere(watch: Watch, web: Client) -> None:
    half = seen(GHCR, ready=["linux/amd64"], missing=["linux/arm64"])
    watch.knows(state("2.6.1", seen(HUB), half, complete_at=None))
    assert words(get(web, f"/badge/{IMAGE}.svg"))[1] == "1 of 2 platforms"
    path = f"/badge/{IMAGE}/2.6.1.svg?platform="
    assert words(get(web, f"{path}linux/amd64")) == ("gotify/server 2.6.1 linux/amd64", "ready")
    assert words(get(web, f"{path}arm64"))[1] == "not ready"
    assert words(get(web, f"{path}linux/s390x"))[1] == "not watched"
    assert get(web, f"{path}x/y/z/0", 400).status == 400


def test_a_badge_says_that_a_version_soaks(watch: Watch, web: Client) -> None:
    watch.watch(image(soak=3600))
    watch.knows(state("2.6.1"), state("2.6.0", soaked_at=NOW))
    assert words(get(web, f"/badge/{IMAGE}/2.6.1.svg"))[1] == "complete, soaking"
    assert words(get(web, f"/badge/{IMAGE}/2.6.0.svg"))[1] == "complete"


def test_what_is_not_known_has_a_badge_that_says_so(web: Client) -> None:
    assert words(get(web, "/badge/none.svg", 404)) == ("none", "not watched")
    assert words(get(web, f"/badge/{IMAGE}/9.9.svg", 404)) == ("gotify/server 9.9", "not seen")
    assert words(get(web, f"/badge/{IMAGE}.svg")) == ("gotify/server", "not seen")


def test_a_badge_that_has_not_changed_is_not_sent_again(watch: Watch, web: Client) -> None:
    watch.knows(state())
    tag = get(web, f"/badge/{IMAGE}.svg").header("etag")
    assert get(web, f"/badge/{IMAGE}.svg", 304, if_none_match=tag).body == b""


HOSTILE = "</title><script>alert(1)</script>\" onload='x'&amp;\x00\x1b[31m\u202e\n"


def test_hostile_names_stay_text_in_a_badge(web: Client) -> None:
    answer = get(web, f"/badge/{quote(HOSTILE, safe='')}.svg", 404)
    root = ElementTree.fromstring(answer.body)
    tags = {each.tag.removeprefix(SVG) for each in root.iter()}
    assert tags == {"svg", "title", "clipPath", "rect", "g", "text"}
    assert set(root.attrib) == {"width", "height", "role", "aria-label"}
    assert "\x1b" not in answer.text
    assert "\u202e" not in answer.text
    assert answer.header("content-security-policy") == "default-src 'none'"


def test_each_word_is_in_its_box_and_the_boxes_are_side_by_side() -> None:
    root = ElementTree.fromstring(badge("gotify/server", "complete", "green"))
    _, left, right = root.iter(f"{SVG}rect")
    first, second = root.iter(f"{SVG}text")
    assert int(right.attrib["x"]) == int(left.attrib["width"])
    assert int(root.attrib["width"]) == int(left.attrib["width"]) + int(right.attrib["width"])
    assert int(first.attrib["x"]) + int(first.attrib["textLength"]) < int(left.attrib["width"])
    end = int(second.attrib["x"]) + int(second.attrib["textLength"])
    assert end < int(root.attrib["width"])


def test_wide_letters_take_more_room_than_narrow_ones() -> None:
    assert width("WWWW") > 3 * width("iiii")
    assert width("\u6f22") == 11
    assert width("a\u0301") == width("a")


def test_what_is_too_long_for_a_badge_is_cut() -> None:
    root = ElementTree.fromstring(badge("x" * 500, "y", "grey"))
    first, _ = root.iter(f"{SVG}text")
    assert first.text == "x" * 79 + "…"


def feed(web: Client, path: str = "/feed.atom") -> ElementTree.Element:
    answer = get(web, path)
    assert answer.header("content-type") == "application/atom+xml"
    return ElementTree.fromstring(answer.body)


def texts(root: ElementTree.Element, name: str) -> list[str]:
    return [each.findtext(f"{ATOM}{name}") or "" for each in root.iter(f"{ATOM}entry")]


def test_the_feed_has_what_an_atom_feed_needs(watch: Watch, web: Client) -> None:
    watch.knows(
        events=[
            event("appeared", at=NOW - 60),
            event("platform ready", at=NOW - 30, platform="linux/amd64", place=HUB),
            event("complete", at=NOW, lag=60.0),
            Event(kind="unreachable", at=NOW + 1, registry="ghcr.io", why="refused"),
        ]
    )
    root = feed(web)
    assert root.tag == f"{ATOM}feed"
    assert root.findtext(f"{ATOM}id") == "http://watch.test/feed.atom"
    assert root.findtext(f"{ATOM}title") == "Our releases"
    assert root.findtext(f"{ATOM}updated") == "2026-11-26T20:31:01Z"
    assert root.findtext(f"{ATOM}author/{ATOM}name") == "manyfest watch"
    links = {each.get("rel"): each.get("href") for each in root.findall(f"{ATOM}link")}
    assert links == {"self": "http://watch.test/feed.atom", "alternate": "http://watch.test/"}
    assert texts(root, "id") == [
        "tag:watch.test,2026-11-26:event/4",
        "tag:watch.test,2026-11-26:event/3",
        "tag:watch.test,2026-11-26:event/1",
    ]
    assert texts(root, "title")[1:] == [
        "gotify/server 2.6.1 is complete everywhere, 1 min after it was first seen",
        "gotify/server 2.6.1 was seen for the first time",
    ]
    hrefs = [each.find(f"{ATOM}link") for each in root.iter(f"{ATOM}entry")]
    assert [each.get("href") for each in hrefs if each is not None] == [
        "http://watch.test/registries/ghcr.io",
        "http://watch.test/images/gotify/server/2.6.1",
        "http://watch.test/images/gotify/server/2.6.1",
    ]


def test_an_image_has_a_feed_of_its_own(watch: Watch, web: Client) -> None:
    watch.watch(image(), image("other"))
    watch.knows(events=[event("complete"), event("complete", "9", image="other")])
    root = feed(web, f"/feed/{IMAGE}.atom")
    assert root.findtext(f"{ATOM}id") == "http://watch.test/feed/gotify/server.atom"
    assert root.findtext(f"{ATOM}title") == "Our releases: gotify/server"
    assert texts(root, "id") == ["tag:watch.test,2026-11-26:event/1"]


def test_a_feed_may_be_of_some_kinds_alone(watch: Watch, web: Client) -> None:
    watch.knows(events=[event("complete"), event("late"), event("platform ready")])
    root = feed(web, "/feed.atom?kind=late&kind=platform%20ready")
    assert texts(root, "id") == [
        "tag:watch.test,2026-11-26:event/3",
        "tag:watch.test,2026-11-26:event/2",
    ]
    assert root.findtext(f"{ATOM}id") == (
        "http://watch.test/feed.atom?kind=late&kind=platform+ready"
    )


def test_a_feed_has_its_configured_address_whoever_asks(tmp_path: Path) -> None:
    watch = Watch(tmp_path, url="https://releases.example.org/")
    watch.knows(events=[event("complete")])
    root = feed(client(watch, host="localhost:8080"))
    assert root.findtext(f"{ATOM}id") == "https://releases.example.org/feed.atom"
    assert texts(root, "id") == ["tag:releases.example.org,2026-11-26:event/1"]
    watch.history.close()


def test_a_host_that_is_none_gets_into_no_feed(watch: Watch) -> None:
    root = feed(client(watch, host='"><b>'))
    assert root.findtext(f"{ATOM}id") == "http://localhost/feed.atom"


def test_a_feed_of_nothing_is_a_feed(web: Client) -> None:
    assert feed(web).findtext(f"{ATOM}updated") == "1970-01-01T00:00:00Z"


def test_what_xml_has_no_place_for_is_replaced(watch: Watch, web: Client) -> None:
    watch.knows(events=[event("late", "<b>\x01\ufffe", why="\x1b[31m]]>&")])
    [title] = texts(feed(web), "title")
    assert "<b>\ufffd\ufffd" in title
    assert "\ufffd[31m]]>&" in title


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (each.name, frozenset(each.labels.items())): each.value
        for family in text_string_to_metric_families(text)
        for each in family.samples
    }


def sample(text: str, name: str, **labels: str) -> float:
    return samples(text)[f"manyfest_watch_{name}", frozenset(labels.items())]


def test_metrics_say_what_is_known(watch: Watch, web: Client) -> None:
    watch.watch(image(soak=60))
    watch.knows(
        state("2.6.1", complete_at=None, late_at=NOW),
        state("2.6.0"),
        state("2.5.0"),
        opened=[Incident(kind="late", began=NOW, cause="", image=IMAGE, tag="2.6.1")],
        registries=[RegistryState(registry="ghcr.io", at=NOW, down_since=NOW - 60, why="refused")],
        samples=[Sample(registry="docker.io", at=NOW - 30, seconds=0.1)],
        notices=[Notice(recipient="ops", due=NOW - 30, events=(event("late"),))],
    )
    answer = get(web, "/metrics")
    assert answer.header("content-type") == "text/plain; version=0.0.4; charset=utf-8"
    text = answer.text
    assert sample(text, "versions", image=IMAGE, standing="late") == 1
    assert sample(text, "versions", image=IMAGE, standing="complete") == 2
    assert sample(text, "newest_complete", image=IMAGE) == 0
    assert sample(text, "newest_first_seen_timestamp_seconds", image=IMAGE) == NOW - 120
    assert sample(text, "incidents_open", kind="late") == 1
    assert sample(text, "incidents_open", kind="unreachable") == 0
    assert sample(text, "registry_up", registry="ghcr.io") == 0
    assert 0.05 < sample(text, "registry_latency_seconds", registry="docker.io", quantile="0.5") < 1
    assert sample(text, "notices_waiting", recipient="ops") == 1
    assert sample(text, "notices_failing", recipient="ops") == 0
    assert sample(text, "notices_overdue_seconds", recipient="ops") == 30
    assert sample(text, "image_paused", image=IMAGE) == 0
    assert sample(text, "ready") == 1
    assert "process_resident_memory_bytes" in text


def test_metrics_come_as_openmetrics_too(watch: Watch, web: Client) -> None:
    watch.knows(state())
    answer = web.get("/metrics", accept="application/openmetrics-text; version=1.0.0")
    assert answer.header("content-type").startswith("application/openmetrics-text; version=1.0.0")
    families = {each.name for each in openmetrics_families(answer.text)}  # type: ignore[no-untyped-call]
    assert "manyfest_watch_versions" in families


def test_metrics_have_no_more_series_for_more_tags(watch: Watch, web: Client) -> None:
    watch.knows(state("1.0.0"))
    few = len(samples(get(web, "/metrics").text))
    watch.knows(*(state(f"1.{minor}.0") for minor in range(1, 200)))
    assert len(samples(get(web, "/metrics").text)) == few


def test_images_beyond_a_bound_are_counted_together(
    watch: Watch, web: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("manyfest.watch.web.api.metrics._MOST_IMAGES", 2)
    watch.watch(*(image(f"image{number}") for number in range(5)))
    watch.knows(*(state("1.0.0", image=f"image{number}") for number in range(5)))
    text = get(web, "/metrics").text
    assert sample(text, "versions", image="image1", standing="complete") == 1
    assert sample(text, "versions", image="(others)", standing="complete") == 3
    assert "image4" not in text


def test_labels_of_all_kinds_are_labels(watch: Watch, web: Client) -> None:
    watch.watch(image('a"b\\c\nd{}'))
    assert sample(get(web, "/metrics").text, "image_paused", image='a"b\\c\nd{}') == 0
