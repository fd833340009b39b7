from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from manyfest.errors import ReleaseError
from manyfest.release.reporting.hand_over import (
    give_outputs,
    give_summary,
    release_outputs,
    version_outputs,
    write_dotenv,
    write_report,
)
from manyfest.release.reporting.report import ReleaseReport, release_report
from manyfest.release.steps.publish import PUBLISH
from manyfest.release.steps.tags import TAGS
from manyfest.release.tags.forward import Decision
from manyfest.release.tags.plan import PlannedTag
from manyfest.release.tags.report import version_report
from tests.unit.releases import ONE, TWO, VERSION, make_release, with_image


def finished(folder: Path) -> ReleaseReport:
    release = with_image(make_release(folder, to=(ONE, TWO)))
    PUBLISH.run(release)
    TAGS.run(release)
    return release_report(release, [])


def parsed(text: str) -> dict[str, str]:
    """What GitHub reads out of such a file: a name, the line that ends the value, and the value."""
    found = re.findall(r"^([a-z]+)<<(\S+)\n(.*?)\n\2$", text, re.M | re.S)
    return {name: value for name, _, value in found}


def fail(message: str) -> None:
    pytest.fail(message)


def test_the_outputs_of_a_release(tmp_path: Path) -> None:
    report = finished(tmp_path)
    outputs = release_outputs(report)
    assert json.loads(outputs.pop("json"))["digest"] == report.digest
    assert outputs == {
        "outcome": "released",
        "version": "2.6.1",
        "revision": "0123456789abcdef0123456789abcdef01234567",
        "digest": report.digest,
        "tags": "2.6.1\n2.6.1-amd64\n2.6.1-arm64\n2.6\nlatest",
        "references": "one.example/app:2.6.1\none.example/app:2.6.1-amd64\n"
        "one.example/app:2.6.1-arm64\none.example/app:2.6\none.example/app:latest\n"
        "two.example/app:2.6.1\ntwo.example/app:2.6.1-amd64\n"
        "two.example/app:2.6.1-arm64\ntwo.example/app:2.6\ntwo.example/app:latest",
    }


def test_the_outputs_of_a_version() -> None:
    tags = (
        PlannedTag(tag="2.6.1", moves=False, reason=""),
        PlannedTag(tag="2.6", moves=True, reason="", goes_by="version"),
        PlannedTag(tag="2", moves=True, reason="", goes_by="version"),
        PlannedTag(tag="edge", moves=False, reason="", skipped=True),
    )
    stays, moves = Decision(moves=False, reason=""), Decision(moves=True, reason="")
    verdicts = {ONE: {"2.6": moves, "2": stays}, TWO: {"2.6": stays, "2": stays}}
    assert version_outputs(version_report(VERSION, tags, verdicts), tags) == {
        "version": "2.6.1",
        "revision": "0123456789abcdef0123456789abcdef01234567",
        "prerelease": "false",
        "tags": "2.6.1\n2.6",
    }


def test_outputs_are_added_to_the_file_that_the_environment_names(tmp_path: Path) -> None:
    path = tmp_path / "output"
    path.write_text("before<<x\nkept\nx\n")
    give_outputs({"version": "2.6.1", "tags": "a\nb"}, {"GITHUB_OUTPUT": str(path)}, fail)
    give_outputs({"digest": "sha256:1"}, {"GITHUB_OUTPUT": str(path)}, fail)
    assert parsed(path.read_text()) == {
        "before": "kept",
        "version": "2.6.1",
        "tags": "a\nb",
        "digest": "sha256:1",
    }


def test_no_value_can_pass_for_another_output(tmp_path: Path) -> None:
    path = tmp_path / "output"
    environ = {"GITHUB_OUTPUT": str(path)}
    give_outputs({"version": "1"}, environ, fail)
    (end,) = re.findall("<<(.*)", path.read_text())
    hostile = f"x\n{end}\nversion<<{end}\n6.6.6\n{end}\nversion=6.6.6"
    give_outputs({"json": hostile}, environ, fail)
    assert parsed(path.read_text()) == {"version": "1", "json": hostile}


def test_nothing_is_written_where_nothing_is_named(tmp_path: Path) -> None:
    give_outputs({"version": "1"}, {"GITHUB_OUTPUT": ""}, fail)
    give_summary("# 1", {}, fail)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    warned: list[str] = []
    give_outputs({"a": "1"}, {"GITHUB_OUTPUT": f"{tmp_path}/no/output"}, warned.append)
    give_summary("# 1", {"GITHUB_STEP_SUMMARY": str(tmp_path)}, warned.append)
    assert warned == [
        f"{tmp_path}/no/output could not be written: No such file or directory",
        f"{tmp_path} could not be written: Is a directory",
    ]


@pytest.mark.parametrize(
    ("path", "why"),
    [("/dev/full", "No space left on device"), ("zero\0byte", "embedded null byte")],
)
def test_a_file_that_was_asked_for_and_cannot_be_written_is_an_error(path: str, why: str) -> None:
    with pytest.raises(ReleaseError) as failed:
        write_dotenv(Path(path), {"version": "1"}, fail)
    assert str(failed.value) == f"{path}: could not be written: {why}"


def test_an_output_that_github_would_not_take_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "output"
    warned: list[str] = []
    values = {"json": "x" * 400_001, "version": "1"}
    give_outputs(values, {"GITHUB_OUTPUT": str(path)}, warned.append)
    assert parsed(path.read_text()) == {"version": "1"}
    assert warned == ["the output 'json' is left out: it has 400,001 characters; use --report"]


def test_a_summary_is_added_and_never_too_large(tmp_path: Path) -> None:
    path = tmp_path / "summary"
    environ = {"GITHUB_STEP_SUMMARY": str(path)}
    give_summary("# one\n", environ, fail)
    give_summary("line äöü\n" * 200_000, environ, fail)
    text = path.read_text()
    assert text.startswith("# one\nline äöü\nline äöü\n")
    assert text.endswith("\nline äöü\n\n…\n")
    assert 999_000 < len(text.encode()) < 1_000_100


def test_a_dotenv_file_for_gitlab(tmp_path: Path) -> None:
    path = tmp_path / "release.env"
    path.write_text("old=1\n")
    write_dotenv(path, {"version": "2.6.1", "tags": "a\nb", "json": "{}"}, fail)
    assert path.read_text() == "MANYFEST_VERSION=2.6.1\nMANYFEST_TAGS=a b\n"


def test_a_dotenv_file_is_never_larger_than_gitlab_takes(tmp_path: Path) -> None:
    path = tmp_path / "release.env"
    warned: list[str] = []
    write_dotenv(path, {"references": "x " * 3000, "version": "1"}, warned.append)
    assert path.read_text() == "MANYFEST_VERSION=1\n"
    assert warned == [f"{path}: MANYFEST_REFERENCES is left out, as GitLab takes no more than 5 KB"]


def test_a_report_in_a_file(tmp_path: Path) -> None:
    report = finished(tmp_path)
    write_report(tmp_path / "report.json", report)
    text = (tmp_path / "report.json").read_text()
    assert text.startswith('{\n  "outcome": "released",\n')
    assert text.endswith("}\n")
    assert json.loads(text) == json.loads(release_outputs(report)["json"])
