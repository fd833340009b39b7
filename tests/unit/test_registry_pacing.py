from __future__ import annotations

import pytest

from manyfest.stores.registry.headers import Headers
from manyfest.stores.registry.http import FunctionTransport, Origin, Request, Response
from manyfest.stores.registry.pacing import HeedingTransport, Pacing, pause_wanted

NOW = 1_800_000_000.0


def answer(status: int = 200, **fields: str) -> Response:
    return Response(
        status, headers=Headers({name.replace("_", "-"): value for name, value in fields.items()})
    )


@pytest.mark.parametrize(
    ("response", "seconds"),
    [
        (answer(), 0.0),
        (answer(429, Retry_After="600"), 600.0),
        (answer(503, Retry_After="Fri, 15 Jan 2027 08:10:00 GMT"), 600.0),
        (answer(200, Retry_After="600"), 0.0),
        # Docker Hub
        (answer(RateLimit_Limit="100;w=21600", RateLimit_Remaining="76;w=21600"), 0.0),
        (answer(RateLimit_Limit="100;w=21600", RateLimit_Remaining="10;w=21600"), 0.0),
        (answer(RateLimit_Limit="100;w=21600", RateLimit_Remaining="9;w=21600"), 300.0),
        (answer(RateLimit_Limit="100;w=21600", RateLimit_Remaining="0;w=21600"), 300.0),
        # GitHub
        (answer(X_RateLimit_Remaining="0", X_RateLimit_Reset="1800000090"), 90.0),
        (answer(X_RateLimit_Remaining="0", X_RateLimit_Reset="1700000000"), 0.0),
        # The draft
        (answer(RateLimit_Limit="10", RateLimit_Remaining="0", RateLimit_Reset="50"), 50.0),
        (answer(RateLimit_Limit="10", RateLimit_Remaining="5", RateLimit_Reset="50"), 0.0),
        (answer(RateLimit_Limit="10, 10;w=1", RateLimit_Remaining="5"), 0.0),
        # Nonsense
        (answer(RateLimit_Remaining="none"), 0.0),
        (answer(RateLimit_Remaining="-1"), 0.0),
        (answer(RateLimit_Limit="many", RateLimit_Remaining="5"), 0.0),
        (answer(RateLimit_Remaining="9" * 40), 0.0),
    ],
)
def test_what_a_registry_wants(response: Response, seconds: float) -> None:
    assert pause_wanted(response, NOW) == seconds


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_each_registry_is_left_alone_for_as_long_as_it_wants() -> None:
    clock = Clock()
    pacing = Pacing(clock=clock, now=lambda: NOW)
    pacing.heed(Origin("https", "registry-1.docker.io", 443), answer(429, Retry_After="60"))
    assert (pacing.pause("docker.io"), pacing.pause("ghcr.io")) == (60.0, 0.0)
    clock.now = 45.0
    assert pacing.pause("docker.io") == 15.0
    clock.now = 61.0
    assert pacing.pause("docker.io") == 0.0


def test_an_answer_that_asks_for_nothing_does_not_end_a_pause() -> None:
    pacing = Pacing(clock=Clock(), now=lambda: NOW)
    origin = Origin("http", "localhost", 5000)
    pacing.heed(origin, answer(429, Retry_After="60"))
    pacing.heed(origin, answer(429, Retry_After="5"))
    pacing.heed(origin, answer())
    assert pacing.pause("localhost:5000") == 60.0


@pytest.mark.parametrize(
    "response",
    [
        answer(429, Retry_After="999999999"),
        answer(503, Retry_After="Fri, 15 Jan 2100 08:00:00 GMT"),
        answer(X_RateLimit_Remaining="0", X_RateLimit_Reset="999999999999"),
    ],
)
def test_no_answer_silences_us_for_ever(response: Response) -> None:
    pacing = Pacing(clock=Clock(), now=lambda: NOW)
    pacing.heed(Origin("https", "ghcr.io", 443), response)
    assert pacing.pause("ghcr.io") == 21600.0


def test_every_answer_is_seen_and_passed_on() -> None:
    pacing = Pacing(clock=Clock(), now=lambda: NOW)
    limited = answer(429, Retry_After="60")
    transport = HeedingTransport(FunctionTransport(lambda _: limited), pacing)
    assert transport.send(Request(method="HEAD", url="https://ghcr.io/v2/")) is limited
    assert pacing.pause("ghcr.io") == 60.0
