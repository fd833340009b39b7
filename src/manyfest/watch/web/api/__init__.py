"""What programs ask for over HTTP."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

    from manyfest.watch.web.api.operations import Operation


@cache
def all_operations() -> tuple[Operation, ...]:
    """All of them. Where two paths fit a request, it is the first one's."""
    from manyfest.watch.web.api import (
        alive,
        badges,
        change,
        description,
        feed,
        metrics,
        read,
        registries,
        summary,
    )

    found = [
        each
        for module in (change, read, registries, summary, badges, feed, metrics, alive, description)
        for each in module.OPERATIONS
    ]
    return tuple(sorted(found, key=lambda each: each.path.endswith("{image}")))


def routes() -> list[BaseRoute]:
    """All paths for programs, and for everything else below ``/api/`` that it is not there. The
    application has the watch as ``state.service``."""
    from manyfest.watch.web.api import serving

    return [*serving.routes(all_operations()), serving.nothing_else()]
