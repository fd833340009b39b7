"""The public pages as routes, and what is shown instead if one cannot be."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from manyfest.watch.service_api import Service
from manyfest.watch.web.live import Viewers
from manyfest.watch.web.pages.page import Page
from manyfest.watch.web.pages.site import BELOW, WHOLE, Site
from manyfest.watch.web.paths import anything
from manyfest.watch.web.rendering import document, fragment

MayRead = Callable[[Request], bool]
"""Whether whoever asks may see the pages. It is called in a thread."""

_WORDS = {
    404: ("Nothing is here", "There is no page at this address."),
    405: ("Only to be read", "This page takes no such request."),
    500: ("Something went wrong", "It was written to the log of the watch. Please try again."),
    503: ("Please come back in a minute", "The history cannot be read right now. Nothing is lost."),
}
"""What is said where there is no page, by HTTP status."""


def routes(service: Service, may_read: MayRead) -> list[Route]:
    """All pages, and ``/live``, by which open ones follow what happens."""
    site = Site(service)
    viewers = Viewers(service, site.live_page, may_read)

    def shown(request: Request) -> Response:
        if not may_read(request):
            return _to_sign_in(request)
        return _page(service, site, request)

    paths = [*WHOLE, *(f"{beginning}{anything('rest')}" for beginning in BELOW)]
    return [
        *(Route(path, shown, methods=["GET"]) for path in paths),
        Route("/live", viewers, methods=["GET"]),
    ]


def fault_page(service: Service, status: int, why: str = "") -> Response:
    """A page that says what is wrong; ``why`` is the usual words for ``status`` if it is empty."""
    title, text = _WORDS.get(status, (HTTPStatus(status).phrase, ""))
    body = fragment("fault", "fault", title=title, text=why or text)
    page = Page(title=title, state="", level="unknown", fragments=(body,), live=False)
    html = document(page, site=service.config.title, path="", now=service.clock())
    return HTMLResponse(html, status, {"cache-control": "no-store"})


def _page(service: Service, site: Site, request: Request) -> Response:
    path, query = request.url.path, dict(request.query_params)
    page = site.page(request.scope["path"], query)
    text = document(
        page,
        site=service.config.title,
        path=path if page.live else "",
        now=service.clock(),
        query=query.get("q", ""),
    )
    return HTMLResponse(text, headers={"cache-control": "no-cache"})


def _to_sign_in(request: Request) -> Response:
    asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"/sign-in?{urlencode({'next': asked}, quote_via=quote)}", 303)
