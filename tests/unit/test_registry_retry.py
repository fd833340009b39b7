from __future__ import annotations

from contextlib import suppress

import pytest

from manyfest.errors import ConnectionFailed
from manyfest.stores.registry.headers import Headers
from manyfest.stores.registry.http import (
    Body,
    BytesReader,
    FunctionTransport,
    LastingFailure,
    Request,
    Response,
)
from manyfest.stores.registry.retry import RetryPolicy, RetryTransport, retry_delay

NOON = 1_767_268_800.0  # Thu, 01 Jan 2026 12:00:00 GMT


def delay(
    outcome: Response | ConnectionFailed, *, attempt: int = 1, jitter: float = 1.0
) -> float | None:
    return retry_delay(attempt, outcome, now=NOON, jitter=jitter)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_what_may_pass_is_repeated(status: int) -> None:
    assert delay(Response(status)) == 0.5


@pytest.mark.parametrize("status", [200, 201, 307, 400, 401, 403, 404, 409, 416, 501])
def test_what_will_not_pass_is_not(status: int) -> None:
    assert delay(Response(status)) is None


def test_a_broken_connection_is_tried_again_but_not_a_refused_certificate() -> None:
    assert delay(ConnectionFailed("reset")) == 0.5
    assert delay(LastingFailure("certificate")) is None


def test_pauses_double_and_attempts_end() -> None:
    pauses = [delay(Response(503), attempt=attempt) for attempt in range(1, 6)]
    assert pauses == [0.5, 1.0, 2.0, 4.0, None]


def test_pauses_have_a_longest() -> None:
    policy = RetryPolicy(attempts=100)
    assert retry_delay(50, Response(503), now=NOON, jitter=1.0, policy=policy) == 20.0


def test_jitter_spreads_a_pause_over_its_upper_half() -> None:
    assert [delay(Response(503), jitter=jitter) for jitter in (0.0, 0.5, 1.0)] == [0.25, 0.375, 0.5]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("0", 0.5),
        ("120", 120.0),
        ("121", None),
        ("99999999999999999999", None),
        ("Thu, 01 Jan 2026 12:00:30 GMT", 30.0),
        ("Thursday, 01-Jan-26 12:00:30 GMT", 30.0),
        ("Thu, 01 Jan 2026 11:00:00 GMT", 0.5),
        ("Thu, 01 Jan 2026 14:00:00 GMT", None),
        ("Thu, 01 Jan 2026 12:00:30 -0000", 30.0),
        ("soon", 0.5),
        ("-1", 0.5),
        ("\u0663", 0.5),
        ("", 0.5),
    ],
)
def test_retry_after_is_honoured_in_both_forms(value: str, expected: float | None) -> None:
    headers = Headers({"Retry-After": value} if value.isascii() else {})
    assert delay(Response(429, headers=headers)) == expected


class Network:
    """Gives the prepared outcomes, one for each request."""

    def __init__(self, *outcomes: Response | ConnectionFailed) -> None:
        self.outcomes = list(outcomes)
        self.slept: list[float] = []
        self.inner = FunctionTransport(self.answer)
        self.transport = RetryTransport(
            self.inner, sleep=self.slept.append, clock=lambda: NOON, jitter=lambda: 1.0
        )

    def answer(self, request: Request) -> Response:
        if isinstance(request.body, Body):
            request.body.open().read(1)
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, ConnectionFailed):
            raise outcome
        return outcome


GET = Request(method="GET", url="https://ghcr.io/v2/")


def test_a_request_is_repeated_until_it_succeeds() -> None:
    network = Network(Response(503), ConnectionFailed("reset"), Response(200))
    assert network.transport.send(GET).status == 200
    assert network.slept == [0.5, 1.0]


def test_the_put_of_a_manifest_waits_out_a_rate_limit() -> None:
    limited = Response(429, headers=Headers({"Retry-After": "3"}))
    network = Network(limited, Response(201))
    request = Request(method="PUT", url="https://ghcr.io/v2/a/manifests/1", body=b"{}")
    assert network.transport.send(request).status == 201
    assert network.slept == [3.0]


def test_the_last_answer_is_returned_and_the_last_error_raised() -> None:
    assert Network(*[Response(503)] * 5).transport.send(GET).status == 503
    network = Network(*[ConnectionFailed("reset")] * 5)
    with pytest.raises(ConnectionFailed, match="reset"):
        network.transport.send(GET)
    assert len(network.inner.requests) == 5


@pytest.mark.parametrize("outcome", [Response(503), ConnectionFailed("reset")])
def test_what_is_not_repeatable_is_sent_once(outcome: Response | ConnectionFailed) -> None:
    network = Network(outcome)
    request = Request(method="PATCH", url="https://ghcr.io/u", body=b"1", repeatable=False)
    with suppress(ConnectionFailed):
        network.transport.send(request)
    assert len(network.inner.requests) == 1


def test_what_was_given_up_is_not_sent_again() -> None:
    network = Network(ConnectionFailed("it was given up"))
    request = Request(method="GET", url="https://ghcr.io/v2/", given_up=lambda: True)
    with pytest.raises(ConnectionFailed):
        network.transport.send(request)
    assert len(network.inner.requests) == 1


def test_a_body_is_opened_anew_for_each_attempt() -> None:
    opened: list[BytesReader] = []

    def open_body() -> BytesReader:
        opened.append(BytesReader(b"x"))
        return opened[-1]

    network = Network(Response(502), Response(201))
    request = Request(method="PUT", url="https://ghcr.io/m", body=Body(1, open_body))
    network.transport.send(request)
    assert len(opened) == 2


def test_whoever_wants_to_know_is_told_of_a_pause() -> None:
    told: list[tuple[str, int, float]] = []

    def tell(request: Request, outcome: Response | ConnectionFailed, seconds: float) -> None:
        assert isinstance(outcome, Response)
        told.append((str(request.origin), outcome.status, seconds))

    answers = iter([Response(429), Response(200)])
    transport = RetryTransport(
        FunctionTransport(lambda _: next(answers)),
        sleep=lambda _: None,
        jitter=lambda: 1.0,
        on_wait=tell,
    )
    transport.send(GET)
    assert told == [("ghcr.io", 429, 0.5)]
