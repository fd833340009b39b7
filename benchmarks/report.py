"""The figures for people, as Markdown: what was to be reached and was, then each job's table."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence

from benchmarks.job import Goal, Job, Peer, Result
from benchmarks.measure import Pairs, Run


def goals(results: Sequence[Result]) -> list[Goal]:
    """Every goal of the jobs, then those that all of them share."""
    found = [goal for result in results for goal in _speed(result)]
    found += [goal for result in results for goal in result.job.goals()]
    found += _shared("peak memory", results, lambda run: run.memory, lambda job: job.most_memory)
    found += _shared(
        "disk beyond source, target and cache",
        results,
        lambda run: run.disk,
        lambda job: job.most_disk,
    )
    return found


def targets(found: Sequence[Goal]) -> str:
    """The goals as a table."""
    said = {True: "yes", False: "no", None: ""}
    lines = ["| job | to reach | measured | reached |", "|---|---|---|---|"]
    lines += [_row(goal.job, goal.to_reach, goal.measured, said[goal.reached]) for goal in found]
    return "\n".join(lines)


def details(result: Result) -> str:
    """One job: every tool's times, memory and disk."""
    title = f"### {result.job.title}"
    if result.failure:
        return f"{title}\n\n`{result.job.name}`: not done: {result.failure}"
    lines = [
        title,
        "",
        f"`{result.job.name}`, {_rounds(result)}.",
        "",
        "| | median s | min | max | processor s | registries' processor s | peak MB "
        "| disk beyond, MB | cache, MB | ours / theirs | min | max |",
        f"|{'---|' * 12}",
        _row("manyfest", *_times(result.ours), *_use(result.ours), "", "", ""),
        *(_peer(peer, pairs) for peer, pairs in result.pairs),
    ]
    failures = [f"{peer.tool}: {pairs.failure}" for peer, pairs in result.pairs if pairs.failure]
    return "\n".join([*lines, *(["", *failures] if failures else [])])


def _speed(result: Result) -> Iterator[Goal]:
    job = result.job
    if result.failure:
        yield Goal(job=job.title, to_reach="done", measured=result.failure, reached=False)
        return
    if job.at_most is not None:
        middle = statistics.median(run.seconds for run in result.ours)
        yield Goal(
            job=job.title,
            to_reach=f"≤ {job.at_most * 1000:.0f} ms",
            measured=f"{middle * 1000:.0f} ms",
            reached=middle <= job.at_most,
            timed=True,
        )
    for peer, pairs in result.pairs:
        if peer.at_most is not None:
            yield _against(job.title, peer, pairs, peer.at_most)


def _against(title: str, peer: Peer, pairs: Pairs, at_most: float) -> Goal:
    name = f"{peer.tool}, {peer.remark}" if peer.remark else peer.tool
    to_reach = f"≤ {at_most} of {name}"
    if pairs.failure:
        return Goal(job=title, to_reach=to_reach, measured=pairs.failure, reached=None)
    ratios = pairs.ratios()
    middle = statistics.median(ratios)
    return Goal(
        job=title,
        to_reach=to_reach,
        measured=f"{middle:.2f} ({min(ratios):.2f} to {max(ratios):.2f})",
        reached=middle <= at_most,
        timed=True,
    )


def _shared(
    title: str,
    results: Sequence[Result],
    used: Callable[[Run], int],
    allowed: Callable[[Job], int | None],
) -> Iterator[Goal]:
    """For the jobs that are allowed the same, the most that any of our runs used, and where."""
    limits = {limit for result in results if (limit := allowed(result.job)) is not None}
    for at_most in sorted(limits):
        those = [result for result in results if allowed(result.job) == at_most and result.ours]
        if those:
            yield _most(title, those, used, at_most)


def _most(title: str, results: Sequence[Result], used: Callable[[Run], int], at_most: int) -> Goal:
    most, where = max((used(run), result.job.name) for result in results for run in result.ours)
    return Goal(
        job=title,
        to_reach=f"≤ {at_most / 1e6:.0f} MB" if at_most else "0",
        measured=f"{_megabytes(most)} MB ({where})" if most else "0",
        reached=most <= at_most,
    )


def _rounds(result: Result) -> str:
    slow = "".join(f", 1 with {peer.tool}, which is slow" for peer in result.job.peers if peer.slow)
    return f"{result.job.rounds} pairs with each tool{slow}"


def _peer(peer: Peer, pairs: Pairs) -> str:
    if pairs.failure:
        return _row(peer.label, *[""] * 11)
    ratios = pairs.ratios()
    shown = [f"{ratio:.2f}" for ratio in (statistics.median(ratios), min(ratios), max(ratios))]
    return _row(peer.label, *_times(pairs.theirs), *_use(pairs.theirs), *shown)


def _times(runs: Sequence[Run]) -> list[str]:
    times = [run.seconds for run in runs]
    return [f"{time:.2f}" for time in (statistics.median(times), min(times), max(times))]


def _use(runs: Sequence[Run]) -> list[str]:
    memory = max(run.memory for run in runs)
    servers = statistics.median(run.servers for run in runs)
    return [
        f"{statistics.median(run.processor for run in runs):.2f}",
        f"{servers:.2f}" if servers else "",
        _megabytes(memory) if memory else "",
        _megabytes(max(run.disk for run in runs)),
        _megabytes(max(run.cache for run in runs)),
    ]


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.{1 if count > 1e6 else 3}f}" if count else "0"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
