"""How quick the pages of a watch are with a big history, and how it takes many viewers at once.

``python -m benchmarks.watch_pages history.db`` asks a server in a process of its own, over one
connection on loopback, and prints how long each page took, in milliseconds, and for how long the
server computed for it. The history is one that ``python -m benchmarks.watch_history`` wrote; it is
made if it is not there. Then so many viewers look on while versions change, and pages are asked for
meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import os
import random
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
from tests import real
from tests.running_watch import RunningWatch

from benchmarks.watch import resident
from benchmarks.watch_history import PLATFORMS, REGISTRIES, Shape, fill
from manyfest.listening import hold, serving
from manyfest.watch.config.values import TagChoice, WatchedImage
from manyfest.watch.history.batch import Batch
from manyfest.watch.history.history import History
from manyfest.watch.history.read import versions
from manyfest.watch.live import News
from manyfest.watch.values import Change, Event, Place, Rule
from manyfest.watch.web.app import create_app

_CHANGES = 20


def main() -> None:
    """Run one side of it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.watch_pages", description=__doc__)
    parser.add_argument("history", type=Path, help="where the history is, or is made")
    parser.add_argument("--viewers", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=200, help="how often each page is asked for")
    parser.add_argument("--serve", type=int, metavar="PORT", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(_serve(options.history, options.serve))
        return
    if not options.history.exists():
        with History.open(str(options.history)) as history:
            fill(history, Shape())
    with _server(options.history) as (port, process):
        print(f"{'page':<44}{'p50':>8}{'p95':>8}{'max':>8}{'computed':>10}   ms")
        for name, path in _pages().items():
            before = _cpu(process.pid)
            times = _times(port, path, options.rounds)
            _print(name, times, (_cpu(process.pid) - before) / options.rounds)
        print(f"memory: {resident(process.pid) / 1e6:.0f} MB")
        asyncio.run(_look_on(port, process, options.viewers, options.rounds))
        print(f"memory: {resident(process.pid) / 1e6:.0f} MB")


def _watch(history: History) -> RunningWatch:
    shape = Shape()
    images = [
        WatchedImage(
            rule=Rule(
                image=name,
                places=tuple(Place(repository=f"{host}/{name}") for host in REGISTRIES),
                platforms=PLATFORMS,
                soak=3600.0,
            ),
            tags=TagChoice(),
            every=300.0,
        )
        for name in shape.images
    ]
    return RunningWatch(history, images, shape.now)


def _pages() -> dict[str, Callable[[], str]]:
    """Each page, at an address that is another one each time, as far as there are several."""
    shape, chance = Shape(), random.Random(1)

    def image() -> str:
        return chance.choice(shape.images)

    def tag() -> str:
        number = chance.randrange(shape.tags_each)
        return f"1.{number // 10}.{number % 10}"

    return {
        "/": lambda: "/",
        "/?after=IMAGE": lambda: f"/?after={image()}",
        "/images/NAME": lambda: f"/images/{image()}",
        "/images/NAME?below=TAG": lambda: f"/images/{image()}?below={tag()}",
        "/images/NAME/TAG": lambda: f"/images/{image()}/{tag()}",
        "/history": lambda: "/history",
        "/history?before=…": lambda: f"/history?before={shape.now - chance.uniform(0, 3e7)}-1",
        "/history?image=NAME": lambda: f"/history?image={image()}",
        "/history?kind=late": lambda: "/history?kind=late",
        "/history?image=NAME&kind=complete": lambda: f"/history?image={image()}&kind=complete",
        "/history?kind=unreachable (there are none)": lambda: "/history?kind=unreachable",
        "/search?q=app-1": lambda: f"/search?q=app-{chance.randrange(99)}",
        "/search?q=1.2": lambda: f"/search?q={tag()}",
        "/search?q=nothing": lambda: "/search?q=nothing",
        "/registries/HOST": lambda: f"/registries/{chance.choice(REGISTRIES)}",
    }


def _times(port: int, path: Callable[[], str], rounds: int) -> list[float]:
    """Milliseconds of each request, as a browser asks."""
    line = http.client.HTTPConnection("127.0.0.1", port)
    times = []
    for _ in range(rounds):
        begun = time.perf_counter()
        line.request("GET", path(), headers={"Accept-Encoding": "gzip"})
        answer = line.getresponse()
        answer.read()
        took = time.perf_counter() - begun
        if answer.status != 200:
            raise SystemExit(f"{path()} answers {answer.status}")
        times.append(took * 1000)
    line.close()
    return times


def _print(name: str, times: Sequence[float], computed: float | None = None) -> None:
    p95 = statistics.quantiles(times, n=20)[-1]
    rest = "" if computed is None else f"{computed * 1000:10.1f}"
    print(f"{name:<44}{statistics.median(times):8.1f}{p95:8.1f}{max(times):8.1f}{rest}", flush=True)


async def _look_on(port: int, process: subprocess.Popen[bytes], amount: int, rounds: int) -> None:
    """Let so many look at the first page while versions change, and print how long after each
    change they had it; the rest of the time pages are asked for."""
    begun = time.perf_counter()
    lines = [await _joined(port) for _ in range(amount)]
    print(f"{amount} viewers joined in {time.perf_counter() - begun:.1f} s")
    pages: list[float] = []
    asking = threading.Thread(target=lambda: pages.extend(_times(port, lambda: "/", rounds)))
    before = _cpu(process.pid)
    begun = time.perf_counter()
    asking.start()
    delays: list[float] = []
    for _ in range(_CHANGES):
        changed = time.perf_counter()
        assert process.stdin is not None
        process.stdin.write(b"change\n")
        process.stdin.flush()
        had = await asyncio.gather(*(_next_page(reader) for reader, _ in lines))
        delays += [(each - changed) * 1000 for each in had]
        await asyncio.sleep(0.6)
    used = (_cpu(process.pid) - before) / (time.perf_counter() - begun)
    await asyncio.to_thread(asking.join)
    _print(f"from a change to all of {amount} viewers", delays)
    _print(f"/ while {amount} look on and versions change", pages)
    print(f"processor: {used:.2f} cores, requests for / one after the other included")
    for _, writer in lines:
        writer.close()


async def _joined(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**22)
    writer.write(b"GET /live?page=/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await _next_page(reader)
    return reader, writer


async def _next_page(reader: asyncio.StreamReader) -> float:
    """Wait for the whole of a page's message; gives when it was there."""
    await asyncio.wait_for(reader.readuntil(b"event: page\n"), 60)
    await asyncio.wait_for(reader.readuntil(b"\n\n"), 60)
    return time.perf_counter()


def _cpu(pid: int) -> float:
    """Seconds of processor time that a process used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def _server(history: Path) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    port = real.free_port()
    command = [sys.executable, "-m", "benchmarks.watch_pages", str(history), "--serve", str(port)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE)
    try:
        real.wait_until(lambda: real.is_listening(port), "the server")
        yield port, process
    finally:
        real.stop(process)


async def _serve(path: Path, port: int) -> None:
    with History.open(str(path)) as history, closing(hold(f"127.0.0.1:{port}")) as held:
        watch = _watch(history)
        changing = threading.Thread(target=_change_when_told, args=(watch,), daemon=True)
        changing.start()
        async with serving(create_app(watch), held, threads=32, extra="watch") as server:
            await server.ended


def _change_when_told(watch: RunningWatch) -> None:
    """For each line, let a version of the first image become complete, or be no more."""
    with watch.history.reading() as connection:
        state = versions.newest(connection, watch.images()[0].name, 1)[0].state
    state = msgspec.structs.replace(state, late_at=None, differ_at=None, complete_at=watch.now)
    watch.history.record(Batch(changes=(Change(state=state),)))
    for number, _ in enumerate(sys.stdin):
        watch.now += 1
        complete = watch.now if number % 2 else None
        state = msgspec.structs.replace(state, complete_at=complete)
        event = Event(
            kind="complete" if complete else "incomplete",
            at=watch.now,
            image=state.image,
            tag=state.tag,
        )
        watch.history.record(Batch(changes=(Change(state=state, events=(event,)),)))
        tags = frozenset({(state.image, state.tag)})
        watch.live.publish(News(events=(event,), tags=tags))


if __name__ == "__main__":
    main()
