"""``stage`` and ``publish`` as they are typed, against a registry in this process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from manyfest.serve.app import Registry
from manyfest.serve.local import AppTransport
from tests.unit.cli import Manyfest, Ran, reach
from tests.unit.releases import make_project
from tests.unit.staging import archive, runnable_index

CONFIG = """\
name: app
build: {platforms: [linux/amd64, linux/arm64]}
tags: ["{{version}}", latest]
publish: [localhost:5000/app]
"""


@pytest.fixture
def project(manyfest: Manyfest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Manyfest:
    """The command line, in a project that is published to a registry in a folder."""
    make_project(tmp_path)
    (tmp_path / "manyfest.yaml").write_text(CONFIG)
    reach(monkeypatch, AppTransport(Registry(tmp_path / "registry")))
    for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)
    return manyfest


def stage(manyfest: Manyfest, *words: str) -> Ran:
    return manyfest("stage", "--version", "2.6.1", *words)


def publish(manyfest: Manyfest, *words: str) -> Ran:
    return manyfest("publish", "--version", "2.6.1", *words)


def test_stage_prints_a_report_and_the_digest_last(project: Manyfest) -> None:
    ran = stage(project, "--platform", "arm64")
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[0].split() == ["PLATFORM", "DIGEST", "SIZE", "LAYERS", "TIME"]
    assert "docker pull localhost:5000/app:2.6.1-arm64" in lines
    shown = project("inspect", "--json", "localhost:5000/app:2.6.1-arm64")
    assert lines[-1] == json.loads(shown.out)["digest"]


def test_several_platforms_are_staged_one_after_the_other(project: Manyfest) -> None:
    ran = stage(project, "--platform", "arm64,amd64", "--json")
    staged = json.loads(ran.out)["staged"]
    assert [each["platforms"][0]["platform"] for each in staged] == ["linux/arm64", "linux/amd64"]
    tags = [destination["tags"] for each in staged for destination in each["destinations"]]
    assert tags == [["2.6.1-arm64"], ["2.6.1-amd64"]]


def test_what_was_staged_is_published(project: Manyfest) -> None:
    stage(project, "--platform", "amd64,arm64")
    ran = publish(project)
    assert ran.code == 0
    shown = project("inspect", "--json", "localhost:5000/app:latest")
    assert ran.out.splitlines()[-1] == json.loads(shown.out)["digest"]


def test_the_report_of_publish_names_no_archive(project: Manyfest) -> None:
    stage(project, "--platform", "amd64,arm64")
    report = json.loads(publish(project, "--json").out)
    assert (report["archive"], report["taken_from"]) == ("", "")
    assert [each["platform"] for each in report["platforms"]] == ["linux/amd64", "linux/arm64"]


def test_what_others_built_is_vouched_for_in_a_registry(project: Manyfest, tmp_path: Path) -> None:
    archive(tmp_path, runnable_index)
    staged = stage(project, "--platform", "amd64,arm64", "--from", "image.tar")
    assert "vouch: a record of its version and commit is attached to it" in staged.err
    assert publish(project).code == 0


def test_only_what_is_expected_is_waited_for(project: Manyfest) -> None:
    stage(project, "--platform", "arm64")
    report = json.loads(publish(project, "--expect", "arm64", "--json").out)
    assert [each["platform"] for each in report["platforms"]] == ["linux/arm64"]


def test_a_late_platform_is_a_no(project: Manyfest) -> None:
    stage(project, "--platform", "arm64")
    ran = publish(project, "--timeout", "0.1s")
    assert (ran.code, ran.out) == (3, "")
    assert "waiting for linux/amd64: 1 of 2 platforms found, 0 s left" in ran.err
    assert project("ls", "localhost:5000/app").out == "2.6.1-arm64\n"


def test_the_plan_of_stage(project: Manyfest) -> None:
    assert stage(project, "--platform", "arm64", "--dry-run") == (
        0,
        "stage    app 2.6.1\n"
        "build    linux/arm64\n"
        "write    dist/app-2.6.1-arm64.tar\n"
        "check    every digest, platform, program and entrypoint\n"
        "publish  localhost:5000/app\n"
        "tag      2.6.1-arm64: is where linux/arm64 is staged\n",
        "",
    )


def test_the_plan_of_publish(project: Manyfest) -> None:
    assert publish(project, "--dry-run") == (
        0,
        "publish  app 2.6.1\n"
        "wait     linux/amd64, as 2.6.1-amd64\n"
        "wait     linux/arm64, as 2.6.1-arm64\n"
        "check    every digest, platform, program and entrypoint\n"
        "publish  localhost:5000/app\n"
        "tag      2.6.1: names this release alone\n"
        "tag      latest: moves to 2.6.1, a final release, unless a higher one is there\n",
        "",
    )


def test_plans_as_json(project: Manyfest) -> None:
    (staged,) = json.loads(stage(project, "--platform", "arm64", "--dry-run", "--json").out)[
        "staged"
    ]
    assert (staged["platforms"], staged["archive"]) == (
        ["linux/arm64"],
        "dist/app-2.6.1-arm64.tar",
    )
    planned = json.loads(publish(project, "--dry-run", "--json").out)
    assert (planned["archive"], planned["before"]) == ("", "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["stage"], "no platform is named; name it: --platform linux/amd64"),
        (["stage", "--platform", "s390x"], "linux/s390x is not among 'build.platforms'"),
        (["stage", "--platform", "arm64", "--to", "localhost:5000/app:v1"], "names one image"),
        (["publish", "--expect", "linux/s390x"], "linux/s390x is not among 'build.platforms'"),
        (["publish", "--expect", "vax"], "unknown architecture in platform 'vax'"),
        (["publish", "--timeout", "soon"], "'soon' is not a time; write seconds, or 30m"),
        (["publish", "--to", "localhost:5000/app:v1"], "names one image"),
        (["publish", "-c", "none.yaml"], "none.yaml"),
    ],
)
def test_what_is_asked_wrongly_is_one_line_and_changes_nothing(
    project: Manyfest, tmp_path: Path, words: list[str], said: str
) -> None:
    ran = project(words[0], "--version", "2.6.1", *words[1:])
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert said in ran.err
    assert not (tmp_path / "registry").exists()
