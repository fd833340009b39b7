"""The story of gotify 2.6.1, as a watch saw it: platforms came at different times in two
registries, an empty index was first, and a mirror was behind. The releases of a year come before.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime

from manyfest.watch.config.values import TagChoice, WatchedImage
from manyfest.watch.history.batch import Batch
from manyfest.watch.history.history import History
from manyfest.watch.values import Facts, Place, PlatformFacts, Rule, Sample
from tests.running_watch import RunningWatch, absent, holds

NOW = datetime.fromisoformat("2026-11-26T15:20:00Z").timestamp()
"""Platforms of 2.6.1 are still on their way."""

HUB, GHCR = "docker.io/gotify/server", "ghcr.io/gotify/server"
MIRROR = "mirror.example.org/hub/gotify/server"
PLATFORMS = ("linux/amd64", "linux/arm64", "linux/arm/v7", "linux/386", "linux/riscv64")

SERVER = WatchedImage(
    rule=Rule(
        image="gotify/server",
        places=(
            Place(repository=HUB),
            Place(repository=GHCR),
            Place(repository=MIRROR, mirror=True, late=3600.0),
        ),
        platforms=PLATFORMS,
        late=2700.0,
        soak=7200.0,
    ),
    tags=TagChoice(versions=">=2"),
    every=60.0,
)
CLI = WatchedImage(
    rule=Rule(
        image="gotify/cli",
        places=(Place(repository="docker.io/gotify/cli"), Place(repository="ghcr.io/gotify/cli")),
        platforms=("linux/amd64", "linux/arm64", "linux/arm/v7"),
        late=1800.0,
        soak=3600.0,
    ),
    tags=TagChoice(versions=">=1"),
    every=60.0,
)

_DAY, _MINUTE = 86400.0, 60.0
_HOSTS = {"docker.io": 0.045, "ghcr.io": 0.09, "mirror.example.org": 0.012}
"""Registries, and how many seconds they usually take."""

_RELEASES = (
    (SERVER, "2.4.0", 330), (CLI, "1.0.0", 300), (SERVER, "2.5.0", 240), (SERVER, "2.5.1", 200),
    (CLI, "1.1.0", 150), (SERVER, "2.6.0", 41), (CLI, "1.2.0", 12),
)  # fmt: skip
"""What was released how many days before."""


def tell(history: History) -> RunningWatch:
    """All of it, up to :data:`NOW`."""
    watch = RunningWatch(history, [SERVER, CLI], NOW - 400 * _DAY)
    chance = random.Random(261)
    _before(watch)
    for image, tag, days in _RELEASES:
        _release(watch, image, tag, NOW - days * _DAY, chance)
    watch.ask(*_samples(chance))
    _the_release(watch)
    watch.now = NOW
    return watch


def begin(history: History) -> RunningWatch:
    """The release of 2.6.1 alone, up to :data:`NOW`."""
    watch = RunningWatch(history, [SERVER], NOW - _DAY)
    _the_release(watch)
    watch.now = NOW
    return watch


def finish(watch: RunningWatch) -> None:
    """What was missing of 2.6.1 at :data:`NOW` comes, until it is complete everywhere."""
    watch.see(NOW + 2 * _MINUTE, holds(SERVER, "2.6.1", HUB, NOW + 2 * _MINUTE))
    watch.see(NOW + 4 * _MINUTE, holds(SERVER, "2.6.1", GHCR, NOW + 4 * _MINUTE))


def _before(watch: RunningWatch) -> None:
    """One version was there before anybody looked."""
    for place in SERVER.rule.places:
        at = NOW - 390 * _DAY
        watch.see(at, holds(SERVER, "2.3.0", place.repository, at), was_there=True)


def _release(
    watch: RunningWatch, image: WatchedImage, tag: str, at: float, chance: random.Random
) -> None:
    """A release as it should be: some minutes for each platform, one registry after the other."""
    rule = image.rule
    ready_at = {
        (place.repository, platform): at
        + number * chance.uniform(60, 150)
        + (1 + order) * chance.uniform(90, 240)
        for number, place in enumerate(rule.places)
        for order, platform in enumerate(rule.platforms)
    }
    for moment in sorted(ready_at.values()):
        place = next(where for (where, _), when in ready_at.items() if when == moment)
        ready = [each for each in rule.platforms if ready_at[place, each] <= moment]
        watch.see(moment, holds(image, tag, place, moment, ready))
    after = max(ready_at.values()) + rule.soak + 30
    watch.see(after, *(holds(image, tag, place.repository, after) for place in rule.places))
    watch.history.record(Batch(facts=(_consisting(image, tag, after),)))


def _consisting(image: WatchedImage, tag: str, at: float) -> Facts:
    """What a release consists of, each platform a little larger than the one before."""
    answer = holds(image, tag, image.rule.places[0].repository, at).answer
    assert answer is not None
    platforms = tuple(
        PlatformFacts(
            platform=each.platform,
            digest=each.digest,
            size=14_200_000 + 350_000 * number,
            layers=6,
            attached=("provenance (SLSA)", "SBOM (SPDX)"),
        )
        for number, each in enumerate(answer.platforms)
    )
    return Facts(
        digest=answer.digest, platforms=platforms, read_at=at, attached=("signature (cosign)",)
    )


def _the_release(watch: RunningWatch) -> None:
    began = NOW - 19 * _MINUTE
    watch.see(began, absent(SERVER, "2.6.1", MIRROR, began), absent(SERVER, "2.6.1", GHCR, began))
    for minutes, place, ready in (
        (0.0, HUB, []),
        (1.2, HUB, ["linux/amd64"]),
        (2.0, HUB, ["linux/amd64", "linux/386"]),
        (3.1, GHCR, ["linux/amd64", "linux/386"]),
        (6.4, HUB, ["linux/amd64", "linux/386", "linux/arm/v7"]),
        (9.0, GHCR, ["linux/amd64", "linux/386", "linux/arm/v7"]),
        (17.6, HUB, ["linux/amd64", "linux/386", "linux/arm/v7", "linux/arm64"]),
    ):
        at = began + minutes * _MINUTE
        watch.see(at, holds(SERVER, "2.6.1", place, at, ready))


def _samples(chance: random.Random) -> Iterator[Sample]:
    """A few each day for 90 days, many in the last one; the mirror was away twice."""
    moments = [NOW - hour * 3600 for hour in range(90 * 24, 24, -2)]
    moments += [NOW - _DAY + minutes * _MINUTE for minutes in range(0, 24 * 60, 2)]
    for at in moments:
        away = 31 * _DAY < NOW - at < 31.4 * _DAY or 9 * _DAY < NOW - at < 9.15 * _DAY
        for number in range(3):
            for host, usual in _HOSTS.items():
                fails = away and host.startswith("mirror")
                yield _sample(host, at + number, usual, chance, fails=fails)


def _sample(host: str, at: float, usual: float, chance: random.Random, *, fails: bool) -> Sample:
    fails = fails or (host == "docker.io" and chance.random() < 0.0008)
    return Sample(
        registry=host,
        at=at,
        seconds=usual * chance.lognormvariate(0, 0.35),
        why="no connection within 10 s" if fails else "",
    )
