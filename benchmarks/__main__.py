"""``make bench``: the jobs of moving images, measured against the peers that are installed.

The figures go to stdout as Markdown, what is being done to stderr. Exit code 1: a tool that is here
could not do a job, or we did not reach a goal; with ``--short`` the goals in time do not count.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from benchmarks.bench import FULL, SHORT, Bench
from benchmarks.builds import jobs as builds
from benchmarks.images import jobs
from benchmarks.job import Job, Result, measure
from benchmarks.page import page, summary
from benchmarks.profiling import profile
from benchmarks.releases import jobs as releases
from benchmarks.report import details, goals
from benchmarks.serving import jobs as serving
from benchmarks.startup import startup
from benchmarks.tools import find


def main() -> int:
    """Run what was asked for."""
    options = _options()
    if find("docker-registry") is None:
        print("nothing measured: docker-registry is not installed (Debian has it)")
        return 0
    with Bench(SHORT if options.short else FULL, options.rounds, options.folder) as bench:
        named = {**jobs(bench), **builds(), **releases(), **serving(), **startup()}
        if options.list:
            print("\n".join(named))
            return 0
        wanted = [options.profile] if options.profile else options.job
        chosen = _chosen(list(named), wanted)
        if not chosen:
            print(f"no job is named {', '.join(wanted)}; --list lists them", file=sys.stderr)
            return 2
        if options.profile:
            print(profile(named[chosen[0]](bench), bench.scratch))
            return 0
        results = []
        for name in chosen:
            print(f"{name} …", file=sys.stderr, flush=True)
            results.append(_measured(named[name](bench), bench))
        return _finish(results, bench, options)


def _chosen(names: list[str], wanted: list[str]) -> list[str]:
    """The jobs that are named, or whose names begin so where there is none of that name."""
    exact = [word for word in wanted if word in names]
    begun = tuple(word for word in wanted if word not in names)
    return [name for name in names if not wanted or name in exact or name.startswith(begun)]


def _measured(job: Job, bench: Bench) -> Result:
    try:
        result = measure(job, bench.scratch, bench.servers_processor)
    finally:
        bench.between_jobs()
    print(details(result), end="\n\n", flush=True)
    return result


def _finish(results: list[Result], bench: Bench, options: argparse.Namespace) -> int:
    found = goals(results)
    if options.short:
        found = [replace(goal, reached=None) if goal.timed else goal for goal in found]
    print(summary(found, bench))
    if options.write is not None:
        options.write.write_text(page(results, found, bench, sys.argv[1:]))
    missed = any(goal.reached is False for goal in found)
    return int(missed or any(result.broken for result in results))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--short", action="store_true", help="small inputs, two rounds")
    parser.add_argument(
        "--in", dest="folder", type=Path, metavar="FOLDER",
        help="keep registries and targets there, not in memory",
    )  # fmt: skip
    parser.add_argument("--rounds", type=int, metavar="N", help="pairs with each peer")
    parser.add_argument(
        "--job", action="append", default=[], metavar="NAME",
        help="only this job, or the jobs whose names begin so; may be repeated",
    )  # fmt: skip
    parser.add_argument("--list", action="store_true", help="list the jobs")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the page of the docs")
    parser.add_argument("--profile", metavar="NAME", help="where our own time goes in one job")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
