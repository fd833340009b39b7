"""A release as Markdown, for the page of the CI job that ran it."""

from __future__ import annotations

from collections.abc import Iterator

from manyfest.cli.text import size
from manyfest.markdown import code, escaped, table
from manyfest.oci.reference import Name
from manyfest.release.reporting.links import page_of
from manyfest.release.reporting.report import DestinationReport, ReleaseReport


def summary(report: ReleaseReport, notes: str = "") -> str:
    """The platforms, the tags in each registry, and commands that pull it; ``notes`` are Markdown
    already. Of a release that failed: why, and where the tags stand."""
    parts = _failed(report) if report.error else _released(report, notes)
    return "\n\n".join(filter(None, parts)) + "\n"


def _released(report: ReleaseReport, notes: str) -> Iterator[str]:
    commit = f", commit {code(report.revision[:7])}" if report.revision else ""
    yield f"## {escaped(f'{report.name} {report.version}')}"
    yield f"{code(report.digest)}{commit}"
    yield table(
        ("Platform", "Digest", "Size"),
        [(each.platform, code(each.digest), size(each.size)) for each in report.platforms],
    )
    places = [place for place in report.destinations if place.references]
    if places:
        yield table(("Repository", "Tags"), list(map(_tags, places)))
        pulls = [f"docker pull {Name.parse(place.references[0].reference)}" for place in places]
        yield "\n".join(["```", *pulls, "```"])
    yield "\n".join(
        f"- {code(f'{place.repository}:{kept.tag}')} stays where it is: {escaped(kept.reason)}"
        for place in report.destinations
        for kept in place.kept
    )
    yield notes.strip()


def _failed(report: ReleaseReport) -> Iterator[str]:
    yield f"## {escaped(f'{report.name} {report.version} was not released')}"
    if report.error:
        where = f"{code(report.error.where)}: " if report.error.where else ""
        mend = f"; {escaped(report.error.mend)}" if report.error.mend else ""
        yield f"{where}{escaped(report.error.what)}{mend}"
    if report.standing:
        rows = [(code(each.reference), escaped(each.standing)) for each in report.standing]
        yield table(("Tag", "Stands"), rows)


def _tags(place: DestinationReport) -> tuple[str, str]:
    page = page_of(Name.parse(place.repository))
    shown = f"[{escaped(place.repository)}]({page})" if page else escaped(place.repository)
    return shown, " ".join(code(each.tag) for each in place.references)
