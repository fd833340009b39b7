"""The transports put together: what the registry store sends its requests through."""

from __future__ import annotations

import time
from collections.abc import Callable

from manyfest.errors import ConnectionFailed
from manyfest.stores.registry.admission import LimitedTransport
from manyfest.stores.registry.auth.authenticator import Authenticator, AuthTransport
from manyfest.stores.registry.auth.credentials import Credentials
from manyfest.stores.registry.http import Request, Response, Transport
from manyfest.stores.registry.redirects import RedirectTransport
from manyfest.stores.registry.retry import DEFAULT_POLICY, RetryPolicy, RetryTransport


def registry_transport(
    network: Transport,
    credentials: Credentials | None = None,
    *,
    plain_http: frozenset[str] = frozenset(),
    policy: RetryPolicy = DEFAULT_POLICY,
    on_wait: Callable[[Request, Response | ConnectionFailed, float], None] | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Transport:
    """A transport for any number of registries and threads, over ``network``; whoever asks for it
    closes it, and ``network`` with it.

    Nothing is opened or read before the first request. ``plain_http`` names the hosts that the
    user allows http to; ``policy`` says how often something is tried, and ``on_wait`` is told of
    each pause before that.
    """
    limited = LimitedTransport(network)
    patient = RetryTransport(limited, policy=policy, on_wait=on_wait, sleep=sleep)
    authenticator = Authenticator(credentials, plain_http=plain_http)
    return AuthTransport(RedirectTransport(patient), authenticator)
