"""A big history, as a watch leaves it behind: for benchmarks of what writes, reads and shows it.

``python -m benchmarks.watch_history history.db`` writes a million observations of 10,000 tags, on
four platforms in two places each, with the events, samples, incidents and notices that belong to
them, and prints what it cost. In Python, :func:`fill` writes it to a history that is open::

    with History.open(str(folder / "history.db")) as history:
        fill(history, Shape())

The same shape and seed make the same history.
"""

from __future__ import annotations

import argparse
import random
import resource
import time
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct
from sqlalchemy import func, select, update

from manyfest.check.readiness import PlatformState, Readiness
from manyfest.threads import batches
from manyfest.watch.health.values import RegistryState
from manyfest.watch.history import tables
from manyfest.watch.history.batch import Batch
from manyfest.watch.history.history import History
from manyfest.watch.values import (
    Change,
    Event,
    Incident,
    Kind,
    Notice,
    Observation,
    PlaceSeen,
    PlatformSeen,
    Sample,
    TagState,
)

REGISTRIES = ("docker.io", "ghcr.io")
PLATFORMS = ("linux/amd64", "linux/arm64", "linux/arm/v7", "linux/riscv64")

_PER_BUILD = len(REGISTRIES) * (1 + len(PLATFORMS))
"""Observations of one build: the index that comes first, then each platform, in each place."""

_TOGETHER = 500
"""Builds that are recorded in one batch."""

_DAY = 86400.0
_SPAN = 400 * _DAY


class Shape(Struct, frozen=True, kw_only=True):
    """How big it is: ``observations`` of ``tags``, of which an image has 50. It ends at ``now``, in
    seconds since 1970."""

    observations: int = 1_000_000
    tags: int = 10_000
    tags_each: int = 50
    now: float = 1_790_000_000.0
    seed: int = 1

    @property
    def images(self) -> tuple[str, ...]:
        """The names of the images."""
        return tuple(f"team-{number % 9}/app-{number:03}" for number in range(self._amount))

    @property
    def _amount(self) -> int:
        return -(-self.tags // self.tags_each)


class _Build(Struct, frozen=True):
    """A time at which a tag got new content, in whole: its digests, and when each place had how
    many of the platforms. ``number`` 0 is when the tag came; ``fate`` is what became of it."""

    at: float
    image: str
    tag: str
    number: int
    fate: str


class _Told(Struct, frozen=True):
    """What a build leaves behind."""

    change: Change
    notices: tuple[Notice, ...]
    incidents: tuple[Incident, ...]


def fill(history: History, shape: Shape) -> None:
    """Write a history of this shape to one that is empty."""
    chance = random.Random(shape.seed)
    builds = sorted(_builds(shape, chance), key=lambda build: build.at)
    for some in batches(builds, _TOGETHER):
        told = [_told(build, chance) for build in some]
        history.record(
            Batch(
                changes=tuple(each.change for each in told),
                notices=tuple(notice for each in told for notice in each.notices),
                opened=tuple(incident for each in told for incident in each.incidents),
            )
        )
    for samples in batches(_samples(shape, chance), 5000):
        history.record(Batch(samples=tuple(samples)))
    began = shape.now - _SPAN
    known = (RegistryState(registry=each, at=shape.now, began=began) for each in REGISTRIES)
    history.record(Batch(registries=tuple(known), opened=tuple(_outages(shape, chance))))
    due = tables.notices.c.due
    with history.engine.begin() as connection:
        old = update(tables.notices).where(due < shape.now - 600)
        connection.execute(old.values(delivered_at=due + 1, tries=1))


def _builds(shape: Shape, chance: random.Random) -> Iterator[_Build]:
    """Those of each tag follow each other in the time that is left from its first one on."""
    each = max(1, round(shape.observations / shape.tags / _PER_BUILD))
    for number in range(shape.tags):
        image = shape.images[number // shape.tags_each]
        place = number % shape.tags_each
        came = shape.now - _SPAN * (1 - place / shape.tags_each) + chance.uniform(0, 5 * _DAY)
        pause = (shape.now - came) / each
        for build in range(each):
            fate = chance.choices(["complete", "late", "differ"], [96, 3, 1])[0]
            yield _Build(
                at=came + build * pause * chance.uniform(0.9, 1.0),
                image=image,
                tag=f"1.{place // 10}.{place % 10}",
                number=build,
                fate=fate if build == each - 1 else "complete",
            )


def _told(build: _Build, chance: random.Random) -> _Told:
    index = _digest(chance)
    images = {platform: _digest(chance) for platform in PLATFORMS}
    arrivals = {
        f"{registry}/{build.image}": _arrivals(build, chance, is_last=registry == REGISTRIES[-1])
        for registry in REGISTRIES
    }
    observations = [
        _observation(build, place, index, images, times, count)
        for place, times in arrivals.items()
        for count in range(len(times))
    ]
    observations.sort(key=lambda each: each.at)
    ended = max(each.at for each in observations)
    state = _state(build, index, images, arrivals, ended)
    events = _events(build, index, arrivals, ended)
    first = build.number == 0
    lasting = () if build.fate == "complete" else (build.fate,)
    return _Told(
        Change(state=state, observations=tuple(observations), events=events),
        (Notice(recipient="phone", due=ended, events=events[-1:]),) if first else (),
        tuple(
            Incident(
                kind="late" if kind == "late" else "differ",
                began=ended,
                cause="ghcr.io lacks linux/riscv64",
                image=build.image,
                tag=build.tag,
            )
            for kind in lasting
        ),
    )


def _arrivals(build: _Build, chance: random.Random, *, is_last: bool) -> list[float]:
    """When a place had the index, and then each of the platforms; a late build lacks one."""
    amount = 1 + len(PLATFORMS) - (build.fate == "late" and is_last)
    steps = [chance.uniform(20, 400) for _ in range(amount)]
    return [build.at + sum(steps[: number + 1]) for number in range(amount)]


def _observation(
    build: _Build,
    place: str,
    index: str,
    images: dict[str, str],
    times: list[float],
    count: int,
) -> Observation:
    """What a place answered when it had so many platforms."""
    platforms = tuple(
        PlatformState(platform=platform, state="ready", digest=digest, why="")
        if number < count
        else PlatformState(platform=platform, state="missing", digest="", why="it has none yet")
        for number, (platform, digest) in enumerate(images.items())
    )
    answer = Readiness(
        reference=f"{place}:{build.tag}",
        digest=index,
        ready=count == len(platforms),
        platforms=platforms,
    )
    return Observation(
        image=build.image, tag=build.tag, place=place, at=times[count], answer=answer
    )  # fmt: skip


def _state(
    build: _Build,
    index: str,
    images: dict[str, str],
    arrivals: dict[str, list[float]],
    ended: float,
) -> TagState:
    complete = ended if build.fate == "complete" else None
    return TagState(
        image=build.image,
        tag=build.tag,
        began=build.at,
        digest=index,
        first_seen=build.at,
        complete_at=complete,
        first_complete_at=complete,
        soaked_at=complete,
        late_at=ended if build.fate == "late" else None,
        differ_at=ended if build.fate == "differ" else None,
        places=tuple(
            PlaceSeen(
                place=place,
                digest=index,
                since=times[0],
                first_seen=times[0],
                complete_at=times[-1] if len(times) > len(images) else None,
                platforms={
                    platform: PlatformSeen(state="ready", digest=digest, ready_at=at)
                    for (platform, digest), at in zip(images.items(), times[1:], strict=False)
                },
                answered_at=ended,
            )
            for place, times in arrivals.items()
        ),
    )


def _events(
    build: _Build, index: str, arrivals: dict[str, list[float]], ended: float
) -> tuple[Event, ...]:
    """One for each observation that told something, and what they came to."""

    def event(kind: Kind, at: float, place: str = "", platform: str = "") -> Event:
        return Event(
            kind=kind,
            at=at,
            image=build.image,
            tag=build.tag,
            place=place,
            platform=platform,
            what=index,
            lag=at - build.at,
        )

    began = min(times[0] for times in arrivals.values())
    first = [event("moved" if build.number else "appeared", began)]
    ready = [
        event("platform ready", at, place, platform)
        for place, times in arrivals.items()
        for platform, at in zip(PLATFORMS, times[1:], strict=False)
    ]
    last: Kind = "late" if build.fate == "late" else "complete"
    ends = [event("differ" if build.fate == "differ" else last, ended)]
    return (*first, *sorted(ready, key=lambda each: each.at), *ends)


def _samples(shape: Shape, chance: random.Random) -> Iterator[Sample]:
    """One in five minutes for 90 days, and one in an hour before."""
    at = shape.now - _SPAN
    while at < shape.now:
        for registry in REGISTRIES:
            why = "no answer" if chance.random() < 0.003 else ""
            seconds = chance.lognormvariate(-3, 0.7)
            yield Sample(registry=registry, at=at, seconds=seconds, why=why)
        at += 300 if at > shape.now - 90 * _DAY else 3600


def _outages(shape: Shape, chance: random.Random) -> Iterator[Incident]:
    """A registry is away for some minutes once in a week."""
    for registry in REGISTRIES:
        for week in range(int(_SPAN / _DAY / 7)):
            began = shape.now - _SPAN + (week + chance.random()) * 7 * _DAY
            yield Incident(
                kind="unreachable",
                began=began,
                ended=began + chance.uniform(60, 3600),
                cause="no answer within 30 seconds",
                registry=registry,
            )


def _digest(chance: random.Random) -> str:
    return f"sha256:{chance.getrandbits(256):064x}"


def main() -> None:
    """Write one, and print how long that took, and what is read at the start of a watch."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.watch_history", description=__doc__)
    parser.add_argument("url", help="a path, or postgresql://…; nothing is in it yet")
    parser.add_argument("--observations", type=int, default=1_000_000)
    parser.add_argument("--tags", type=int, default=10_000)
    options = parser.parse_args()
    shape = Shape(observations=options.observations, tags=options.tags)
    with History.open(options.url) as history:
        begun = time.perf_counter()
        fill(history, shape)
        took = time.perf_counter() - begun
        for name in ("observations", "events", "incidents", "notices", "samples", "days", "tags"):
            with history.reading() as connection:
                query = select(func.count()).select_from(tables.metadata.tables[name])
                print(f"{name}: {connection.scalar(query):,}")
        print(f"written in {took:.1f} s, {shape.observations / took:,.0f} observations a second")
    _measure_start(options.url)


def _measure_start(url: str) -> None:
    with History.open(url) as history:
        before = _resident()
        begun = time.perf_counter()
        states = history.states()
        took = time.perf_counter() - begun
        print(f"{len(states):,} tags read in {took:.2f} s, {_resident() - before:.0f} MB")


def _resident() -> float:
    """Megabytes in memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


if __name__ == "__main__":
    main()
