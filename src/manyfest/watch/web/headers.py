"""What every answer says to the browser, and which requests are answered at all."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""No script and no style that is not ours, and nothing inline."""

_HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


class SecureHeaders:
    """Adds to each answer what it does not say itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)


class KnownHosts:
    """Refuses requests for other names than ``hosts`` gives, the page's own; all are taken if there
    are none. So no other site can pass a private page off as its own by a name that it controls.

    What machines ask for is theirs by other names too; see :func:`_is_for_machines`.
    """

    def __init__(self, app: ASGIApp, hosts: Callable[[], Collection[str]]) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        hosts = self._hosts()
        if scope["type"] == "http" and hosts:
            headers = Headers(scope=scope)
            name = _name(headers.get("host", ""))
            if name not in hosts and not _is_for_machines(scope["path"], name, headers):
                refusal = PlainTextResponse("This server has no such name.\n", status_code=421)
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _is_for_machines(path: str, name: str, headers: Headers) -> bool:
    """Whether it may come from a neighbour, by the name that it has for us.

    Webhooks prove themselves, and the checks tell no more than that the watch is well. Metrics tell
    what is watched: they are there for who shows a token, which is looked at then in any case, and
    by a name that no other site can have, a network address or one without a dot.
    """
    if path == "/metrics":
        return "authorization" in headers or _is_of_this_network(name)
    return path.startswith("/hooks/") or path in ("/healthz", "/readyz")


def _is_of_this_network(name: str) -> bool:
    if name and "." not in name:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _name(host: str) -> str:
    """The host without its port."""
    if host.startswith("["):
        return host.partition("]")[0].removeprefix("[").lower()
    return host.partition(":")[0].lower()
