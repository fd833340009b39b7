"""What a project says of its images, in the words of the OCI image specification.

The facts come from git and from ``manyfest.yaml``, and are the same on every machine: of the
remote's URL only what leads to the project is used, not how this clone reaches it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from manyfest.build.configure import moment
from manyfest.build.metadata import PREFIX, Metadata
from manyfest.release.project.template import Template, values
from manyfest.release.versions import git

if TYPE_CHECKING:
    from pathlib import Path

    from manyfest.release.project.config import Config
    from manyfest.release.versions.version import Version

_SHORT_FORM = re.compile(r"(?:[^@/:]+@)?([A-Za-z0-9.-]+):(?!/)(.+)")
"""git's ``[user@]host:path``, which is ssh (git-clone, "Git URLs")."""

_SAFE = re.compile(r"[!-~]+")
_OTHERS = frozenset({"ssh", "git", "git+ssh"})


def metadata_of(config: Config, version: Version) -> Metadata:
    """Labels and annotations for the images of a project. What is not known is left out.

    Raises :class:`~manyfest.errors.ConfigError` for a template that needs what is not known.
    """
    known = values(config.name, version)
    told = _rendered(config.metadata.keywords, known)
    facts = {
        **_facts_of_git(config.root, version),
        "title": config.name,
        **told,
    }
    facts["url"] = told.get("url") or facts["source"]
    return Metadata(
        facts=_prefixed(facts),
        labels=_rendered(config.metadata.labels, known),
        annotations=_rendered(config.metadata.annotations, known),
    )


def metadata_of_folder(folder: Path, version: Version) -> Metadata:
    """What git alone says of a folder that is built without a ``manyfest.yaml``."""
    facts = _facts_of_git(folder, version)
    return Metadata(facts=_prefixed({**facts, "url": facts["source"]}))


def web_address(remote: str) -> str:
    """Where the project of a git remote's URL is in the web: without a name, a password, a port of
    ssh or ``.git``. Empty for a folder, and for what leads there from this machine alone."""
    short = _SHORT_FORM.fullmatch(remote)
    try:
        parts = urlsplit(f"ssh://{short[1]}/{short[2]}" if short else remote)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return ""
    path = parts.path.strip("/").removesuffix(".git")
    web = parts.scheme in {"http", "https"}
    if not (host and path and _SAFE.fullmatch(host + path)):
        return ""
    if not web and (parts.scheme not in _OTHERS or "." not in host):  # an alias, known to one ssh
        return ""
    place = f"[{host}]" if ":" in host else host
    if web and port:
        place = f"{place}:{port}"
    return f"{parts.scheme if web else 'https'}://{place}/{path}"


def _facts_of_git(folder: Path, version: Version) -> dict[str, str]:
    """Empty is what is not known; a time of 0 is not."""
    return {
        "created": moment(version.commit_time) if version.commit_time else "",
        "version": version.text,
        "revision": version.revision,
        "source": web_address(git.remote(folder)) if version.revision else "",
    }


def _prefixed(facts: Mapping[str, str]) -> dict[str, str]:
    return {f"{PREFIX}{key}": value for key, value in facts.items() if value}


def _rendered(templates: Mapping[str, Template], known: Mapping[str, str]) -> dict[str, str]:
    return {key: template.render(known) for key, template in templates.items()}
