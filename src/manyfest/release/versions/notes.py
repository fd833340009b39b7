"""The section of a changelog for one version, in Markdown, from its commits.

Anybody may have written their messages: what they hold is shown, and is no markup but for code
between backticks.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from manyfest.markdown import escaped_but_code
from manyfest.release.project.metadata import web_address
from manyfest.release.versions import git
from manyfest.release.versions.commits import QUIET, Change, changes
from manyfest.release.versions.proposal import folders_of
from manyfest.release.versions.version import Tagged, Version, parse_version, reachable_versions

if TYPE_CHECKING:
    from manyfest.release.project.config import Config

_GROUPS = {"feat": "Features", "fix": "Fixes", "perf": "Performance"}
_BREAKING = "Breaking changes"
_OTHER = "Other changes"
_ORDER = (_BREAKING, *_GROUPS.values(), _OTHER)

_FORGES = {
    "github.com": "github",
    "gitlab.com": "gitlab",
    "gitea.com": "gitea",
    "codeberg.org": "forgejo",
    "bitbucket.org": "bitbucket",
}
_PAGES = {
    "github": "/commit/",
    "gitea": "/commit/",
    "forgejo": "/commit/",
    "gitlab": "/-/commit/",
    "bitbucket": "/commits/",
}

_LONGEST = 500
"""Characters of a message that are shown."""


def notes(
    config: Config,
    version: Version,
    environment: Mapping[str, str] = os.environ,
    *,
    titled: bool = True,
) -> str:
    """What changed up to the commit that is checked out, which is ``version``: since the final
    version before it, or if it is a pre-release itself, since any version before it. The first
    version has all commits. ``titled``: the version and its day stand above.

    Raises :class:`~manyfest.errors.ReleaseError` if git cannot tell, as in a shallow clone.
    """
    before = _previous(version, reachable_versions(config.root, config.version_prefix, environment))
    since = before.tag if before else ""
    found = changes(git.commits_since(config.root, since, folders_of(config)))
    project = web_address(git.remote(config.root))
    pages = commit_pages(project, environment)
    return section(version, found, pages) if titled else in_groups(found, pages)


def section(version: Version, found: Iterable[Change], pages: str = "") -> str:
    """The changes under the version and its day. The digest of a commit, put after ``pages``,
    makes the address of its page; where ``pages`` is empty there are no links."""
    return f"{_title(version)}\n\n{in_groups(found, pages)}"


def in_groups(found: Iterable[Change], pages: str = "") -> str:
    """The changes alone, each kind under a heading of its own."""
    groups: dict[str, list[str]] = {}
    for change in found:
        if change.bump:
            groups.setdefault(_group(change), []).append(_entry(change, pages))
    kinds = (f"### {name}\n\n" + "\n".join(groups[name]) for name in _ORDER if name in groups)
    return "\n\n".join(kinds) or "Nothing that users would notice."


def commit_pages(project: str, environment: Mapping[str, str] = os.environ) -> str:
    """Where in the web the commits of the project with this address are shown, up to the digest;
    empty if it is not known what serves it."""
    host = urlsplit(project).hostname or ""
    forge = _FORGES.get(host) or _forge_of_ci(project, environment)
    if not forge:  # git.example.org tells nothing, gitlab.example.org does
        forge = next((part for part in host.split(".") if part in _PAGES), "")
    return f"{project}{_PAGES[forge]}" if forge in _PAGES else ""


def _forge_of_ci(project: str, environment: Mapping[str, str]) -> str:
    """What CI says about the server that it works for, if the project is there."""
    said = (
        ("GITHUB_SERVER_URL", "github"),
        ("CI_SERVER_URL", "gitlab"),
        ("CI_FORGE_URL", environment.get("CI_FORGE_TYPE", "")),
    )
    urls = ((environment.get(name, "").rstrip("/"), kind) for name, kind in said)
    return next((kind for url, kind in urls if url and project.startswith(f"{url}/")), "")


def _previous(version: Version, tagged: Sequence[Tagged]) -> Tagged | None:
    number = parse_version(version.text)
    earlier = (
        each
        for each in reversed(tagged)
        if number is not None
        and each.number < number
        and (version.prerelease or not each.number.prerelease)
    )
    return next(earlier, None)


def _title(version: Version) -> str:
    if not version.commit_time:
        return f"## {version.text}"
    return f"## {version.text} - {datetime.fromtimestamp(version.commit_time, UTC):%Y-%m-%d}"


def _group(change: Change) -> str:
    return _BREAKING if change.breaking else _GROUPS.get(change.type, _OTHER)


def _entry(change: Change, pages: str) -> str:
    known = change.type in _GROUPS or change.type in QUIET
    scope = _shown(change.scope) if known else ""
    heading = f"**{scope}:** " if scope else ""
    text = _shown(change.text if known else change.subject) or "no message"
    short = change.revision[:7]
    link = f"[{short}]({pages}{change.revision})" if pages else short
    warning = f"\n  {_shown(change.warning)}" if change.warning else ""
    return f"- {heading}{text} ({link}){warning}"


def _shown(text: str) -> str:
    return escaped_but_code(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…")
