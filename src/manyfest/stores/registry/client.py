"""The transports put together: what the registry store sends its requests through."""

from __future__ import annotations

from collections.abc import Callable

from manyfest.errors import ConnectionFailed
from manyfest.stores.registry.admission import REQUESTS_PER_HOST, LimitedTransport
from manyfest.stores.registry.auth.authenticator import Authenticator, AuthTransport
from manyfest.stores.registry.auth.credentials import Credentials
from manyfest.stores.registry.curl.transport import CurlTransport
from manyfest.stores.registry.http import Request, Response, Transport
from manyfest.stores.registry.redirects import RedirectTransport
from manyfest.stores.registry.retry import RetryTransport


def registry_transport(
    credentials: Credentials | None = None,
    *,
    plain_http: frozenset[str] = frozenset(),
    ca_file: str = "",
    per_host: int = REQUESTS_PER_HOST,
    on_wait: Callable[[Request, Response | ConnectionFailed, float], None] | None = None,
) -> Transport:
    """A transport for any number of registries and threads; whoever asks for it closes it.

    Nothing is opened or read before the first request. ``ca_file`` is a PEM file of authorities to
    trust besides the system's; ``plain_http`` names the hosts that the user allows http to;
    ``on_wait`` is told of each pause before a retry.
    """
    curl = CurlTransport(ca_file=ca_file)
    patient = RetryTransport(LimitedTransport(curl, per_host=per_host), on_wait=on_wait)
    authenticator = Authenticator(credentials, plain_http=plain_http)
    return AuthTransport(RedirectTransport(patient), authenticator)
