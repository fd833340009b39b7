"""What a form sends, once it is sure that it was one of ours."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from manyfest.watch.access import origin, secrets
from manyfest.watch.access.accounts import SignedIn
from manyfest.watch.web.admin.context import accounts_of, cookie_of, service_of
from manyfest.watch.web.api import reading
from manyfest.watch.web.api.replies import Fault

FORM = "application/x-www-form-urlencoded"

_NOT_OURS = "this did not come from a page of this watch, or the page was too old"


class Form(Struct, frozen=True):
    """Its fields. One that is given several times has the first value."""

    fields: Mapping[str, str]

    def text(self, name: str) -> str:
        """What was written in a field, without the space around it; empty if it is not there."""
        return self.fields.get(name, "").strip()

    def lines(self, name: str) -> list[str]:
        """The lines of a field, without the empty ones."""
        return [line for each in self.text(name).splitlines() if (line := each.strip())]


async def read(request: Request) -> Form:
    """The form that was sent from a page of ours, as far as a browser tells. Raises :class:`Fault`:
    403 if it was not, 400, 408, 413 and 415 for what is no form."""
    came = origin.Came(
        host=request.headers.get("host", ""),
        origin=request.headers.get("origin", ""),
        referer=request.headers.get("referer", ""),
        fetch_site=request.headers.get("sec-fetch-site", ""),
    )
    if not origin.is_own(came, service_of(request).config.url):
        raise Fault(403, _NOT_OURS, mend="open the page anew")
    raw = await reading.body(request, FORM)
    fields: dict[str, str] = {}
    for name, value in reading.fields(raw):
        fields.setdefault(name, value.replace("\r\n", "\n"))
    return Form(fields)


async def read_signed(request: Request) -> tuple[SignedIn, Form]:
    """Who sent a form of a page that is for those who signed in, and the form. Raises
    :class:`Fault` as :func:`read` does, 401 if nobody is signed in, and 403 if the form does not
    have that session's word."""
    who = await signed_in(request)
    if who is None:
        raise Fault(401, "nobody is signed in here", mend="sign in")
    form = await read(request)
    if not secrets.same(form.text("csrf"), who.csrf):
        raise Fault(403, _NOT_OURS, mend="open the page anew")
    return who, form


async def signed_in(request: Request) -> SignedIn | None:
    """Who is signed in with this browser."""
    cookie = cookie_of(request)
    if cookie is None:
        return None
    return await run_in_threadpool(accounts_of(request).session, cookie)
