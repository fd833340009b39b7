"""Runs the steps of a release, in order, and tells how each ended."""

from __future__ import annotations

import time
from collections.abc import Iterator

from manyfest.errors import ManyfestError, ReleaseError
from manyfest.release.resume.unfinished import put_back_unfinished
from manyfest.release.steps.build import BUILD
from manyfest.release.steps.check import CHECK
from manyfest.release.steps.hook import HOOK
from manyfest.release.steps.origin import ORIGIN
from manyfest.release.steps.preflight import PREFLIGHT
from manyfest.release.steps.publish import PUBLISH
from manyfest.release.steps.smoke import SMOKE
from manyfest.release.steps.step import Outcome, Release, Step
from manyfest.release.steps.tags import TAGS

STEPS = (PREFLIGHT, HOOK, BUILD, ORIGIN, CHECK, SMOKE, PUBLISH, TAGS)


def run(release: Release, steps: tuple[Step, ...] = STEPS) -> Iterator[Outcome]:
    """Each step's outcome as it ends. What a step raises ends the release; running it again goes
    on from there, since every step first looks whether it is done. Moving tags that an earlier run
    has moved before it was killed are put back then."""
    for step in steps:
        try:
            outcome = _outcome(release, step)
        except (ManyfestError, OSError, KeyboardInterrupt) as error:
            put_back_unfinished(release, error)
            raise
        yield outcome


def _outcome(release: Release, step: Step) -> Outcome:
    started = time.monotonic()
    reason = step.check(release)
    what = reason or step.run(release)
    if not reason:
        _note_end(release, step, what)
    return Outcome(step.name, bool(reason), what, time.monotonic() - started)


def _note_end(release: Release, step: Step, what: str) -> None:
    """Write down that a step ended, once there is an image that was found good, unless nothing is
    left to be done with it. What was done is done, whether that can be written or not."""
    if not release.checked or release.settled:
        return
    try:
        release.open_journal().note_end(step.name, what)
    except ReleaseError as error:
        release.progress.say(f"warning: {error}")
