"""Releases through proxies that make trouble: what is public afterwards, and what the report says.

``python -m tests.chaos.faults 100`` runs 100 releases for each kind of fault, two kinds at a time,
and prints a line for each kind. ``--kind reset --seed 7 --only 31`` does one run again.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote

from msgspec import Struct, field

from tests.chaos.prober import Prober
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
from tests.chaos.scene import MANIFESTS, Ended, Places, Project, places

REPOSITORY = "app"
FORMER, VERSION = "1.0.0", "1.1.0"
"""What the registries hold before, most of the time, and what is released."""


RETRIES = 5
"""How often a client tries the same request before it gives up."""


class Hits:
    """Which of a registry's requests meet a fault, by their numbers: each from ``first`` to before
    ``end``, with this ``rate``. ``stuck``: of these only those like the first of them, which fails
    however often it is tried."""

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

    def __call__(self, exchange: Exchange) -> bool:
        if exchange.number < self._first:
            return False
        if self._stuck:
            like = (exchange.method, exchange.path)
            self._like = self._like or like
            self._met += like == self._like
            return like == self._like and self._met <= RETRIES
        return exchange.number < self._end and self.chance.random() < self._rate


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
    return Simple(hits, lambda: Slow(hits.chance.uniform(0.01, 0.2)))


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


class Tally(Struct):
    """What came of the runs of one kind of fault, of which ``met`` met it. Those that failed are
    told apart by the worst that happened to a public tag. ``slowest`` is a run's time in seconds,
    and its number; ``wrong`` is what must not be."""

    kind: str
    runs: int = 0
    met: int = 0
    released: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    slowest: tuple[float, int] = (0.0, 0)
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        failed = ", ".join(f"{number} {how}" for how, number in self.failed.most_common())
        return (
            f"{self.kind}: {self.runs} runs, {self.met} met the fault; {self.released} released"
            f" whole, {self.failed.total()} failed{': ' if failed else ''}{failed};"
            f" {len(self.wrong)} wrong ({self.seconds:.0f} s, the slowest {self.slowest[0]:.0f} s:"
            f" {self.slowest[1]})"
        )


UNTOUCHED = "with no public tag changed"
FIXED_LEFT = "with tags of this version alone set"
PUT_BACK = "with moving tags put back"
MOVED = "with moving tags that could not be put back, and named"


class Wrong(Exception):
    """Something that must not be."""


class Run(Struct, frozen=True):
    """A release that met faults: what each registry held before it and after it. ``may_stay``:
    the fault lasted, so that moving tags perhaps could not be put back."""

    ended: Ended
    proxies: tuple[Proxy, Proxy]
    before: tuple[dict[str, str], dict[str, str]]
    after: tuple[dict[str, str], dict[str, str]]
    goal: dict[str, str]
    may_stay: bool

    def judge(self) -> str:
        """How it failed, or empty if it did not. Raises :class:`Wrong`."""
        if "Traceback" in self.ended.said:
            raise Wrong("a traceback")
        return self._judge_failed() if self.ended.code else self._judge_released()

    def _judge_released(self) -> str:
        for proxy, before, after in zip(self.proxies, self.before, self.after, strict=True):
            if after != {**before, **self.goal}:
                raise Wrong(f"released, and {proxy.address} holds {after}")
        changed = {
            f"{proxy.address}/{REPOSITORY}:{tag}"
            for proxy, before in zip(self.proxies, self.before, strict=True)
            for tag, digest in self.goal.items()
            if before.get(tag) != digest
        }
        if self.ended.report["digest"] != self.ended.digest:
            raise Wrong(f"printed {self.ended.digest}, reported {self.ended.report['digest']}")
        if changed != set(self.ended.report["changed"]):
            raise Wrong(f"released, and says that it changed {self.ended.report['changed']}")
        return ""

    def _judge_failed(self) -> str:
        said = {each["reference"]: each["standing"] for each in self.ended.report["standing"]}
        found = {UNTOUCHED}
        for proxy, before, after in zip(self.proxies, self.before, self.after, strict=True):
            for tag in {*before, *after, *self.goal}:
                reference = f"{proxy.address}/{REPOSITORY}:{tag}"
                standing = said.pop(reference, "")
                if standing not in {"", "as before"} and reference not in self.ended.said:
                    raise Wrong(f"{reference} is {standing}, and stderr does not say so")
                found.add(self._judge_tag(reference, standing, before.get(tag), after.get(tag)))
        if said:
            raise Wrong(f"the report names {said}")
        return next(how for how in (MOVED, PUT_BACK, FIXED_LEFT, UNTOUCHED) if how in found)

    def _judge_tag(
        self, reference: str, standing: str, before: str | None, after: str | None
    ) -> str:
        tag = reference.rpartition(":")[2]
        goal = self.goal.get(tag)
        true: dict[str, list[str | None]] = {
            "": [before],
            "as before": [before],
            "put back": [before],
            "taken away": [None] if before is None else [],
            "set and left": [goal],
            "changed by others": [],
            "not known": [before, goal],
        }
        if after not in true[standing]:
            raise Wrong(f"{reference} held {before}, holds {after}, and is said {standing!r}")
        if standing in {"put back", "taken away"}:
            return PUT_BACK
        if after == before:
            return UNTOUCHED
        if tag.startswith(VERSION):
            return FIXED_LEFT
        if before is not None and not self.may_stay:
            raise Wrong(f"{reference} was not put back, and the registry was well again")
        return MOVED


class Campaign:
    """Runs, one after the other, against the same two registries."""

    def __init__(self, place: Places, folder: Path, *, seed: int) -> None:
        self._place = place
        self._seed = seed
        self._project = Project(folder / "project", layer_bytes=20_000)
        self._former = folder / "former"
        self._digest = ""
        self._goal: dict[str, str] = {}
        self._requests = 0
        self._log: list[Exchange] = []

    def prepare(self) -> None:
        """Find out what an undisturbed release gives, and how many requests it takes."""
        calm = [f"{self._place.calm.address}/{REPOSITORY}"]
        self._project.write(assets=1, programs=1)
        _succeed(self._project.release(FORMER, calm))
        former = self._place.calm.tags(REPOSITORY)
        shutil.copytree(self._place.calm.data, self._former)
        self._project.write(assets=1, programs=2)
        self._digest = _succeed(self._project.release(VERSION, calm)).digest
        self._goal = dict(self._place.calm.tags(REPOSITORY).items() - former.items())
        self._reset(self._former)
        _succeed(self._project.release(VERSION, self._place.to(REPOSITORY)))
        self._requests = max(len(proxy.log) for proxy in self._place.proxies)

    def run(self, kind: str, numbers: Iterable[int], *, lasting: bool = True) -> Tally:
        """The runs of these numbers; ``lasting``: some faults last longer than a release."""
        tally = Tally(kind)
        for number in numbers:
            begun = time.monotonic()
            try:
                chance = random.Random(f"{self._seed} {kind} {number}")
                how = self._run(kind, chance, lasting=lasting)
            except (Wrong, AssertionError) as wrong:
                again = f"--kind {kind} --seed {self._seed} --only {number}"
                tally.wrong.append(f"{again}: {wrong}")
            else:
                tally.released += not how
                tally.failed.update([how] if how else [])
            tally.runs += 1
            tally.met += any(each.is_disturbed for each in self._log)
            took = time.monotonic() - begun
            tally.seconds += took
            tally.slowest = max(tally.slowest, (took, number))
        return tally

    def _run(self, kind: str, chance: random.Random, *, lasting: bool) -> str:
        """How it failed, or empty. Raises :class:`Wrong`."""
        self._reset(self._former if chance.random() < 0.8 else None)
        hit = chance.choice([(True, False), (False, True), (True, True)])
        shapes = [self._hits(chance, lasting=lasting) for _ in hit]
        for proxy, hits, is_hit in zip(self._place.proxies, shapes, hit, strict=True):
            proxy.begin(KINDS[kind](hits) if is_hit else None)
        before = self._held()
        ended = self._project.release(VERSION, self._place.to(REPOSITORY))
        self._place.settle()
        self._log = self._place.log
        how = Run(
            ended=ended,
            proxies=self._place.proxies,
            before=before,
            after=self._held(),
            goal=self._goal,
            may_stay=kind == "death" or any(hits.is_lasting for hits in shapes),
        ).judge()
        self._look_whole()
        self._finish(before)
        return how

    def _hits(self, chance: random.Random, *, lasting: bool) -> Hits:
        """Most faults pass, before or after the client has given up; some come again and again,
        some stay."""
        shape = chance.choices(["passing", "stuck", "sprinkled", "staying"], [3, 5, 1, 1])[0]
        # Tags are set at the end, where there is most to lose.
        first = chance.randint(chance.choice([1, self._requests * 2 // 3]), self._requests)
        if shape == "stuck":
            return Hits(chance, first, first, stuck=True)
        if shape == "sprinkled":
            end = math.inf if lasting else first
            return Hits(chance, 1, end, rate=chance.uniform(0.02, 0.2))
        if shape == "staying" and lasting:
            return Hits(chance, first, math.inf)
        return Hits(chance, first, first + chance.randint(1, 3))

    def _look_whole(self) -> None:
        """What is public is whole, whatever happened."""
        for registry in self._place.registries:
            seen = Prober(registry, REPOSITORY, seed=0).look()
            if seen.wrong:
                raise Wrong(f"public and not whole: {seen.wrong}")

    def _finish(self, before: tuple[dict[str, str], dict[str, str]]) -> None:
        """Without faults the same command goes on to the end."""
        self._place.begin()
        done = self._project.release(VERSION, self._place.to(REPOSITORY))
        if (done.code, done.digest) != (0, self._digest):
            raise Wrong(f"the next run, without faults: {done.said}")
        for held, former in zip(self._held(), before, strict=True):
            if held != {**former, **self._goal}:
                raise Wrong(f"after the next run, without faults: {held}")

    def _reset(self, content: Path | None) -> None:
        self._place.begin()
        self._project.forget()
        for registry in self._place.registries:
            registry.reset(content)

    def _held(self) -> tuple[dict[str, str], dict[str, str]]:
        one, two = self._place.registries
        return one.tags(REPOSITORY), two.tags(REPOSITORY)


def _succeed(done: Ended) -> Ended:
    assert done.code == 0, done.said
    return done


@contextmanager
def campaign(folder: Path, *, seed: int) -> Iterator[Campaign]:
    """One that is prepared, against registries of its own."""
    with places(folder) as place:
        prepared = Campaign(place, folder, seed=seed)
        prepared.prepare()
        yield prepared


def _run_kind(kind: str, folder: Path, numbers: Iterable[int], seed: int) -> Tally:
    with campaign(folder, seed=seed) as prepared:
        return prepared.run(kind, numbers)


def main() -> int:
    """Print a line for each kind of fault, and what was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.faults", description=__doc__)
    parser.add_argument("runs", type=int, nargs="?", default=100, help="runs of each kind")
    parser.add_argument("--seed", type=int, default=int(time.time()), metavar="N")
    parser.add_argument("--kind", action="append", choices=KINDS, help="only this; may be repeated")
    parser.add_argument("--only", type=int, metavar="N", help="only the run with this number")
    parser.add_argument("--jobs", type=int, default=3, metavar="N", help="kinds at the same time")
    options = parser.parse_args()
    print(f"faults: seed {options.seed}", flush=True)
    numbers = range(options.runs) if options.only is None else [options.only]
    wrong = []
    with (
        tempfile.TemporaryDirectory() as folder,
        ThreadPoolExecutor(options.jobs) as pool,
    ):
        kinds = options.kind or list(KINDS)
        running = [
            pool.submit(_run_kind, kind, Path(folder) / kind, numbers, options.seed)
            for kind in kinds
        ]
        for tally in as_completed(running):
            print(tally.result(), flush=True)
            wrong += tally.result().wrong
    print("\n".join(wrong))
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
