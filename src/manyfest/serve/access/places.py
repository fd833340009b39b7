"""Where a request comes from, and under which URL it reached the registry, proxies looked
through."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from manyfest.errors import UsageError
from manyfest.serve.asgi import Request
from manyfest.stores.registry.addresses import Place, place_of

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?")


class Places:
    """``public_url`` is how clients reach the registry, if that is not what their requests say;
    ``proxies`` are addresses and networks whose word on who asks is taken (``X-Forwarded-For``,
    ``X-Forwarded-Proto``, ``X-Forwarded-Host``).

    Raises :class:`~manyfest.errors.UsageError` for what is neither.
    """

    def __init__(self, public_url: str = "", proxies: Iterable[str] = ()) -> None:
        self._url = _checked(public_url) if public_url else ""
        self._proxies = tuple(map(_network, proxies))

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

    def is_crossing(self, request: Request) -> bool:
        """Whether a page of another site has a browser send this, which adds a password that it
        knows, and which reaches what its user's machine does. Over http to other machines browsers
        tell no more than the page's origin; programs tell neither."""
        site, origin = request.header("sec-fetch-site"), request.header("origin")
        if site or not origin:
            return site in ("cross-site", "same-site")
        host = origin.partition("://")[2]
        if host == self.url(request).partition("://")[2]:
            return self._is_rebound(request)
        return host != request.header("host")

    def _is_rebound(self, request: Request) -> bool:
        """Whether a browser on this machine was led here by a name of somebody else's, who says of
        it that it is this machine's: what his page has sent seems to be from a page of ours."""
        if self._url or self._proxies or place_of(request.client) is not Place.LOOPBACK:
            return False
        return place_of(urlsplit(self.url(request)).hostname or "") is not Place.LOOPBACK

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


def _checked(url: str) -> str:
    parts = urlsplit(url)
    tidy = parts.scheme in ("http", "https") and _HOST.fullmatch(parts.netloc)
    if not tidy or parts.path.strip("/") or parts.query or parts.fragment:
        raise UsageError(
            f"{url[:200]!r} is not a registry's URL",
            mend="write https://HOST, or https://HOST:PORT",
        )
    return f"{parts.scheme}://{parts.netloc}"
