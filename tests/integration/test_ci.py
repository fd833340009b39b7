"""The action's scripts and the examples', run by bash as CI runs them."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from manyfest.serve.server import running
from tests import real
from tests.ci_files import ACTION, ROOT, read, steps
from tests.integration.conftest import MANYFEST
from tests.unit.releases import make_project


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    with running(tmp_path / "registry") as address:
        yield address


@pytest.fixture
def project(tmp_path: Path, registry: str) -> Path:
    """A project whose commit is tagged v1.2.3."""
    folder = tmp_path / "project"
    folder.mkdir()
    make_project(folder)
    (folder / "manyfest.yaml").write_text(
        "name: app\nbuild: {platforms: [linux/amd64, linux/arm64]}\n"
        f'tags: ["{{{{version}}}}", latest]\npublish: [{registry}/app]\n'
    )
    git = ["git", "-c", "user.name=me", "-c", "user.email=me@example.org"]
    for command in (
        ["git", "init", "-q"],
        ["git", "add", "."],
        [*git, "commit", "-q", "-m", "feat: all of it"],
        ["git", "tag", "v1.2.3"],
    ):
        subprocess.run(command, cwd=folder, check=True)
    return folder


class Job:
    """Runs scripts in ``folder``, with the files that a job of GitHub's has."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder = folder
        self.home = home
        home.mkdir()
        self.path = f"{MANYFEST.parent}{os.pathsep}{os.environ['PATH']}"

    def run(self, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """As ``shell: bash`` does; the action's step fails if its script does."""
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
            cwd=self.folder,
            env={
                **os.environ,
                "PATH": self.path,
                "HOME": str(self.home),
                "RUNNER_TEMP": str(self.home),
                "GITHUB_OUTPUT": str(self.home / "output"),
                "GITHUB_PATH": str(self.home / "path"),
                "GITHUB_STEP_SUMMARY": str(self.home / "summary.md"),
                "GITHUB_ACTION_PATH": str(ROOT),
                **environment,
            },
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def outputs(self) -> dict[str, str]:
        text = (self.home / "output").read_text()
        found = re.findall(r"^([a-z]+)<<(\S+)\n(.*?)\n\2$", text, re.M | re.S)
        return {name: value for name, _, value in found}


def environment_of(step: Mapping[str, Any], inputs: Mapping[str, str]) -> dict[str, str]:
    """What the step of an action is given for its inputs."""
    declared = {name: each["default"] for name, each in read(ACTION)["inputs"].items()}
    values = {**declared, **inputs}
    return {
        name: re.sub(r"\$\{\{ inputs\.([a-z-]+) \}\}", lambda match: values[match[1]], text)
        for name, text in step.get("env", {}).items()
    }


@pytest.mark.real
def test_the_action_installs_manyfest_and_releases(project: Path, tmp_path: Path) -> None:
    job = Job(project, tmp_path / "home")
    job.path = os.environ["PATH"]
    install, release = steps(ACTION)
    done = job.run(install["run"], **environment_of(install, {}))
    real.need("no package index in reach", met="Could not find a version" not in done.stderr)
    assert done.returncode == 0, done.stderr

    job.path = f"{(job.home / 'path').read_text().strip()}{os.pathsep}{job.path}"
    assert real.output_of("bash", "-c", "command -v manyfest", PATH=job.path) == (
        f"{job.home}/manyfest/bin/manyfest"
    )
    assert not (job.home / "manyfest/bin/python").exists()

    done = job.run(release["run"], **environment_of(release, {"args": "release --json -q"}))
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert job.outputs["version"] == "1.2.3"
    assert job.outputs["digest"] == report["digest"]
    assert json.loads(job.outputs["json"]) == report
    assert job.outputs["tags"] == "1.2.3\nlatest"
    assert "## app 1.2.3\n" in (job.home / "summary.md").read_text()

    again = job.run(install["run"], **environment_of(install, {}))
    assert (again.returncode, again.stderr) == (0, "")
    quoted = job.run(release["run"], **environment_of(release, {"args": "release --to 'a b'"}))
    assert quoted.returncode == 2
    assert quoted.stderr.startswith("manyfest: a b: ")


def test_the_action_says_that_python_is_too_old(tmp_path: Path) -> None:
    old = tmp_path / "python"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    job = Job(tmp_path, tmp_path / "home")
    install, _ = steps(ACTION)
    done = job.run(install["run"], **environment_of(install, {"python": str(old)}))
    assert done.returncode == 1
    assert done.stdout == (
        "::error::manyfest needs Python 3.11 or newer; name one with 'python:'\n"
    )
    assert not (job.home / "manyfest").exists()


def run_example(job: Job, name: str, jobs: Mapping[str, list[str]], **environment: str) -> None:
    """Run the steps of these names in the jobs of GitHub's example, in order."""
    document = read(ROOT / "ci/github" / f"{name}.yml")
    for key, names in jobs.items():
        found = {step["name"]: step for step in document["jobs"][key]["steps"] if "name" in step}
        for each in names:
            done = job.run(found[each]["run"], **environment)
            assert done.returncode == 0, f"{each}: {done.stderr}"


def digest_of(reference: str) -> str:
    return real.output_of(MANYFEST, "inspect", reference, "--format", "{{digest}}")


def digests(registry: str) -> set[str]:
    """What the tags hold, which has both platforms."""
    references = [f"{registry}/app:{tag}" for tag in ("1.2.3", "latest")]
    real.output_of(MANYFEST, "check", "--platform", "linux/amd64,linux/arm64", *references)
    return set(map(digest_of, references))


def test_one_job(project: Path, registry: str, tmp_path: Path) -> None:
    job = Job(project, tmp_path / "home")
    run_example(job, "release", {"release": ["Release"]})
    assert digests(registry) == {job.outputs["digest"]}


def test_a_native_matrix(project: Path, registry: str, tmp_path: Path) -> None:
    job = Job(project, tmp_path / "home")
    for platform in ("linux/amd64", "linux/arm64"):
        run_example(job, "matrix", {"stage": ["Stage"]}, PLATFORM=platform)
    run_example(job, "matrix", {"publish": ["Publish"]})
    assert digests(registry) == {job.outputs["digest"]}


def test_what_was_tested_is_released_byte_for_byte(
    project: Path, registry: str, tmp_path: Path
) -> None:
    job = Job(project, tmp_path / "home")
    run_example(job, "promote", {"build": ["Build"], "test": ["Check"], "release": ["Release"]})
    assert digests(registry) == {digest_of(f"oci-archive:{project}/image.tar")}
