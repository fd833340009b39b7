"""Our watch understands what our registry tells."""

from __future__ import annotations

from manyfest.watch.webhooks.forms import Hint, parse
from tests.distribution_events import PUSHED


def test_a_push_is_a_hint() -> None:
    assert parse("distribution", PUSHED.encode(), {}) == (
        Hint(repository="registry.example.org/gotify/server", tag="2.6.1"),
    )
