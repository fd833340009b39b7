"""Where a request comes from, and under which name and URL it reached the registry, proxies looked
through."""

from __future__ import annotations

import ipaddress
import logging
import re
import socket
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import urlsplit

from manyfest.errors import UsageError
from manyfest.serve.asgi import Request
from manyfest.serve.errors import Refusal
from manyfest.stores.registry.addresses import Place, place_of

logger = logging.getLogger(__name__)

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_NAME = r"[A-Za-z0-9._-]{1,253}"
_HOST = re.compile(rf"(?P<name>{_NAME}|\[[0-9A-Fa-f:.]{{2,45}}\])(:[0-9]{{1,5}})?")
_REMEMBERED = 64


class Places:
    """``public_url`` is how clients reach the registry, if that is not what their requests say;
    ``proxies`` are addresses and networks whose word on who asks is taken (``X-Forwarded-For``,
    ``X-Forwarded-Proto``, ``X-Forwarded-Host``); ``hosts`` are more names of the registry.

    Raises :class:`~manyfest.errors.UsageError` for what is none of these.
    """

    def __init__(
        self, public_url: str = "", proxies: Iterable[str] = (), hosts: Iterable[str] = ()
    ) -> None:
        self._url = _checked(public_url) if public_url else ""
        self._proxies = tuple(map(_network, proxies))
        self._hosts = {*map(_host, hosts), urlsplit(self._url).hostname}
        self.is_own = lru_cache(_REMEMBERED)(self._is_own)
        """Whether the field ``Host`` has a name of this registry or of this machine, or an address;
        no other site can have a page with one of these for its origin."""
        self._warn_once = lru_cache(_REMEMBERED)(logger.warning)

    def client(self, request: Request) -> str:
        """The address that the request comes from."""
        address = request.client
        if not self._proxies or not self._is_proxy(address):
            return address
        for forwarded in reversed(request.joined("x-forwarded-for").split(",")):
            address = forwarded.strip() or address
            if not self._is_proxy(address):
                break
        return address

    def url(self, request: Request) -> str:
        """The URL of the registry, without a slash at its end."""
        if self._url:
            return self._url
        scheme, host = request.scheme, request.header("host")
        if self._proxies and self._is_proxy(request.client):
            scheme = _last(request, "x-forwarded-proto") or scheme
            host = _last(request, "x-forwarded-host") or host
        if scheme not in ("http", "https") or not _HOST.fullmatch(host):
            return ""  # what comes from such a client can be answered, but leads nowhere
        return f"{scheme}://{host}"

    def host(self, request: Request) -> str:
        """What of that URL the names of images begin with."""
        return self.url(request).partition("://")[2]

    def check_host(self, host: str) -> None:
        """Raises :class:`~manyfest.serve.errors.Refusal` unless the field ``Host`` has a name of
        our own. A browser on this machine may have been led here by a site that says of its own
        name that it is this machine's (DNS rebinding), and lets that site read the answer."""
        if not self.is_own(host):
            what = (
                f"{host[:80]!r} is not known as a name of this registry; if clients are to use it,"
                " start the registry with --allowed-host NAME"
            )
            self._warn_once(what)  # some clients show no more than the status
            raise Refusal("DENIED", what, status=421)

    def is_crossing(self, request: Request) -> bool:
        """Whether a page of another site has a browser send this, which adds a password that it
        knows, and which reaches what its user's machine does. Over http to other machines browsers
        tell no more than the page's origin; programs tell neither."""
        site, origin = request.header("sec-fetch-site"), request.header("origin")
        if site or not origin:
            return site in ("cross-site", "same-site")
        host = origin.partition("://")[2]
        own = (self.host(request), request.header("host"))
        return not host or host not in own or self._is_rebound(request, host)

    def _is_rebound(self, request: Request, host: str) -> bool:
        """Whether a browser on this machine was led here by the name ``host`` of somebody else's:
        what his page has sent seems to be from a page of ours. See :meth:`check_host`."""
        is_direct = place_of(request.client) is Place.LOOPBACK and not self._proxies
        return is_direct and not self.is_own(host)

    def _is_own(self, host: str) -> bool:
        match = _HOST.fullmatch(host)
        if match is None:
            return not host  # no browser leaves it out
        name = match["name"].strip("[]").lower().rstrip(".")
        is_told = name in self._hosts or name == socket.gethostname().lower()
        return is_told or place_of(name) is not None

    def _is_proxy(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped:
            parsed = parsed.ipv4_mapped
        return any(parsed in network for network in self._proxies)


def _last(request: Request, name: str) -> str:
    """What the proxy itself said; what stands before it may be made up."""
    return request.joined(name).rpartition(",")[2].strip()


def _network(text: str) -> _Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        raise UsageError(
            f"{text[:80]!r} is not an address or a network",
            mend="write for example 127.0.0.1 or 10.0.0.0/8",
        ) from None


def _host(text: str) -> str:
    if place_of(text) is None and not re.fullmatch(_NAME, text):
        raise UsageError(
            f"{text[:80]!r} is not a host's name", mend="write it without scheme and port"
        )
    return text.lower().rstrip(".")


def _checked(url: str) -> str:
    parts = urlsplit(url)
    tidy = parts.scheme in ("http", "https") and _HOST.fullmatch(parts.netloc)
    if not tidy or parts.path.strip("/") or parts.query or parts.fragment:
        raise UsageError(
            f"{url[:200]!r} is not a registry's URL",
            mend="write https://HOST, or https://HOST:PORT",
        )
    return f"{parts.scheme}://{parts.netloc}"
