from __future__ import annotations

import json
from pathlib import Path

import pytest

from manyfest.errors import ReleaseError
from manyfest.release.versions.occasion import Occasion, find_occasion, tag_built
from tests.unit.repositories import Git, commit, make_repository

GITHUB = {"GITHUB_ACTIONS": "true"}
GITLAB = {"CI": "true", "GITLAB_CI": "true", "CI_DEFAULT_BRANCH": "main"}
WOODPECKER = {"CI": "woodpecker", "CI_REPO_DEFAULT_BRANCH": "main"}
DRONE = {"CI": "true", "DRONE": "true", "DRONE_REPO_BRANCH": "main"}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Git:
    return make_repository(tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        (
            {"GITHUB_REF": "refs/heads/feature/arm", "GITHUB_EVENT_NAME": "push"},
            Occasion(branch="feature/arm"),
        ),
        ({"GITHUB_REF": "refs/tags/v1.0.0", "GITHUB_EVENT_NAME": "push"}, Occasion()),
        (
            {"GITHUB_REF": "refs/pull/15/merge", "GITHUB_EVENT_NAME": "pull_request"},
            Occasion(pull_request="15"),
        ),
        (  # Forgejo's and Gitea's
            {"GITHUB_REF": "refs/pull/15/head", "GITHUB_EVENT_NAME": "pull_request"},
            Occasion(pull_request="15"),
        ),
        (
            {"GITHUB_REF": "refs/heads/main", "GITHUB_EVENT_NAME": "schedule"},
            Occasion(branch="main", scheduled=True),
        ),
        ({"GITHUB_REF": "refs/pull/0/merge"}, Occasion()),
        ({}, Occasion()),
    ],
)
def test_what_github_actions_say(
    tmp_path: Path, variables: dict[str, str], expected: Occasion
) -> None:
    assert find_occasion(tmp_path, {**GITHUB, **variables}) == expected


def test_githubs_event_names_the_default_branch(tmp_path: Path) -> None:
    variables = {"GITHUB_REF": "refs/heads/next", **event(tmp_path, default_branch="trunk")}
    assert find_occasion(tmp_path, {**GITHUB, **variables}) == Occasion(
        branch="next", default_branch="trunk"
    )


def test_a_pull_request_that_runs_on_its_target_does_not_pass_for_that_branch(
    tmp_path: Path,
) -> None:
    variables = {
        "GITHUB_REF": "refs/heads/main",
        "GITHUB_EVENT_NAME": "pull_request_target",
        **event(tmp_path, number=15),
    }
    assert find_occasion(tmp_path, {**GITHUB, **variables}) == Occasion(pull_request="15")


@pytest.mark.parametrize("text", ["", "[]", '{"number": "15"}', "{}"])
def test_a_pull_request_of_which_the_number_is_not_said_is_an_error(
    tmp_path: Path, text: str
) -> None:
    path = tmp_path / "event.json"
    path.write_text(text)
    variables = {"GITHUB_EVENT_NAME": "pull_request_target", "GITHUB_EVENT_PATH": str(path)}
    with pytest.raises(ReleaseError, match="builds a pull request and does not say which"):
        find_occasion(tmp_path, {**GITHUB, **variables})


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        (
            {"CI_COMMIT_BRANCH": "next", "CI_PIPELINE_SOURCE": "push"},
            Occasion(branch="next", default_branch="main"),
        ),
        (
            {"CI_COMMIT_TAG": "v1.0.0", "CI_PIPELINE_SOURCE": "push"},
            Occasion(default_branch="main"),
        ),
        (
            {"CI_MERGE_REQUEST_IID": "7", "CI_PIPELINE_SOURCE": "merge_request_event"},
            Occasion(pull_request="7", default_branch="main"),
        ),
        (
            {"CI_EXTERNAL_PULL_REQUEST_IID": "8", "CI_COMMIT_BRANCH": "theirs"},
            Occasion(pull_request="8", default_branch="main"),
        ),
        (
            {"CI_COMMIT_BRANCH": "main", "CI_PIPELINE_SOURCE": "schedule"},
            Occasion(branch="main", scheduled=True, default_branch="main"),
        ),
    ],
)
def test_what_gitlab_ci_says(tmp_path: Path, variables: dict[str, str], expected: Occasion) -> None:
    assert find_occasion(tmp_path, {**GITLAB, **variables}) == expected


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        (
            {"CI_COMMIT_BRANCH": "next", "CI_PIPELINE_EVENT": "push"},
            Occasion(branch="next", default_branch="main"),
        ),
        (
            {"CI_COMMIT_TAG": "v1.0.0", "CI_COMMIT_BRANCH": "main", "CI_PIPELINE_EVENT": "tag"},
            Occasion(default_branch="main"),
        ),
        (
            {
                "CI_COMMIT_BRANCH": "main",
                "CI_COMMIT_PULL_REQUEST": "9",
                "CI_PIPELINE_EVENT": "pull_request",
            },
            Occasion(pull_request="9", default_branch="main"),
        ),
        (
            {"CI_COMMIT_BRANCH": "main", "CI_PIPELINE_EVENT": "cron"},
            Occasion(branch="main", scheduled=True, default_branch="main"),
        ),
    ],
)
def test_what_woodpecker_says(
    tmp_path: Path, variables: dict[str, str], expected: Occasion
) -> None:
    assert find_occasion(tmp_path, {**WOODPECKER, **variables}) == expected


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        (
            {"DRONE_BRANCH": "next", "DRONE_BUILD_EVENT": "push"},
            Occasion(branch="next", default_branch="main"),
        ),
        (
            {"DRONE_TAG": "v1.0.0", "DRONE_BRANCH": "main", "DRONE_BUILD_EVENT": "tag"},
            Occasion(default_branch="main"),
        ),
        (
            {"DRONE_BRANCH": "main", "DRONE_PULL_REQUEST": "9"},
            Occasion(pull_request="9", default_branch="main"),
        ),
        (
            {"DRONE_BRANCH": "main", "DRONE_BUILD_EVENT": "cron"},
            Occasion(branch="main", scheduled=True, default_branch="main"),
        ),
    ],
)
def test_what_drone_says(tmp_path: Path, variables: dict[str, str], expected: Occasion) -> None:
    assert find_occasion(tmp_path, {**DRONE, **variables}) == expected


def test_outside_ci_the_branch_that_is_checked_out_counts(run: Git, tmp_path: Path) -> None:
    run("checkout", "--quiet", "-b", "feature/arm")
    assert find_occasion(tmp_path, {}) == Occasion(branch="feature/arm")
    commit(run, "v1.0.0")
    assert find_occasion(tmp_path, {}) == Occasion(branch="feature/arm")


def test_without_a_branch_or_a_repository_there_is_none(run: Git, tmp_path: Path) -> None:
    commit(run)
    run("checkout", "--quiet", "--detach")
    assert find_occasion(tmp_path, {}) == Occasion()
    (tmp_path / ".git").rename(tmp_path / "git")
    assert find_occasion(tmp_path, {}) == Occasion()


def test_a_clone_remembers_the_default_branch(run: Git, tmp_path: Path) -> None:
    commit(run)
    run("clone", "--quiet", str(tmp_path), "clone")
    clone = tmp_path / "clone"
    run("checkout", "--quiet", "-b", "next", cwd=clone)
    assert find_occasion(clone, {}) == Occasion(branch="next", default_branch="main")
    on_github = {**GITHUB, "GITHUB_REF": "refs/heads/other"}
    assert find_occasion(clone, on_github) == Occasion(branch="other", default_branch="main")


def test_what_git_cannot_tell_is_an_error(
    run: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    with pytest.raises(ReleaseError, match="another user owns it"):
        find_occasion(tmp_path, {})


@pytest.mark.parametrize(
    ("variables", "tag"),
    [
        ({"GITHUB_ACTIONS": "true", "GITHUB_REF": "refs/tags/server/v1.0.0"}, "server/v1.0.0"),
        ({"GITHUB_ACTIONS": "true", "GITHUB_REF": "refs/heads/v1.0.0"}, ""),
        ({"GITLAB_CI": "true", "CI_COMMIT_TAG": "v1.0.0"}, "v1.0.0"),
        ({"CI_COMMIT_TAG": "v1.0.0"}, ""),
        ({}, ""),
    ],
)
def test_the_tag_that_ci_was_started_for(variables: dict[str, str], tag: str) -> None:
    assert tag_built(variables) == tag


def event(folder: Path, *, number: int = 0, default_branch: str = "") -> dict[str, str]:
    """The variable that names a file with GitHub's event."""
    path = folder / "event.json"
    known = {"number": number, "repository": {"default_branch": default_branch, "id": 1}}
    path.write_text(json.dumps(known))
    return {"GITHUB_EVENT_PATH": str(path)}
