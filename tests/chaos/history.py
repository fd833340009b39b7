"""A watch that is killed while it writes its history: what was acknowledged is there, nothing is
there twice, and no batch is there in part.

``python -m tests.chaos.history 100`` kills a writer 100 times on SQLite and 100 times on
PostgreSQL, and then PostgreSQL itself 100 times under a writer that goes on. It prints what came
of it.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import func, select

from manyfest.errors import HistoryAway
from manyfest.watch.health.values import RegistryState
from manyfest.watch.history import tables
from manyfest.watch.history.batch import Batch
from manyfest.watch.history.history import History
from manyfest.watch.values import Change, Sample
from tests.histories import event, notice, observation, outage, state
from tests.postgresql import Server, running_postgresql

REGISTRY = "ghcr.io"
_TAGS = 30
_EACH = 3
"""Tags that a batch is about."""

_LONGEST = 0.8
"""Seconds for which a writer, or a server, lives at most after the first batch was written."""

_PATIENCE = 120
"""Seconds that a writer may take to begin, or to go on."""


class Tally(Struct):
    """What was done: of the batches ``written``, some were ``unacknowledged`` when the kill came;
    ``early`` kills came before a writer had anything acknowledged."""

    kills: int = 0
    early: int = 0
    written: int = 0
    unacknowledged: int = 0

    def __str__(self) -> str:
        return (
            f"{self.kills} kills, {self.early} of them early; {self.written} batches written,"
            f" {self.unacknowledged} of them unacknowledged"
        )


def batch(number: int) -> Batch:
    """Something of everything, which can be told from all other batches."""
    at = float(number)
    changes = []
    for each in range(_EACH):
        tag = f"1.0.{(number * _EACH + each) % _TAGS}"
        seen = observation(tag, at, silence=str(number))
        happened = replace(event(tag, at), what=str(number))
        changes.append(Change(state=state(tag, at), observations=(seen,), events=(happened,)))
    wrong = outage(REGISTRY, began=float(number // 2 * 2))
    ends = number % 2 == 1
    return Batch(
        changes=tuple(changes),
        notices=(replace(notice("1.0.0", due=at), recipient=str(number)),),
        registries=(RegistryState(registry=REGISTRY, at=at),),
        samples=(
            Sample(registry=REGISTRY, at=at, seconds=0.1),
            Sample(registry=REGISTRY, at=at, seconds=0.1, why="no answer"),
        ),
        opened=() if ends else (wrong,),
        closed=(replace(wrong, ended=at),) if ends else (),
    )


def last_written(history: History) -> int:
    """The number of the last batch, or -1."""
    return int(max((known.at for known in history.registry_states()), default=-1))


def write(url: str, until: float | None = None) -> None:
    """Write batch after batch, and print the number of each that was acknowledged. A history that
    is away is tried again, and what was not acknowledged with it."""
    with History.open(url) as history:
        print("open", flush=True)
        number = last_written(history) + 1
        while until is None or number < until:
            next_one = batch(number)
            while not _is_recorded(history, next_one):
                time.sleep(0.02)
            print(number, flush=True)
            number += 1


def _is_recorded(history: History, some: Batch) -> bool:
    try:
        history.record(some)
    except HistoryAway:
        return False
    return True


def look(history: History, acknowledged: int) -> int:
    """The number of batches that are there, each once and whole: all up to the ``acknowledged``
    one, and at most one more. Raises ``AssertionError``."""
    amount = last_written(history) + 1
    assert acknowledged + 1 <= amount <= acknowledged + 2, (acknowledged, amount)
    numbers = [str(number) for number in range(amount)]
    assert _counted(history, "observations", "silence") == dict.fromkeys(numbers, _EACH)
    assert _counted(history, "events", "what") == dict.fromkeys(numbers, _EACH)
    assert _counted(history, "notices", "recipient") == dict.fromkeys(numbers, 1)
    for table in (tables.samples.c, tables.days.c):
        with history.reading() as connection:
            sums = connection.execute(select(func.sum(table.asked), func.sum(table.failed))).one()
        assert tuple(each or 0 for each in sums) == (2 * amount, amount)
    with history.reading() as connection:
        incidents = connection.execute(select(tables.incidents.c.began, tables.incidents.c.ended))
        found = sorted((row.began, row.ended) for row in incidents)
    assert found == [
        (began, began + 1.0 if began + 1 < amount else None) for began in range(0, amount, 2)
    ]
    assert {known.tag: known.began for known in history.states()} == {
        f"1.0.{each % _TAGS}": float(each // _EACH) for each in range(amount * _EACH)
    }
    return amount


def _counted(history: History, table: str, column: str) -> Counter[str]:
    with history.reading() as connection:
        return Counter(connection.scalars(select(tables.metadata.tables[table].c[column])))


class Writer:
    """A process that writes, and what it has said so far."""

    def __init__(self, url: str) -> None:
        command = [sys.executable, "-m", "tests.chaos.history", "--write", url]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._said: list[str] = []
        self._writes = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait(self, seconds: float) -> bool:
        """Until it was acknowledged a batch; whether it was."""
        return self._writes.wait(seconds)

    def kill(self) -> int:
        """End it at once; the last batch that it was acknowledged, or -1."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()
        return self.acknowledged

    @property
    def acknowledged(self) -> int:
        """The number of the last batch that was, or -1."""
        whole = [line for line in self._said[1:] if line.endswith("\n")]
        return int(whole[-1]) if whole else -1

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._said.append(line)
            if len(self._said) > 1:
                self._writes.set()


def kill_writers(url: str, kills: int, *, seed: int) -> Tally:
    """Kill so many writers of one history, which each go on where the last one was killed."""
    chance = random.Random(seed)
    tally = Tally()
    acknowledged = -1
    for _ in range(kills):
        writer = Writer(url)
        if chance.random() < 0.8:
            assert writer.wait(_PATIENCE), "it does not write"
        time.sleep(chance.uniform(0, _LONGEST))
        last = writer.kill()
        tally.kills += 1
        tally.early += last < 0
        acknowledged = max(acknowledged, last)
        with History.open(url) as history:
            amount = look(history, acknowledged)
        tally.unacknowledged += amount > acknowledged + 1
        acknowledged = amount - 1  # it is there, and must stay
    tally.written = acknowledged + 1
    return tally


def kill_first_starts(folder: Path, kills: int, *, seed: int) -> Tally:
    """Kill writers that are about to make a database of SQLite's, each a new one: it opens."""
    chance = random.Random(seed)
    tally = Tally()
    begun = time.monotonic()
    first = Writer(str(folder / "first.db"))
    assert first.wait(_PATIENCE), "it does not write"
    start = time.monotonic() - begun
    first.kill()
    for number in range(kills):
        url = str(folder / f"first-{number}.db")
        writer = Writer(url)
        time.sleep(chance.uniform(start / 2, start))  # Python begins before
        last = writer.kill()
        tally.kills += 1
        tally.early += last < 0
        with History.open(url) as history:
            tally.written += look(history, last)
    return tally


def kill_server(server: Server, kills: int, *, seed: int) -> Tally:
    """Let PostgreSQL fail so many times under one writer, which goes on when it is back."""
    chance = random.Random(seed)
    tally = Tally()
    url = server.new_database()
    writer = Writer(url)
    try:
        assert writer.wait(_PATIENCE), "it does not write"
        for _ in range(kills):
            time.sleep(chance.uniform(0, _LONGEST))
            server.crash()
            server.start()
            tally.kills += 1
            _goes_on(writer)
    finally:
        acknowledged = writer.kill()
    with History.open(url) as history:
        tally.written = look(history, acknowledged)
    return tally


def _goes_on(writer: Writer) -> None:
    before, deadline = writer.acknowledged, time.monotonic() + _PATIENCE
    while writer.acknowledged == before:
        assert writer.is_alive, "it gave up"
        assert time.monotonic() < deadline, "it does not go on"
        time.sleep(0.01)


def main() -> None:
    """Print what came of each part."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.history", description=__doc__)
    parser.add_argument("kills", type=int, nargs="?", default=100)
    parser.add_argument("--seed", type=int, default=int(time.time()), metavar="N")
    parser.add_argument("--write", metavar="URL", help="be the one that is killed")
    options = parser.parse_args()
    if options.write:
        write(options.write)
        return
    kills, seed = options.kills, options.seed
    print(f"history: seed {seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder, running_postgresql() as server:
        path = Path(folder)
        done = kill_writers(str(path / "history.db"), kills, seed=seed)
        print(f"SQLite, the watch killed: {done}", flush=True)
        done = kill_first_starts(path, kills, seed=seed)
        print(f"SQLite, the watch killed while it starts: {done}", flush=True)
        done = kill_writers(server.new_database(), kills, seed=seed)
        print(f"PostgreSQL, the watch killed: {done}", flush=True)
        done = kill_server(server, kills, seed=seed)
        print(f"PostgreSQL itself killed: {done}", flush=True)


if __name__ == "__main__":
    main()
