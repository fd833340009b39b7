"""What ``release`` leaves for the CI job that ran it, and whom it tells."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from unittest.mock import ANY

import pytest

from manyfest.notify.address import Address
from manyfest.notify.answer import TAKEN, Answer
from manyfest.notify.message import Message
from manyfest.release.reporting import notify
from manyfest.serve.app import Registry
from manyfest.serve.local import AppTransport
from tests.unit.cli import Manyfest, reach
from tests.unit.releases import make_project

CONFIG = """\
name: server
build: {platforms: [linux/amd64, linux/arm64]}
tags: ["{{version}}", latest]
publish: [one.example/app]
notify: [gotify://push.example.org/s3cret, "env:OPS_URL"]
"""


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Message]]:
    """What is sent, and to which URL; one to ``fails.example`` does not arrive."""
    sent: list[tuple[str, Message]] = []

    def send(to: Address, message: Message) -> Answer:
        sent.append((to.url.reveal(), message))
        return Answer(fault="it answered 401" if "fails.example" in to.url.reveal() else "")

    monkeypatch.setattr(notify, "at_once", send)
    monkeypatch.setattr(notify, "obstacles", lambda _: iter(()))
    return sent


@pytest.fixture
def project(manyfest: Manyfest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Manyfest:
    """The command line in a project, with a registry, in a job of GitHub's."""
    make_project(tmp_path)
    (tmp_path / "manyfest.yaml").write_text(CONFIG)
    (tmp_path / "registry").mkdir()
    reach(monkeypatch, AppTransport(Registry(tmp_path / "registry")))
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    return manyfest


def release(manyfest: Manyfest, *arguments: str) -> tuple[int, str, str]:
    return manyfest("release", "--version", "2.6.1", *arguments)


def test_progress_says_of_which_step_it_is(
    project: Manyfest, told: list[tuple[str, Message]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("manyfest.cli.progress.MOMENT", 0)
    _, _, err = release(project)
    began = {line.partition(": linux/")[0] for line in err.splitlines() if ": linux/" in line}
    assert began == {"build", "check", "publish"}


def test_a_release_fills_the_job_s_files(
    project: Manyfest, told: list[tuple[str, Message]], tmp_path: Path
) -> None:
    code, out, _ = release(project, "--report", "report.json", "--dotenv", "release.env")
    digest = out.splitlines()[-1]
    assert code == 0
    assert f"\n{digest}\n" in (tmp_path / "output").read_text()
    assert (tmp_path / "summary.md").read_text().startswith(f"## server 2.6.1\n\n`{digest}`")
    assert json.loads((tmp_path / "report.json").read_text())["digest"] == digest
    assert f"MANYFEST_DIGEST={digest}\n" in (tmp_path / "release.env").read_text()


def test_the_report_in_the_file_is_the_one_that_is_printed(
    project: Manyfest, told: list[tuple[str, Message]], tmp_path: Path
) -> None:
    _, out, _ = release(project, "--json", "--report", "report.json")
    assert (tmp_path / "report.json").read_text() == out


def test_everybody_is_told_of_a_release_and_once(
    project: Manyfest, told: list[tuple[str, Message]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPS_URL", "json://ops.example/x")
    assert release(project)[0] == 0
    assert release(project)[0] == 0
    assert sorted((url, message.title) for url, message in told) == [
        ("gotify://push.example.org/s3cret", "server 2.6.1 is released"),
        ("json://ops.example/x", "server 2.6.1 is released"),
    ]


def test_a_release_that_failed_leaves_a_report_and_is_told(
    project: Manyfest, told: list[tuple[str, Message]], tmp_path: Path
) -> None:
    (tmp_path / "bin/linux/arm64/app").write_bytes((tmp_path / "bin/linux/amd64/app").read_bytes())
    code, out, err = release(project, "--report", "report.json")
    assert (code, out) == (1, "")
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["outcome"], report["error"]["exit_code"]) == ("failed", 1)
    assert report["error"]["what"] in err
    assert "server 2.6.1 was not released" in (tmp_path / "summary.md").read_text()
    assert "outcome<<" in (tmp_path / "output").read_text()
    ((url, message),) = told
    assert url == "gotify://push.example.org/s3cret"
    assert (message.title, message.priority) == ("server 2.6.1 was not released", 8)
    assert report["error"]["what"] in message.text


def test_an_interruption_leaves_a_report_and_nobody_is_told(
    project: Manyfest,
    told: list[tuple[str, Message]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("manyfest.release.steps.check.check_image", interrupt)
    code, out, _ = release(project, "--report", "report.json")
    assert (code, out) == (130, "")
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["outcome"] == "failed"
    assert report["error"] == {
        "where": "",
        "what": "interrupted",
        "mend": "run the same command again to go on",
        "exit_code": 130,
    }
    assert [step["step"] for step in report["steps"]][:3] == ["preflight", "before", "build"]
    assert told == []


def test_nobody_is_told_of_what_was_typed_wrong(
    project: Manyfest, told: list[tuple[str, Message]], tmp_path: Path
) -> None:
    (tmp_path / "manyfest.yaml").write_text(CONFIG.replace("publish: [one.example/app]\n", ""))
    assert release(project)[0] == 2
    assert told == []
    assert "was not released" in (tmp_path / "summary.md").read_text()


def test_who_cannot_be_told_changes_nothing_but_is_said(
    project: Manyfest, told: list[tuple[str, Message]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPS_URL", "json://fails.example/s3cret")
    code, _, err = release(project)
    assert code == 0
    assert "\nwarning: env:OPS_URL was not told: it answered 401\n" in err
    assert "s3cret" not in err


def test_what_stands_in_the_way_of_telling_is_said_first(
    project: Manyfest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notify, "at_once", lambda _to, _message: TAKEN)
    monkeypatch.setenv("OPS_URL", "json://ops.example/x")
    monkeypatch.setitem(__import__("sys").modules, "apprise", None)
    code, _, err = release(project)
    assert code == 0
    assert err.splitlines()[0] == (
        "warning: manyfest.yaml:5: env:OPS_URL will not be told, as Apprise is not installed;"
        " pip install 'manyfest[notify]'"
    )


def test_files_that_cannot_be_written_change_nothing_but_are_said(
    project: Manyfest,
    told: list[tuple[str, Message]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path))
    code, _, err = release(project)
    assert code == 0
    assert f"warning: {tmp_path} could not be written: Is a directory\n" in err


def test_a_file_that_was_asked_for_and_cannot_be_written_is_an_error_once_all_is_done(
    project: Manyfest, told: list[tuple[str, Message]], tmp_path: Path
) -> None:
    code, out, err = release(project, "--dotenv", "/dev/full", "--report", "report.json")
    assert (code, out) == (1, "")
    assert err.endswith(
        "\nmanyfest: all is done, but /dev/full: could not be written: No space left on device;"
        " run the same command again once that can be written\n"
    )
    assert json.loads((tmp_path / "report.json").read_text())["outcome"] == "released"
    assert [message.title for _, message in told] == ["server 2.6.1 is released"]


def test_a_report_that_could_not_be_written_is_found_before_the_release(
    project: Manyfest, told: list[tuple[str, Message]], tmp_path: Path
) -> None:
    code, out, err = release(project, "--report", "no/report.json")
    assert (code, out) == (2, "")
    assert "there is no folder 'no'" in err
    assert not (tmp_path / "dist").exists()


def test_a_dry_run_says_whom_it_would_tell_and_tells_nobody(
    project: Manyfest,
    told: list[tuple[str, Message]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(notify, "obstacles", lambda _: iter(["nobody is there"]))
    code, out, err = release(project, "--dry-run", "--report", "report.json")
    assert (code, err) == (0, "warning: nobody is there\n")
    assert out.splitlines()[-2:] == ["tell     gotify://push.example.org", "tell     env:OPS_URL"]
    assert told == []
    assert not (tmp_path / "output").exists()
    assert not (tmp_path / "report.json").exists()


def test_the_version_is_told_to_later_steps(project: Manyfest, tmp_path: Path) -> None:
    assert project("version", "--version", "2.6.1", "--offline").code == 0
    text = (tmp_path / "output").read_text()
    assert re.findall(r"(?m)^(\w+)<<(\S+)\n(.*(?:\n.*)*?)\n\2$", text) == [
        ("version", ANY, "2.6.1"),
        ("revision", ANY, ""),
        ("prerelease", ANY, "false"),
        ("tags", ANY, "2.6.1\nlatest"),
    ]
    assert not (tmp_path / "summary.md").exists()


def test_the_job_s_page_says_what_changed(
    project: Manyfest, told: list[tuple[str, Message]], tmp_path: Path
) -> None:
    git = ["git", "-c", "user.name=me", "-c", "user.email=me@example.org"]
    (tmp_path / ".gitignore").write_text("*\n!Dockerfile\n!.gitignore\n")
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "fix: <b>a leak</b>"]):
        subprocess.run([*git, *words], cwd=tmp_path, check=True)
    assert release(project)[0] == 0
    page = (tmp_path / "summary.md").read_text()
    assert "\n```\n\n### Fixes\n\n- \\<b\\>a leak\\</b\\> (" in page


def test_platforms_that_are_late_are_told_of(
    project: Manyfest, told: list[tuple[str, Message]], tmp_path: Path
) -> None:
    stage = ["stage", "--version", "2.6.1", "--platform", "linux/amd64"]
    assert "tell  " not in project(*stage, "--dry-run").out
    assert project(*stage).code == 0
    assert told == []
    assert "tags<<" in (tmp_path / "output").read_text()
    code, out, err = project("publish", "--version", "2.6.1", "--timeout", "1")
    assert (code, out) == (3, "")
    ((_, message),) = told
    assert message.title == "server 2.6.1 was not released"
    assert "linux/arm64" in message.text
    assert message.text in err
