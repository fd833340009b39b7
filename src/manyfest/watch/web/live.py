"""Open pages are sent what changed in them, by server-sent events.

Pages at the same address are of one room. When something happens, the pages that it concerns are
rendered once more, each once for all who look at it, and what differs is sent to them: the HTML of
fragments, and sentences to be read out. A viewer who comes back says which version it has, and gets
the page if that is another one by now. One who does not take what is sent is let go; its browser
will come back.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from urllib.parse import quote, unquote

import msgspec
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from manyfest.amounts import counted
from manyfest.attempts import network
from manyfest.errors import HistoryError
from manyfest.watch.live import News, Subscription
from manyfest.watch.service_api import Service
from manyfest.watch.values import Event
from manyfest.watch.web.admin.context import address_of
from manyfest.watch.web.pages.page import Page
from manyfest.watch.web.pages.times import exact, fill_in, iso
from manyfest.watch.web.pages.view import NoSuchPage
from manyfest.watch.web.pages.words import sentence
from manyfest.watch.web.rendering import tab_title
from manyfest.watch.web.static_files import address

logger = logging.getLogger(__name__)

MOST_VIEWERS = 800
"""Fewer than the server takes connections: the others are for pages."""
MOST_OF_ONE = 200
"""Viewers at one address, or it would keep all others from looking on."""
BACKLOG = 8
"""Messages that may wait for one viewer."""
_ASK_AGAIN = 60.0
"""Seconds after which it is asked again whether a viewer may look on: who signs out may not."""
_BEAT = 20.0
"""Seconds without news after which a viewer is told that all is as it was."""
_PAUSE = 0.5
"""Seconds between two rounds; what happens meanwhile is in one."""
_READ_OUT = 3
"""Sentences in one message."""

_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # what is in between must not collect it
]


class Viewer:
    """One open page, on the network ``client``."""

    def __init__(self, client: str) -> None:
        self.client = client
        self.waiting: asyncio.Queue[bytes | None] = asyncio.Queue(BACKLOG)
        self.dropped = asyncio.Event()

    def give(self, message: bytes | None) -> None:
        """Let it have a message, or the end; one who has too many before it is let go."""
        try:
            self.waiting.put_nowait(message)
        except asyncio.QueueFull:
            self.dropped.set()


class _Room:
    """The viewers of one page, and the page as they have it."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.page: Page | None = None
        self.viewers: set[Viewer] = set()
        self.news: list[Event] = []
        self.is_dirty = False
        self.lock = asyncio.Lock()

    def concerns(self, news: News) -> bool:
        """Whether the page may look otherwise by now."""
        page = self.page
        if page is None or news.missed or not (page.image or page.registry):
            return True
        if page.registry:
            return page.registry in news.registries
        return page.image in news.images or any(image == page.image for image, _ in news.tags)


class Viewers:
    """All who look on: an ASGI application, to be asked ``?page=PATH&since=VERSION``.

    ``build`` makes the page at a path; it is called in a thread, and may raise
    :class:`~manyfest.watch.web.pages.view.NoSuchPage`. ``may_look`` says, in a thread too, whether
    whoever asks may see pages. For one event loop.
    """

    def __init__(
        self, service: Service, build: Callable[[str], Page], may_look: Callable[[Request], bool]
    ) -> None:
        self._service = service
        self._build = build
        self._may_look = may_look
        self._rooms: dict[str, _Room] = {}
        self._clients: Counter[str] = Counter()
        self._following: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return sum(len(room.viewers) for room in self._rooms.values())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one viewer look on until it leaves, is let go, or the watch stops."""
        request = Request(scope)
        if not await asyncio.to_thread(self._may_look, request):
            await Response(status_code=403)(scope, receive, send)
            return
        # In one spelling: each room costs a rendering whenever something happens.
        path = quote(unquote(request.query_params.get("page", "")))
        since = request.headers.get("last-event-id") or request.query_params.get("since", "")
        client = network(address_of(request))
        if len(self) >= MOST_VIEWERS or self._clients[client] >= MOST_OF_ONE:
            full = PlainTextResponse("Too many look on.\n", 503, {"retry-after": "30"})
            await full(scope, receive, send)
            return
        viewer = Viewer(client)
        room = self._rooms.setdefault(path, _Room(path))
        room.viewers.add(viewer)
        self._clients[client] += 1
        try:
            self._follow()
            try:
                page = await self._page_of(room)
            except (NoSuchPage, HistoryError) as error:
                status = 404 if isinstance(error, NoSuchPage) else 503
                await PlainTextResponse("Nothing to see.\n", status)(scope, receive, send)
                return
            viewer.give(_first(page, since, self._service))
            await self._stream(viewer, request, receive, send)
        finally:
            self._leave(room, viewer)

    async def _stream(self, viewer: Viewer, request: Request, receive: Receive, send: Send) -> None:
        """Send what the viewer is given, until one side ends it."""
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        ends = [
            asyncio.create_task(_send_all(viewer, send, self._service.clock)),
            asyncio.create_task(_left(receive)),
            asyncio.create_task(viewer.dropped.wait()),
            asyncio.create_task(self._refused(request)),
        ]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in ends:
                each.cancel()
            await asyncio.gather(*ends, return_exceptions=True)

    async def _refused(self, request: Request) -> None:
        """Return once who looks on may do so no longer."""
        may_look = True
        while may_look:
            await asyncio.sleep(_ASK_AGAIN)
            with suppress(HistoryError):  # while nobody knows, nothing new is shown either
                may_look = await asyncio.to_thread(self._may_look, request)

    def _follow(self) -> None:
        """Begin to, if nobody looked on before. What happens from here on is heard of."""
        if self._following is None or self._following.done():
            news = self._service.live.subscribe()
            self._following = asyncio.create_task(self._rounds(news))

    def _leave(self, room: _Room, viewer: Viewer) -> None:
        room.viewers.discard(viewer)
        self._clients[viewer.client] -= 1
        if not self._clients[viewer.client]:
            del self._clients[viewer.client]
        if not room.viewers and self._rooms.get(room.path) is room:
            del self._rooms[room.path]
        if not self._rooms and self._following is not None:
            self._following.cancel()
            self._following = None

    async def _page_of(self, room: _Room) -> Page:
        async with room.lock:
            if room.page is None:
                room.page = await asyncio.to_thread(self._build, room.path)
            return room.page

    async def _rounds(self, source: Subscription) -> None:
        with source:
            while not source.closed:
                news = await source.next(_BEAT)
                for room in list(self._rooms.values()):
                    if news is not None and room.concerns(news):
                        room.is_dirty = True
                        room.news += news.events
                    if room.is_dirty:
                        await self._renew(room)
                if not source.closed:
                    await asyncio.sleep(_PAUSE)
        for room in self._rooms.values():
            _give(room.viewers, None)

    async def _renew(self, room: _Room) -> None:
        """Render the room's page, and send what differs from what its viewers have."""
        try:
            async with room.lock:
                page = await asyncio.to_thread(self._build, room.path)
                before, room.page = room.page, page
        except NoSuchPage:
            _give(room.viewers, None)
            return
        except HistoryError as error:
            logger.warning("open pages are not renewed: %s", error)
            return  # it stays dirty, until the history is there again
        events, room.news, room.is_dirty = room.news, [], False
        said = _said(page, events)
        # The page may have shown these events already: it was read after they were written.
        if before is not None and (said or page.version != before.version):
            known = {each.version for each in before.fragments}
            _give(room.viewers, _message(page, self._service, known, said))


def _spread() -> int:
    """Milliseconds after which to come back: not for all the same."""
    return random.randrange(2000, 6000)  # noqa: S311 - nobody gains by guessing it


def _give(viewers: Iterable[Viewer], message: bytes | None) -> None:
    for viewer in list(viewers):
        viewer.give(message)


def _first(page: Page, since: str, service: Service) -> bytes:
    """What a viewer gets who has the version ``since``: when to come back if the line is cut, not
    all at the same moment, and the page if it is another one by now."""
    retry = f"retry: {_spread()}\n\n".encode()
    if since == page.version:
        return retry + _beat(service.clock())
    return retry + _message(page, service, frozenset(), ())


def _said(page: Page, events: Iterable[Event]) -> list[str]:
    """The events that the page is about, as sentences."""
    about = [
        event
        for event in events
        if page.image in ("", event.image) and page.registry in ("", event.registry)
    ]
    sentences = [sentence(event) for event in about[-_READ_OUT:]]
    more = len(about) - len(sentences)
    return [*sentences, f"{counted(more, 'more thing')} happened."] if more else sentences


def _message(page: Page, service: Service, known: Iterable[str], said: Iterable[str]) -> bytes:
    """All of the page that is not ``known`` by its version."""
    now, has = service.clock(), set(known)
    changed = {
        each.name: {"html": fill_in(each.html, now), "version": each.version}
        for each in page.fragments
        if each.version not in has
    }
    told = {
        "title": tab_title(page, service.config.title),
        "icon": address(f"icon-{page.level}.svg"),
        "order": [each.name for each in page.fragments],
        "fragments": changed,
        "said": list(said),
        **_refreshed(now),
    }
    data = msgspec.json.encode(told)
    return b"id: %s\nevent: page\ndata: %s\n\n" % (page.version.encode(), data)


def _beat(now: float) -> bytes:
    return b"event: beat\ndata: %s\n\n" % msgspec.json.encode(_refreshed(now))


def _refreshed(now: float) -> dict[str, str]:
    return {"at": iso(now), "when": exact(now)}


async def _send_all(viewer: Viewer, send: Send, clock: Callable[[], float]) -> None:
    message: bytes | None = b""
    while message is not None:
        try:
            message = await asyncio.wait_for(viewer.waiting.get(), _BEAT)
        except TimeoutError:
            message = _beat(clock())
        await send(
            {"type": "http.response.body", "body": message or b"", "more_body": message is not None}
        )


async def _left(receive: Receive) -> None:
    with suppress(Exception):  # whatever it is, nobody is there any more
        while (await receive())["type"] != "http.disconnect":
            pass
