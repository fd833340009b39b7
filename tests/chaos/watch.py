"""A watch that is killed while releases arrive: no event is lost or there twice, and everybody is
told of each, twice only where the message says that it may be.

``python -m tests.chaos.watch 100`` kills 100 times a watch of two registries to which versions are
pushed meanwhile, platform by platform: at random instants, or while it tells somebody something, or
soon after. Then it lets the watch come to rest, and prints what came of it.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sqlite3
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from manyfest.watch.notify.texts import REPEATED
from tests.gotify import Gotify, running_gotify
from tests.integration.conftest import running_registry
from tests.watching import WatchProcess, push

PLATFORMS = ("linux/amd64", "linux/arm64")
EXPECTED = ("appeared", "platform ready", "complete", "soaked")
LONGEST_LIFE = 4
"""Times as long as one takes to be ready, until it is killed, at most, unless it is to tell
something first: so some are killed while they start, others while they look."""

PATIENCE = 30.0
"""Seconds that one has to tell something; on a busy machine it takes longer to be ready."""

_TOLD = re.compile(r"app (1\.[0-9.]+) is complete")
_COUNT = re.compile(r"events: .*?([0-9]+) complete")


@dataclass
class Tally:
    """What came of it. ``telling`` is how many of those that were killed told something before, or
    were about to; ``wrong`` is what should not have been."""

    kills: int = 0
    telling: int = 0
    events: int = 0
    messages: int = 0
    marked: int = 0
    wrong: list[str] = field(default_factory=list)


def kill_again_and_again(kills: int, folder: Path, *, seed: int = 1) -> Tally:
    """Do it; see the module."""
    chance = random.Random(seed)
    tally = Tally()
    with (
        running_registry(folder / "one") as one,
        running_registry(folder / "two") as two,
        running_gotify() as gotify,
    ):
        places = (f"{one}/app", f"{two}/app")
        watch = WatchProcess(folder / "watch", _config(places, gotify))
        push(places[0], "1.0.0", PLATFORMS)
        push(places[1], "1.0.0", PLATFORMS)
        began = time.monotonic()
        watch.start()
        watch.wait_ready()
        longest = LONGEST_LIFE * (time.monotonic() - began)
        watch.until_complete("1.0.0")
        watch.kill()
        versions = [f"1.{1 + number // 10}.{number}" for number in range(kills)]
        stopped = threading.Event()
        pusher = threading.Thread(target=_push_all, args=(places, versions, longest / 8, stopped))
        pusher.start()
        try:
            for _ in versions:
                watch.start()
                told = len(gotify.asked)
                _live(gotify, longest, chance)
                watch.kill()
                tally.kills += 1
                tally.telling += len(gotify.asked) > told
        finally:
            stopped.set()
            pusher.join()
        watch.start()
        try:
            _rest(watch, versions, gotify)
            watch.stop()
        finally:
            watch.kill()
        _judge(watch, places, versions, gotify, tally)
    return tally


def _live(gotify: Gotify, longest: float, chance: random.Random) -> None:
    """Wait as long as the watch is to live. Of four, one has a random time. The others live until
    a message of theirs arrives, which is not answered yet then, and half of them a little longer.
    """
    if chance.random() < 0.25:
        time.sleep(chance.uniform(0.0, longest))
        return
    told, end = len(gotify.asked), time.monotonic() + PATIENCE
    while len(gotify.asked) == told and time.monotonic() < end:
        time.sleep(0.001)
    time.sleep(chance.choice((0.0, chance.uniform(0.0, longest / 8))))


def _config(places: tuple[str, str], gotify: Gotify) -> str:
    return f"""\
every: 1s
images:
  - in: ["{places[0]}", "{places[1]}"]
    platforms: [{", ".join(PLATFORMS)}]
    tags: {{versions: "*", newest: 1000}}
    soak: 1s
    settle: 1s
notify:
  us: {{url: "{gotify.url()}", events: [complete]}}
  them: {{url: "{gotify.url()}", events: [appeared, platform ready, soaked]}}
"""


def _push_all(
    places: tuple[str, str], versions: list[str], pause: float, stopped: threading.Event
) -> None:
    """Push each version to both registries, in four steps with pauses of so many seconds; without
    them once it is ``stopped``."""
    for version in versions:
        for place in places:
            for count in (1, 2):
                push(place, version, PLATFORMS[:count])
                stopped.wait(pause)


def _rest(watch: WatchProcess, versions: list[str], gotify: Gotify) -> None:
    """Let it see and tell what there is."""
    query = "SELECT count(*) FROM events WHERE kind = 'soaked'"
    _until(lambda: watch.rows(query) == [(len(versions),)], watch)
    query = "SELECT count(*) FROM notices WHERE delivered_at IS NULL AND given_up_at IS NULL"
    _until(lambda: watch.rows(query) == [(0,)], watch)
    count = -1
    while count != len(gotify.messages):
        count = len(gotify.messages)
        time.sleep(2.0)


def _until(is_so: Callable[[], bool], watch: WatchProcess) -> None:
    """Wait, for long: after many kills there may be much to catch up with."""
    end = time.monotonic() + 300
    while not is_so() and time.monotonic() < end:
        watch.until(lambda: True, "")
        time.sleep(0.2)


def _judge(
    watch: WatchProcess,
    places: tuple[str, str],
    versions: list[str],
    gotify: Gotify,
    tally: Tally,
) -> None:
    tally.events = len(watch.events())
    for version in versions:
        found = Counter(watch.events(version))
        expected = Counter(
            [(kind, "", "") for kind in EXPECTED if kind != "platform ready"]
            + [("platform ready", place, each) for place in places for each in PLATFORMS]
        )
        for event, count in sorted(((found - expected) + (expected - found)).items()):
            tally.wrong.append(f"{version}: {event} {found[event]} times, off by {count}")
    _judge_notices(watch, tally)
    _judge_messages(versions, gotify, tally)
    with closing(sqlite3.connect(watch.folder / "watch.db")) as database:
        state = database.execute("PRAGMA integrity_check").fetchone()[0]
        if state != "ok":
            tally.wrong.append(f"the database is damaged: {state}")


def _judge_notices(watch: WatchProcess, tally: Tally) -> None:
    """Each event is in one notice."""
    rows = watch.rows("SELECT events FROM notices")
    told = Counter(
        (each["kind"], each["tag"], each.get("place", ""), each.get("platform", ""))
        for (events,) in rows
        for each in json.loads(events)
    )
    happened = Counter(
        (str(kind), str(tag), str(place), str(platform))
        for kind, tag, place, platform in watch.rows(
            "SELECT kind, tag, place, platform FROM events WHERE tag <> ''"
        )
    )
    for event in sorted((told - happened) + (happened - told)):
        tally.wrong.append(f"{event} happened {happened[event]} and is told {told[event]} times")


def _judge_messages(versions: list[str], gotify: Gotify, tally: Tally) -> None:
    """Each version's being complete was told: once, and again only where that was said. A message
    about many versions names some of them, and says of how many it is."""
    first, again = Counter[str](), Counter[str]()
    unnamed = 0
    for message in gotify.messages:
        tally.messages += 1
        is_marked = REPEATED in message["message"]
        tally.marked += is_marked
        named = set(_TOLD.findall(f"{message['title']}\n{message['message']}"))
        (again if is_marked else first).update(named)
        if found := _COUNT.search(message["title"]):
            unnamed += int(found[1]) - len(named)
    untold = [each for each in versions if not first[each] + again[each]]
    if len(untold) > unnamed:
        tally.wrong.append(f"nobody was told of some of {', '.join(untold)}")
    for version, count in first.items():
        if count > 1:
            tally.wrong.append(f"{version} was told {count} times as if for the first")
    if unnamed > len(untold) and not tally.marked:
        tally.wrong.append(f"{unnamed} versions were told unnamed, and {len(untold)} were left")


def main() -> int:
    """Kill as often as the command line says, and print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.watch", description=__doc__)
    parser.add_argument("kills", type=int, nargs="?", default=100)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    options = parser.parse_args()
    print(f"a watch, killed {options.kills} times, seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="watch-chaos-") as folder:
        tally = kill_again_and_again(options.kills, Path(folder), seed=options.seed)
    print(
        f"{tally.kills} kills, {tally.telling} of them when something was told or about to be:"
        f" {tally.events} events, each once; {tally.messages} messages,"
        f" of which {tally.marked} say that they may have been told before"
    )
    for each in tally.wrong:
        print(f"WRONG: {each}")
    return int(bool(tally.wrong))


if __name__ == "__main__":
    sys.exit(main())
