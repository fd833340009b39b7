"""The section of a changelog for one version, in Markdown, from its commits.

Anybody may have written their messages: what they hold is shown, and is no markup but for code
between backticks.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from manyfest.release import git
from manyfest.release.commits import QUIET, Change, changes
from manyfest.release.metadata import web_address
from manyfest.release.proposal import folders_of
from manyfest.release.version import Tagged, Version, parse_version, reachable_versions

if TYPE_CHECKING:
    from manyfest.release.config import Config

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

_CODE = re.compile(r"(`[^`]+`)")
_MARKS = re.compile(r"[\\`*<>\[\]&~|]|(?<![^\W_])_|_(?![^\W_])|^(?:[#+=-]|[0-9]+(?=[.)](?: |$)))")
"""What Markdown might take for markup; an underscore inside a word it does not."""


def notes(config: Config, version: Version, environment: Mapping[str, str] = os.environ) -> str:
    """What changed up to the commit that is checked out, which is ``version``: since the final
    version before it, or if it is a pre-release itself, since any version before it. The first
    version has all commits.

    Raises :class:`~manyfest.errors.ReleaseError` if git cannot tell, as in a shallow clone.
    """
    before = _previous(version, reachable_versions(config.root, config.version_prefix, environment))
    since = before.tag if before else ""
    found = changes(git.commits_since(config.root, since, folders_of(config)))
    project = web_address(git.remote(config.root))
    return section(version, found, commit_pages(project, environment))


def section(version: Version, found: Iterable[Change], pages: str = "") -> str:
    """The Markdown for these changes. The digest of a commit, put after ``pages``, makes the
    address of its page; where ``pages`` is empty there are no links."""
    groups: dict[str, list[str]] = {}
    for change in found:
        if change.bump:
            groups.setdefault(_group(change), []).append(_entry(change, pages))
    parts = [_title(version)]
    parts += (f"### {name}\n\n" + "\n".join(groups[name]) for name in _ORDER if name in groups)
    if not groups:
        parts.append("Nothing that users would notice.")
    return "\n\n".join(parts)


def commit_pages(project: str, environment: Mapping[str, str] = os.environ) -> str:
    """Where in the web the commits of the project with this address are shown, up to the digest;
    empty if it is not known what serves it."""
    host = urlsplit(project).hostname or ""
    forge = _FORGES.get(host) or _forge_of_ci(host, environment)
    if not forge:  # git.example.org tells nothing, gitlab.example.org does
        forge = next((part for part in host.split(".") if part in _PAGES), "")
    return f"{project}{_PAGES[forge]}" if forge in _PAGES else ""


def _forge_of_ci(host: str, environment: Mapping[str, str]) -> str:
    """What CI says about the server that it works for, if that is this host."""
    said = (
        ("GITHUB_SERVER_URL", "github"),
        ("CI_SERVER_URL", "gitlab"),
        ("CI_FORGE_URL", environment.get("CI_FORGE_TYPE", "")),
    )
    urls = ((environment.get(name, ""), forge) for name, forge in said)
    return next((forge for url, forge in urls if url and urlsplit(url).hostname == host), "")


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
    scope = prose(change.scope) if known else ""
    heading = f"**{scope}:** " if scope else ""
    text = prose(change.text if known else change.subject) or "no message"
    short = change.revision[:7]
    link = f"[{short}]({pages}{change.revision})" if pages else short
    warning = f"\n  {prose(change.warning)}" if change.warning else ""
    return f"- {heading}{text} ({link}){warning}"


def prose(text: str) -> str:
    """``text`` on one line, in which nothing but code between backticks is markup. It is escaped
    no further than that needs, as a changelog is read as it is, too."""
    shown = "".join(char if char.isprintable() else " " for char in text)
    line = " ".join(shown.split())
    if len(line) > _LONGEST:
        line = f"{line[:_LONGEST]}…"
    parts = _CODE.split(line)  # every second one is code
    return "".join(part if at % 2 else _MARKS.sub(_escape, part) for at, part in enumerate(parts))


def _escape(match: re.Match[str]) -> str:
    mark = match[0]
    return f"{mark}\\" if mark.isdigit() else f"\\{mark}"
