"""``manyfest build`` in a project: as ``manyfest.yaml`` says, unless an option says otherwise."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.unit.cli import Manyfest

CONFIG = """\
name: app
build:
  platforms: [linux/amd64, linux/arm64]
  args: {BY: "{{name}}"}
  before: mkdir -p out/$TARGETPLATFORM && echo $VERSION $TARGETARCH >out/$TARGETPLATFORM/app
metadata: {title: The app, labels: {org.example.l: from the file}}
"""
DOCKERFILE = """\
FROM scratch
ARG TARGETPLATFORM BY=nobody
COPY out/$TARGETPLATFORM/app /
LABEL org.example.by=$BY
CMD ["/app"]
"""


@pytest.fixture
def manyfest(manyfest: Manyfest, monkeypatch: pytest.MonkeyPatch) -> Manyfest:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    Path("manyfest.yaml").write_text(CONFIG)
    Path("Dockerfile").write_text(DOCKERFILE)
    return manyfest


def labels(manyfest: Manyfest, reference: str, platform: str = "linux/amd64") -> dict[str, str]:
    config = manyfest("inspect", "--config", "--platform", platform, reference).out
    found: dict[str, str] = json.loads(config)["config"]["Labels"]
    return found


def index(manyfest: Manyfest, reference: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(manyfest("inspect", "--raw", reference).out)
    return found


def platforms(manyfest: Manyfest, reference: str) -> list[str]:
    described = json.loads(manyfest("inspect", "--json", reference).out)
    return [image["platform"] for image in described["images"]]


def test_the_project_is_built_into_its_archive(manyfest: Manyfest, tmp_path: Path) -> None:
    built = manyfest("build", "--version", "2.6.1")
    archive = "oci-archive:dist/app-2.6.1.tar:2.6.1"
    assert (built.code, built.out) == (0, f"{_digest(manyfest, archive)}\n")
    assert built.err.splitlines()[-1] == "the image is in dist/app-2.6.1.tar"
    assert platforms(manyfest, archive) == ["linux/amd64", "linux/arm64"]
    assert (tmp_path / "dist/.gitignore").read_text() == "*\n"
    assert (tmp_path / "out/linux/arm64/app").read_text() == "2.6.1 arm64\n"
    assert labels(manyfest, archive) == {
        "org.example.by": "app",
        "org.example.l": "from the file",
        "org.opencontainers.image.created": "2023-11-14T22:13:20Z",
        "org.opencontainers.image.title": "The app",
        "org.opencontainers.image.version": "2.6.1",
    }
    assert index(manyfest, archive)["annotations"] == {
        "org.opencontainers.image.created": "2023-11-14T22:13:20Z",
        "org.opencontainers.image.title": "The app",
        "org.opencontainers.image.version": "2.6.1",
    }


def _digest(manyfest: Manyfest, reference: str) -> str:
    digest: str = json.loads(manyfest("inspect", "--json", reference).out)["digest"]
    return digest


def test_options_are_stronger(manyfest: Manyfest) -> None:
    given = ["--platform", "arm64", "--build-arg", "BY=me", "--label", "org.example.l=mine"]
    assert manyfest("build", *given, "-o", "oci:out-image:v1").code == 0
    assert platforms(manyfest, "oci:out-image:v1") == ["linux/arm64"]
    found = labels(manyfest, "oci:out-image:v1", "linux/arm64")
    assert (found["org.example.by"], found["org.example.l"]) == ("me", "mine")


def test_the_command_before_runs_for_the_platforms_that_are_built(
    manyfest: Manyfest, tmp_path: Path
) -> None:
    manyfest("build", "--platform", "arm64", "-o", "oci:image:v1")
    assert [path.name for path in (tmp_path / "out/linux").iterdir()] == ["arm64"]


def test_a_command_before_that_fails_ends_the_build(manyfest: Manyfest, tmp_path: Path) -> None:
    config = tmp_path / "manyfest.yaml"
    config.write_text("name: app\nbuild: {platforms: [amd64], before: echo no compiler; exit 1}\n")
    built = manyfest("build", "-q", "-o", "oci:image:v1")
    assert (built.code, built.out) == (1, "")
    assert built.err == (
        "manyfest: manyfest.yaml:2: 'build.before' failed for linux/amd64:"
        " exit status 1: no compiler\n"
    )


def test_another_folder_is_another_project(manyfest: Manyfest, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other/Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    assert manyfest("build", "other", "-o", "oci:image:v1", "--platform", "386").code == 0
    assert platforms(manyfest, "oci:image:v1") == ["linux/386"]
    assert not (tmp_path / "out").exists()


def test_a_context_may_be_given_to_a_project_that_is_named(
    manyfest: Manyfest, tmp_path: Path
) -> None:
    (tmp_path / "manyfest.yaml").write_text("name: app\nbuild: {platforms: [amd64]}\n")
    (tmp_path / "other/out/linux/amd64").mkdir(parents=True)
    (tmp_path / "other/out/linux/amd64/app").write_text("x")
    assert manyfest("build", "-c", ".", "other", "-o", "oci:image:v1").code == 0
    assert labels(manyfest, "oci:image:v1")["org.opencontainers.image.title"] == "app"


def test_a_configuration_elsewhere_is_built_where_it_is(
    manyfest: Manyfest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert manyfest("build", "-c", "..", "--version", "1.0.0").code == 0
    assert (tmp_path / "dist/app-1.0.0.tar").exists()


def test_without_a_version_a_place_must_be_named(manyfest: Manyfest) -> None:
    built = manyfest("build")
    assert (built.code, built.out) == (2, "")
    assert "{{version}} in 'dist/{{name}}-{{version}}.tar' is not known here" in built.err
    assert manyfest("build", "-o", "oci:image:v1").code == 0


def test_in_a_shallow_clone_a_build_that_needs_the_version_says_so(
    manyfest: Manyfest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git = ["git", "-C", str(tmp_path), "-c", "user.name=A", "-c", "user.email=a@example.org"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"], ["tag", "v1.0.0"]):
        subprocess.run([*git, *words], check=True)
    subprocess.run([*git, "commit", "-qm", "second", "--allow-empty"], check=True)
    clone = ["clone", "-q", "--depth=1", f"file://{tmp_path}", str(tmp_path / "shallow")]
    subprocess.run([*git, *clone], check=True)
    monkeypatch.chdir(tmp_path / "shallow")
    built = manyfest("build")
    assert (built.code, built.out) == (1, "")
    assert "the clone is shallow, so the versions before this commit are not known; " in built.err
    assert manyfest("build", "-o", "oci:image:v1").code == 0


def test_a_dockerfile_is_looked_at_without_a_version(manyfest: Manyfest, tmp_path: Path) -> None:
    text = CONFIG.replace("{{name}}", "{{version}}")
    (tmp_path / "manyfest.yaml").write_text(text)
    assert manyfest("build", "-o", "oci:image:v1").code == 2
    assert manyfest("build", "--check") == (0, "", "")


def test_outside_a_project_a_place_must_be_named(manyfest: Manyfest, tmp_path: Path) -> None:
    (tmp_path / "manyfest.yaml").unlink()
    built = manyfest("build")
    assert built.code == 2
    assert built.err == (
        "manyfest: nothing says where the image goes; name a place with --output\n"
    )


def test_a_dry_run_runs_nothing(manyfest: Manyfest, tmp_path: Path) -> None:
    for platform in ("amd64", "arm64"):
        (tmp_path / "out/linux" / platform).mkdir(parents=True)
        (tmp_path / "out/linux" / platform / "app").write_text("x")
    planned = manyfest("build", "--dry-run", "--version", "1.0.0")
    assert planned.code == 0
    assert (tmp_path / "out/linux/amd64/app").read_text() == "x"
    assert not (tmp_path / "dist").exists()


def test_a_dry_run_knows_that_the_command_before_makes_files(
    manyfest: Manyfest, tmp_path: Path
) -> None:
    config = tmp_path / "manyfest.yaml"
    config.write_text("name: app\nbuild: {platforms: [amd64], before: make}\n")
    planned = manyfest("build", "--dry-run", "--version", "1.0.0")
    assert planned == (
        0,
        "linux/amd64 by native\n"
        "  stage 0 from scratch\n"
        "    COPY out/linux/amd64/app /  (not there yet: 'before' may make it)\n",
        "",
    )
    config.write_text("name: app\nbuild: {platforms: [amd64]}\n")
    refused = manyfest("build", "--dry-run", "--version", "1.0.0")
    assert (refused.code, refused.out) == (2, "")
    assert "'out/linux/amd64/app' is not in the build context" in refused.err


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (
            "backend: podman",
            "manyfest.yaml:3: 'build.backend' cannot be 'podman'; use one of auto,",
        ),
        ("timeout: soon", "manyfest.yaml:3: 'build.timeout': 'soon' is not a time; write seconds,"),
        ("timeout: 0", "manyfest.yaml:3: 'build.timeout': '0' is not a time; write seconds,"),
        (
            "secrets: [id=a/b]",
            "manyfest.yaml:3: the secret 'id=a/b' is not understood; write id=ID,src=FILE or",
        ),
        ("secrets: ['id=a,src=none']", "none: the secret cannot be read: No such file"),
        ("secrets: ['id=a,env=UNSET_A']", "manyfest.yaml:3: the secret's variable UNSET_A is not"),
    ],
)
def test_what_a_builder_is_told_wrongly(
    manyfest: Manyfest, tmp_path: Path, key: str, message: str
) -> None:
    text = f"name: app\nbuild:\n  {key}\n  platforms: [amd64]\n"
    (tmp_path / "manyfest.yaml").write_text(text)
    built = manyfest("build", "-o", "oci:image:v1")
    assert built.code == 2
    assert built.err.startswith(f"manyfest: {message}")


def test_clones_by_ssh_and_https_give_the_same_digest(manyfest: Manyfest, tmp_path: Path) -> None:
    git = ["git", "-C", str(tmp_path), "-c", "user.name=A", "-c", "user.email=a@example.org"]
    (tmp_path / ".gitignore").write_text("out*\nimage\n")
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"], ["tag", "v1.0.0"]):
        subprocess.run([*git, *words], check=True)
    digests = set()
    for url in ("git@github.com:a/b.git", "https://me:TOKEN@github.com/a/b"):
        subprocess.run([*git, "config", "remote.origin.url", url], check=True)
        digests.add(manyfest("build", "-o", "oci:image:v1").out)
    assert len(digests) == 1
    assert labels(manyfest, "oci:image:v1")["org.opencontainers.image.source"] == (
        "https://github.com/a/b"
    )


def test_only_what_concerns_the_build_must_be_supported(manyfest: Manyfest, tmp_path: Path) -> None:
    config = tmp_path / "manyfest.yaml"
    config.write_text(f"{CONFIG}sign: {{key: env:KEY}}\n")
    assert manyfest("build", "-o", "oci:image:v1").code == 0
    config.write_text(f"{CONFIG}layers: {{optimize: true}}\n")
    built = manyfest("build", "-o", "oci:image:v2")
    assert built.code == 2
    assert "manyfest.yaml:7: manyfest 0.1.0 does not do 'layers.optimize'" in built.err
