"""The page in the docs: what one run measured, and how."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from benchmarks.bench import Bench
from benchmarks.job import Goal, Result
from benchmarks.report import details, targets
from benchmarks.scratch import MEMORY
from benchmarks.tools import VERSIONS, machine, version

HOW = """\
Each job runs as whole processes, pair by pair: manyfest, a peer, manyfest, the peer, and so on; who
begins changes each time, and the first run of each is not counted. A ratio is our time by theirs
in the same pair; shown is the median of the pairs, with the smallest and the largest. Before each
run the target is empty, and so are home, caches and temporary folder of the tool; the source is
in the kernel's cache. After each run the result is verified: a tool that left something out has
failed. The peers have the flags that make them fastest at the same job. crane's `--no-clobber` is
not among them: it compares the names of tags only, not what they point at. Where registries are far
away crane is shown twice, as it comes, which the goal is for, and with its best number of jobs.

Memory is the most resident memory of the tool and of what it started. Disk is the most that it
had in files besides source, target and cache at any moment, deleted but open ones included, seen by
looking every 20 ms. Cache is what it left for its next run: ours are manifests, because registries
limit how often they are read. Registries are Debian's `docker-registry`, on loopback. A line that
is far away delays bytes by half of the round trip each way, and a new connection by one round trip;
it does not limit how much goes through, nor how many connections there are. The floor is curl,
moving the largest layers alone, all at once, and verifying nothing.

The registries run on the same processors as the tools. What they need to do their part is shown
too: a registry hashes what it is sent, and where that alone keeps the processors busy, no tool can
be quicker than the sum of both by the number of processors.

What a watch of ten thousand tags costs is no comparison, and is measured apart, by `python -m
benchmarks.watching` (with `--short` in seconds, for CI); [the guide](guides/watching.md) has its
figures."""


def page(
    results: Sequence[Result], goals: Sequence[Goal], bench: Bench, arguments: Sequence[str]
) -> str:
    """All of it, ready to be written. ``arguments`` are those that it was made with."""
    return "\n\n".join([
        "# Benchmarks",
        f"This page is made by `make bench ARGS='{' '.join(arguments)}'`;\nits figures are those of"
        " that one run.",
        summary(goals, bench),
        "## Each job",
        *(details(result) for result in results),
        "## How it is measured",
        HOW,
    ]) + "\n"  # fmt: skip


def summary(goals: Sequence[Goal], bench: Bench) -> str:
    """Where, when and with what it was run, and what was reached."""
    return f"{conditions(bench)}\n\n## To reach\n\n{targets(goals)}"


def conditions(bench: Bench) -> str:
    """The machine, the tools and the day."""
    on = "memory (tmpfs)" if bench.scratch.root.is_relative_to(MEMORY) else "disk"
    tools = ", ".join(f"{tool} {version(tool) or '(not installed)'}" for tool in VERSIONS)
    return (
        f"- {machine()}\n- registries and targets on {on}\n- {tools}\n"
        f"- {datetime.now(UTC):%Y-%m-%d}"
    )
