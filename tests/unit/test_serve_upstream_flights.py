"""There is an end to what is asked of upstreams at a time, whoever asks and goes away."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from manyfest.serve.errors import Refusal
from manyfest.serve.upstream import downloads, flights
from manyfest.serve.upstream.flights import Flights
from tests.unit.serve_upstream import Cache, Gate, wait_for


async def asked_and_left(flights_: Flights, answered: threading.Event, *keys: str) -> None:
    for key in keys:
        asking = asyncio.ensure_future(flights_.share(key, answered.wait))
        await asyncio.sleep(0)
        asking.cancel()


def test_questions_that_nobody_waits_for_have_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flights, "MOST", 2)
    answered = threading.Event()

    async def ask() -> bool:
        under_way = Flights()
        await asked_and_left(under_way, answered, "one", "two")
        with pytest.raises(Refusal, match="too much is asked of upstreams") as caught:
            await under_way.share("three", answered.wait)
        assert caught.value.status == 429
        answered.set()
        return await under_way.share("two", answered.wait)

    assert asyncio.run(ask())


def test_downloads_that_nobody_waits_for_have_an_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "MOST", 1)
    cache = Cache(tmp_path)
    one, two = (cache.hub.push(text, text.encode() * 99).image.layers[0] for text in ("a", "b"))
    gate = cache.hub.reader = Gate()
    assert cache.call("GET", f"app/blobs/{one.digest}", range="bytes=0-0").status == 206
    assert cache.call("GET", f"app/blobs/{two.digest}").code == "TOOMANYREQUESTS"
    gate.opened.set()
    wait_for(lambda: cache.kept.is_held(one.digest))
    wait_for(lambda: cache.call("GET", f"app/blobs/{two.digest}").status == 200)
