"""``manyfest version --next`` and ``--notes``."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.unit.cli import Manyfest
from tests.unit.repositories import Git, commit, make_repository

PAGE = Path(__file__).parents[2] / "docs/reference/json.md"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Git:
    run = make_repository(tmp_path, monkeypatch)
    (tmp_path / "manyfest.yaml").write_text("name: server\nbuild: {platforms: [linux/amd64]}\n")
    commit(run, "v2.6.1")
    return run


def test_the_next_version_is_alone_on_stdout_and_the_reason_on_stderr(
    run: Git, manyfest: Manyfest
) -> None:
    commit(run, message="fix: a crash")
    revision = commit(run, message="feat: list the clients")
    ran = manyfest("version", "--next")
    assert (ran.code, ran.out) == (0, "2.7.0\n")
    assert ran.err == (
        f"minor, because since v2.6.1 there is {revision[:7]} 'feat: list the clients',"
        " and 1 more\n"
    )


def test_a_pre_release_becomes_final(run: Git, manyfest: Manyfest) -> None:
    commit(run, "v2.7.0-rc.1")
    ran = manyfest("version", "--next")
    assert (ran.out, ran.err) == ("2.7.0\n", "v2.7.0-rc.1 becomes final\n")


def test_nothing_to_release_is_the_answer_no(run: Git, manyfest: Manyfest) -> None:
    commit(run, message="docs: say so")
    ran = manyfest("version", "--next", "--json")
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.endswith("server: nothing to release since v2.6.1: there is only docs\n")


def test_the_json_has_the_keys_of_the_page(run: Git, manyfest: Manyfest) -> None:
    revision = commit(run, message="feat(api): list the clients")
    printed = json.loads(manyfest("version", "--next", "--json").out)
    section = PAGE.read_text().partition("## manyfest version --next --json\n")[2]
    shown = re.search(r"```json\n(.*?)```", section, re.DOTALL)
    assert shown is not None
    example = json.loads(shown[1])
    example["reasons"][0]["revision"] = revision
    assert printed == example


def test_the_notes_are_of_this_commit(run: Git, manyfest: Manyfest) -> None:
    commit(run, "v2.6.2", message="fix: a crash")
    ran = manyfest("version", "--notes")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("## 2.6.2 - 2023-11-14\n\n### Fixes\n\n- a crash (")


def test_the_notes_of_the_next_version(run: Git, manyfest: Manyfest) -> None:
    commit(run, message="feat: list the clients")
    ran = manyfest("version", "--notes", "--next")
    assert ran.out.startswith("## 2.7.0 - 2023-11-14\n\n### Features\n\n- list the clients (")


def test_the_notes_of_a_version_that_is_told(run: Git, manyfest: Manyfest) -> None:
    commit(run, message="feat: list the clients")
    assert manyfest("version", "--notes", "--version", "3.0.0").out.startswith("## 3.0.0 - ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--next", "--version", "1.0.0"], "--next finds the version, and --version gives it"),
        (["--notes", "--json"], "--notes prints Markdown"),
    ],
)
def test_options_that_contradict_one_another(
    run: Git, manyfest: Manyfest, arguments: list[str], message: str
) -> None:
    ran = manyfest("version", *arguments)
    assert (ran.code, message in ran.err) == (2, True)
