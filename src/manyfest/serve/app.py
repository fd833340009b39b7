"""The registry as an ASGI application."""

from __future__ import annotations

import logging
from pathlib import Path

from manyfest.errors import ManyfestError
from manyfest.serve import blobs, listings, manifests
from manyfest.serve.asgi import Receive, Request, Response, Scope, Send, respond
from manyfest.serve.call import Call, Handler
from manyfest.serve.content import Content
from manyfest.serve.errors import Refusal, refusal_of, storage_refusal
from manyfest.serve.routes import Endpoint, find_route
from manyfest.serve.storage import Storage

logger = logging.getLogger(__name__)

_READING = frozenset({"GET", "HEAD"})

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
    changes nothing."""

    def __init__(self, content: Content | Path, *, read_only: bool = False) -> None:
        self.content = Storage(content) if isinstance(content, Path) else content
        self._read_only = read_only or self.content.read_only

    def prepare(self) -> None:
        """Make the content ready before the first request. Raises as
        :meth:`~manyfest.serve.content.Content.prepare` does."""
        self.content.prepare(read_only=self._read_only)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            request = Request(scope, receive)
            await respond(request, await self._answer(request), send)

    async def _answer(self, request: Request) -> Response:
        try:
            return await self._handle(request)
        except ManyfestError as error:
            refusal = refusal_of(error)
        except OSError as error:
            logger.exception("%s %s failed", request.method, request.path)
            refusal = storage_refusal(error)
        except Exception:
            logger.exception("%s %s failed", request.method, request.path)
            refusal = Refusal("UNKNOWN", "the registry failed; its log says why")
        headers = {"Content-Type": "application/json", **refusal.headers}
        return Response(refusal.status, headers, refusal.body())

    async def _handle(self, request: Request) -> Response:
        route = find_route(request.path, request.raw_path)
        handlers = _HANDLERS[route.endpoint]
        handler = handlers.get(request.method)
        if handler is None or (self._read_only and request.method not in _READING):
            allowed = [method for method in handlers if not self._read_only or method in _READING]
            what = f"{request.method[:20]} is not possible here"
            raise Refusal("UNSUPPORTED", what, headers={"Allow": ", ".join(allowed)})
        return await handler(Call(self.content, request, route, self._read_only))

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
