"""Hands a release over to the CI job that ran it: files that later steps and people read.

GitHub names two in the environment, and Forgejo and Gitea do as GitHub does: ``GITHUB_OUTPUT`` for
values, ``GITHUB_STEP_SUMMARY`` for Markdown. GitLab takes a dotenv report, a file that its job
names. What the environment names cannot fail a release: if it cannot be written, that is said. A
file that was asked for is an error then.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from manyfest.errors import ReleaseError
from manyfest.oci import json
from manyfest.release.reporting.report import ReleaseReport
from manyfest.release.tags.plan import PlannedTag
from manyfest.release.tags.report import VersionReport

Warn = Callable[[str], None]

_LARGEST_SUMMARY = 1_000_000
"""Bytes; GitHub shows none that is larger than 1 MiB."""

_LARGEST_OUTPUT = 400_000
"""Characters: a job's outputs may have 1 MB in all, counted as UTF-16."""

_LARGEST_DOTENV = 5_000
"""Bytes; GitLab refuses a file of more than 5 KiB, and the job with it."""


def release_outputs(report: ReleaseReport) -> dict[str, str]:
    """What a later step may want to know: ``tags`` and ``references`` have a line for each, and
    ``json`` is the whole report."""
    references = [each for place in report.destinations for each in place.references]
    return {
        "outcome": report.outcome,
        "version": report.version,
        "revision": report.revision,
        "digest": report.digest,
        "tags": "\n".join(dict.fromkeys(each.tag for each in references)),
        "references": "\n".join(each.reference for each in references),
        "json": json.dumps(report).decode(),
    }


def version_outputs(report: VersionReport, planned: Sequence[PlannedTag]) -> dict[str, str]:
    """The same of a version that is not released yet: ``tags`` are those that a release would
    set in one repository at least. The report has a verdict on each that is ``planned``."""
    verdicts = zip(planned, report.tags, strict=True)
    tags = (tag.tag for tag, verdict in verdicts if verdict.moves or not (tag.moves or tag.skipped))
    return {
        "version": report.version,
        "revision": report.revision,
        "prerelease": "true" if report.prerelease else "false",
        "tags": "\n".join(tags),
    }


def give_outputs(outputs: Mapping[str, str], environ: Mapping[str, str], warn: Warn) -> None:
    """Append to the file that ``GITHUB_OUTPUT`` names, if it does. What a value holds cannot end
    it or begin another: nobody knows the line that does."""
    path = environ.get("GITHUB_OUTPUT", "")
    if not path:
        return
    parts = []
    for key, value in outputs.items():
        if len(value) > _LARGEST_OUTPUT:
            warn(f"the output {key!r} is left out: it has {len(value):,} characters; use --report")
            continue
        end = f"end-{secrets.token_hex(16)}"
        parts.append(f"{key}<<{end}\n{value}\n{end}\n")
    _append(path, "".join(parts), warn)


def give_summary(markdown: str, environ: Mapping[str, str], warn: Warn) -> None:
    """Append to the file that ``GITHUB_STEP_SUMMARY`` names, if it does."""
    path = environ.get("GITHUB_STEP_SUMMARY", "")
    if path:
        _append(path, _cut(markdown), warn)


def write_dotenv(path: Path, outputs: Mapping[str, str], warn: Warn) -> None:
    """Write ``MANYFEST_VERSION`` and so on, a line each; what are lines in ``outputs`` is parted by
    blanks. What would make the file too large for GitLab is left out.

    Raises :class:`~manyfest.errors.ReleaseError` if it cannot be written."""
    lines: list[str] = []
    for key, value in outputs.items():
        if key == "json":
            continue
        line = f"MANYFEST_{key.upper()}={' '.join(value.split())}\n"
        if len("".join(lines).encode()) + len(line.encode()) > _LARGEST_DOTENV:
            warn(f"{path}: MANYFEST_{key.upper()} is left out, as GitLab takes no more than 5 KB")
            continue
        lines.append(line)
    _write(path, "".join(lines), "w")


def write_report(path: Path, report: ReleaseReport) -> None:
    """Write the report as JSON. Raises :class:`~manyfest.errors.ReleaseError` if it cannot be."""
    import msgspec

    _write(path, msgspec.json.format(json.dumps(report), indent=2).decode() + "\n", "w")


def _cut(markdown: str) -> str:
    """The text, without its last lines if it is too large."""
    raw = markdown.encode()
    if len(raw) <= _LARGEST_SUMMARY:
        return markdown
    kept = raw[:_LARGEST_SUMMARY].rpartition(b"\n")[0]
    return kept.decode(errors="ignore") + "\n\n…\n"


def _append(path: str, text: str, warn: Warn) -> None:
    try:
        _write(Path(path), text, "a")
    except ReleaseError as error:
        warn(f"{error.where} {error.what}")


def _write(path: Path, text: str, mode: str) -> None:
    try:
        with path.open(mode, encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
        reason = error.strerror if isinstance(error, OSError) else error
        raise ReleaseError(f"could not be written: {reason}", where=str(path)) from None
