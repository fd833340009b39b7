"""A release's report and plan as text for people."""

from __future__ import annotations

from manyfest.cli.text import seconds, size, table
from manyfest.oci.reference import Name
from manyfest.release.report import PlanReport, PlatformReport, ReleaseReport
from manyfest.stores.registry.addresses import Place, place_of

_NUMBERS = frozenset({2, 3, 4})


def as_table(report: ReleaseReport) -> str:
    """The platforms, the tags, and the commands that work against what was published."""
    rows: list[tuple[str, ...]] = [("PLATFORM", "DIGEST", "SIZE", "LAYERS", "TIME")]
    rows += [_row(platform) for platform in report.platforms]
    parts = [table(rows, right=_NUMBERS)]
    for destination in report.destinations:
        uploaded = size(destination.uploaded) if destination.uploaded else "0 bytes"
        tags = ", ".join(destination.tags)
        parts.append(f"{destination.repository}\n  tags      {tags}\n  uploaded  {uploaded}")
    if report.destinations:
        parts.append(_commands(Name.parse(report.destinations[0].repository), report.version))
    return "\n\n".join(parts) + "\n"


def plan_text(plan: PlanReport) -> str:
    """What would be done, step by step."""
    commit = f", commit {plan.revision[:7]}" if plan.revision else ""
    dirty = ", and the work tree differs from it" if plan.dirty else ""
    lines = [f"release  {plan.name} {plan.version}{commit}{dirty}"]
    if plan.before:
        lines.append(f"run      {plan.before!r}, once for each platform")
    lines += [f"build    {platform}" for platform in plan.platforms]
    lines += [f"write    {plan.archive}", "check    every digest, platform and entrypoint"]
    lines += [f"publish  {place}" for place in plan.destinations]
    lines += [f"tag      {tag.tag}: {tag.reason}" for tag in plan.tags]
    return "\n".join(lines)


def _row(platform: PlatformReport) -> tuple[str, ...]:
    took = "-" if platform.seconds is None else seconds(platform.seconds)
    digest = platform.digest[: len("sha256:") + 12]
    return (platform.platform, digest, size(platform.size), str(platform.layers), took)


def _commands(name: Name, tag: str) -> str:
    """Docker and manyfest speak plain http to this machine unasked; skopeo must be told."""
    plain = "--tls-verify=false " if _is_loopback(name) else ""
    reference = f"{name.place}:{tag}"
    return "\n".join(
        [
            f"docker pull {reference}",
            f"skopeo inspect {plain}docker://{reference}",
            f"manyfest inspect {reference}",
        ]
    )


def _is_loopback(name: Name) -> bool:
    host = name.registry.rpartition(":")[0] if ":" in name.registry else name.registry
    return place_of(host.strip("[]")) is Place.LOOPBACK
