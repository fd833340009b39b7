"""What can happen to a registry, as a proxy before it does it."""

from __future__ import annotations

import json
import math
import random
import time
from collections import Counter
from collections.abc import Callable
from urllib.parse import unquote

from tests.chaos.proxy import (
    Action,
    Answer,
    Die,
    Exchange,
    Fault,
    Moment,
    Proxy,
    Reset,
    Slow,
    Truncate,
)
from tests.chaos.scene import MANIFESTS

RETRIES = 5
"""How often a client tries the same request at least before it gives up."""


class Hits:
    """Which of a registry's requests meet a fault, by their numbers: each from ``first`` to before
    ``end``, with this ``rate``. ``stuck``: of those from ``first`` on only the ones like the first
    of them, which fails until the client leaves it and asks for something else."""

    def __init__(
        self,
        chance: random.Random,
        first: int,
        end: float,
        *,
        rate: float = 1.0,
        stuck: bool = False,
    ) -> None:
        self.chance = chance
        self.is_lasting = end == math.inf
        self._first = first
        self._end = end
        self._rate = rate
        self._stuck = stuck
        self._like: tuple[str, str] | None = None
        self._met = 0
        self._is_left = False

    def __call__(self, exchange: Exchange) -> bool:
        if exchange.number < self._first:
            return False
        if self._stuck:
            return self._is_tried_again((exchange.method, exchange.path))
        return exchange.number < self._end and self.chance.random() < self._rate

    def _is_tried_again(self, like: tuple[str, str]) -> bool:
        self._like = self._like or like
        if like != self._like:
            self._is_left = self._met >= RETRIES
            return False
        self._met += 1
        return self._met <= RETRIES or not self._is_left


class Simple:
    """Does the same kind of thing to every request that it hits."""

    def __init__(self, hits: Hits, action: Callable[[], Action]) -> None:
        self._hits = hits
        self._action = action

    async def choose(self, exchange: Exchange, proxy: Proxy) -> Action:
        return self._action() if self._hits(exchange) else None


class Tokens:
    """The registry wants a token, and each is good for a few requests only; requests that are hit
    find that there are no more tokens for us."""

    def __init__(self, hits: Hits) -> None:
        self._hits = hits
        self._left: Counter[str] = Counter()

    async def choose(self, exchange: Exchange, proxy: Proxy) -> Action:
        if exchange.path == "/token":
            if self._hits.is_lasting and self._hits(exchange):
                return Answer(status=401)
            return self._issued()
        held = exchange.fields.get("authorization", "").removeprefix("Bearer ")
        self._left[held] -= 1
        if self._left[held] >= 0:
            return None
        realm = f'Bearer realm="http://{proxy.address}/token",service="chaos"'
        scope = f'scope="repository:{exchange.repository}:pull,push"'
        return Answer(status=401, fields=(("WWW-Authenticate", f"{realm},{scope}"),))

    def _issued(self) -> Answer:
        token = f"token-{len(self._left)}"
        self._left[token] = self._hits.chance.randint(3, 40)
        body = json.dumps({"token": token, "expires_in": 300}).encode()
        return Answer(status=200, fields=(("Content-Type", "application/json"),), body=body)


class Stale:
    """What is read is as it was some seconds ago: a new blob is not there yet, and a tag that has
    moved has not."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._former: dict[str, tuple[float, Answer]] = {}

    async def choose(self, exchange: Exchange, proxy: Proxy) -> Action:
        now = time.monotonic()
        if exchange.method in {"GET", "HEAD"}:
            until, former = self._former.get(exchange.path, (0.0, None))
            return former if now < until else None
        if exchange.sets_manifest:
            for path in (exchange.path, f"/v2/{exchange.repository}/tags/list"):
                if now >= self._former.get(path, (0.0, None))[0]:
                    answer = await proxy.ask(path, MANIFESTS)
                    self._former[path] = (now + self._seconds, answer)
        elif exchange.is_upload and "digest=" in exchange.target:
            digest = unquote(exchange.target.partition("digest=")[2])
            path = f"/v2/{exchange.repository}/blobs/{digest}"
            self._former.setdefault(path, (now + self._seconds, Answer(status=404)))
        return None


Make = Callable[[Hits], Fault]


def _status(status: int, **fields: str) -> Make:
    """An answer of this status; every second one after the registry has done what was asked."""

    def make(hits: Hits) -> Fault:
        named = tuple((name.replace("_", "-"), value) for name, value in fields.items())
        return Simple(
            hits, lambda: Answer(status=status, fields=named, late=hits.chance.random() < 0.5)
        )

    return make


def _limited(hits: Hits) -> Fault:
    seconds = hits.chance.choice(["0", "1"])
    return Simple(hits, lambda: Answer(status=429, fields=(("Retry-After", seconds),)))


def _reset(hits: Hits) -> Fault:
    moments: list[Moment] = ["before", "within", "after"]
    return Simple(hits, lambda: Reset(hits.chance.choice(moments)))


def _slow(hits: Hits) -> Fault:
    # Not for a moment only: a registry that is slow is so for a while.
    always = Hits(hits.chance, 1, math.inf, rate=hits.chance.uniform(0.2, 1.0))
    return Simple(always, lambda: Slow(hits.chance.uniform(0.0, 0.05)))


def _stale(hits: Hits) -> Fault:
    # Now and then for longer than manyfest waits to see what it has published.
    lag = 20.0 if hits.is_lasting and hits.chance.random() < 0.2 else 1.0
    return Stale(hits.chance.uniform(0.05, lag))


class _Both:
    """Two faults: the second does something where the first does not."""

    def __init__(self, first: Fault, second: Fault) -> None:
        self._faults = (first, second)

    async def choose(self, exchange: Exchange, proxy: Proxy) -> Action:
        found = [await fault.choose(exchange, proxy) for fault in self._faults]
        return found[0] or found[1]


KINDS: dict[str, Make] = {
    "500": _status(500),
    "502": _status(502, Content_Type="text/html"),
    "429": _limited,
    "reset": _reset,
    "truncation": lambda hits: Simple(hits, Truncate),
    "slow": _slow,
    "expired-token": Tokens,
    "stale": _stale,
    "stale-and-reset": lambda hits: _Both(_stale(hits), _reset(hits)),
    "death": lambda hits: Simple(hits, Die),
}
"""What can happen to a registry."""
