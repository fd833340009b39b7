"""What happened, in words."""

from __future__ import annotations

import pytest

from manyfest.watch.values import Event
from manyfest.watch.wording import span, subject, told
from tests.unit.watching import event, of_registry


@pytest.mark.parametrize(
    ("happened", "words"),
    [
        (
            event("appeared", place="ghcr.io/gotify/server"),
            "was seen for the first time in ghcr.io/gotify/server",
        ),
        (
            event("platform ready", platform="linux/arm64", place="ghcr.io/us/app", lag=1200.0),
            "has linux/arm64 ready in ghcr.io/us/app, 20 min after it was first seen",
        ),
        (event("complete", lag=0.0), "is complete everywhere, 0 s after it was first seen"),
        (event("soaked"), "has been complete for the whole soak time"),
        (
            event("late", why="linux/arm64 is missing in docker.io/us/app"),
            "is late: linux/arm64 is missing in docker.io/us/app",
        ),
        (event("incomplete"), "is no longer complete"),
        (event("moved", place="ghcr.io/us/app"), "was moved in ghcr.io/us/app"),
        (event("vanished", place="ghcr.io/us/app"), "is gone from ghcr.io/us/app"),
        (event("vanished", place="ghcr.io/us/app", what="gone"), "is gone everywhere"),
        (event("complete", place="mirror.example/app"), "is complete in mirror.example/app"),
        (event("differ"), "is not the same in all registries"),
        (event("agree"), "is the same in all registries again"),
        (
            of_registry("unreachable", why="no such host", lag=90.0),
            "gives no answers, for 1 min 30 s now: no such host",
        ),
        (of_registry("recovered", lag=720.0), "answers again, after 12 min"),
    ],
)
def test_each_kind(happened: Event, words: str) -> None:
    assert told(happened) == words


def test_what_it_happened_to() -> None:
    assert subject(event("late")) == "gotify/server 2.6.1"
    assert subject(of_registry("recovered")) == "ghcr.io"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.6, "1 min"), (1085, "18 min 5 s"), (3600, "1 h"), (90061, "1 d 1 h")],
)
def test_a_span_of_time(seconds: float, text: str) -> None:
    assert span(seconds) == text
