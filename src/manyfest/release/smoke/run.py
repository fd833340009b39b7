"""Carries out the smoke test: finds a runtime, tries the native platform and then the others."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from manyfest.build.backends.emulation import require_emulation
from manyfest.build.workspace import room
from manyfest.errors import BuildError, CheckFailed, ReleaseError
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.platform import Platform
from manyfest.progress import Progress
from manyfest.release.smoke.runtime import Session, SmokeRuntime
from manyfest.release.smoke.trial import Ran, Subject, Trial, native_first, shown, subjects_of
from manyfest.stores.base import Source
from manyfest.threads import together

AUTO = "auto"
_MEND = "mend one of these, or let 'check.smoke.runtime' name another: docker, podman or crun"


class Passed(Struct, frozen=True):
    """A smoke test that was passed: where, and by which runtime."""

    platforms: tuple[Platform, ...]
    runtime: str


def smoke_test(
    source: Source,
    root: Descriptor,
    trial: Trial,
    *,
    runtime: str = AUTO,
    folder: Path | None = None,
    progress: Progress,
    where: str = "",
) -> Passed:
    """Run the trial in the image of each platform below ``root``. Files lie in ``folder``, or where
    the system keeps temporary ones. ``where`` is where it was asked for, as errors name it.

    Raises :class:`~manyfest.errors.CheckFailed` for an image that does not pass,
    :class:`~manyfest.errors.ReleaseError` if it cannot be tried, and what ``source`` raises.
    """
    subjects = subjects_of(source, root)
    unused: dict[str, str] = {}
    with _asked_for(where):
        _require_words(subjects, trial)
        for each in runtimes(runtime):
            try:
                why = each.why_not() or _try(each, source, subjects, trial, folder, progress)
            except CheckFailed:
                _tell_unused(unused, progress)
                raise
            if not why:
                _tell_unused(unused, progress)
                return Passed(tuple(subject.platform for subject in subjects), each.name)
            unused[each.name] = why
        reasons = "; ".join(f"{name}: {why}" for name, why in unused.items())
        raise ReleaseError(f"the smoke test could not be run; {reasons}", mend=_MEND)


@contextmanager
def _asked_for(where: str) -> Iterator[None]:
    """Errors say where the test was asked for, and then of which platform they are."""
    try:
        yield
    except (CheckFailed, ReleaseError) as error:
        error.where = ": ".join(filter(None, (where, error.where)))
        raise


def _tell_unused(unused: Mapping[str, str], progress: Progress) -> None:
    """Why not another runtime; if there is none that works, the error says it."""
    for name, why in unused.items():
        progress.say(f"smoke test: {name} is not used: {why}")


def runtimes(name: str) -> list[SmokeRuntime]:
    """The runtime of that name; with ``auto`` all, in the order in which they are tried."""
    from manyfest.release.smoke.crun import Crun
    from manyfest.release.smoke.docker import Docker
    from manyfest.release.smoke.podman import Podman

    known: dict[str, Callable[[], SmokeRuntime]] = {
        "docker": Docker,
        "podman": Podman,
        "crun": Crun,
    }
    return [make() for each, make in known.items() if name in {AUTO, each}]


def _require_words(subjects: Sequence[Subject], trial: Trial) -> None:
    for subject in subjects:
        if not subject.words(trial):
            raise CheckFailed(
                "the smoke test has nothing to run: the image has no entrypoint",
                where=str(subject.platform),
                mend="name a command in 'check.smoke', or an entrypoint in the Dockerfile",
            )


def _try(
    runtime: SmokeRuntime,
    source: Source,
    subjects: Sequence[Subject],
    trial: Trial,
    folder: Path | None,
    progress: Progress,
) -> str:
    """Run the trial everywhere; why this runtime could not, if so.

    The first platform goes ahead alone: if not even that one starts, another runtime is tried.
    """
    if runtime.is_local:
        _require_emulation(subjects)
    ordered = native_first(subjects, runtime.here)
    with room(folder) as place, runtime.session(source, ordered, place, progress) as session:
        attempt = _Attempt(session, trial)
        first = attempt.run(ordered[:1])
        if first[0].trouble:
            return f"{ordered[0].platform}: {first[0].trouble}"
        ran = [*first, *attempt.run(ordered[1:])]
    _judge(ordered, ran, trial, runtime.name)
    return ""


class _Attempt(Struct, frozen=True):
    """The trial in one runtime."""

    session: Session
    trial: Trial

    def run(self, subjects: Sequence[Subject]) -> list[Ran]:
        """The trial in each image, as many at a time as there are processors.

        They are waited for after Ctrl-C too: they end soon, and none may outlive us.
        """
        if not subjects:
            return []
        with ThreadPoolExecutor(_processors(), thread_name_prefix="smoke") as pool:
            try:
                return together(pool, self._one, subjects, stop=self.session.stop)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _one(self, subject: Subject) -> Ran:
        return self.session.run(subject, self.trial)


def _require_emulation(subjects: Sequence[Subject]) -> None:
    for subject in subjects:
        try:
            require_emulation(subject.platform)
        except BuildError as error:
            raise ReleaseError(f"the smoke test {error.what}", mend=error.mend) from None


def _judge(subjects: Sequence[Subject], ran: Sequence[Ran], trial: Trial, name: str) -> None:
    """Raises for the first platform that did not pass, and names the others."""
    for subject, each in zip(subjects, ran, strict=True):
        if each.trouble:
            raise ReleaseError(
                f"the smoke test could not be run by {name}: {each.trouble}",
                where=str(subject.platform),
                mend=_MEND,
            )
    failed = [
        (subject, each) for subject, each in zip(subjects, ran, strict=True) if each.fault(trial)
    ]
    if not failed:
        return
    subject, first = failed[0]
    others = ", ".join(str(each.platform) for each, _ in failed[1:])
    raise CheckFailed(
        f"the smoke test failed: {shown(subject.words(trial))} {first.fault(trial)}"
        + (f" (nor did it pass on {others})" if others else ""),
        where=str(subject.platform),
        mend="give it more time with 'check.smoke.timeout'" if first.timed_out else "",
        excerpt="\n".join(
            f"{each.platform} | {line}" for each, ended in failed for line in ended.lines
        ),
    )


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
