"""What people are told of a release, in the words of a short message. It is Markdown where that is
known: Gotify's page shows a bare address as text that leads nowhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from manyfest.notify.message import HIGH, Message
from manyfest.oci.reference import Name
from manyfest.release.reporting.links import page_of, run_page
from manyfest.release.reporting.report import ErrorReport, ReleaseReport

if TYPE_CHECKING:
    from manyfest.release.published.rollback import RollbackReport

_LONGEST = 1000
"""Characters of an error: messages of some services may not be long."""


def released(report: ReleaseReport, environ: Mapping[str, str]) -> Message:
    """That a release is out, where, and under which tags."""
    places = [place.repository for place in report.destinations]
    return Message.of_lines(
        f"{report.name} {report.version} is released",
        (
            ", ".join(each.platform for each in report.platforms),
            *(f"{each.repository}: {', '.join(each.tags)}" for each in report.destinations),
            report.digest,
        ),
        link=_page(places) or run_page(environ),
        tone="success",
        in_markdown=True,
    )


def failed(report: ReleaseReport, environ: Mapping[str, str]) -> Message:
    """That a release failed, and why; the error says where the tags stand."""
    return Message.of_lines(
        f"{report.name} {report.version} was not released",
        (_line(report.error),) if report.error else (),
        link=run_page(environ),
        tone="failure",
        priority=HIGH,
        in_markdown=True,
    )


def rolled_back(done: RollbackReport, environ: Mapping[str, str]) -> Message:
    """That moving tags are back at an earlier version, and which stay where they are."""
    moved = [each.reference for each in done.changed if each.digest]
    gone = [f"{each.reference} is taken away" for each in done.changed if not each.digest]
    left = [f"{each} was new and stays: it may still hold {done.version}" for each in done.left]
    theirs = [f"{each}: somebody else has moved it on" for each in done.moved_on]
    places = [Name.parse(each.reference).place for each in done.changed]
    since = f" from {done.version}" if done.version else ""
    title = f"{done.name} is {'back' if done.is_back else 'moved'}{since} to {done.target}"
    if done.is_all_gone and done.version:
        title = f"{done.name} {done.version} is taken back"
    return Message.of_lines(
        title,
        (*moved, *gone, *left, *theirs),
        link=_page(places) or run_page(environ),
        tone="warning",
        in_markdown=True,
    )


def _line(error: ErrorReport) -> str:
    text = f"{error.where}: {error.what}" if error.where else error.what
    text = f"{text}; {error.mend}" if error.mend else text
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _page(places: Sequence[str]) -> str:
    """The first page that a registry has of one of these repositories."""
    pages = (page_of(Name.parse(place)) for place in places)
    return next(filter(None, pages), "")
