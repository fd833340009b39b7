"""Runs the steps of a release, in order, and tells how each ended."""

from __future__ import annotations

import time
from collections.abc import Iterator

from manyfest.release.steps.build import BUILD
from manyfest.release.steps.check import CHECK
from manyfest.release.steps.hook import HOOK
from manyfest.release.steps.preflight import PREFLIGHT
from manyfest.release.steps.publish import PUBLISH
from manyfest.release.steps.step import Outcome, Release, Step
from manyfest.release.steps.tags import TAGS

STEPS = (PREFLIGHT, HOOK, BUILD, CHECK, PUBLISH, TAGS)


def run(release: Release, steps: tuple[Step, ...] = STEPS) -> Iterator[Outcome]:
    """Each step's outcome as it ends. What a step raises ends the release; running it again goes
    on from there, since every step first looks whether it is done."""
    for step in steps:
        started = time.monotonic()
        reason = step.check(release)
        what = reason or step.run(release)
        yield Outcome(step.name, bool(reason), what, time.monotonic() - started)
