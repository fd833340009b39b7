"""Releases through proxies that make trouble: what is public afterwards, and what the report says.

``python -m tests.chaos.faults 100`` runs 100 releases for each kind of fault, all kinds at once as
they mostly wait. ``--kind reset --seed 7 --only 31`` does one run again.
"""

from __future__ import annotations

import argparse
import math
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct, field

from tests.chaos.prober import Prober
from tests.chaos.proxy import Exchange
from tests.chaos.scene import Ended, Places, Project, places
from tests.chaos.trouble import KINDS, Hits
from tests.chaos.verdict import Both, Run, Wrong

REPOSITORY = "app"
FORMER, VERSION = "1.0.0", "1.1.0"
"""What the registries hold before, most of the time, and what is released."""

_TOLD = 20
"""Runs of a kind after which it is said how many there were."""


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
            if tally.runs % _TOLD == 0:
                print(f"{kind}: {tally.runs} runs …", file=sys.stderr, flush=True)
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
            repositories=self._place.to(REPOSITORY),
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

    def _finish(self, before: Both) -> None:
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

    def _held(self) -> Both:
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
    parser.add_argument(
        "--jobs", type=int, default=len(KINDS), metavar="N", help="kinds at the same time"
    )
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
