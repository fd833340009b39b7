"""Where each page of those who are signed in is, and each form of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from manyfest.watch.web.admin import actions, keys, overview, rendering, signing
from manyfest.watch.web.api.replies import Fault

Endpoint = Callable[[Request], Awaitable[Response]]

_ACTIONS = {
    "/admin/images/add": actions.add,
    "/admin/images/pause": actions.pause,
    "/admin/images/resume": actions.resume,
    "/admin/images/remove": actions.remove,
    "/admin/images/look": actions.look_now,
    "/admin/incidents/acknowledge": actions.acknowledge,
}


def routes() -> list[BaseRoute]:
    """All of them. What only shows something is had by GET, what changes something by POST."""
    pages = {"/sign-in": signing.ask, "/admin": overview.show, "/admin/tokens": keys.show}
    sent = {
        "/sign-in": signing.sign_in,
        "/sign-out": signing.sign_out,
        "/admin/tokens/make": keys.make,
        "/admin/tokens/revoke": keys.revoke,
        **{path: actions.action(do) for path, do in _ACTIONS.items()},
    }
    return [
        *(Route(path, _told(show), methods=["GET"]) for path, show in pages.items()),
        *(Route(path, _told(do), methods=["POST"]) for path, do in sent.items()),
    ]


def _told(endpoint: Endpoint) -> Endpoint:
    """The same, with a page for each fault."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except Fault as fault:
            if fault.status == 401:
                return rendering.go("/sign-in")
            return rendering.page(
                request,
                "admin_refused",
                "Not done",
                status=fault.status,
                headers=fault.headers,
                fault=str(fault),
            )

    return answer
