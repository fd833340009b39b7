"""The page of those who are signed in: images, incidents, and what is not told yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from manyfest.watch.addresses import with_query
from manyfest.watch.history.read import api, incidents
from manyfest.watch.web.admin import forms, rendering
from manyfest.watch.web.admin.context import service_of

if TYPE_CHECKING:
    from manyfest.watch.access.accounts import SignedIn

DONE: Mapping[str, str] = {
    "added": "The image is watched.",
    "paused": "The image is paused.",
    "resumed": "The image is looked at again.",
    "removed": "The image is not watched any more. Its history stays.",
    "looked": "The image will be looked at soon.",
    "acknowledged": "It is noted that you took note of the incident.",
    "revoked": "The token is no longer good for anything.",
}
"""What is said after something was done: the address of the page names one of these, and nothing
else that somebody might have written."""

_MOST_INCIDENTS = 100


async def show(request: Request) -> Response:
    """The page; who is not signed in may do that first."""
    who = await forms.signed_in(request)
    if who is None:
        return rendering.go(with_query("/sign-in", next="/admin"))
    return await shown(request, who, done=DONE.get(request.query_params.get("done", ""), ""))


async def shown(
    request: Request,
    who: SignedIn,
    *,
    done: str = "",
    fault: str = "",
    asked: Mapping[str, str] | None = None,
    status: int = 200,
) -> Response:
    """The page, with what was ``done`` or the ``fault`` that kept it from being done, and what was
    ``asked`` for in the form for a new image."""
    return await run_in_threadpool(_shown, request, who, done, fault, asked or {}, status)


def _shown(
    request: Request,
    who: SignedIn,
    done: str,
    fault: str,
    asked: Mapping[str, str],
    status: int,
) -> Response:
    service = service_of(request)
    with service.history.reading() as connection:
        ongoing = incidents.wrong(connection, _MOST_INCIDENTS, is_open=True)
        waiting = api.waiting(connection)
    return rendering.page(
        request,
        "admin",
        "Administration",
        status=status,
        who=who,
        done=done,
        fault=fault,
        asked=asked,
        images=service.images(),
        ongoing=ongoing,
        waiting=waiting,
        troubles=service.troubles(),
        now=service.clock(),
    )
