"""A first ``manyfest.yaml``, from what a folder tells about its project."""

from __future__ import annotations

import re
from pathlib import Path

from msgspec import Struct

from manyfest.errors import ConfigError, UsageError
from manyfest.oci.reference import is_repository
from manyfest.release import FILE_NAME
from manyfest.release.versions import git

_DOCKERFILES = ("Dockerfile", "docker/Dockerfile", "Containerfile", "build/Dockerfile")

_REGISTRIES = {"github.com": "ghcr.io", "gitlab.com": "registry.gitlab.com"}
"""Hosts of code that run a registry, under the same names, for the projects they host."""

_REMOTE = re.compile(
    r"(?:[a-z+]+://)?(?:[^@/]*@)?([A-Za-z0-9.-]+)(?::[0-9]+)?[:/]/?(.+?)(?:\.git)?/?"
)
"""``https://[user@]host/path``, ``ssh://[user@]host[:port]/path`` and ``[user@]host:path``."""


class Facts(Struct, frozen=True, kw_only=True):
    """What is known of a project: its name, its Dockerfile (empty if none was found), and the
    repository to publish to (empty if that cannot be guessed)."""

    name: str
    dockerfile: str = ""
    repository: str = ""


def gather(folder: Path) -> Facts:
    """The facts about the project in ``folder``.

    Raises :class:`~manyfest.errors.ReleaseError` if there is no such folder.
    """
    url = git.remote(folder)
    here = (name for name in _DOCKERFILES if (folder / name).is_file())
    names = (_remote_path(url)[1].rpartition("/")[2], folder.resolve().name, "app")
    return Facts(
        name=next(filter(None, map(_project_name, names))),
        dockerfile=next(here, ""),
        repository=published_at(url),
    )


def published_at(url: str) -> str:
    """Where images of the project at a git remote's URL are usually published, or empty.

    Only the host and the path of the URL are used: what comes before ``@`` may be a secret.
    """
    host, path = _remote_path(url)
    registry = _REGISTRIES.get(host)
    return f"{registry}/{path}" if registry and is_repository(path) and "/" in path else ""


def initial_config(facts: Facts) -> str:
    """The text of a ``manyfest.yaml`` for a project of which ``facts`` are known."""
    dockerfile = facts.dockerfile or "Dockerfile"
    found = "" if facts.dockerfile else "   # none was found: name yours"
    publish = f"publish:\n  - {facts.repository}"
    if not facts.repository:
        publish = f"# publish:\n#   - registry.example.com/{facts.name}"
    return f"""\
# What `manyfest release` releases. Paths are relative to this file.
# Git tags give the version: `git tag v0.1.0`, then `manyfest version` says what will be released.
name: "{facts.name}"

build:
  context: .
  dockerfile: {dockerfile}{found}
  platforms:
    - linux/amd64
    - linux/arm64
  # Build arguments; they may be templates, as tags are:
  # args: {{VERSION: "{{{{version}}}}"}}
  # A command to run once for each platform before the build. It has TARGETOS, TARGETARCH,
  # TARGETVARIANT, TARGETPLATFORM, VERSION and REVISION in its environment:
  # before: make build-$TARGETARCH

# What the images say of themselves; version, commit and source are filled in from git:
# metadata: {{description: What it is, licenses: MIT}}

# {{{{version}}}} names one release for good. The others move from release to release, the last one
# last, and no pre-release takes them.
tags:
  - "{{{{version}}}}"
  - "{{{{major}}}}.{{{{minor}}}}"
  - "{{{{major}}}}"
  - latest

# Also set 1.2.3-amd64, 1.2.3-arm64 and so on, each with the image for that platform alone.
arch_tags: true

# Where to publish; every tag goes to each of these repositories.
{publish}

# The archive that the build writes. Add dist/ to .gitignore.
archive: "dist/{{{{name}}}}-{{{{version}}}}.tar"
"""


def write_initial(folder: Path) -> Path:
    """Write ``manyfest.yaml`` into ``folder`` and return its path.

    Raises :class:`~manyfest.errors.UsageError` if there is one already, which is left as it is,
    and :class:`~manyfest.errors.ConfigError` if it cannot be written.
    """
    path = folder / FILE_NAME
    text = initial_config(gather(folder))
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError("exists already", where=str(path), mend="edit it, or remove it") from None
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror}", where=str(path)) from None
    return path


def _remote_path(url: str) -> tuple[str, str]:
    match = _REMOTE.fullmatch(url)
    return (match[1].lower(), match[2].lower()) if match else ("", "")


def _project_name(text: str) -> str:
    name = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return name if is_repository(name) else ""
