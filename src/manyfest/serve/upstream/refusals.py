"""What a client is told when an upstream does not give what was asked for."""

from __future__ import annotations

import logging
import math

from manyfest.errors import (
    AccessDenied,
    ConnectionFailed,
    ManyfestError,
    RateLimited,
    RegistryError,
)
from manyfest.serve.errors import Refusal

logger = logging.getLogger(__name__)

_BAD_GATEWAY = 502
_SERVER_ERRORS = 500


def is_away(error: ManyfestError) -> bool:
    """Whether the upstream cannot be asked now, rather than has said something."""
    if isinstance(error, ConnectionFailed | RateLimited):
        return True
    if isinstance(error, Refusal):  # that is what we said
        return False
    return isinstance(error, RegistryError) and error.status >= _SERVER_ERRORS


def tell_operator(error: ManyfestError, registry: str) -> None:
    """Write to the log what ``registry`` raised: that concerns the operator alone."""
    logger.warning("upstream %s", error if registry in str(error) else f"{registry}: {error}")


def refusal_for(error: ManyfestError, registry: str, *, pause: float = 0.0) -> Refusal:
    """The answer when ``registry`` raised ``error``; ``pause`` is for how many seconds it wants
    not to be asked."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, RateLimited):
        again = {"Retry-After": str(math.ceil(pause))} if pause else {}
        limits = f"{registry} limits how often it is asked"
        return Refusal("TOOMANYREQUESTS", limits, headers=again)
    if isinstance(error, AccessDenied):
        return Refusal("DENIED", f"{registry} refuses this to this cache")
    return Refusal("UNKNOWN", f"{registry}: {error.what}", status=_BAD_GATEWAY)


def stale(registry: str) -> str:
    """The warning on an answer that may be out of date, in the form that clients of registries
    show (distribution specification, "Warnings"); they do not know HTTP's own code for it."""
    return f'299 - "{registry} cannot be asked now: this may be old"'
