"""What libcurl's error numbers mean to a person. Pure.

The numbers are those of libcurl's ``curl.h``; they are part of its stable interface.
"""

from __future__ import annotations

import errno

from manyfest.errors import ConnectionFailed
from manyfest.stores.registry.http import (
    AnswersPlainHttp,
    LastingFailure,
    Request,
    Unreachable,
)

_NO_PROXY_HOST = 5
_NO_SUCH_HOST = 6
_NO_CONNECTION = 7
_TIMED_OUT = 28
_TLS_FAILED = frozenset({35, 53, 54, 58, 59, 64, 66, 83, 90, 91, 98})
_CERTIFICATE_REFUSED = 60
_BAD_CA_FILE = 77
_PROXY_FAILED = 97
_BROKEN_OFF = frozenset({8, 18, 52, 55, 56, 92})

_OS_REASONS = {
    errno.ECONNREFUSED: ("nothing listens there", "check the port, and whether the server runs"),
    errno.EHOSTUNREACH: ("there is no route to it", "check the name and the network"),
    errno.ENETUNREACH: ("this machine has no network that leads there", "check the network"),
    errno.EACCES: ("this machine may not connect there", "check its firewall"),
    errno.EPERM: ("this machine may not connect there", "check its firewall"),
}
"""Each with how to mend it."""


def connection_failure(
    request: Request, number: int, message: str, *, os_error: int = 0
) -> ConnectionFailed:
    """The error for a request that libcurl gave up with ``number`` and ``message``."""
    host = str(request.origin)
    if number == _NO_SUCH_HOST:
        return Unreachable("no such host", where=host, mend="check the name and the network")
    if number in (_NO_PROXY_HOST, _PROXY_FAILED):
        return ConnectionFailed(
            f"the proxy cannot be reached: {message}", where=host, mend="check HTTPS_PROXY"
        )
    if number == _NO_CONNECTION:
        what, mend = _OS_REASONS.get(os_error, (f"no connection: {message}", ""))
        return Unreachable(what, where=host, mend=mend)
    if number == _TIMED_OUT:
        return ConnectionFailed("it did not answer in time", where=host)
    if number in _BROKEN_OFF:
        return ConnectionFailed(f"the connection broke off: {message}", where=host)
    return _tls_failure(host, number, message)


def _tls_failure(host: str, number: int, message: str) -> ConnectionFailed:
    if number == _CERTIFICATE_REFUSED:
        return LastingFailure(
            f"its certificate is not trusted: {message}",
            where=host,
            mend="name its authority's certificate with --ca-file, or in SSL_CERT_FILE",
        )
    if number == _BAD_CA_FILE:
        return LastingFailure(
            f"the trusted certificates cannot be read: {message}",
            where=host,
            mend="check --ca-file and SSL_CERT_FILE",
        )
    if number in _TLS_FAILED and _speaks_plain_http(message):
        return AnswersPlainHttp(
            "it answers in plain http where https is needed",
            where=host,
            mend=f"if that is meant to be, say --plain-http {host}",
        )
    if number in _TLS_FAILED:
        return ConnectionFailed(f"no secure connection: {message}", where=host)
    return ConnectionFailed(f"the request failed: {message} (libcurl error {number})", where=host)


def _speaks_plain_http(message: str) -> bool:
    """How OpenSSL words it when the first bytes back are ``HTTP/1.1``."""
    lowered = message.lower()
    return any(sign in lowered for sign in ("wrong version number", "packet length too long"))
