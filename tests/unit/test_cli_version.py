"""``manyfest version``: every tag, whether it moves, and why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from manyfest.cli.session import Session
from tests.unit.cli import Manyfest
from tests.unit.releases import ONE, TWO, FakeStores, Trouble, hold_former_release

CONFIG = f"""\
name: app
build: {{platforms: [linux/amd64, linux/arm64]}}
tags: ["{{{{version}}}}", "{{{{major}}}}", latest, "br-{{{{branch}}}}"]
publish: [{ONE}, {TWO}]
"""


@pytest.fixture
def stores(monkeypatch: pytest.MonkeyPatch) -> FakeStores:
    """What the command line asks instead of registries."""
    fakes = FakeStores()
    monkeypatch.setattr(Session, "stores", lambda _: fakes)
    return fakes


@pytest.fixture
def project(tmp_path: Path, stores: FakeStores) -> FakeStores:
    (tmp_path / "manyfest.yaml").write_text(CONFIG)
    return stores


def reported(manyfest: Manyfest, *arguments: str) -> Any:
    ran = manyfest("version", "--json", *arguments)
    assert ran.code == 0, ran.err
    return json.loads(ran.out)


def test_it_is_judged_by_what_the_registries_hold(manyfest: Manyfest, project: FakeStores) -> None:
    hold_former_release(project.at(ONE), "2.6.1")
    hold_former_release(project.at(TWO), "2.6.1")
    assert reported(manyfest, "--version", "2.5.9") == {
        "version": "2.5.9",
        "revision": "",
        "prerelease": False,
        "tags": [
            {"tag": "2.5.9", "moves": False, "reason": "names this release alone"},
            {"tag": "2", "moves": False, "reason": "skipped: 2.6.1 is there, a higher 2.x"},
            {
                "tag": "br-{{branch}}",
                "moves": False,
                "reason": "skipped: 2.5.9 is a final release",
            },
            {
                "tag": "latest",
                "moves": False,
                "reason": "skipped: 2.6.1 is there, a higher final version",
            },
        ],
        "repositories": [],
    }


def test_repositories_that_differ_are_told_apart(manyfest: Manyfest, project: FakeStores) -> None:
    hold_former_release(project.at(ONE), "3.0.0")
    report = reported(manyfest, "--version", "2.6.1")
    assert report["tags"][1:] == [
        {"tag": "2", "moves": True, "reason": "moves to 2.6.1, the highest 2.x"},
        {"tag": "br-{{branch}}", "moves": False, "reason": "skipped: 2.6.1 is a final release"},
        {"tag": "latest", "moves": True, "reason": "moves in 1 of 2 repositories"},
    ]
    assert report["repositories"] == [
        {
            "repository": ONE,
            "tags": [
                {
                    "tag": "latest",
                    "moves": False,
                    "reason": "skipped: 3.0.0 is there, a higher final version",
                }
            ],
        },
        {
            "repository": TWO,
            "tags": [
                {
                    "tag": "latest",
                    "moves": True,
                    "reason": "moves to 2.6.1, the highest final version",
                }
            ],
        },
    ]


def test_repositories_may_differ_and_say_no_all_the_same(
    manyfest: Manyfest, project: FakeStores
) -> None:
    hold_former_release(project.at(ONE), "3.0.0")
    hold_former_release(project.at(TWO), "4.0.0")
    latest = reported(manyfest, "--version", "2.6.1")["tags"][-1]
    assert latest == {"tag": "latest", "moves": False, "reason": "skipped in every repository"}


def test_people_get_a_table(manyfest: Manyfest, project: FakeStores) -> None:
    hold_former_release(project.at(ONE), "3.0.0")
    assert manyfest("version", "--version", "2.6.1").out == (
        "TAG            MOVES  WHY\n"
        "2.6.1          no     names this release alone\n"
        "2              yes    moves to 2.6.1, the highest 2.x\n"
        "br-{{branch}}  no     skipped: 2.6.1 is a final release\n"
        "latest         yes    moves in 1 of 2 repositories\n"
        "               no     one.example/app: skipped: 3.0.0 is there, a higher final version\n"
        "               yes    two.example/app: moves to 2.6.1, the highest final version\n"
        "2.6.1\n"
    )


def test_offline_nobody_is_asked(manyfest: Manyfest, project: FakeStores) -> None:
    hold_former_release(project.at(ONE), "3.0.0")
    report = reported(manyfest, "--offline", "--version", "2.6.1")
    unasked = (
        "moves to 2.6.1, a final release, unless a higher one is there;"
        " the registries were not asked (--offline)"
    )
    assert [tag["reason"] for tag in report["tags"]] == [
        "names this release alone",
        unasked,
        "skipped: 2.6.1 is a final release",
        unasked,
    ]
    assert project.trouble.calls == []


def test_where_nothing_can_move_nobody_is_asked(manyfest: Manyfest, project: FakeStores) -> None:
    report = reported(manyfest, "--version", "2.7.0-rc.1")
    assert {tag["moves"] for tag in report["tags"]} == {False}
    assert project.trouble.calls == []


def test_a_registry_that_does_not_answer_is_an_error(
    manyfest: Manyfest, project: FakeStores
) -> None:
    project.trouble = Trouble(lambda _number, call: TWO in call)
    ran = manyfest("version", "--version", "2.6.1")
    assert (ran.code, ran.out) == (1, "")
    assert "two.example/app: the connection broke; --offline asks no registry\n" in ran.err


def test_a_repository_for_one_platform_is_asked_too(
    manyfest: Manyfest, project: FakeStores, tmp_path: Path
) -> None:
    (tmp_path / "manyfest.yaml").write_text(CONFIG + "arch_repositories: {arm64: -arm64}\n")
    hold_former_release(project.at(f"{ONE}-arm64"), "3.0.0")
    report = reported(manyfest, "--version", "2.6.1")
    assert report["tags"][-1]["reason"] == "moves in 3 of 4 repositories"
    assert [each["repository"] for each in report["repositories"]] == [
        "one.example/app",
        "two.example/app",
        "one.example/app-arm64",
        "two.example/app-arm64",
    ]
