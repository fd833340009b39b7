"""A job that several tools can do, and the running of it, pair by pair."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.measure import Attempt, Failed, Pairs, Run, compare
from benchmarks.scratch import Scratch
from benchmarks.tools import find, version

ABSENT = Pairs(failure="it is not installed")


def nothing() -> None:
    """For what needs no preparation, or leaves nothing to be verified."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Another tool's way to do the job. ``at_most`` is our time by theirs, to be reached."""

    tool: str
    command: Sequence[str]
    at_most: float | None = None
    remark: str = ""
    verify: Callable[[], None] | None = None
    """If it leaves something else than the others."""
    prepare: Callable[[], None] | None = None
    """If it needs something else than we do before each run."""
    slow: bool = False
    """So slow at this job that one pair must do."""

    @property
    def label(self) -> str:
        """The tool with its version, as tables show it."""
        known = f"{self.tool} {version(self.tool)}".strip()
        return f"{known}, {self.remark}" if self.remark else known


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What a job was to reach and what was measured. ``reached`` is ``None`` if that says nothing:
    a peer is missing, or the job was too small. ``timed`` if it is about time."""

    job: str
    to_reach: str
    measured: str
    reached: bool | None
    timed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What to do, and how we and others do it. ``prepare`` makes the target empty before each run;
    ``verify`` raises :class:`~benchmarks.measure.Failed` if a run left the job undone."""

    name: str
    title: str
    command: Sequence[str]
    peers: Sequence[Peer]
    at_most: float | None = None
    """Our own seconds, to be reached."""
    prepare: Callable[[], None] = nothing
    verify: Callable[[], None] = nothing
    rounds: int
    most_memory: int = 80_000_000
    """Bytes, to be reached."""
    most_disk: int | None = 0
    """Bytes beyond source, target and cache, to be reached; ``None`` where that is no aim."""
    goals: Callable[[], Sequence[Goal]] = tuple
    """What else was to be reached, told after the runs."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a job's runs gave: the pairs with each peer, none with one that is not installed; our
    runs ``alone``, if nobody else can do the job; or why we could not do it."""

    job: Job
    pairs: Sequence[tuple[Peer, Pairs]] = ()
    alone: Sequence[Run] = ()
    failure: str = ""

    @property
    def broken(self) -> bool:
        """Whether somebody who is here, we or a peer, did not do the job."""
        return bool(self.failure) or any(
            pairs.failure and pairs is not ABSENT for _, pairs in self.pairs
        )

    @property
    def ours(self) -> list[Run]:
        """All our own runs."""
        return [*self.alone, *(run for _, pairs in self.pairs for run in pairs.ours)]


def measure(job: Job, scratch: Scratch, servers: Callable[[], float] = float) -> Result:
    """Each peer in turn against us, until we fail. ``servers`` gives the seconds of processors that
    the registries have used."""
    ours = Attempt(job.command, job.prepare, job.verify, servers)
    pairs = []
    try:
        for peer in job.peers:
            prepare, verify = peer.prepare or job.prepare, peer.verify or job.verify
            theirs = Attempt(peer.command, prepare, verify, servers)
            rounds = 1 if peer.slow else job.rounds
            present = find(peer.tool) is not None
            pairs.append((peer, compare(ours, theirs, scratch, rounds) if present else ABSENT))
        done = any(each.ours for _, each in pairs)
        alone = [] if done else [ours.run(scratch) for _ in range(job.rounds)]
    except Failed as failure:
        return Result(job, failure=str(failure))
    return Result(job, pairs, alone)
