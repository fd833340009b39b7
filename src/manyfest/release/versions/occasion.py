"""What a build is made for: a version, a branch, a pull request, a schedule.

CI says it in variables, and checks out a commit without a branch; elsewhere git says it. What runs
GitHub's workflows (Forgejo, Gitea) sets GitHub's variables.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from manyfest.errors import ReleaseError
from manyfest.release.versions import git

_BRANCH = "refs/heads/"
_TAG = "refs/tags/"
_PULL_REQUEST = re.compile(r"refs/pull/([1-9][0-9]*)/.+")
_NUMBER = re.compile(r"[1-9][0-9]*")


class Occasion(Struct, frozen=True, kw_only=True):
    """What git and CI say about it.

    ``branch`` is the branch that is checked out, or empty on a tag or a pull request.
    ``pull_request`` is its number, or empty. ``scheduled``: a clock started it, nobody pushed.
    ``default_branch`` is the repository's main branch, or empty if nobody says which that is.
    """

    branch: str = ""
    pull_request: str = ""
    scheduled: bool = False
    default_branch: str = ""


class _Variables(Struct, frozen=True, kw_only=True):
    """Where a CI says what, and the line that makes it clone all history and tags."""

    branch: str
    tag: str
    pull_request: tuple[str, ...]
    event: str
    scheduled: str
    default_branch: str
    whole_clone: str


_GITLAB = _Variables(
    branch="CI_COMMIT_BRANCH",
    tag="CI_COMMIT_TAG",
    pull_request=("CI_MERGE_REQUEST_IID", "CI_EXTERNAL_PULL_REQUEST_IID"),
    event="CI_PIPELINE_SOURCE",
    scheduled="schedule",
    default_branch="CI_DEFAULT_BRANCH",
    whole_clone="set GIT_DEPTH: 0 among the job's variables",
)
_WOODPECKER = _Variables(
    branch="CI_COMMIT_BRANCH",  # of a pull request, the branch that it is made against
    tag="CI_COMMIT_TAG",
    pull_request=("CI_COMMIT_PULL_REQUEST",),
    event="CI_PIPELINE_EVENT",
    scheduled="cron",
    default_branch="CI_REPO_DEFAULT_BRANCH",
    whole_clone="give the clone step's plugin-git the settings: {partial: false, tags: true}",
)
_DRONE = _Variables(
    branch="DRONE_BRANCH",  # the same
    tag="DRONE_TAG",
    pull_request=("DRONE_PULL_REQUEST",),
    event="DRONE_BUILD_EVENT",
    scheduled="cron",
    default_branch="DRONE_REPO_BRANCH",
    whole_clone="take 'depth' out of 'clone' and run git fetch --tags in a step",
)
_GITHUB_WHOLE_CLONE = "give actions/checkout this: with: {fetch-depth: 0}"


class _Repository(Struct):
    default_branch: str = ""


class _Event(Struct):
    """The part of GitHub's event that its variables leave out."""

    number: int = 0
    repository: _Repository = msgspec.field(default_factory=_Repository)


def find_occasion(folder: Path, environment: Mapping[str, str] = os.environ) -> Occasion:
    """What the project in ``folder`` is built for now. Outside a repository nothing is known.

    Raises :class:`~manyfest.errors.ReleaseError` if git fails, and where CI builds a pull request
    and does not say which.
    """
    if _is_github(environment):
        found = _github(environment, _event(environment))
    elif variables := _variables(environment):
        found = _by_variables(environment, variables)
    else:
        found = Occasion(branch=git.branch(folder))
    if found.default_branch:
        return found
    return msgspec.structs.replace(found, default_branch=git.default_branch(folder))


def tag_built(environment: Mapping[str, str] = os.environ) -> str:
    """The tag that CI was started for, or empty."""
    if _is_github(environment):
        ref = environment.get("GITHUB_REF", "")
        return ref.removeprefix(_TAG) if ref.startswith(_TAG) else ""
    variables = _variables(environment)
    return environment.get(variables.tag, "") if variables else ""


def whole_clone(environment: Mapping[str, str] = os.environ) -> str:
    """What to tell this CI so that it clones all history and tags; empty outside a known one."""
    if _is_github(environment):
        return _GITHUB_WHOLE_CLONE
    variables = _variables(environment)
    return variables.whole_clone if variables else ""


def _is_github(environment: Mapping[str, str]) -> bool:
    return environment.get("GITHUB_ACTIONS") == "true"


def _variables(environment: Mapping[str, str]) -> _Variables | None:
    if environment.get("GITLAB_CI") == "true":
        return _GITLAB
    if environment.get("CI") == "woodpecker":
        return _WOODPECKER
    return _DRONE if environment.get("DRONE") == "true" else None


def _by_variables(environment: Mapping[str, str], names: _Variables) -> Occasion:
    numbers = (environment.get(name, "") for name in names.pull_request)
    pull_request = next(filter(_NUMBER.fullmatch, numbers), "")
    on_branch = not pull_request and not environment.get(names.tag)
    return Occasion(
        branch=environment.get(names.branch, "") if on_branch else "",
        pull_request=pull_request,
        scheduled=environment.get(names.event) == names.scheduled,
        default_branch=environment.get(names.default_branch, ""),
    )


def _github(environment: Mapping[str, str], event: _Event) -> Occasion:
    ref, name = (environment.get(f"GITHUB_{key}", "") for key in ("REF", "EVENT_NAME"))
    match = _PULL_REQUEST.fullmatch(ref)
    pull_request = match[1] if match else ""
    # This event builds a pull request too, and its ref is the branch that it is made against.
    if name == "pull_request_target":
        pull_request = _number_of(event)
    on_branch = ref.startswith(_BRANCH) and not pull_request
    return Occasion(
        branch=ref.removeprefix(_BRANCH) if on_branch else "",
        pull_request=pull_request,
        scheduled=name == "schedule",
        default_branch=event.repository.default_branch,
    )


def _number_of(event: _Event) -> str:
    if event.number < 1:
        raise ReleaseError(
            "CI builds a pull request and does not say which",
            where="GITHUB_EVENT_PATH",
            mend="let that variable name the file with the event",
        )
    return str(event.number)


def _event(environment: Mapping[str, str]) -> _Event:
    """What is known of the event: nothing, if there is no such file or it is something else."""
    try:
        text = Path(environment.get("GITHUB_EVENT_PATH", "")).read_bytes()
        return msgspec.json.decode(text, type=_Event)
    except (OSError, msgspec.DecodeError):
        return _Event()
