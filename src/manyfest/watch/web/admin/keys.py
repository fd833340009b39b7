"""The page of one's API tokens. A new one is shown once, in the answer to the form that made it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from manyfest.errors import UsageError
from manyfest.watch.addresses import with_query
from manyfest.watch.web.admin import forms, rendering
from manyfest.watch.web.admin.context import accounts_of
from manyfest.watch.web.admin.overview import DONE

if TYPE_CHECKING:
    from manyfest.stores.registry.auth.secret import Secret
    from manyfest.watch.access.accounts import SignedIn

_PAGE = "/admin/tokens"


async def show(request: Request) -> Response:
    """The page; who is not signed in may do that first."""
    who = await forms.signed_in(request)
    if who is None:
        return rendering.go(with_query("/sign-in", next=_PAGE))
    return await _shown(request, who, done=DONE.get(request.query_params.get("done", ""), ""))


async def make(request: Request) -> Response:
    """Make a token, and show it."""
    who, form = await forms.read_signed(request)
    may_write = form.text("scope") == "write"
    try:
        token = await run_in_threadpool(
            accounts_of(request).make_token, who.user, form.text("label"), may_write=may_write
        )
    except UsageError as error:
        return await _shown(request, who, fault=str(error), status=422)
    return await _shown(request, who, token=token)


async def revoke(request: Request) -> Response:
    """End one of one's own tokens."""
    who, form = await forms.read_signed(request)
    number = form.text("token")
    is_number = number.isascii() and number.isdecimal() and len(number) < 19
    if is_number and await run_in_threadpool(accounts_of(request).revoke, int(number), who.user):
        return rendering.go(with_query(_PAGE, done="revoked"))
    return await _shown(request, who, fault="you have no such token", status=404)


async def _shown(
    request: Request,
    who: SignedIn,
    *,
    done: str = "",
    fault: str = "",
    token: Secret | None = None,
    status: int = 200,
) -> Response:
    tokens = await run_in_threadpool(accounts_of(request).tokens, who.user)
    return rendering.page(
        request,
        "admin_tokens",
        "API tokens",
        status=status,
        who=who,
        done=done,
        fault=fault,
        token=token,
        tokens=tokens,
    )
