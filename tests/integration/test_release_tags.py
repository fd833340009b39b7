"""Tags and repositories of a release, in a real registry."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests import real
from tests.integration.conftest import Manyfest
from tests.unit.releases import make_project

pytestmark = pytest.mark.real

CONFIG = """\
name: app
build: {{platforms: [linux/amd64, linux/arm64]}}
tags: ["{{{{version}}}}", "{{{{major}}}}.{{{{minor}}}}", latest]
publish: [{registry}/app, {registry}/other]
arch_repositories: {{linux/arm64: -arm64}}
"""


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=we", "-c", "user.email=we@example.org")
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


def configure(folder: Path, registry: str, version: str) -> None:
    """Commit the project as this version."""
    (folder / "manyfest.yaml").write_text(CONFIG.format(registry=registry))
    git(folder, "add", ".")
    git(folder, "commit", "-q", "--allow-empty", "-m", version)
    git(folder, "tag", f"v{version}")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project in git."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "project"
    make_project(folder)
    git(folder, "init", "-q", "-b", "main")
    return folder


def released(manyfest: Manyfest, folder: Path) -> str:
    """What a release did: its requests, and how each step ended."""
    ran = manyfest("release", "--verbose", cwd=folder)
    assert ran.returncode == 0, ran.stderr
    return ran.stderr


def requests(log: str, pattern: str) -> list[str]:
    return re.findall(rf"^{pattern}", log, re.MULTILINE)


def held(registry: str, reference: str) -> str:
    found = real.output_of(
        "skopeo", "inspect", "--tls-verify=false", "--format", "{{.Digest}}",
        f"docker://{registry}/{reference}",
    )  # fmt: skip
    return found.strip()


def test_a_registry_gets_each_blob_once_and_an_unchanged_commit_costs_looks_alone(
    manyfest: Manyfest, docker_registry: str, project: Path
) -> None:
    configure(project, docker_registry, "2.6.1")
    log = released(manyfest, project)
    upload, _, _ = log.partition("\npublish: ")
    sent = requests(upload, r"PUT \S+/v2/(\S+)/blobs/uploads/\S+ 201")
    assert sent == ["app"] * len(sent)
    mounted = requests(upload, r"POST \S+/v2/(\S+)/blobs/uploads/ 201")
    assert sorted(set(mounted)) == ["app-arm64", "other", "other-arm64"]
    assert mounted.count("other") == len(sent)

    again = released(manyfest, project)
    assert set(requests(again, r"(GET|HEAD|POST|PUT|PATCH|DELETE) http")) == {"HEAD"}


def test_a_repository_for_one_platform_holds_its_image_alone(
    manyfest: Manyfest, docker_registry: str, project: Path
) -> None:
    real.need_programs("skopeo")
    configure(project, docker_registry, "2.6.1")
    released(manyfest, project)
    raw = real.output_of(
        "skopeo", "inspect", "--tls-verify=false", "--raw", f"docker://{docker_registry}/app:2.6.1"
    )
    arm64 = next(
        entry["digest"]
        for entry in json.loads(raw)["manifests"]
        if entry["platform"]["architecture"] == "arm64"
    )
    for repository in ("app-arm64", "other-arm64"):
        for tag in ("2.6.1", "2.6", "latest"):
            assert held(docker_registry, f"{repository}:{tag}") == arm64


def test_a_back_port_moves_nothing_back(
    manyfest: Manyfest, docker_registry: str, project: Path
) -> None:
    real.need_programs("skopeo")
    configure(project, docker_registry, "2.6.1")
    released(manyfest, project)
    before = held(docker_registry, "app:latest")
    configure(project, docker_registry, "2.5.9")
    asked = manyfest("version", "--json", cwd=project)
    tags = {tag["tag"]: tag for tag in json.loads(asked.stdout)["tags"]}
    assert tags["latest"]["reason"] == "skipped: 2.6.1 is there, a higher final version"
    assert tags["2.5"]["moves"]
    released(manyfest, project)
    assert held(docker_registry, "app:latest") == held(docker_registry, "app:2.6.1") == before
    assert held(docker_registry, "app:2.5") == held(docker_registry, "app:2.5.9") != before
