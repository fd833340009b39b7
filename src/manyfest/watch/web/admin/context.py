"""What a request of somebody's has to do with the watch it is sent to."""

from __future__ import annotations

import ipaddress
import re
import threading
from typing import TYPE_CHECKING, cast

from starlette.requests import HTTPConnection

from manyfest.stores.registry.auth.secret import Secret
from manyfest.watch.access import secrets
from manyfest.watch.access.accounts import Accounts

if TYPE_CHECKING:
    from manyfest.watch.service_api import Service

_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}(?::[0-9]{1,5})?|\[[0-9a-fA-F:.]{2,45}\](?::[0-9]{1,5})?")
_NEAR = tuple(
    ipaddress.ip_network(each)
    for each in (
        "127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7"
    )
)  # fmt: skip
"""This machine and private networks (RFC 1918, RFC 4193), in which a proxy may be."""

_making = threading.Lock()


def service_of(request: HTTPConnection) -> Service:
    """The watch."""
    return cast("Service", request.app.state.service)


def accounts_of(request: HTTPConnection) -> Accounts:
    """Those who may sign in to it: one for each application, which counts attempts."""
    state = request.app.state
    with _making:
        if not hasattr(state, "accounts"):
            service = service_of(request)
            state.accounts = Accounts(service.history.people, service.clock)
    return cast("Accounts", state.accounts)


def is_secure(request: HTTPConnection) -> bool:
    """Whether people reach the page by https, here or at a proxy before it."""
    return "https" in {request.url.scheme, service_of(request).config.url.partition("://")[0]}


def cookie_name(request: HTTPConnection) -> str:
    """What the session's cookie is called: by https as browsers let no other page set it."""
    return "__Host-manyfest" if is_secure(request) else "manyfest"


def cookie_of(request: HTTPConnection) -> Secret | None:
    """The session's cookie, if one came that could be ours."""
    text = request.cookies.get(cookie_name(request), "")
    return Secret(text) if secrets.is_cookie(text) else None


def base_url(request: HTTPConnection) -> str:
    """The address of the page, without a slash at its end: the one that is configured, else that
    which was asked for, if it is one."""
    configured = service_of(request).config.url.rstrip("/")
    if configured:
        return configured
    host = request.headers.get("host", "")
    return f"{request.url.scheme}://{host if _HOST.fullmatch(host) else 'localhost'}"


def address_of(request: HTTPConnection) -> str:
    """The network address of whoever asks.

    A proxy in our own network says whom it asks for, as the last that it adds to
    ``X-Forwarded-For``. Nobody else is believed.
    """
    peer = request.client.host if request.client else ""
    told = request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
    return told if told and _is_near(peer) and _parsed(told) else peer


def _is_near(address: str) -> bool:
    parsed = _parsed(address)
    return parsed is not None and any(parsed in network for network in _NEAR)


def _parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(address)
    except ValueError:
        return None
