"""Where our own time goes in a job: importing, and then function by function, in all threads.

``python -m benchmarks.profiling FILE ARGUMENTS…`` is manyfest's command line with its profile
written to FILE.
"""

from __future__ import annotations

import cProfile
import io
import pstats
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress

from benchmarks.job import Job
from benchmarks.scratch import Scratch
from benchmarks.tools import HERE

SHOWN = 25


def profile(job: Job, scratch: Scratch) -> str:
    """Our command alone, three times: as it is, with its imports timed, and under the profiler."""
    arguments = list(job.command[1:])
    dump = scratch.notes / "profile"
    plain = _run([sys.executable, "-m", "manyfest", *arguments], job, scratch)
    imports = _run([sys.executable, "-X", "importtime", "-m", "manyfest", *arguments], job, scratch)
    _run([sys.executable, "-m", "benchmarks.profiling", str(dump), *arguments], job, scratch)
    shown = io.StringIO()
    pstats.Stats(str(dump), stream=shown).sort_stats("tottime").print_stats(SHOWN)
    return "\n\n".join([
        f"## {job.title}\n\n{plain[0]}",
        "The slowest imports, themselves and with what they import, in µs",
        slowest(imports[1]),
        f"All threads; waiting counts as time\n\n{shown.getvalue().strip()}",
    ])  # fmt: skip


def slowest(report: str) -> str:
    """The lines of ``-X importtime`` that took longest by themselves."""
    rows = []
    for line in report.splitlines():
        itself, _, rest = line.removeprefix("import time:").partition("|")
        with suppress(ValueError):
            rows.append((int(itself), f"{int(itself):>8} |{rest}"))
    return "\n".join(text for _, text in sorted(rows, reverse=True)[:SHOWN])


def _run(command: Sequence[str], job: Job, scratch: Scratch) -> tuple[str, str]:
    scratch.clear()
    job.prepare()
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=scratch.work,
        env={**scratch.environment(), "PYTHONPATH": str(HERE)},
    )  # fmt: skip
    elapsed, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(done.stderr.strip())
    user, system = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime
    return (
        f"{elapsed:.2f} s, of the processor {user:.2f} s user, {system:.2f} s system",
        done.stderr,
    )


def _profiled(file: str, arguments: Sequence[str]) -> None:
    """The command line, with a profiler of its own in each thread."""
    from manyfest.cli.main import run as manyfest

    profilers = [cProfile.Profile()]
    run = threading.Thread.run

    def run_profiled(thread: threading.Thread) -> None:
        own = cProfile.Profile()
        profilers.append(own)
        own.runcall(run, thread)

    threading.Thread.run = run_profiled  # type: ignore[method-assign, assignment]
    profilers[0].runcall(manyfest, list(arguments))
    total = pstats.Stats(profilers[0])
    for other in profilers[1:]:
        total.add(other)
    total.dump_stats(file)


if __name__ == "__main__":
    _profiled(sys.argv[1], sys.argv[2:])
