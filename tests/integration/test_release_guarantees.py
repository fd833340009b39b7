"""A release against two real registries: killed, gone on with elsewhere, taken back."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import real
from tests.integration.conftest import MANYFEST, Manyfest, running_registry

CONFIG = """\
name: app
build:
  platforms: [linux/amd64, linux/arm64]
  before: {before!r}
tags: ["{{{{version}}}}", "{{{{major}}}}.{{{{minor}}}}", latest]
publish: [{one}/app, {two}/team/app]
"""


@pytest.fixture
def registries(tmp_path: Path) -> Iterator[tuple[str, str]]:
    with running_registry(tmp_path / "one") as one, running_registry(tmp_path / "two") as two:
        yield one, two


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=us", "-c", "user.email=us@example.org")
    real.output_of("git", "-C", folder, *who, *arguments)


def make_project(folder: Path, registries: tuple[str, str], *, before: str = "true") -> Path:
    folder.mkdir()
    one, two = registries
    (folder / "manyfest.yaml").write_text(CONFIG.format(one=one, two=two, before=before))
    (folder / "Dockerfile").write_text("FROM scratch\nARG TARGETARCH\nCOPY conf /etc/$TARGETARCH\n")
    (folder / ".gitignore").write_text("dist/\n")
    git(folder, "init", "-q")
    return commit(folder, "2.6.0")


def commit(folder: Path, version: str) -> Path:
    (folder / "conf").write_text(version)
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", version)
    git(folder, "tag", f"v{version}")
    return folder


def tags_of(manyfest: Manyfest, registries: tuple[str, str], *tags: str) -> list[str]:
    """The digest that each of the tags holds in each registry, or the empty string."""
    one, two = registries
    places = [f"{place}:{tag}" for place in (f"{one}/app", f"{two}/team/app") for tag in tags]
    answers = [manyfest("inspect", "--format", "{{digest}}", place) for place in places]
    return [answer.stdout.strip() for answer in answers]


def test_an_unchanged_commit_is_only_asked_about(
    manyfest: Manyfest, tmp_path: Path, registries: tuple[str, str]
) -> None:
    project = make_project(tmp_path / "project", registries)
    first = manyfest("release", "-q", cwd=project)
    assert first.returncode == 0, first.stderr
    again = manyfest("release", "-v", cwd=project)
    assert again.stdout.splitlines()[-1] == first.stdout.splitlines()[-1]
    requests = [line.split()[0] for line in again.stderr.splitlines() if " http://" in line]
    assert set(requests) == {"HEAD"}


def test_killed_at_any_time_it_is_finished_elsewhere_with_the_same_digest(
    manyfest: Manyfest, tmp_path: Path, registries: tuple[str, str]
) -> None:
    project = make_project(tmp_path / "project", registries)
    assert manyfest("release", "-q", cwd=project).returncode == 0
    commit(project, "2.6.1")
    git(tmp_path, "clone", "-q", str(project), "elsewhere")
    for after in (0.15, 0.25, 0.35, 0.45):
        process = subprocess.Popen([MANYFEST, "release", "-q"], cwd=project)
        time.sleep(after)
        process.kill()
        process.wait()
    finished = manyfest("release", "-q", cwd=tmp_path / "elsewhere")
    assert finished.returncode == 0, finished.stderr
    digest = finished.stdout.splitlines()[-1]
    assert tags_of(manyfest, registries, "2.6.1", "2.6", "latest") == [digest] * 6
    assert manyfest("rollback", "-q", cwd=tmp_path / "elsewhere").returncode == 0
    old = tags_of(manyfest, registries, "2.6.0")
    assert tags_of(manyfest, registries, "latest") == old


def test_sigterm_ends_it_as_ctrl_c_does(tmp_path: Path, registries: tuple[str, str]) -> None:
    project = make_project(tmp_path / "project", registries, before="touch started; sleep 600")
    process = subprocess.Popen(
        [MANYFEST, "release", "-q"], cwd=project, stderr=subprocess.PIPE, text=True
    )
    real.wait_until((project / "started").exists, "the command before")
    os.kill(process.pid, signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.split("\n")[-2] == "manyfest: interrupted; run the same command again to go on"


def test_a_release_is_taken_back_in_both_registries(
    manyfest: Manyfest, tmp_path: Path, registries: tuple[str, str]
) -> None:
    project = make_project(tmp_path / "project", registries)
    assert manyfest("release", "-q", cwd=project).returncode == 0
    commit(project, "2.7.0")
    assert manyfest("release", "-q", cwd=project).returncode == 0
    back = manyfest("rollback", "--json", cwd=project)
    assert back.returncode == 0, back.stderr
    done = json.loads(back.stdout)
    assert (done["version"], done["target"]) == ("2.7.0", "2.6.0")
    # docker-registry takes no tag away alone.
    assert done["left"] == [f"{registries[0]}/app:2.7", f"{registries[1]}/team/app:2.7"]
    assert tags_of(manyfest, registries, "latest") == [done["digest"]] * 2
    status = manyfest("status", "--json", cwd=project)
    assert status.returncode == 0, status.stdout
    held = {
        tag["tag"]: tag["repositories"][1]["version"] for tag in json.loads(status.stdout)["tags"]
    }
    assert held == {
        "latest": "2.6.0",
        "2.6": "2.6.0",
        "2.7": "2.7.0",
        "2.6.0": "2.6.0",
        "2.7.0": "2.7.0",
    }


def test_a_registry_that_died_is_named_before_anything_is_built(
    manyfest: Manyfest, tmp_path: Path
) -> None:
    with running_registry(tmp_path / "one") as one:
        dead = f"127.0.0.1:{real.free_port()}"
        project = make_project(tmp_path / "project", (one, dead))
        failed = manyfest("release", "-q", cwd=project)
    assert failed.returncode == 1
    assert dead in failed.stderr
    assert failed.stderr.count("\n") == 1
    assert not (project / "dist").exists()


def test_a_killed_release_is_put_back_where_it_cannot_go_on(
    manyfest: Manyfest, tmp_path: Path
) -> None:
    with running_registry(tmp_path / "one") as one:
        with running_registry(tmp_path / "two") as two:
            project = make_project(tmp_path / "project", (one, two))
            before = manyfest("release", "-q", cwd=project).stdout.splitlines()[-1]
            commit(project, "2.6.1")
            assert manyfest("release", "-q", cwd=project).returncode == 0
            # As it was when only 'latest' was left to be set.
            for place in (f"{one}/app", f"{two}/team/app"):
                manyfest("copy", "-q", f"{place}:2.6.0", f"{place}:latest")
            journal = project / "dist/app-2.6.1.journal"
            lines = journal.read_text().splitlines(keepends=True)
            journal.write_text("".join(line for line in lines if '"step":"tags"' not in line))
        again = manyfest("release", "-q", "--report", "report.json", cwd=project)
    assert again.returncode == 1
    assert f"put back: {one}/app:2.6;" in again.stderr
    assert json.loads((project / "report.json").read_text())["standing"] == [
        {"reference": f"{one}/app:2.6", "standing": "put back"},
        {"reference": f"{two}/team/app:2.6", "standing": "not known"},
        {"reference": f"{two}/team/app:latest", "standing": "not known"},
    ]
    with running_registry(tmp_path / "one") as one:
        held = manyfest("inspect", "--format", "{{digest}}", f"{one}/app:2.6").stdout.strip()
    assert held == before
