"""The registry as an ASGI application."""

from __future__ import annotations

import logging
import os
from itertools import count
from pathlib import Path
from time import perf_counter

from msgspec.structs import replace

from manyfest.attempts import network
from manyfest.errors import ManyfestError
from manyfest.serve import blobs, listings, manifests
from manyfest.serve.access import token_service
from manyfest.serve.access.places import Places
from manyfest.serve.asgi import Receive, Request, Response, Scope, Send, respond
from manyfest.serve.call import Call, Handler
from manyfest.serve.content import Content
from manyfest.serve.errors import Refusal, refusal_of, storage_refusal
from manyfest.serve.limits import Turnstile
from manyfest.serve.metrics import Gauges
from manyfest.serve.observed import Exchange
from manyfest.serve.page.endpoints import Pages
from manyfest.serve.policy import Policy
from manyfest.serve.routes import Endpoint, Route, find_route
from manyfest.serve.storage import Storage

logger = logging.getLogger(__name__)

_SERVER_ERRORS = 500
_READING = frozenset({"GET", "HEAD"})
_UPLOADS = frozenset[Endpoint]({"uploads", "upload"})
_SENDING = frozenset({"POST", "PUT", "PATCH"})

_PROCESS = os.urandom(4).hex()
"""How the names of this process's requests begin."""

_HANDLERS: dict[Endpoint, dict[str, Handler]] = {
    "version": {"GET": listings.version, "HEAD": listings.version},
    "catalog": {"GET": listings.list_repositories, "HEAD": listings.list_repositories},
    "tags": {"GET": listings.list_tags, "HEAD": listings.list_tags},
    "referrers": {"GET": listings.list_referrers, "HEAD": listings.list_referrers},
    "blob": {"GET": blobs.get_blob, "HEAD": blobs.get_blob, "DELETE": blobs.delete_blob},
    "uploads": {"POST": blobs.begin_upload},
    "upload": {
        "GET": blobs.upload_status,
        "PATCH": blobs.append_upload,
        "PUT": blobs.finish_upload,
        "DELETE": blobs.cancel_upload,
    },
    "manifest": {
        "GET": manifests.get_manifest,
        "HEAD": manifests.get_manifest,
        "PUT": manifests.put_manifest,
        "DELETE": manifests.delete_manifest,
    },
}
"""End-1 to end-14 of the distribution specification ("Endpoints"), and the catalogue."""


class Registry:
    """Serves ``content``, or the folder at that path. With ``read_only`` it answers only what
    changes nothing. Without a ``policy`` everybody may do everything, and nothing is noted."""

    def __init__(
        self, content: Content | Path, *, read_only: bool = False, policy: Policy | None = None
    ) -> None:
        self.content = Storage(content) if isinstance(content, Path) else content
        self.policy = policy or Policy()
        self._read_only = read_only or self.content.read_only
        self._turnstile = Turnstile(self.policy.limits)
        self._observers = self.policy.observers
        self._checks_hosts = False
        self._numbers = count()
        self._handlers = _HANDLERS | _pages(self.policy.places)
        if self.policy.gate is not None:
            self._handlers["token"] = token_service.handlers(self.policy.gate)

    def listens_at(self, host: str, *, secured: bool) -> None:
        """It is to answer at the address ``host``, ``secured`` by TLS or not. Raises
        :class:`~manyfest.errors.UsageError` if passwords would come in the clear."""
        self.policy.check_passwords(host, secured=secured)
        self._checks_hosts = self.policy.checks_hosts(host, secured=secured)

    def prepare(self) -> None:
        """Make the content ready before the first request. Raises as
        :meth:`~manyfest.serve.content.Content.prepare` does."""
        self.content.prepare(read_only=self._read_only)
        if self.policy.metrics is not None:
            self.policy.metrics.watch(self._gauges())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            request = Request(scope, receive)
            if self._observers:
                await self._observed(request, send)
            else:
                await respond(request, await self._answer(request), send)

    async def _observed(self, request: Request, send: Send) -> None:
        began = perf_counter()
        request.id = f"{_PROCESS}{next(self._numbers):08x}"
        response = await self._answer(request)
        try:
            await respond(request, response, send)
        finally:
            client = self.policy.places.client(request)
            exchange = Exchange(request, response, client, perf_counter() - began)
            for observer in self._observers:
                observer.observe(exchange)

    async def _answer(self, request: Request) -> Response:
        try:
            return await self._handle(request)
        except ManyfestError as error:
            refusal = refusal_of(error)
            if refusal is not error and refusal.status >= _SERVER_ERRORS:
                logger.error("%s %s failed: %s", request.method, request.path, error)  # noqa: TRY400
        except OSError as error:
            logger.exception("%s %s failed", request.method, request.path)
            refusal = storage_refusal(error)
        except Exception:
            logger.exception("%s %s failed", request.method, request.path)
            refusal = Refusal("UNKNOWN", "the registry failed; its log says why")
        headers = {"Content-Type": "application/json", **refusal.headers}
        return Response(refusal.status, headers, refusal.body())

    async def _handle(self, request: Request) -> Response:
        if self._checks_hosts:
            self.policy.places.check_host(request.header("host"))
        route = find_route(request.path, request.raw_path)
        meant = request.query().get("ns", "")
        if meant and route.name:
            route = replace(route, name=self.content.named(route.name, meant))
        request.route = route
        handler = self._handler(route, request.method)
        policy = self.policy
        client = network(policy.places.client(request)) if policy.limits.rate else ""
        self._turnstile.request(client)
        if request.method not in _READING and policy.places.is_crossing(request):
            raise Refusal("DENIED", "this was sent by a page from elsewhere")
        if policy.gate is None:
            call = Call(self.content, request, route, self._read_only)
        else:
            visitor = await policy.gate.admit(request, route, self.content.other_name(route.name))
            call = Call(self.content, request, route, self._read_only, visitor)
        if route.endpoint not in _UPLOADS or request.method not in _SENDING:
            return await handler(call)
        request.whose = request.user or network(policy.places.client(request))
        with self._turnstile.uploading(request.whose):
            return await handler(call)

    def _handler(self, route: Route, method: str) -> Handler:
        handlers = self._handlers.get(route.endpoint)
        if handlers is None:
            raise Refusal("UNSUPPORTED", "there is nothing at this path", status=404)
        reading_only = self._read_only and route.endpoint != "token"
        allowed = [each for each in handlers if not reading_only or each in _READING]
        if method not in allowed:
            what = f"{method[:20]} is not possible here"
            if method in handlers:
                what = self.content.why_read_only
            raise Refusal("UNSUPPORTED", what, headers={"Allow": ", ".join(allowed)})
        return handlers[method]

    def _gauges(self) -> Gauges:
        turnstile, storage = self._turnstile, self.content.storage
        if storage is None:
            return Gauges(uploads=lambda: turnstile.uploads)
        return Gauges(
            uploads=lambda: turnstile.uploads,
            unfinished=lambda: storage.uploads.unfinished,
            used=storage.room.count,
            root=storage.root,
        )

    async def _live(self, receive: Receive, send: Send) -> None:
        """The start and the stop of a server (ASGI, "Lifespan")."""
        while (await receive())["type"] != "lifespan.shutdown":
            try:
                self.prepare()
            except ManyfestError as error:
                await send({"type": "lifespan.startup.failed", "message": str(error)})
                return
            await send({"type": "lifespan.startup.complete"})
        self.content.close()
        await send({"type": "lifespan.shutdown.complete"})


def _pages(places: Places) -> dict[Endpoint, dict[str, Handler]]:
    pages = Pages(places)
    return {"overview": pages.overview(), "page": pages.repository()}
