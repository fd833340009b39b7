"""Running commands as whole processes, in pairs, so that a change in the machine's speed hits both
sides of a ratio."""

from __future__ import annotations

import os
import resource
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from benchmarks.scratch import Scratch
from benchmarks.watch import Watch, bytes_in


class Failed(Exception):
    """A command that did not do its job, and the last line of what it said."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run: wall-clock seconds and seconds of processors, its own and, in ``servers``, those of
    the registries meanwhile; the peak memory of the process and of
    what it started, 0 if it was too short to be seen; the most that it had on disk besides source,
    target and cache; the cache that it left. All three in bytes."""

    seconds: float
    processor: float
    memory: int
    disk: int
    cache: int
    servers: float = 0


@dataclass(slots=True)
class Pairs:
    """Our runs and those of one peer, taken in turn; or why there are none."""

    ours: list[Run] = field(default_factory=list)
    theirs: list[Run] = field(default_factory=list)
    failure: str = ""

    def ratios(self) -> list[float]:
        """Our time by theirs, for each pair."""
        return [a.seconds / b.seconds for a, b in zip(self.ours, self.theirs, strict=True)]


@dataclass(frozen=True, slots=True)
class Attempt:
    """How to run one command: ``prepare`` comes before it and ``verify`` after it, untimed;
    ``verify`` raises :class:`Failed` if the job was not done. ``servers`` gives the seconds of
    processors that the registries have used; where there are none, 0."""

    command: Sequence[str]
    prepare: Callable[[], None]
    verify: Callable[[], None]
    servers: Callable[[], float] = float

    def run(self, scratch: Scratch) -> Run:
        """One run from nothing: an empty scratch folder, an empty target."""
        scratch.clear()
        self.prepare()
        before = self.servers()
        run = run_once(self.command, scratch)
        run = replace(run, servers=self.servers() - before)
        self.verify()
        return run


def run_once(command: Sequence[str], scratch: Scratch) -> Run:
    """Run the command in the scratch folder's environment. Raises :class:`Failed`."""
    with (scratch.notes / "output").open("w+b") as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            cwd=scratch.work, env=scratch.environment(),
        )  # fmt: skip
        try:
            with Watch(process.pid, aside=scratch.aside, target=scratch.out) as watch:
                _, status, usage = os.wait4(process.pid, 0)
                elapsed = time.perf_counter() - started
            process.returncode = os.waitstatus_to_exitcode(status)
        finally:
            if process.returncode is None:
                process.kill()
                process.wait()
        if process.returncode:
            output.seek(0)
            raise Failed(_last_line(output.read(), process.returncode))
    return Run(
        seconds=elapsed,
        processor=usage.ru_utime + usage.ru_stime,
        memory=max(_recorded(usage), watch.memory),
        disk=watch.disk,
        cache=bytes_in(scratch.cache),
    )


def compare(ours: Attempt, theirs: Attempt, scratch: Scratch, rounds: int) -> Pairs:
    """``rounds`` pairs; who begins changes each time. If there are several, one more comes before
    them that does not count.

    Raises :class:`Failed` if it is we who do not do the job.
    """
    pairs = Pairs()
    uncounted = int(rounds > 1)
    for turn in range(rounds + uncounted):
        sides = [(ours, pairs.ours), (theirs, pairs.theirs)]
        for attempt, runs in reversed(sides) if turn % 2 else sides:
            try:
                run = attempt.run(scratch)
            except Failed as failure:
                if attempt is ours:
                    raise
                return Pairs(failure=str(failure))
            if turn >= uncounted:
                runs.append(run)
    return pairs


def _recorded(usage: resource.struct_rusage) -> int:
    """What the kernel recorded: exact, but of the largest process alone, and a process that was
    just started counts as large as the one that started it. Below that it says nothing."""
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return usage.ru_maxrss * 1024 if usage.ru_maxrss > own else 0


def _last_line(output: bytes, code: int) -> str:
    lines = output.decode(errors="replace").strip().splitlines()
    return lines[-1].strip()[:300] if lines else f"exit code {code}, and not a word"
