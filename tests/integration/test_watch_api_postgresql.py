"""Programs are answered the same whether the history is SQLite's or PostgreSQL's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from manyfest.watch.health.values import RegistryState
from manyfest.watch.values import Incident, Notice, Sample
from tests.postgresql import running_postgresql
from tests.unit.watch_openapi import described_answer
from tests.unit.watch_web import (
    GHCR,
    HUB,
    IMAGE,
    Client,
    Watch,
    client,
    image,
    keep_user,
    seen,
    sign_in,
    state,
    token,
    word,
)
from tests.unit.watching import NOW, event


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Client]]:
    with running_postgresql() as server:
        watches = [Watch(tmp_path_factory.mktemp("sqlite")), Watch(server.new_database())]
        for watch in watches:
            fill(watch)
        yield [client(watch) for watch in watches]
        for watch in watches:
            watch.history.close()


def fill(watch: Watch) -> None:
    watch.watch(image(soak=3600, mirrors=["mirror.example/gotify"]), image("other"))
    half = seen(GHCR, ready=["linux/amd64"], missing=["linux/arm64"])
    watch.knows(
        state("2.10.0", seen(HUB), half, complete_at=None),
        state("2.9.0"),
        state("latest", soaked_at=NOW),
        state("2.8.0", seen(index=""), digest="", complete_at=None),
        *(state(f"1.{minor}.0") for minor in range(20)),
        events=[
            event("appeared", "2.10.0", at=NOW - 60),
            event("platform ready", "2.10.0", at=NOW - 30, platform="linux/amd64", place=HUB),
            *(event("complete", f"1.{minor}.0", at=NOW + minor // 4) for minor in range(20)),
        ],
        opened=[
            Incident(kind="unreachable", began=NOW - 60, cause="refused", registry="ghcr.io"),
            Incident(kind="late", began=NOW - 90, ended=NOW, cause="", image=IMAGE, tag="2.9.0"),
        ],
        registries=[
            RegistryState(registry="docker.io", at=NOW, began=NOW - 600, answered_at=NOW),
            RegistryState(registry="ghcr.io", at=NOW, down_since=NOW - 60, why="refused"),
        ],
        samples=[Sample(registry="docker.io", at=NOW - 30, seconds=0.1)],
        notices=[Notice(recipient="ops", due=NOW - 30, events=(event("late"),))] * 3,
    )
    [waiting, *_] = watch.history.notices.waiting(NOW)
    watch.history.notices.attempt(waiting)
    watch.history.notices.failed(waiting.id, "no answer", NOW - 10)
    keep_user(watch, "ada")


READ = [
    "/api/v1/images",
    f"/api/v1/images/{IMAGE}",
    f"/api/v1/images/{IMAGE}/versions?limit=5",
    f"/api/v1/images/{IMAGE}/versions?standing=gone&standing=incomplete",
    f"/api/v1/images/{IMAGE}/versions/2.10.0",
    f"/api/v1/gate?image={IMAGE}&tag=2.10.0",
    f"/api/v1/gate?image={IMAGE}&tag=latest&soaked=1&fail=1",
    "/api/v1/events?limit=7",
    f"/api/v1/events?image={IMAGE}&platform=linux/amd64",
    "/api/v1/events?kind=complete&since=2026-11-26T20:31:02Z",
    "/api/v1/incidents",
    "/api/v1/incidents?open=true&registry=ghcr.io",
    "/api/v1/registries",
    "/api/v1/registries/docker.io",
    "/api/v1/notices",
    "/api/v2/summary.json",
    f"/badge/{IMAGE}.svg",
    "/feed.atom",
]


@pytest.mark.parametrize("path", READ)
def test_answers_are_the_same(both: list[Client], path: str) -> None:
    answers = [web.get(path, authorization=token(web)) for web in both]
    for answer in answers:
        described_answer("GET", path, answer)
    assert answers[0].body == answers[1].body
    assert answers[0].status in {200, 412}


def test_pages_are_turned_the_same_way(both: list[Client]) -> None:
    assert _all(both[0], "events") == _all(both[1], "events")
    versions = f"images/{IMAGE}/versions"
    assert _all(both[0], versions) == _all(both[1], versions)
    assert len(_all(both[1], versions)) == 24


def _all(web: Client, what: str) -> list[Any]:
    found, after = list[Any](), ""
    while True:
        page = web.get(f"/api/v1/{what}?limit=3&after={after}").json()
        found += page[what.rpartition("/")[2]]
        after = page["next"]
        if not after:
            return found


def test_the_metrics_are_the_same(both: list[Client]) -> None:
    first, second = (
        [line for line in web.get("/metrics").text.splitlines() if "manyfest_" in line]
        for web in both
    )
    assert first == second


def test_people_sign_in_and_out(both: list[Client]) -> None:
    for web in both:
        assert sign_in(web).status == 303
        assert (
            web.post("/admin/incidents/acknowledge", {"csrf": word(web), "incident": "1"}).status
            == 303
        )
        assert web.post("/sign-out", {"csrf": word(web)}).status == 303
        assert web.get("/admin").status == 303
