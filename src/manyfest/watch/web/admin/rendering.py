"""The pages of those who are signed in, and the one to sign in with. No cache keeps any of them."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from manyfest.watch.web import rendering
from manyfest.watch.web.admin.context import service_of
from manyfest.watch.web.pages.page import Page

_HEADERS = {"Cache-Control": "no-store"}


def page(
    request: Request,
    template: str,
    title: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **values: object,
) -> Response:
    """The page made from the template of that name, with ``values``."""
    service = service_of(request)
    text = rendering.document(
        Page(
            title=title,
            state="",
            level="unknown",
            fragments=(rendering.fragment(template, template, **values),),
            live=False,
        ),
        site=service.config.title,
        path="",
        now=service.clock(),
        again="" if request.method == "GET" else "/admin",  # what was sent is not sent again
    )
    return HTMLResponse(text, status_code=status, headers={**_HEADERS, **(headers or {})})


def go(where: str) -> RedirectResponse:
    """See another page instead, by GET (RFC 9110, 303)."""
    return RedirectResponse(where, status_code=303, headers=_HEADERS)
