"""``POST /hooks/NAME``: what registries send, by which a release is seen within a second or two.

A hint says where to look, and nothing more. So one that is sent twice does no harm, and one that
is about what nobody watches is taken and passed over.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, cast

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from manyfest.errors import UsageError
from manyfest.watch.webhooks.forms import MAX_SIZE, parse
from manyfest.watch.webhooks.proof import is_proven

if TYPE_CHECKING:
    from manyfest.watch.service_api import Service

logger = logging.getLogger(__name__)

BODY_SECONDS = 20.0
"""In which a body must come: nobody has proven anything before, and each takes a connection."""


def routes() -> list[BaseRoute]:
    """To be mounted at the top; ``app.state.service`` is the watch."""
    return [
        Route("/hooks/{name}", receive, methods=["POST"]),
        Route("/hooks/{name}/{secret}", receive, methods=["POST"]),
    ]


async def receive(request: Request) -> Response:
    """202 with how many hints are of use; 401 without proof, whatever the name; 400, 408 and 413
    for what is no webhook. What distribution sends is answered with 202 once it is proven: it would
    send again what it thinks was not taken, for ever."""
    service = cast("Service", request.app.state.service)
    try:
        async with asyncio.timeout(BODY_SECONDS):
            body = await _body(request)
    except TimeoutError:
        return _refusal(408, "the webhook does not come")
    if body is None:
        return _refusal(413, f"a webhook has {MAX_SIZE} bytes at most")
    hook = service.config.hooks.get(request.path_params["name"])
    in_path = request.path_params.get("secret", "")
    headers = {name.lower(): value for name, value in request.headers.items()}
    if hook is None or not is_proven(hook, headers, in_path, body):
        logger.warning("a webhook was refused: no proof that it may come from its sender")
        return _refusal(401, "the webhook proves nothing")
    try:
        hints = parse(hook.form, body, headers)
    except UsageError as error:
        logger.warning("the webhook %s is not understood: %s", hook.name, error.what)
        if hook.form != "distribution":
            return _refusal(400, error.what)
        hints = ()
    taken = sum(service.hint(hint.repository, hint.tag) for hint in hints)
    # Registries tell of what is read too, so also of what the watch reads itself.
    level = logging.INFO if hints else logging.DEBUG
    logger.log(level, "hints of the webhook %s: %d, of use: %d", hook.name, len(hints), taken)
    return JSONResponse({"hints": taken}, status_code=202)


async def _body(request: Request) -> bytes | None:
    """All of it, unless it is too long."""
    parts: list[bytes] = []
    size = 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > MAX_SIZE:
                return None
            parts.append(part)
    except ClientDisconnect:
        return b""
    return b"".join(parts)


def _refusal(status: int, why: str) -> Response:
    return JSONResponse({"error": why}, status_code=status)
