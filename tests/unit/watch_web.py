"""A watch that runs nothing, and a client that asks its pages without any socket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote, urlencode

import bcrypt
import msgspec
from starlette.applications import Starlette

from manyfest.errors import ConfigError, NotFound, UsageError
from manyfest.watch.access.accounts import Accounts
from manyfest.watch.config.load import image_of
from manyfest.watch.config.values import TagChoice, WatchConfig, WatchedImage
from manyfest.watch.health.values import RegistryState
from manyfest.watch.history.batch import Batch, User
from manyfest.watch.history.history import History
from manyfest.watch.live import Live
from manyfest.watch.values import (
    Change,
    Event,
    Incident,
    Notice,
    Place,
    PlaceSeen,
    PlatformSeen,
    Rule,
    Sample,
    TagState,
)
from manyfest.watch.web.admin.context import accounts_of
from manyfest.watch.web.app import create_app
from tests.unit.watching import NOW

HUB, GHCR = "docker.io/gotify/server", "ghcr.io/gotify/server"
IMAGE = "gotify/server"
PASSWORD = "correct horse battery"


class Watch:
    """What the pages see of a watch: a real history, and images that nobody looks at."""

    def __init__(self, folder: Path | str, *, public: bool = True, url: str = "") -> None:
        """Its history is in ``folder``, or at that URL."""
        database = folder if isinstance(folder, str) else str(folder / "watch.db")
        self.history = History.open(database)
        self.live = Live()
        self.now = NOW
        self.ready = True
        self.hints: list[tuple[str, str]] = []
        self.left: set[str] = set()
        self.unknown: tuple[str, ...] = ()
        self.trouble: tuple[str, ...] = ()
        self._images = {IMAGE: image()}
        self.config = WatchConfig(images=(), title="Our releases", url=url, public=public)

    @property
    def clock(self) -> Callable[[], float]:
        return lambda: self.now

    def images(self) -> tuple[WatchedImage, ...]:
        return tuple(self._images.values())

    def is_ready(self) -> bool:
        return self.ready

    def troubles(self) -> tuple[str, ...]:
        return self.trouble

    def looks_at(self, image: str, tag: str) -> bool:
        return image in self._images and tag not in self.left

    def unlisted(self, image: str) -> tuple[str, ...]:
        return self.unknown if image in self._images else ()

    def hint(self, repository: str, tag: str) -> bool:
        self.hints.append((repository, tag))
        return True

    def add(self, asked: Mapping[str, object]) -> WatchedImage:
        image = image_of(asked, 300.0, ())
        if image.name in self._images:
            raise ConfigError(f"'name': {image.name} is watched already")
        self._images[image.name] = image
        return image

    def remove(self, image: str) -> None:
        if self._known(image).origin == "file":
            raise UsageError(f"{image} stands in watch.yaml", mend="take it out there")
        del self._images[image]

    def pause(self, image: str) -> None:
        self._images[image] = msgspec.structs.replace(self._known(image), paused_at=self.now)

    def resume(self, image: str) -> None:
        self._images[image] = msgspec.structs.replace(self._known(image), paused_at=None)

    def watch(self, *images: WatchedImage) -> None:
        """Watch these images alone."""
        self._images = {each.name: each for each in images}

    def knows(
        self,
        *states: TagState,
        events: Sequence[Event] = (),
        opened: Sequence[Incident] = (),
        registries: Sequence[RegistryState] = (),
        samples: Sequence[Sample] = (),
        notices: Sequence[Notice] = (),
    ) -> None:
        """Write into the history."""
        changes = tuple(Change(state=each) for each in states)
        self.history.record(
            Batch(
                changes=changes,
                events=tuple(events),
                opened=tuple(opened),
                registries=tuple(registries),
                samples=tuple(samples),
                notices=tuple(notices),
            )
        )

    def _known(self, image: str) -> WatchedImage:
        if image not in self._images:
            raise NotFound(f"no image {image!r} is watched")
        return self._images[image]


def image(
    name: str = IMAGE,
    places: Sequence[str] = (HUB, GHCR),
    *,
    mirrors: Sequence[str] = (),
    origin: Any = "file",
    soak: float = 0.0,
) -> WatchedImage:
    rule = Rule(
        image=name,
        places=(
            *(Place(repository=each) for each in places),
            *(Place(repository=each, mirror=True) for each in mirrors),
        ),
        platforms=("linux/amd64", "linux/arm64"),
        soak=soak,
    )
    return WatchedImage(rule=rule, tags=TagChoice(), every=300.0, origin=origin)


def digest(text: str) -> str:
    return f"sha256:{text * 64}"


def seen(
    place: str = HUB,
    *,
    index: str = digest("a"),
    ready: Sequence[str] = ("linux/amd64", "linux/arm64"),
    missing: Sequence[str] = (),
    **more: Any,
) -> PlaceSeen:
    """A place that has the tag, with these platforms ready since a minute ago."""
    there = PlatformSeen(state="ready", digest=digest("b"), ready_at=NOW - 60)
    platforms = {
        **dict.fromkeys(ready, there),
        **{each: PlatformSeen(state="missing", why="it has linux/amd64") for each in missing},
    }
    known = {"since": NOW - 120, "first_seen": NOW - 120, **more}
    return PlaceSeen(place=place, digest=index, platforms=platforms, **known)


def state(tag: str = "2.6.1", *places: PlaceSeen, **more: Any) -> TagState:
    """A tag that was first seen two minutes ago, complete since a minute ago if nothing else is
    said of it."""
    known = {"image": IMAGE, "digest": digest("a"), "first_seen": NOW - 120, **more}
    known.setdefault("complete_at", NOW - 60)
    return TagState(tag=tag, began=NOW - 600, places=places or (seen(HUB), seen(GHCR)), **known)


@dataclass
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key == name), "")

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass
class Client:
    """A browser, as far as it keeps cookies and says where its requests come from."""

    app: Starlette
    scheme: str = "http"
    host: str = "watch.test"
    address: str = "192.0.2.7"
    cookies: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, **headers: str) -> Answer:
        return self.call("GET", path, headers=headers)

    def post(self, path: str, form: Mapping[str, str], **headers: str) -> Answer:
        """Send a form as a browser does from a page of ours."""
        fields = {
            "content_type": "application/x-www-form-urlencoded",
            "origin": f"{self.scheme}://{self.host}",
            **headers,
        }
        return self.call("POST", path, urlencode(form).encode(), fields)

    def send(self, method: str, path: str, value: object = None, **headers: str) -> Answer:
        """Send JSON, if there is any."""
        if value is None:
            return self.call(method, path, headers=headers)
        body = msgspec.json.encode(value)
        return self.call(method, path, body, {"content_type": "application/json", **headers})

    def call(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        answer = asyncio.run(self._call(method, path, body, headers or {}))
        for cookie in answer.all("set-cookie"):
            name, _, rest = cookie.partition("=")
            value = rest.partition(";")[0].strip('"')
            self.cookies[name] = value
            if not value:
                del self.cookies[name]
        return answer

    async def _call(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str]
    ) -> Answer:
        path, _, query = path.partition("?")
        fields = {
            "host": self.host,
            **{key.replace("_", "-"): each for key, each in headers.items()},
        }
        if self.cookies:
            fields["cookie"] = "; ".join(f"{name}={each}" for name, each in self.cookies.items())
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": self.scheme,
            "path": unquote(path),
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": [
                (name.encode(), each.encode("latin-1")) for name, each in fields.items() if each
            ],
            "client": (self.address, 50000),
            "server": (self.host, 80),
        }
        waiting = [{"type": "http.request", "body": body, "more_body": False}]
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return waiting.pop(0) if waiting else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        raw = [(name.decode(), each.decode("latin-1")) for name, each in sent[0]["headers"]]
        return Answer(sent[0]["status"], raw, b"".join(each.get("body", b"") for each in sent[1:]))


def client(watch: Watch, **more: Any) -> Client:
    return Client(create_app(watch), **more)


def accounts(client: Client) -> Accounts:
    """Those of the application that the client asks."""

    class _Request:
        app = client.app

    return accounts_of(cast("Any", _Request()))


@cache
def _hashed(password: str) -> str:
    """As cheap as bcrypt can be."""
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()


def user(client: Client, name: str = "ada", password: str = PASSWORD) -> None:
    keep_user(service_of(client), name, password)


def keep_user(watch: Watch, name: str, password: str = PASSWORD) -> None:
    watch.history.people.keep_user(User(name=name, password=_hashed(password), made_at=NOW))


def service_of(client: Client) -> Watch:
    return cast("Watch", client.app.state.service)


def token(client: Client, *, may_write: bool = False, name: str = "ada") -> str:
    """The Authorization field of a program."""
    user(client, name)
    made = accounts(client).make_token(name, "a test", may_write=may_write)
    return f"Bearer {made.reveal()}"


class Forms(HTMLParser):
    """The forms of a page: by what each is sent to, its hidden fields."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: dict[str, dict[str, str]] = {}
        self._action = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._action = given.get("action", "")
            self.found.setdefault(self._action, {})
        elif tag == "input" and given.get("type") == "hidden":
            self.found[self._action][given["name"]] = given.get("value", "")


def sign_in(
    client: Client, name: str = "ada", password: str = PASSWORD, *, to: str = "/admin"
) -> Answer:
    """Fill in the form as a person does."""
    page = client.get(f"/sign-in?{urlencode({'next': to})}")
    hidden = Forms(page.text).found.get("/sign-in", {})
    return client.post("/sign-in", {**hidden, "name": name, "password": password})


def word(client: Client) -> str:
    """What the forms of who is signed in must send back."""
    return Forms(client.get("/admin").text).found["/sign-out"]["csrf"]
