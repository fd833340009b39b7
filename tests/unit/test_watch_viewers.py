"""Open pages follow what happens: server-sent events, without any socket."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from msgspec.structs import replace
from starlette.applications import Starlette

from manyfest.errors import HistoryAway
from manyfest.watch.history.batch import Batch
from manyfest.watch.live import News
from manyfest.watch.values import Change, Event
from manyfest.watch.web import live
from manyfest.watch.web.app import create_app
from manyfest.watch.web.pages.page import Page
from manyfest.watch.web.pages.site import Site
from tests.unit.watch_web import IMAGE, Watch, image, state
from tests.unit.watching import NOW, event

SOON = 5.0


@pytest.fixture
def watch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    monkeypatch.setattr(live, "_PAUSE", 0.0)
    watch = Watch(tmp_path)
    watch.knows(state("2.6.1", complete_at=None))
    yield watch
    watch.history.close()


class Line:
    """What one viewer is sent. ``is_slow`` while it takes nothing."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.ended = asyncio.Event()
        self.left = asyncio.Event()
        self.is_slow = asyncio.Event()
        self._text = ""
        self._more = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        while self.is_slow.is_set():
            await asyncio.sleep(0.001)
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        self._text += message.get("body", b"").decode()
        self._more.set()

    async def next(self, kind: str = "page") -> dict[str, Any]:
        """The next event of that kind: its data, and its ``id``."""
        async with asyncio.timeout(SOON):
            while True:
                message, found, rest = self._text.partition("\n\n")
                if not found:
                    self._more.clear()
                    await self._more.wait()
                    continue
                self._text = rest
                if f"event: {kind}\n" in f"{message}\n":
                    fields = dict(line.split(": ", 1) for line in message.splitlines())
                    return {**msgspec.json.decode(fields["data"]), "id": fields.get("id", "")}


@asynccontextmanager
async def looking_on(
    app: Starlette, page: str = "/", since: str = "", *, client: str = "192.0.2.7", **headers: str
) -> AsyncIterator[Line]:
    """One viewer, who leaves at the end of the block."""
    line = Line()
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/live",
        "client": (client, 50_000),
        "raw_path": b"/live",
        "root_path": "",
        "query_string": f"page={quote(page)}&since={since}".encode(),
        "headers": [(b"host", b"watch.test")]
        + [(name.replace("_", "-").encode(), each.encode()) for name, each in headers.items()],
    }

    async def run() -> None:
        await app(scope, line.receive, line.send)
        line.ended.set()

    task = asyncio.create_task(run())
    try:
        yield line
    finally:
        line.left.set()
        async with asyncio.timeout(SOON):
            await task


def happens(watch: Watch, tag: str = "2.6.1", of: str = IMAGE, **more: Any) -> None:
    """A version becomes complete, and whoever looks on hears of it."""
    told = event("complete", tag, image=of)
    change = Change(state=state(tag, image=of, **more), events=(told,))
    watch.history.record(Batch(changes=(change,)))
    watch.live.publish(News(events=(told,), tags=frozenset({(of, tag)})))


def version_of(watch: Watch, page: str = "/") -> str:
    """The version that a page says that it has."""

    async def load() -> str:
        async with looking_on(create_app(watch), page) as line:
            return str((await line.next())["id"])

    return asyncio.run(load())


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def within() -> None:
        async with asyncio.timeout(4 * SOON):
            await test()

    asyncio.run(within())


def test_what_changed_is_sent_and_said(watch: Watch) -> None:
    async def test() -> None:
        async with looking_on(create_app(watch)) as line:
            first = await line.next()
            assert "Partly complete: 1 version on the way" in first["fragments"]["banner"]["html"]
            happens(watch)
            told = await line.next()
            assert "All versions are complete" in told["fragments"]["banner"]["html"]
            assert told["title"] == "Complete · Our releases"
            assert re.fullmatch(r"/static/icon-good\.svg\?v=\w+", told["icon"])
            assert told["said"] == ["gotify/server 2.6.1 is complete everywhere."]

    run(test)


def test_what_the_page_showed_before_it_was_told_of_is_said_all_the_same(watch: Watch) -> None:
    async def test() -> None:
        happens(watch)
        async with looking_on(create_app(watch)) as line:
            await line.next()
            told_late = (event("complete", "2.6.1", image=IMAGE),)
            watch.live.publish(News(events=told_late, tags=frozenset({(IMAGE, "2.6.1")})))
            told = await line.next()
            assert told["said"] == ["gotify/server 2.6.1 is complete everywhere."]
            assert told["fragments"] == {}

    run(test)


def test_what_did_not_change_is_not_sent(watch: Watch) -> None:
    async def test() -> None:
        watch.watch(image(), image("other/app"))
        async with looking_on(create_app(watch)) as line:
            first = await line.next()
            happens(watch)
            told = await line.next()
            assert sorted(told["fragments"]) == ["banner", f"image {IMAGE}"]
            assert told["order"] == first["order"]
            assert "image other/app" in told["order"]

    run(test)


def test_a_page_is_one_however_its_address_is_spelt(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    build, built = Site.live_page, []

    def counted(site: Site, path: str) -> Page:
        built.append(path)
        return build(site, path)

    monkeypatch.setattr(Site, "live_page", counted)

    async def test() -> None:
        app = create_app(watch)
        one, other = "/images/gotify/server", "/%69mages/gotify%2Fserver"
        async with looking_on(app, one) as first, looking_on(app, other) as second:
            assert (await first.next())["id"] == (await second.next())["id"]
        assert built == ["/images/gotify/server"]

    run(test)


def test_it_is_an_event_stream_that_nobody_keeps(watch: Watch) -> None:
    async def test() -> None:
        async with looking_on(create_app(watch), accept_encoding="gzip") as line:
            await line.next()
            assert line.status == 200
            assert line.headers["content-type"] == "text/event-stream; charset=utf-8"
            assert line.headers["cache-control"] == "no-store"
            assert "content-encoding" not in line.headers

    run(test)


def test_who_has_the_page_already_gets_no_more_than_a_beat(watch: Watch) -> None:
    version = version_of(watch)

    async def test() -> None:
        async with looking_on(create_app(watch), since=version) as line:
            beat = await line.next("beat")
            assert beat == {
                "at": "2026-11-26T20:31:00Z",
                "when": "26 Nov 2026, 20:31:00 UTC",
                "id": "",
            }

    run(test)


def test_who_comes_back_gets_what_it_missed(watch: Watch) -> None:
    version = version_of(watch)
    happens(watch)

    async def test() -> None:
        async with looking_on(create_app(watch), last_event_id=version) as line:
            assert "All versions are complete" in str((await line.next())["fragments"]["banner"])

    run(test)


def test_the_event_that_the_browser_names_counts_for_more_than_the_page(watch: Watch) -> None:
    old = version_of(watch)
    happens(watch)
    new = version_of(watch)

    async def test() -> None:
        async with looking_on(create_app(watch), since=old, last_event_id=new) as line:
            await line.next("beat")

    run(test)


def test_a_page_about_something_else_is_not_rendered_again(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch.watch(image(), image("other/app"))

    async def test() -> None:
        app = create_app(watch)
        async with looking_on(app, "/images/other/app") as line, looking_on(app) as first:
            await line.next()
            await first.next()
            rendered: list[str] = []
            build = live._Room.concerns

            def concerns(room: live._Room, news: News) -> bool:
                if build(room, news):
                    rendered.append(room.path)
                    return True
                return False

            monkeypatch.setattr(live._Room, "concerns", concerns)
            happens(watch)
            await first.next()
            assert rendered == ["/"]
            happens(watch, "1.0", "other/app")
            assert (await line.next())["said"] == ["other/app 1.0 is complete everywhere."]

    run(test)


def test_a_page_is_rendered_once_for_all_who_look_at_it(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    readings = 0
    reading = watch.history.reading

    def counted() -> Any:
        nonlocal readings
        readings += 1
        return reading()

    monkeypatch.setattr(watch.history, "reading", counted)

    async def test() -> None:
        app = create_app(watch)
        async with looking_on(app) as one, looking_on(app) as two, looking_on(app) as three:
            lines = (one, two, three)
            for line in lines:
                await line.next()
            assert readings == 1
            happens(watch)
            assert len({str(await line.next()) for line in lines}) == 1
            assert readings == 2

    run(test)


def test_who_takes_nothing_is_let_go(watch: Watch) -> None:
    async def test() -> None:
        app = create_app(watch)
        async with looking_on(app) as slow, looking_on(app) as quick:
            await slow.next()
            await quick.next()
            slow.is_slow.set()
            for number in range(live.BACKLOG + 2):
                complete = None if number % 2 else NOW
                happens(watch, complete_at=complete)
                await quick.next()
            async with asyncio.timeout(SOON):
                await slow.ended.wait()
            assert not quick.ended.is_set()

    run(test)


def test_many_events_are_said_in_short(watch: Watch) -> None:
    async def test() -> None:
        async with looking_on(create_app(watch)) as line:
            await line.next()
            told = tuple(event("complete", f"3.{number}") for number in range(9))
            states = [Change(state=state(each.tag), events=(each,)) for each in told]
            watch.history.record(Batch(changes=tuple(states)))
            watch.live.publish(News(events=told, missed=True))
            said = (await line.next())["said"]
            assert said[0] == "gotify/server 3.6 is complete everywhere."
            assert said[-1] == "6 more things happened."

    run(test)


@pytest.mark.parametrize("page", ["/nothing", "/images/none", "/search", "", "/admin"])
def test_there_is_nothing_to_see_at_other_addresses(watch: Watch, page: str) -> None:
    async def test() -> None:
        async with looking_on(create_app(watch), page) as line:
            async with asyncio.timeout(SOON):
                await line.ended.wait()
            assert line.status == 404

    run(test)


def test_no_more_viewers_than_there_is_room_for(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "MOST_VIEWERS", 1)

    async def test() -> None:
        app = create_app(watch)
        async with looking_on(app) as one:
            await one.next()
            async with looking_on(app) as two:
                await asyncio.wait_for(two.ended.wait(), SOON)
                assert two.status == 503
                assert two.headers["retry-after"] == "30"

    run(test)


def test_nobody_keeps_others_from_looking_on(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MOST_OF_ONE", 1)

    async def test() -> None:
        app = create_app(watch)
        for _ in range(2):  # who left is counted no more
            async with looking_on(app) as one:
                await one.next()
                async with looking_on(app) as two:
                    await asyncio.wait_for(two.ended.wait(), SOON)
                    assert two.status == 503
                async with looking_on(app, client="192.0.2.8") as other:
                    await other.next()

    run(test)


def test_a_history_that_is_away_for_a_while(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        async with looking_on(create_app(watch)) as line:
            await line.next()
            reading, tries = watch.history.reading, []

            def away() -> Any:
                tries.append(1)
                raise HistoryAway("the disk is full")

            happens(watch)
            monkeypatch.setattr(watch.history, "reading", away)
            while not tries:
                await asyncio.sleep(0.001)
            monkeypatch.setattr(watch.history, "reading", reading)
            watch.live.publish(News(registries=frozenset({"ghcr.io"})))
            assert "All versions are complete" in str((await line.next())["fragments"]["banner"])

    run(test)


def test_who_may_see_it_no_longer_looks_on_no_longer(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "_ASK_AGAIN", 0.01)

    async def test() -> None:
        async with looking_on(create_app(watch)) as line, looking_on(create_app(watch)) as other:
            await line.next()
            await asyncio.sleep(0.03)
            assert not line.ended.is_set()
            watch.config = replace(watch.config, public=False)
            await asyncio.wait_for(line.ended.wait(), SOON)
            await asyncio.wait_for(other.ended.wait(), SOON)

    run(test)


def test_when_the_watch_stops_all_lines_end(watch: Watch) -> None:
    async def test() -> None:
        async with looking_on(create_app(watch)) as line:
            await line.next()
            watch.live.close()
            await asyncio.wait_for(line.ended.wait(), SOON)

    run(test)


def test_an_event_is_said_only_where_the_page_is_about_it(watch: Watch) -> None:
    def said(page: str, *events: Event) -> list[str]:
        from manyfest.watch.web.pages.site import Site

        return live._said(Site(watch).page(page, {}), events)

    gone = event("vanished", "1")
    away = Event(kind="unreachable", at=NOW, registry="ghcr.io")
    assert said("/", gone, away) == ["gotify/server 1 is gone.", "ghcr.io gives no answers."]
    assert said(f"/images/{IMAGE}", gone, away) == ["gotify/server 1 is gone."]
    assert said("/registries/ghcr.io", gone, away) == ["ghcr.io gives no answers."]
