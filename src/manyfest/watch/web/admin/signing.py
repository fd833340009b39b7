"""Signing in and out."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from manyfest.stores.registry.auth.secret import Secret
from manyfest.watch.access import secrets
from manyfest.watch.access.origin import after_sign_in
from manyfest.watch.web.admin import forms, rendering
from manyfest.watch.web.admin.context import (
    accounts_of,
    address_of,
    cookie_name,
    cookie_of,
    is_secure,
)

if TYPE_CHECKING:
    from manyfest.watch.web.admin.forms import Form

logger = logging.getLogger(__name__)

_WRONG = "There is no user of this name with this password."
_TOO_OLD = "The page was too old. Please try again."


async def ask(request: Request) -> Response:
    """The page to sign in with; who has done so already goes on."""
    to = after_sign_in(request.query_params.get("next", ""))
    if await forms.signed_in(request) is not None:
        return rendering.go(to)
    return _page(request, to)


async def sign_in(request: Request) -> Response:
    """Try a name and a password. A form of somebody else's, which would sign its reader in under
    another name, does not know the cookie that came with ours."""
    form = await forms.read(request)
    to, name = after_sign_in(form.text("next")), form.text("name")
    if not _is_our_form(request, form):
        return _page(request, to, name=name, fault=_TOO_OLD, status=403)
    password = Secret(form.fields.get("password", ""))
    attempt = await run_in_threadpool(
        accounts_of(request).sign_in, name, password, address_of(request), cookie_of(request)
    )
    if attempt.cookie is None:
        logger.warning("a wrong name or password from %s", address_of(request))
        return _refused(request, to, name, attempt.wait)
    logger.info("%s signed in from %s", name, address_of(request))
    response = rendering.go(to)
    _set(request, response, cookie_name(request), attempt.cookie, secrets.SESSION_SECONDS)
    _drop(request, response, _form_cookie(request))
    return response


async def sign_out(request: Request) -> Response:
    """End the session, here and in the history."""
    await forms.read_signed(request)
    cookie = cookie_of(request)
    if cookie is not None:
        await run_in_threadpool(accounts_of(request).sign_out, cookie)
    response = rendering.go("/")
    _drop(request, response, cookie_name(request))
    return response


def _refused(request: Request, to: str, name: str, wait: float) -> Response:
    if not wait:
        return _page(request, to, name=name, fault=_WRONG, status=403)
    minutes = math.ceil(wait / 60)
    unit = "minute" if minutes == 1 else "minutes"
    return _page(
        request,
        to,
        name=name,
        fault=f"That was tried too often. Please wait for {minutes} {unit}.",
        status=429,
        headers={"Retry-After": str(math.ceil(wait))},
    )


def _page(
    request: Request,
    to: str,
    *,
    name: str = "",
    fault: str = "",
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> Response:
    cookie = _shown(request) or secrets.new_cookie()
    response = rendering.page(
        request,
        "sign_in",
        "Sign in",
        status=status,
        headers=headers,
        to=to,
        name=name[:64],
        fault=fault,
        word=secrets.form_token(cookie),
    )
    _set(request, response, _form_cookie(request), cookie, None)
    return response


def _is_our_form(request: Request, form: Form) -> bool:
    cookie = _shown(request)
    return cookie is not None and secrets.same(form.text("word"), secrets.form_token(cookie))


def _shown(request: Request) -> Secret | None:
    text = request.cookies.get(_form_cookie(request), "")
    return Secret(text) if secrets.is_cookie(text) else None


def _form_cookie(request: Request) -> str:
    return f"{cookie_name(request)}-form"


def _set(
    request: Request, response: Response, name: str, value: Secret, seconds: float | None
) -> None:
    response.set_cookie(
        name,
        value.reveal(),
        max_age=None if seconds is None else int(seconds),
        path="/",
        secure=is_secure(request),
        httponly=True,
        samesite="strict",
    )


def _drop(request: Request, response: Response, name: str) -> None:
    response.delete_cookie(
        name, path="/", secure=is_secure(request), httponly=True, samesite="strict"
    )
