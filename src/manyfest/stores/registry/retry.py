"""Whether a request that failed is sent again, and after how long."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import UTC

from msgspec import Struct

from manyfest.errors import ConnectionFailed
from manyfest.stores.registry.http import (
    LastingFailure,
    Request,
    Response,
    Transport,
    Unreachable,
)

PASSING_STATUSES = frozenset({408, 429, 500, 502, 503, 504})


class RetryPolicy(Struct, frozen=True, kw_only=True):
    """``attempts`` in all; a pause of ``first`` seconds that doubles up to ``longest``.

    ``attempts_to_reach`` is how often a registry is tried that nobody answers for: whoever mistyped
    its name should not wait long to hear of it. ``patience`` is the longest ``Retry-After`` that is
    waited out, in seconds. Who is told to come back later than that gives up at once: to come back
    too early would only be refused again.
    """

    attempts: int = 5
    attempts_to_reach: int = 3
    first: float = 0.5
    longest: float = 20.0
    patience: float = 120.0


DEFAULT_POLICY = RetryPolicy()


def retry_delay(
    attempt: int,
    outcome: Response | ConnectionFailed,
    *,
    now: float,
    jitter: float,
    policy: RetryPolicy = DEFAULT_POLICY,
) -> float | None:
    """Seconds to wait after ``attempt`` (the first is 1), or ``None`` to leave it at ``outcome``.

    ``now`` is the time in seconds since 1970, ``jitter`` a random number from 0 to 1: the pause is
    between half and all of what it doubled to, so that many clients do not come back as one.
    """
    unreachable = isinstance(outcome, Unreachable)
    attempts = policy.attempts_to_reach if unreachable else policy.attempts
    if attempt >= attempts or not _may_pass(outcome):
        return None
    doubled: float = policy.first * 2 ** (attempt - 1)
    pause = min(doubled, policy.longest) * (1 + jitter) / 2
    told = retry_after(outcome, now) if isinstance(outcome, Response) else None
    if told is None:
        return pause
    return None if told > policy.patience else max(told, pause)


def _may_pass(outcome: Response | ConnectionFailed) -> bool:
    if isinstance(outcome, Response):
        return outcome.status in PASSING_STATUSES
    return not isinstance(outcome, LastingFailure)


def retry_after(response: Response, now: float) -> float | None:
    """Seconds until ``Retry-After`` (RFC 9110, section 10.2.3): a number of them, or a date."""
    value = response.headers.get("Retry-After").strip()
    if value.isascii() and value.isdecimal():
        return float(value[:9])
    date = _parse_date(value)
    return None if date is None else max(date - now, 0.0)


def _parse_date(value: str) -> float | None:
    from email.utils import parsedate_to_datetime

    try:
        date = parsedate_to_datetime(value)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


class RetryTransport:
    """Sends again what failed in a way that may pass, if the request may be repeated.

    When it gives up, the last answer is returned as it came, and the last error is raised.
    ``on_wait`` is told of each pause: the request, its outcome and the seconds.
    """

    def __init__(
        self,
        inner: Transport,
        *,
        policy: RetryPolicy = DEFAULT_POLICY,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.time,
        jitter: Callable[[], float] = random.random,
        on_wait: Callable[[Request, Response | ConnectionFailed, float], None] | None = None,
    ) -> None:
        self._inner = inner
        self._policy = policy
        self._sleep = sleep
        self._clock = clock
        self._jitter = jitter
        self._on_wait = on_wait

    def send(self, request: Request) -> Response:
        """See :class:`~manyfest.stores.registry.http.Transport`."""
        attempt = 1
        while True:
            outcome = self._try(request)
            if isinstance(outcome, Response) and outcome.status not in PASSING_STATUSES:
                return outcome
            delay = self._delay(request, attempt, outcome)
            if delay is None:
                break
            if isinstance(outcome, Response):
                outcome.close()
            if self._on_wait is not None:
                self._on_wait(request, outcome, delay)
            self._sleep(delay)
            if request.before_repeat is not None:
                request.before_repeat()
            attempt += 1
        if isinstance(outcome, ConnectionFailed):
            raise outcome
        return outcome

    def close(self) -> None:
        self._inner.close()

    def _try(self, request: Request) -> Response | ConnectionFailed:
        try:
            return self._inner.send(request)
        except ConnectionFailed as error:
            return error

    def _delay(
        self, request: Request, attempt: int, outcome: Response | ConnectionFailed
    ) -> float | None:
        is_given_up = request.given_up is not None and request.given_up()
        if not request.repeatable or is_given_up:
            return None
        return retry_delay(
            attempt, outcome, now=self._clock(), jitter=self._jitter(), policy=self._policy
        )
