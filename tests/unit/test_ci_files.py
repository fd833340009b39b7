"""The action, the template and the examples for CI: they parse, and what they run exists."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import click
import pytest

from manyfest import __version__
from manyfest.cli.commands import COMMANDS
from manyfest.cli.main import cli
from manyfest.errors import ReleaseError
from manyfest.release.reporting.hand_over import release_outputs
from manyfest.release.reporting.report import release_report
from tests.ci_files import ACTION, FILES, ROOT, command_lines, name_of, read, scripts, steps
from tests.unit.releases import make_release

WORKFLOWS = [path for path in FILES if path.parent.name in {"github", "forgejo"}]
GUIDE = ROOT / "docs/guides/ci.md"

SAMPLES = {
    "CI_REGISTRY": "registry.example.org",
    "PLATFORM": "linux/arm64",
}
"""What variables in the scripts may hold."""

file = pytest.mark.parametrize("path", FILES, ids=name_of)
workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=name_of)


def filled(word: str) -> str:
    return re.sub(r"\$\{?([A-Z_]+)\}?", lambda match: SAMPLES.get(match[1], "text"), word)


def parse(verb: str, *arguments: str) -> None:
    """Read a command line as manyfest does, and run nothing."""
    context = cli.make_context("manyfest", [verb, *arguments])
    command = cli.get_command(context, verb)
    assert command is not None
    command.make_context(verb, list(arguments), parent=context)


def test_there_are_files_for_every_ci() -> None:
    assert [name_of(path) for path in FILES] == [
        "action.yml",
        "ci/forgejo/release.yml",
        "ci/github/matrix.yml",
        "ci/github/promote.yml",
        "ci/github/release.yml",
        "ci/gitlab/matrix.yml",
        "ci/gitlab/promote.yml",
        "ci/gitlab/release.yml",
        "ci/gitlab.yml",
        "ci/woodpecker/promote.yml",
        "ci/woodpecker/publish.yml",
        "ci/woodpecker/release.yml",
        "ci/woodpecker/stage.yml",
    ]


@file
def test_every_script_is_one_that_bash_reads(path: Path) -> None:
    found = scripts(path)
    assert found
    for script in found:
        done = subprocess.run(
            ["bash", "-n"], input=script, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")


@file
def test_every_call_of_manyfest_is_one_that_it_takes(path: Path) -> None:
    calls = [call for script in scripts(path) for call in command_lines(script)]
    assert calls or path == ACTION
    for verb, *arguments in calls:
        assert verb in COMMANDS
        parse(verb, *map(filled, arguments))


def test_a_call_that_manyfest_does_not_take_would_be_found() -> None:
    (call,) = command_lines('if true; then\n  cat x |\n    manyfest login "$A" \\\n  --nothing; fi')
    assert call == ["login", "$A", "--nothing"]
    with pytest.raises(click.NoSuchOption):
        parse(*call)


@file
def test_no_password_is_on_a_command_line(path: Path) -> None:
    for script in scripts(path):
        assert script.count("manyfest login ") == script.count("--password-stdin")
    text = path.read_text()
    assert not re.search(r"(?m)^\s*(?:-|run:).*\$\{\{\s*(?:secrets|github\.token)", text)


@file
def test_every_version_of_manyfest_is_this_one(path: Path) -> None:
    named = re.findall(r"manyfest(?:\[notify\])?(?:==|@v)([0-9][^\s\"]*)", path.read_text())
    assert set(named) <= {__version__}


@pytest.mark.parametrize("path", [ACTION, *WORKFLOWS], ids=name_of)
def test_nothing_is_put_into_a_script_but_through_its_environment(path: Path) -> None:
    assert [script for script in scripts(path) if "${{" in script] == []


@workflow
def test_others_actions_are_pinned_by_commit(path: Path) -> None:
    uses = [step["uses"] for step in steps(path) if "uses" in step]
    others = [use for use in uses if "manyfest/manyfest@" not in use]
    assert uses
    assert [use for use in others if not re.fullmatch(r".+@[0-9a-f]{40}", use)] == []


@workflow
def test_a_release_is_started_by_a_tag_alone(path: Path) -> None:
    assert read(path)["on"] == {"push": {"tags": ["v*"]}}


@pytest.mark.parametrize(
    "path", [path for path in WORKFLOWS if path.parent.name == "github"], ids=name_of
)
def test_jobs_have_the_rights_that_they_need_and_no_more(path: Path) -> None:
    document = read(path)
    assert document["permissions"] == {}
    for job in document["jobs"].values():
        uses = [step.get("uses", "") for step in job["steps"]]
        rights = {}
        if any("actions/checkout@" in use for use in uses):
            rights["contents"] = "read"
        if any("manyfest login" in step.get("run", "") for step in job["steps"]):
            rights["packages"] = "write"
        assert job["permissions"] == rights


@workflow
def test_a_checkout_has_git_s_tags_and_leaves_no_token_behind(path: Path) -> None:
    checkouts = [step for step in steps(path) if "actions/checkout@" in step.get("uses", "")]
    assert checkouts
    for step in checkouts:
        assert step["with"] == {"fetch-depth": 0, "persist-credentials": False}


def test_every_input_of_the_action_is_used_and_declared() -> None:
    declared = set(read(ACTION)["inputs"])
    assert set(re.findall(r"inputs\.([a-z-]+)", ACTION.read_text())) == declared


def test_every_output_of_the_action_is_one_that_a_release_has(tmp_path: Path) -> None:
    outputs = release_outputs(release_report(make_release(tmp_path), [], ReleaseError("no")))
    declared = read(ACTION)["outputs"]
    assert set(declared) == set(outputs)
    for name, output in declared.items():
        assert output["value"] == f"${{{{ steps.run.outputs.{name} }}}}"


def test_every_input_that_the_examples_give_is_one_of_the_action() -> None:
    declared = set(read(ACTION)["inputs"])
    for path in WORKFLOWS:
        for step in steps(path):
            if "manyfest/manyfest@" in step.get("uses", ""):
                assert set(step.get("with", {})) <= declared


def test_gitlab_s_examples_extend_the_template() -> None:
    (template,) = read(ROOT / "ci/gitlab.yml")
    for path in (ROOT / "ci/gitlab").iterdir():
        document = read(path)
        assert document["include"] == [{"local": "ci/gitlab.yml"}]
        jobs = [job for job in document.values() if isinstance(job, dict)]
        assert jobs
        assert {job["extends"] for job in jobs} == {template}


@pytest.mark.parametrize("path", [path for path in FILES if path != ACTION], ids=name_of)
def test_the_guide_shows_the_file_as_it_is(path: Path) -> None:
    assert f"```yaml\n{path.read_text()}```" in GUIDE.read_text()
