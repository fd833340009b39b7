"""What those who are signed in may do. Each ends with the page, which says what was done; what was
not done is said there too, in the words that the command line has for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from manyfest.errors import HistoryError, ManyfestError, NotFound
from manyfest.watch.addresses import with_query
from manyfest.watch.web.admin import forms, overview, rendering
from manyfest.watch.web.admin.context import service_of
from manyfest.watch.web.admin.new_image import asked_for
from manyfest.watch.web.api.change import acknowledged, look
from manyfest.watch.web.api.replies import Fault

if TYPE_CHECKING:
    from manyfest.watch.service_api import Service
    from manyfest.watch.web.admin.forms import Form

Do = Callable[["Service", "Form", str], str]
"""Does something for the user of that name, and says what: a word of
:data:`~manyfest.watch.web.admin.overview.DONE`."""


def action(do: Do) -> Callable[[Request], Awaitable[Response]]:
    """What answers the form that asks for it."""

    async def answer(request: Request) -> Response:
        who, form = await forms.read_signed(request)
        try:
            done = await run_in_threadpool(do, service_of(request), form, who.user)
        except HistoryError:
            raise
        except ManyfestError as error:
            return await overview.shown(
                request, who, fault=str(error), asked=form.fields, status=status_of(error)
            )
        return rendering.go(with_query("/admin", done=done))

    return answer


def status_of(error: ManyfestError) -> int:
    """The status of a page that says what was wrong."""
    if isinstance(error, Fault):
        return error.status
    return 404 if isinstance(error, NotFound) else 422


def add(service: Service, form: Form, by: str) -> str:  # noqa: ARG001
    """Watch another image."""
    service.add(asked_for(form))
    return "added"


def pause(service: Service, form: Form, by: str) -> str:  # noqa: ARG001
    """Ask nothing about an image."""
    service.pause(form.text("image"))
    return "paused"


def resume(service: Service, form: Form, by: str) -> str:  # noqa: ARG001
    """Look at it again."""
    service.resume(form.text("image"))
    return "resumed"


def remove(service: Service, form: Form, by: str) -> str:  # noqa: ARG001
    """No longer watch an image that was added here."""
    service.remove(form.text("image"))
    return "removed"


def look_now(service: Service, form: Form, by: str) -> str:  # noqa: ARG001
    """Have it looked at soon."""
    if not look(service, form.text("image"), form.text("tag")):
        raise NotFound(f"no image {form.text('image')[:200]!r} is watched")
    return "looked"


def acknowledge(service: Service, form: Form, by: str) -> str:
    """Take note of an incident."""
    acknowledged(service, form.text("incident"), by)
    return "acknowledged"
