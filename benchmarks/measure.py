"""Timing commands as whole processes, turn by turn, so that a change in the machine's speed hits
both sides."""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Run:
    """One run: wall-clock seconds, and the peak memory of the process in megabytes."""

    seconds: float
    megabytes: float


@dataclass(frozen=True, slots=True)
class Contender:
    """A command with a name; ``prepare`` runs before each run and is not timed."""

    name: str
    command: list[str]
    prepare: Callable[[], None]


def run_once(command: list[str]) -> Run:
    """Run the command; if it fails, stop, with what it said."""
    with tempfile.TemporaryFile() as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
        _, status, usage = os.wait4(process.pid, 0)
        elapsed = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            said = output.read().decode(errors="replace")
            raise SystemExit(f"{' '.join(command)} failed:\n{said}")
    return Run(elapsed, usage.ru_maxrss / 1024)


def compare(contenders: list[Contender], rounds: int) -> dict[str, list[Run]]:
    """One run of each not counted, then ``rounds`` of each, in turn."""
    runs: dict[str, list[Run]] = {contender.name: [] for contender in contenders}
    for turn in range(rounds + 1):
        for contender in contenders:
            contender.prepare()
            run = run_once(contender.command)
            if turn:
                runs[contender.name].append(run)
    return runs


def report(title: str, runs: dict[str, list[Run]]) -> str:
    """A table in Markdown. The ratio is the median of the rounds' own ratios to the first row."""
    ours = next(iter(runs.values()))
    lines = [
        f"### {title}",
        "",
        "| | median s | min | max | peak MB | ours / theirs |",
        "|---|---|---|---|---|---|",
    ]
    for name, theirs in runs.items():
        times = [run.seconds for run in theirs]
        ratio = statistics.median(a.seconds / b.seconds for a, b in zip(ours, theirs, strict=True))
        peak = max(run.megabytes for run in theirs)
        shown = "" if theirs is ours else f"{ratio:.2f}"
        lines.append(
            f"| {name} | {statistics.median(times):.2f} | {min(times):.2f} | {max(times):.2f}"
            f" | {peak:.0f} | {shown} |"
        )
    return "\n".join(lines)
