"""Signing in, and what those may do who did: pages that work without any script."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.routing import BaseRoute


def routes() -> list[BaseRoute]:
    """The pages and what their forms are sent to. The application has the watch as
    ``state.service``."""
    from manyfest.watch.web.admin import site

    return site.routes()
