"""A release's report and plan as text for people."""

from __future__ import annotations

import shlex

from manyfest.cli.text import escaped, seconds, size, table
from manyfest.oci.reference import Name
from manyfest.release.reporting.report import PlanReport, PlatformReport, ReleaseReport

_NUMBERS = frozenset({2, 3, 4})


def as_table(report: ReleaseReport) -> str:
    """The platforms, the tags, and the commands that work against what was published."""
    rows: list[tuple[str, ...]] = [("PLATFORM", "DIGEST", "SIZE", "LAYERS", "TIME")]
    rows += [_row(platform) for platform in report.platforms]
    parts = [table(rows, right=_NUMBERS)]
    for destination in report.destinations:
        uploaded = size(destination.uploaded) if destination.uploaded else "0 bytes"
        tags = ", ".join(destination.tags) or "none"
        lines = [destination.repository, f"  tags      {tags}", f"  uploaded  {uploaded}"]
        lines += [
            f"  not set   {kept.tag}: {kept.reason.removeprefix('skipped: ')}"
            for kept in destination.kept
        ]
        parts.append(escaped("\n".join(lines)))
    if report.destinations:
        parts.append(_commands(report))
    return "\n\n".join(parts) + "\n"


def plan_text(plan: PlanReport, verb: str = "release") -> str:
    """What ``verb`` would do, step by step."""
    commit = f", commit {plan.revision[:7]}" if plan.revision else ""
    dirty = ", and the work tree differs from it (--allow-dirty)" if plan.dirty else ""
    lines = [f"{verb:<8} {plan.name} {plan.version}{commit}{dirty}"]
    if plan.taken_from:
        lines.append(f"take     {plan.taken_from}")
    if plan.before:
        lines.append(f"run      {plan.before!r}, once for each platform")
    if plan.archive:
        lines += [f"build    {platform}" for platform in plan.platforms]
        lines.append(f"write    {plan.archive}")
    lines.append("check    every digest, platform, program and entrypoint")
    if plan.smoke:
        lines.append(f"try      {shlex.join(plan.smoke)}, in the image of each platform")
    lines += [f"publish  {place}" for place in plan.destinations]
    lines += [f"tag      {tag.tag}: {tag.reason}" for tag in plan.tags]
    lines += [f"tell     {label}" for label in plan.notify]
    return escaped("\n".join(lines))


def _row(platform: PlatformReport) -> tuple[str, ...]:
    took = "-" if platform.seconds is None else seconds(platform.seconds)
    digest = platform.digest[: len("sha256:") + 12]
    return (platform.platform, digest, size(platform.size), str(platform.layers), took)


def _commands(report: ReleaseReport) -> str:
    """What can be typed against the first repository. Docker and manyfest speak plain http to this
    machine unasked; skopeo must be told."""
    first = report.destinations[0]
    name = Name.parse(first.repository)
    plain = "--tls-verify=false " if _is_loopback(name) else ""
    tag = f":{first.tags[0]}" if first.tags else f"@{report.digest}"
    return "\n".join(
        [
            f"docker pull {name}{tag}",
            f"skopeo inspect {plain}docker://{name}{tag}",
            f"manyfest inspect {name}{tag}",
        ]
    )


def _is_loopback(name: Name) -> bool:
    from manyfest.stores.registry.addresses import Place, place_of
    from manyfest.stores.registry.connect import host_of

    return place_of(host_of(name.registry)) is Place.LOOPBACK
