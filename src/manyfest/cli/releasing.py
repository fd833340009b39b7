"""What ``release``, ``stage`` and ``publish`` share: where they publish, the running of a release's
steps, and its report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing
from typing import TYPE_CHECKING, TypeVar

import click

from manyfest.cli.interrupts import interruptible
from manyfest.cli.progress import Titled
from manyfest.cli.project import outcome_line, parse_repository

if TYPE_CHECKING:
    from manyfest.cli.hand_over import HandOver
    from manyfest.cli.session import Session
    from manyfest.oci.reference import Name, Reference
    from manyfest.progress import Progress
    from manyfest.release.project.config import Config
    from manyfest.release.reporting.report import ReleaseReport
    from manyfest.release.steps.step import Outcome, Release, Step
    from manyfest.release.versions.occasion import Occasion
    from manyfest.release.versions.version import Version
    from manyfest.stores.open import Stores

F = TypeVar("F", bound=Callable[..., object])


def to_option(doing: str) -> Callable[[F], F]:
    """``--to``: the repositories for this run. ``doing`` begins the help: ``Publish``."""
    return click.option(
        "--to", multiple=True, metavar="REPO", help=f"{doing} here, not where 'publish' says."
    )


def repositories_of(config: Config, to: Sequence[str]) -> tuple[Name, ...]:
    """Those that ``--to`` names, each once, or the project's own."""
    return tuple(dict.fromkeys(map(parse_repository, to))) or config.publish


def whole_release(
    config: Config,
    version: Version,
    occasion: Occasion,
    stores: Stores,
    *,
    to: Sequence[str],
    taken_from: Reference | None = None,
) -> Release:
    """What the steps work on that release all platforms under all tags."""
    from manyfest.progress import NoProgress
    from manyfest.release.destinations import destinations
    from manyfest.release.steps.step import Release
    from manyfest.release.tags.plan import plan_tags

    return Release(
        config=config,
        version=version,
        tags=plan_tags(config, version, occasion),
        destinations=destinations(config, repositories_of(config, to)),
        archive=config.archive_path(version),
        stores=stores,
        progress=NoProgress(),
        taken_from=taken_from,
    )


def carry_out(
    session: Session,
    release: Release,
    steps: tuple[Step, ...],
    shown: AbstractContextManager[Progress],
    hand_over: HandOver,
    *,
    tell: bool = True,
) -> ReleaseReport:
    """Run the steps, with their progress ``shown``; Ctrl-C ends them. However they end, that is
    handed over, and people are told if ``tell``."""
    from manyfest.release.reporting.report import release_report
    from manyfest.release.run import run

    outcomes: list[Outcome] = []
    with (
        interruptible(),
        closing(release),
        hand_over.of(session, release, outcomes, tell=tell),
        shown as progress,
    ):
        release.progress = Titled(progress, lambda: steps[len(outcomes)].name)
        for outcome in run(release, steps):
            outcomes.append(outcome)
            progress.say(outcome_line(outcome))
    return release_report(release, outcomes)


def show_report(session: Session, report: ReleaseReport) -> None:
    """Print it for people, and the digest alone on the last line."""
    from manyfest.cli.release_report import as_table

    session.out(as_table(report))
    session.out(report.digest)
