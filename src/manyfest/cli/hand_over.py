"""What verbs that release have in common at their end: files for CI, and messages to people."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click
from msgspec import Struct

if TYPE_CHECKING:
    from manyfest.cli.session import Session
    from manyfest.errors import ManyfestError, ReleaseError
    from manyfest.notify.message import Message
    from manyfest.release.reporting.notify import Recipient
    from manyfest.release.reporting.report import ReleaseReport
    from manyfest.release.steps.step import Outcome, Release
    from manyfest.release.tags.plan import PlannedTag
    from manyfest.release.tags.report import VersionReport


F = TypeVar("F", bound=Callable[..., object])


class HandOver(Struct, frozen=True):
    """Where what became of a release is written, besides where the environment says."""

    report: Path | None = None
    dotenv: Path | None = None

    @contextmanager
    def of(
        self, session: Session, release: Release, outcomes: Sequence[Outcome], *, tell: bool = True
    ) -> Iterator[None]:
        """To be entered around the steps of a release, whose ``outcomes`` are added as they end.
        However they end, the job's files are written. People are told if ``tell``, but not of what
        whoever sits there has typed: a wrong configuration, Ctrl-C.

        Raises :class:`~manyfest.errors.ReleaseError` of its own only if all steps were done and a
        file that was asked for cannot be written: a later job would miss it.
        """
        from manyfest.errors import ManyfestError, UsageError
        from manyfest.release.reporting.notify import recipients

        told = recipients(release.config) if tell else ()
        ending = _Ending(self, session, release, outcomes, told)
        if told:
            say_obstacles(session, release)
        try:
            yield
        except KeyboardInterrupt:
            ending.failed(_interrupted(), tell=False)
            raise
        except ManyfestError as error:
            ending.failed(error, tell=not isinstance(error, UsageError))
            raise
        except OSError as error:
            where = str(error.filename or "")
            ending.failed(ManyfestError(error.strerror or str(error), where=where), tell=True)
            raise
        ending.released()


class _Ending(Struct, frozen=True):
    """What is done when a release has ended, for one run of a verb."""

    files: HandOver
    session: Session
    release: Release
    outcomes: Sequence[Outcome]
    told: Sequence[Recipient]

    def released(self) -> None:
        from manyfest.errors import ReleaseError
        from manyfest.release.reporting.messages import released
        from manyfest.release.reporting.report import release_report

        report = release_report(self.release, self.outcomes)
        unwritten = self._write(report, _notes(self.release))
        if report.changed:  # else it was released before, and people were told then
            self._tell(released(report, os.environ))
        if unwritten:
            raise ReleaseError(
                f"all is done, but {'; '.join(map(str, unwritten))}",
                mend="run the same command again once that can be written",
            )

    def failed(self, error: ManyfestError, *, tell: bool) -> None:
        from manyfest.release.reporting.messages import failed
        from manyfest.release.reporting.report import release_report

        report = release_report(self.release, self.outcomes, error)
        for each in self._write(report):
            self._warn(f"{each.where} {each.what}")
        if tell:
            self._tell(failed(report, os.environ))

    def _write(self, report: ReleaseReport, notes: str = "") -> list[ReleaseError]:
        """What became of the files that were asked for and cannot be written."""
        from manyfest.cli.summary import summary
        from manyfest.errors import ReleaseError
        from manyfest.release.reporting.hand_over import (
            give_outputs,
            give_summary,
            release_outputs,
            write_dotenv,
            write_report,
        )

        outputs = release_outputs(report)
        give_outputs(outputs, os.environ, self._warn)
        give_summary(summary(report, notes), os.environ, self._warn)
        writers: list[tuple[Path | None, Callable[[Path], None]]] = [
            (self.files.report, lambda path: write_report(path, report)),
            (self.files.dotenv, lambda path: write_dotenv(path, outputs, self._warn)),
        ]
        unwritten: list[ReleaseError] = []
        for path, write in writers:
            try:
                if path is not None:
                    write(path)
            except ReleaseError as error:
                unwritten.append(error)
        return unwritten

    def _tell(self, message: Message) -> None:
        from manyfest.release.reporting.notify import tell

        tell(self.told, message, self._warn)

    def _warn(self, message: str) -> None:
        _warn(self.session, message)


def say_obstacles(session: Session, release: Release) -> None:
    """Say who will not be told of a release, and why, while there is nothing to tell yet."""
    from manyfest.release.reporting.notify import obstacles, recipients

    for obstacle in obstacles(recipients(release.config)):
        _warn(session, obstacle)


def give_version(session: Session, report: VersionReport, planned: Sequence[PlannedTag]) -> None:
    """Tell the job's later steps what ``manyfest version`` tells."""
    from manyfest.release.reporting.hand_over import give_outputs, version_outputs

    outputs = version_outputs(report, planned)
    give_outputs(outputs, os.environ, lambda message: _warn(session, message))


def _interrupted() -> ManyfestError:
    from manyfest.cli.main import EXIT_INTERRUPTED
    from manyfest.errors import ManyfestError

    error = ManyfestError("interrupted", mend="run the same command again to go on")
    error.exit_code = EXIT_INTERRUPTED
    return error


def _notes(release: Release) -> str:
    """What changed, without a title, for the job's page if there is one; nothing where git cannot
    tell, as outside a repository."""
    from manyfest.errors import ManyfestError
    from manyfest.release.versions.notes import notes

    if os.environ.get("GITHUB_STEP_SUMMARY"):
        with suppress(ManyfestError):
            return notes(release.config, release.version, titled=False)
    return ""


def _warn(session: Session, message: str) -> None:
    session.say(f"warning: {message}")


def hand_over_options(function: Callable[..., None]) -> Callable[..., None]:
    """Give a verb ``--report`` and ``--dotenv``, and its function a :class:`HandOver`."""

    @_file_option("--report", help="Write the report there as JSON, after a failure too.")
    @_file_option("--dotenv", help="Write MANYFEST_VERSION, MANYFEST_DIGEST, … there, for GitLab.")
    @functools.wraps(function)
    def wrapped(*, report: Path | None, dotenv: Path | None, **rest: object) -> None:
        function(hand_over=HandOver(report, dotenv), **rest)

    return wrapped


def _file_option(name: str, *, help: str) -> Callable[[F], F]:  # noqa: A002 - click's own word
    """A file that is written at the end; it is better to know beforehand that it cannot be."""
    kind = click.Path(dir_okay=False, writable=True, path_type=Path)
    return click.option(name, metavar="FILE", type=kind, callback=_require_folder, help=help)


def _require_folder(
    context: click.Context, parameter: click.Parameter, path: Path | None
) -> Path | None:
    if path is not None and not path.parent.is_dir():
        raise click.BadParameter(f"there is no folder {str(path.parent)!r}", context, parameter)
    return path
