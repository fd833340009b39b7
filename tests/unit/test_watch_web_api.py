"""What programs read, each answer held against what the description says of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from msgspec.structs import replace
from openapi_spec_validator import validate

from manyfest.watch.health.values import RegistryState
from manyfest.watch.history.batch import Batch
from manyfest.watch.values import Event, Facts, Incident, PlatformFacts, Sample
from tests.signing import Key
from tests.unit.watch_openapi import described_answer, document
from tests.unit.watch_web import (
    GHCR,
    HUB,
    IMAGE,
    Answer,
    Client,
    Watch,
    client,
    digest,
    image,
    seen,
    state,
    token,
)
from tests.unit.watching import NOW, event


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    watch = Watch(tmp_path)
    yield watch
    watch.history.close()


@pytest.fixture
def web(watch: Watch) -> Client:
    return client(watch)


def get(web: Client, path: str, **headers: str) -> Any:
    """A document that is as the description says."""
    answer = web.get(path, **headers)
    assert answer.status == 200, answer.text
    described_answer("GET", path, answer)
    return answer.json()


def problem(answer: Answer, status: int) -> str:
    """What the fault says, in the form that all have."""
    assert answer.status == status, answer.text
    assert answer.header("content-type") == "application/problem+json"
    told = answer.json()
    assert sorted(told) == ["detail", "status", "title", "type"]
    assert told["status"] == status
    return str(told["detail"])


def test_the_description_is_one(web: Client) -> None:
    described = web.get("/api/openapi.json").json()
    validate(described)
    assert described["openapi"] == "3.1.0"
    assert described == document()


def test_it_describes_every_path_that_is_there() -> None:
    assert set(document()["paths"]) == {
        "/api/openapi.json",
        "/api/v1/events",
        "/api/v1/gate",
        "/api/v1/images",
        "/api/v1/images/{image}",
        "/api/v1/images/{image}/look",
        "/api/v1/images/{image}/pause",
        "/api/v1/images/{image}/resume",
        "/api/v1/images/{image}/versions",
        "/api/v1/images/{image}/versions/{tag}",
        "/api/v1/incidents",
        "/api/v1/incidents/{number}/acknowledge",
        "/api/v1/notices",
        "/api/v1/registries",
        "/api/v1/registries/{registry}",
        "/api/v1/troubles",
        "/api/v2/summary.json",
        "/badge/{image}.svg",
        "/feed.atom",
        "/feed/{image}.atom",
        "/healthz",
        "/metrics",
        "/readyz",
    }


def test_images_say_what_is_expected_of_them_and_how_they_stand(watch: Watch, web: Client) -> None:
    watch.watch(image(mirrors=["mirror.example/gotify"], soak=3600))
    watch.knows(
        state("2.6.1"),
        state("2.6.0", complete_at=None),
        state("2.5.0", seen(index=""), digest="", complete_at=None),
    )
    [found] = get(web, "/api/v1/images")["images"]
    assert found["versions"] == {"complete": 1, "incomplete": 1, "late": 0, "differ": 0, "gone": 1}
    assert found["newest"]["tag"] == "2.6.1"
    assert found["soak"] == 3600
    assert found["places"] == [
        {"repository": HUB, "mirror": False, "late_after": 0},
        {"repository": GHCR, "mirror": False, "late_after": 0},
        {"repository": "mirror.example/gotify", "mirror": True, "late_after": 0},
    ]
    assert get(web, "/api/v1/images/gotify/server") == found
    assert get(web, "/api/v1/images/gotify%2Fserver") == found


def test_the_newest_version_is_not_one_that_is_gone(watch: Watch, web: Client) -> None:
    watch.knows(state("2.7.0", seen(index=""), digest="", complete_at=None), state("2.6.1"))
    assert get(web, f"/api/v1/images/{IMAGE}")["newest"]["tag"] == "2.6.1"


def test_an_image_of_which_nothing_was_seen_has_no_newest_version(web: Client) -> None:
    assert get(web, f"/api/v1/images/{IMAGE}")["newest"] is None


def test_a_version_shows_what_it_consists_of_and_who_signed_it(watch: Watch, web: Client) -> None:
    key = Key().public()
    watch.watch(replace(image(), signed_by=key))
    amd64 = PlatformFacts(
        platform="linux/amd64",
        digest=digest("b"),
        size=9_840_000,
        layers=5,
        created="2026-11-26T20:00:00Z",
        attached=("SBOM (SPDX)",),
    )
    facts = Facts(
        digest=digest("a"), platforms=(amd64,), read_at=NOW, attached=("signature (cosign)",)
    )
    watch.knows(state("2.6.1", seen(HUB, signed_by=key.fingerprint), seen(GHCR)))
    watch.history.record(Batch(facts=(facts,)))

    hub, ghcr = get(web, f"/api/v1/images/{IMAGE}/versions/2.6.1")["places"]

    assert (hub["signed_by"], hub["attached"]) == ("cosign.pub", ["signature (cosign)"])
    assert (ghcr["signed_by"], ghcr["attached"]) == ("", ["signature (cosign)"])
    there = hub["platforms"][0]
    assert (there["size"], there["layers"], there["created"], there["attached"]) == (
        9840000,
        5,
        "2026-11-26T20:00:00Z",
        ["SBOM (SPDX)"],
    )


def test_a_version_shows_its_platforms_in_each_place(watch: Watch, web: Client) -> None:
    quiet = seen(GHCR, silent_since=NOW - 5, silence="no answer within 30 seconds")
    watch.knows(state("2.6.1", quiet, seen(HUB, ready=["linux/amd64"], missing=["linux/arm64"])))
    found = get(web, f"/api/v1/images/{IMAGE}/versions/2.6.1")
    assert [each["repository"] for each in found["places"]] == [HUB, GHCR]
    assert found["places"][0]["platforms"] == [
        {
            "platform": "linux/amd64",
            "state": "ready",
            "digest": digest("b"),
            "why": "",
            "ready_since": "2026-11-26T20:30:00Z",
            "size": None,
            "layers": None,
            "created": "",
            "attached": [],
        },
        {
            "platform": "linux/arm64",
            "state": "missing",
            "digest": "",
            "why": "it has linux/amd64",
            "ready_since": None,
            "size": None,
            "layers": None,
            "created": "",
            "attached": [],
        },
    ]
    assert found["places"][1]["silent_since"] == "2026-11-26T20:30:55Z"
    assert found["places"][1]["silence"] == "no answer within 30 seconds"
    assert found["first_seen"] == "2026-11-26T20:29:00Z"


def test_versions_come_page_by_page_each_once_the_highest_first(watch: Watch, web: Client) -> None:
    watch.knows(*(state(f"1.{minor}.0") for minor in range(25)))
    tags, after = list[str](), ""
    for _ in range(9):
        query = urlencode({"limit": 10, "after": after})
        page = get(web, f"/api/v1/images/{IMAGE}/versions?{query}")
        tags += [each["tag"] for each in page["versions"]]
        after = page["next"]
        if not after:
            break
    assert tags == [f"1.{minor}.0" for minor in range(24, -1, -1)]


def test_versions_are_had_by_how_they_stand(watch: Watch, web: Client) -> None:
    watch.knows(
        state("3.0.0"),
        state("2.0.0", complete_at=None, late_at=NOW),
        state("1.0.0", complete_at=None),
    )
    path = f"/api/v1/images/{IMAGE}/versions?standing=late&standing=incomplete"
    assert [each["tag"] for each in get(web, path)["versions"]] == ["2.0.0", "1.0.0"]


def test_events_come_page_by_page_each_once_the_latest_first(watch: Watch, web: Client) -> None:
    watch.knows(events=[event("appeared", f"1.{n}", at=NOW + n // 3) for n in range(20)])
    path, tags = "/api/v1/events?limit=7", list[str]()
    page = get(web, path)
    watch.knows(
        events=[event("appeared", "2.0", at=NOW + 100)]
    )  # what comes meanwhile is not mixed in
    while True:
        tags += [each["tag"] for each in page["events"]]
        if not page["next"]:
            break
        page = get(web, f"{path}&after={page['next']}")
    assert tags == [f"1.{n}" for n in range(19, -1, -1)]


@pytest.mark.parametrize(
    ("query", "tags"),
    [
        ({}, ["5", "4", "3", "2", "1"]),
        ({"image": "other"}, ["5"]),
        ({"image": IMAGE, "tag": "2"}, ["2"]),
        ({"kind": "late"}, ["3"]),
        ({"image": IMAGE, "place": GHCR}, ["2"]),
        ({"image": IMAGE, "platform": "linux/arm64"}, ["2"]),
        ({"registry": "ghcr.io"}, ["4"]),
        ({"since": "2026-11-26T20:31:03Z"}, ["5", "4", "3"]),
        ({"until": "2026-11-26T20:31:03Z"}, ["2", "1"]),
        ({"since": "2026-11-26T21:31:03+01:00", "until": "2026-11-26T20:31:04Z"}, ["3"]),
        ({"image": IMAGE, "kind": "late", "tag": "2"}, []),
    ],
)
def test_events_are_had_by_what_they_are_about(
    watch: Watch, web: Client, query: dict[str, str], tags: list[str]
) -> None:
    watch.knows(
        events=[
            event("appeared", "1", at=NOW + 1),
            event("platform ready", "2", at=NOW + 2, place=GHCR, platform="linux/arm64"),
            event("late", "3", at=NOW + 3),
            Event(kind="unreachable", at=NOW + 4, registry="ghcr.io", tag="4"),
            event("appeared", "5", at=NOW + 5, image="other"),
        ]
    )
    found = get(web, f"/api/v1/events?{urlencode(query)}")["events"]
    assert [each["tag"] for each in found] == tags


def test_several_kinds_are_asked_for_at_once(watch: Watch, web: Client) -> None:
    watch.knows(events=[event(kind) for kind in ("appeared", "complete", "late")])
    found = get(web, "/api/v1/events?kind=appeared&kind=late")["events"]
    assert [each["kind"] for each in found] == ["late", "appeared"]


def incident(**more: Any) -> Incident:
    known: dict[str, Any] = {
        "kind": "unreachable",
        "began": NOW - 60,
        "cause": "no answer",
        "registry": "ghcr.io",
    }
    return Incident(**known | more)


def test_incidents_are_had_by_whether_they_last(watch: Watch, web: Client) -> None:
    watch.knows(opened=[incident(), incident(began=NOW - 900, ended=NOW - 600)])
    began = [each["began"] for each in get(web, "/api/v1/incidents")["incidents"]]
    assert began == ["2026-11-26T20:30:00Z", "2026-11-26T20:16:00Z"]
    [ongoing] = get(web, "/api/v1/incidents?open=true")["incidents"]
    assert ongoing["ended"] is None
    [past] = get(web, "/api/v1/incidents?open=false")["incidents"]
    assert past["ended"] == "2026-11-26T20:21:00Z"


def test_incidents_come_page_by_page(watch: Watch, web: Client) -> None:
    watch.knows(opened=[incident(began=NOW, cause=f"{n}") for n in range(5)])
    page = get(web, "/api/v1/incidents?limit=3")
    causes = [each["cause"] for each in page["incidents"]]
    page = get(web, f"/api/v1/incidents?limit=3&after={page['next']}")
    assert causes + [each["cause"] for each in page["incidents"]] == ["4", "3", "2", "1", "0"]
    assert page["next"] == ""


def test_who_took_note_of_an_incident_is_not_for_everybody(watch: Watch, web: Client) -> None:
    watch.knows(opened=[incident()])
    assert watch.history.acknowledge(1, "ada", NOW)
    answer = web.get("/api/v1/incidents")
    assert answer.json()["incidents"][0]["acknowledged_at"] == "2026-11-26T20:31:00Z"
    assert b"ada" not in answer.body


def test_registries_say_how_they_do(watch: Watch, web: Client) -> None:
    down = RegistryState(
        registry="ghcr.io", at=NOW, down_since=NOW - 60, why="refused", answered_at=NOW - 90
    )
    watch.knows(
        registries=[RegistryState(registry="docker.io", at=NOW, answered_at=NOW), down],
        samples=[Sample(registry="docker.io", at=NOW - 30, seconds=0.1)],
    )
    hub, ghcr = get(web, "/api/v1/registries")["registries"]
    assert (hub["name"], hub["answers"], hub["down_since"]) == ("docker.io", True, None)
    assert 0.05 <= hub["p50"] <= 0.2
    assert (ghcr["answers"], ghcr["why"]) == (False, "refused")
    assert ghcr["down_since"] == "2026-11-26T20:30:00Z"
    whole = get(web, "/api/v1/registries/docker.io")
    assert len(whole["days"]) == 90
    assert whole["days"][-1]["day"] == "2026-11-26"


def test_a_registry_that_was_not_asked_yet_is_not_said_to_answer(web: Client) -> None:
    assert [each["answers"] for each in get(web, "/api/v1/registries")["registries"]] == [
        None,
        None,
    ]


def test_what_has_not_changed_is_not_sent_again(watch: Watch, web: Client) -> None:
    watch.knows(state())
    path = f"/api/v1/images/{IMAGE}/versions/2.6.1"
    first = web.get(path)
    watch.now += 60
    again = web.get(path, if_none_match=f'"x", W/{first.header("etag")}')
    assert (again.status, again.body) == (304, b"")
    assert again.header("etag") == first.header("etag")
    watch.knows(state(complete_at=None))
    assert web.get(path, if_none_match=first.header("etag")).status == 200


def test_head_gives_the_head_alone(web: Client) -> None:
    answer = web.call("HEAD", "/api/v1/images")
    assert (answer.status, answer.body) == (200, b"")
    assert int(answer.header("content-length")) == len(web.get("/api/v1/images").body)


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        ("/api/v1/images/none", "no image 'none' is watched"),
        (f"/api/v1/images/{IMAGE}/versions/9.9", f"no tag '9.9' of {IMAGE} was seen"),
        ("/api/v1/registries/none", "no image is watched in a registry 'none'"),
        ("/feed/none.atom", "no image 'none' is watched"),
        (
            "/api/v3/x",
            "there is nothing at this path; /api/openapi.json says what there is",
        ),
    ],
)
def test_what_is_not_there_is_said_in_one_form(web: Client, path: str, detail: str) -> None:
    assert problem(web.get(path), 404) == detail


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        ("/api/v1/events?limit=0", "limit: expected int >= 1"),
        ("/api/v1/events?limit=x", "limit: expected int, got str"),
        ("/api/v1/incidents?open=null", "open: null is no value; leave it out"),
        ("/api/v1/events?imgae=x", "what was sent contains unknown field imgae"),
        ("/api/v1/events?image=a&image=b", "image is given twice"),
        ("/api/v1/events?kind=gone", "kind: invalid enum value 'gone'"),
        (
            "/api/v1/events?since=2026-11-26T20:31:03",
            "since: expected datetime with a timezone component",
        ),
        ("/api/v1/events?after=!", "after: this is not where a page ended"),
        ("/api/v1/events?after=WyJ4Il0", "after: this is not where a page ended"),
        ("/api/v1/events?image=%ff", "what was sent are no parameters: name=value&…, in UTF-8"),
        ("/api/v1/events?x", "what was sent are no parameters: name=value&…, in UTF-8"),
        ("/api/v1/events?tag=2.6.1", "tag is only asked for together with image"),
        ("/api/v1/images?a=1", "what was sent contains unknown field a"),
        (f"/api/v1/images/{IMAGE}/versions?after=WzEsMl0", "after: this is not where a page ended"),
    ],
)
def test_a_parameter_that_is_wrong_is_named(web: Client, path: str, detail: str) -> None:
    assert problem(web.get(path), 400) == detail


def test_another_method_is_refused_with_those_that_are_possible(web: Client) -> None:
    answer = web.call("PUT", "/api/v1/images")
    assert problem(answer, 405) == "PUT is not possible here"
    assert answer.header("allow") == "GET, HEAD, POST"


def test_a_history_that_is_away_is_said_to_be(
    watch: Watch, web: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from manyfest.errors import HistoryAway

    def away() -> None:
        raise HistoryAway("the disk is full", where="/var/lib/secret/place/watch.db")

    monkeypatch.setattr(watch.history, "reading", away)
    answer = web.get("/api/v1/events")
    assert problem(answer, 503) == "the history cannot be read or written now"
    assert answer.header("retry-after") == "10"


def test_what_fails_tells_nothing_of_itself(
    watch: Watch, web: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise RuntimeError("a secret")

    monkeypatch.setattr(watch, "images", broken)
    assert problem(web.get("/api/v1/images"), 500) == "the watch failed; its log says why"


def test_readyz_is_about_the_watch_and_healthz_is_not(watch: Watch, web: Client) -> None:
    assert get(web, "/healthz") == {"status": "ok"}
    assert get(web, "/readyz") == {"status": "ok"}
    watch.ready = False
    assert get(web, "/healthz") == {"status": "ok"}
    assert "not looking at registries" in problem(web.get("/readyz"), 503)


def test_names_of_all_kinds_are_names(watch: Watch, web: Client) -> None:
    hostile = "a'; DROP TABLE tags; --/\"<b>/../%2e/\N{SNOWMAN}"
    watch.watch(image(hostile))
    path = f"/api/v1/images/{quote(hostile, safe='')}"
    assert get(web, path)["name"] == hostile
    assert get(web, f"{path}/versions") == {"versions": [], "next": ""}
    assert get(web, f"/api/v1/events?{urlencode({'image': hostile})}")["events"] == []


CLOSED = [
    "/api/v1/images",
    f"/api/v1/images/{IMAGE}",
    "/api/v1/events",
    "/api/v1/incidents",
    "/api/v1/registries",
    f"/api/v1/gate?image={IMAGE}&tag=1",
    "/api/v2/summary.json",
    f"/badge/{IMAGE}.svg",
    "/feed.atom",
    "/metrics",
]


@pytest.mark.parametrize("path", CLOSED)
def test_what_is_not_public_takes_a_token(tmp_path: Path, path: str) -> None:
    watch = Watch(tmp_path, public=False)
    web = client(watch)
    answer = web.get(path)
    assert "token" in problem(answer, 401)
    assert answer.header("www-authenticate") == 'Bearer realm="manyfest watch"'
    answer = web.get(path, authorization=token(web))
    assert answer.status == 200
    assert answer.header("cache-control") == "private, no-cache"
    watch.history.close()


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/api/openapi.json"])
def test_what_tells_nothing_of_images_is_open(tmp_path: Path, path: str) -> None:
    watch = Watch(tmp_path, public=False)
    assert client(watch).get(path).status == 200
    watch.history.close()
