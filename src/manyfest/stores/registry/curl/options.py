"""How libcurl is told to send one request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

from manyfest import __version__
from manyfest.stores.registry.addresses import Place, place_of
from manyfest.stores.registry.curl.trust_roots import TrustRoots
from manyfest.stores.registry.http import Origin, Request

if TYPE_CHECKING:
    import pycurl

CONNECT_SECONDS = 15
UPLOAD_BUFFER = 512 * 1024
"""Bytes asked of a body at a time. More was no faster on loopback."""

DOWNLOAD_BUFFER = 64 * 1024
"""Bytes read from a socket at a time. libcurl hands out at most eleven of these before it returns,
and no more arrive until it is called again: that bounds what one stream keeps in memory to 704 KiB,
with no need to pause it. More was no faster on loopback."""

_SUPPRESS_CONNECT_HEADERS = 265
"""``CURLOPT_SUPPRESS_CONNECT_HEADERS``, for which pycurl has no name."""


class Network(Struct, frozen=True, kw_only=True):
    """What holds for every request: whom to trust, and HTTP/1.1 or 2.

    HTTP/2 is off: many large blobs over its one connection are slower than over several.
    """

    roots: TrustRoots
    ca_bundle: bytes = b""
    http2: bool = False


def set_for_origin(easy: pycurl.Curl, origin: Origin, network: Network) -> None:
    """What holds for every request to ``origin``. ``easy`` is fresh or reset."""
    _set_destination(easy, origin, network)
    _set_trust(easy, network)
    easy.setopt(easy.USERAGENT, f"manyfest/{__version__}")
    easy.setopt(easy.NOSIGNAL, 1)
    easy.setopt(easy.CONNECTTIMEOUT, CONNECT_SECONDS)
    easy.setopt(easy.TCP_NODELAY, 1)
    easy.setopt(easy.TCP_KEEPALIVE, 1)
    easy.setopt(easy.BUFFERSIZE, DOWNLOAD_BUFFER)
    easy.setopt(_SUPPRESS_CONNECT_HEADERS, 1)


def set_for_request(easy: pycurl.Curl, request: Request) -> None:
    """What is one request's own, but for the callbacks. ``easy`` is set for its origin, and may
    have served plain requests before."""
    easy.setopt(easy.URL, request.url)
    easy.setopt(easy.HTTPHEADER, _header_lines(request))
    _set_method(easy, request)


def is_plain(request: Request) -> bool:
    """Whether :func:`set_for_request`, and callbacks for an answer, are all that it needs."""
    return request.method in ("GET", "HEAD") and request.body is None and request.places is None


def is_proxied(origin: Origin, environ: Mapping[str, str]) -> bool:
    """Whether a proxy may stand between; it then looks up the name, and the address seen here is
    its own. ``NO_PROXY`` is not looked at."""
    names = [f"{origin.scheme}_proxy", "all_proxy", "ALL_PROXY"]
    if origin.scheme == "https":
        names.append("HTTPS_PROXY")
    return _is_remote(origin) and any(environ.get(name) for name in names)


def _is_remote(origin: Origin) -> bool:
    return place_of(origin.host) is not Place.LOOPBACK


def _set_destination(easy: pycurl.Curl, origin: Origin, network: Network) -> None:
    import pycurl

    easy.setopt(easy.PATH_AS_IS, 1)
    easy.setopt(easy.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
    easy.setopt(easy.REDIR_PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
    easy.setopt(easy.FOLLOWLOCATION, 0)
    easy.setopt(easy.NETRC, pycurl.NETRC_IGNORED)
    version = pycurl.CURL_HTTP_VERSION_2TLS if network.http2 else pycurl.CURL_HTTP_VERSION_1_1
    easy.setopt(easy.HTTP_VERSION, version)
    if not _is_remote(origin):
        # A proxy elsewhere cannot reach this machine's loopback; Go's clients do the same.
        easy.setopt(easy.NOPROXY, "*")


def _set_method(easy: pycurl.Curl, request: Request) -> None:
    easy.setopt(easy.HTTPGET, 1)
    if request.method == "HEAD":
        easy.setopt(easy.NOBODY, 1)
    elif request.body is not None:
        size = len(request.body) if isinstance(request.body, bytes) else request.body.size
        easy.setopt(easy.UPLOAD, 1)
        easy.setopt(easy.UPLOAD_BUFFERSIZE, UPLOAD_BUFFER)
        easy.setopt(easy.INFILESIZE_LARGE, -1 if size is None else size)
        easy.setopt(easy.CUSTOMREQUEST, request.method)
    elif request.method != "GET":
        easy.setopt(easy.CUSTOMREQUEST, request.method)


def _set_trust(easy: pycurl.Curl, network: Network) -> None:
    import pycurl

    easy.setopt(easy.SSL_VERIFYPEER, 1)
    easy.setopt(easy.SSL_VERIFYHOST, 2)
    easy.setopt(easy.SSLVERSION, pycurl.SSLVERSION_TLSv1_2)
    if network.ca_bundle:
        easy.setopt(easy.CAINFO_BLOB, network.ca_bundle)
    elif network.roots.files:
        easy.setopt(easy.CAINFO, network.roots.files[0])
    elif network.roots.directory:
        easy.unsetopt(easy.CAINFO)
    if network.roots.directory:
        easy.setopt(easy.CAPATH, network.roots.directory)


def _header_lines(request: Request) -> list[str]:
    """The request's fields. An empty one keeps libcurl from adding its own: no wait for
    ``100 Continue``, no ``Accept`` that was not asked for."""
    lines = [f"{name}: {value}" if value else f"{name};" for name, value in request.headers]
    return [*lines, "Expect:", *(() if "Accept" in request.headers else ("Accept:",))]
