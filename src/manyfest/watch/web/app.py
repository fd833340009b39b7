"""The web application: the pages, what machines ask for, the sign-in, and the webhooks."""

from __future__ import annotations

import logging
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from manyfest.errors import HistoryError
from manyfest.watch import webhooks
from manyfest.watch.service_api import Service
from manyfest.watch.web import admin, api, static_files
from manyfest.watch.web.admin.context import accounts_of, cookie_of, service_of
from manyfest.watch.web.headers import KnownHosts, SecureHeaders
from manyfest.watch.web.pages import routes as pages
from manyfest.watch.web.pages.view import NoSuchPage

logger = logging.getLogger(__name__)

_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")
"""Checks of whether it runs come by these names, whatever its own."""


def create_app(service: Service) -> Starlette:
    """Everything that is answered over HTTP. It opens nothing; ``service`` has what it needs."""
    app = Starlette(
        routes=[
            *static_files.routes(),
            *api.routes(),
            *admin.routes(),
            *webhooks.routes(),
            *pages.routes(service, may_read),
        ],
        middleware=[
            Middleware(SecureHeaders),
            Middleware(KnownHosts, hosts=lambda: _hosts(service.config.url)),
            Middleware(GZipMiddleware, minimum_size=1000, compresslevel=3),
        ],
        exception_handlers={
            NoSuchPage: _no_such_page,
            HistoryError: _no_history,
            HTTPException: _refused,
            Exception: _failed,
        },
    )
    app.state.service = service
    return app


def may_read(request: HTTPConnection) -> bool:
    """Whether the pages are for whoever asks: for all, unless they are not ``public``; then for
    those who signed in. Waits for the history."""
    if service_of(request).config.public:
        return True
    cookie = cookie_of(request)
    return cookie is not None and accounts_of(request).session(cookie) is not None


def _hosts(url: str) -> tuple[str, ...]:
    """The names that the page goes by; any, if nobody said where people reach it."""
    name = urlsplit(url).hostname
    return (name, *_THIS_MACHINE) if name else ()


async def _no_such_page(request: Request, error: Exception) -> Response:
    return await _fault(request, 404, str(error))


async def _no_history(request: Request, error: Exception) -> Response:
    logger.warning("a page cannot be shown: %s", error)
    return await _fault(request, 503)


async def _refused(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    answer = await _fault(request, status)
    if isinstance(error, HTTPException) and error.headers:
        answer.headers.update(error.headers)
    return answer


async def _failed(request: Request, error: Exception) -> Response:
    logger.error("a page failed", exc_info=error)
    return await _fault(request, 500)


async def _fault(request: Request, status: int, why: str = "") -> Response:
    return pages.fault_page(service_of(request), status, why)
