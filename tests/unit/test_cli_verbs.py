"""Verbs on layouts and archives: what they print, where, and how they end."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import msgspec
import pytest

from manyfest.cli.main import run
from manyfest.oci.manifest import Index
from manyfest.oci.mediatypes import OCI_INDEX
from manyfest.oci.platform import Platform
from manyfest.stores.layout import LayoutStore
from tests import images
from tests.unit.cli import Manyfest, make_layout
from tests.unit.releases import make_project


@pytest.fixture
def digest(manyfest: Manyfest, tmp_path: Path) -> str:
    """Of the index in ``oci:image:v1``."""
    return str(make_layout(tmp_path / "image", "v1").resolve("v1").digest)


def test_copy_prints_the_digest_alone(manyfest: Manyfest, digest: str) -> None:
    copied = manyfest("copy", "oci:image:v1", "oci-archive:image.tar:v1")
    assert (copied.code, copied.out) == (0, f"{digest}\n")
    assert copied.err == "oci-archive:image.tar:v1: 11.5 kB sent\n"


def test_copy_says_what_was_there(manyfest: Manyfest, digest: str) -> None:
    manyfest("copy", "oci:image:v1", "oci:other:v1")
    again = manyfest("copy", "oci:image:v1", "oci:other:v1")
    assert again == (0, f"{digest}\n", "oci:other:v1: 0 B sent, parts already there: 11\n")


def test_a_quiet_copy_prints_the_digest_only(manyfest: Manyfest, digest: str) -> None:
    assert manyfest("copy", "-q", "oci:image:v1", "oci:other:v1") == (0, f"{digest}\n", "")


def test_a_dry_copy_prints_the_plan_and_changes_nothing(
    manyfest: Manyfest, digest: str, tmp_path: Path
) -> None:
    planned = manyfest("copy", "-q", "--dry-run", "oci:image:v1", "oci-archive:image.tar:v1")
    assert planned == (
        0,
        f"would copy 11 parts, 11.5 kB, to oci-archive:image.tar:v1\n{digest}\n",
        "",
    )
    assert not (tmp_path / "image.tar").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "verdict", "states"),
    [
        ([], 0, "ready", ["ready", "ready", "ready"]),
        (["--platform", "arm64"], 0, "ready", ["ready"]),
        (["--platform", "linux/amd64,linux/riscv64"], 3, "NOT ready", ["ready", "missing"]),
        (["--platform", "amd64", "--platform", "s390x"], 3, "NOT ready", ["ready", "missing"]),
    ],
)
def test_check_answers_yes_or_no(
    manyfest: Manyfest,
    digest: str,
    arguments: list[str],
    code: int,
    verdict: str,
    states: list[str],
) -> None:
    answer = manyfest("check", "oci:image:v1", *arguments)
    assert (answer.code, answer.err) == (code, "")
    lines = answer.out.splitlines()
    assert lines[0] == f"oci:image:v1  {verdict}"
    assert [line.split()[1] for line in lines[2:]] == states


def test_check_of_a_tag_that_is_not_there_is_a_no(manyfest: Manyfest, digest: str) -> None:
    answer = manyfest("check", "oci:image:v1", "oci:image:v2")
    assert answer.code == 3
    assert "oci:image:v1  ready\n" in answer.out
    assert "\n\noci:image:v2  NOT ready\n" in answer.out


def test_a_deep_check_names_the_faults(manyfest: Manyfest, digest: str) -> None:
    answer = manyfest("check", "--deep", "oci:image:v1", "--platform", "amd64")
    assert answer.code == 3
    first, *_, last = answer.out.splitlines()
    assert first.startswith("oci:image:v1  NOT right: ")
    assert last.startswith("linux/")
    told = json.loads(manyfest("check", "--deep", "--json", "oci:image:v1").out)
    assert {"platform", "where", "what", "mend"} == told["images"][0]["faults"][0].keys()


def test_build_prints_the_digest_alone(manyfest: Manyfest, tmp_path: Path) -> None:
    make_project(tmp_path)
    built = manyfest("build", "-q", "--platform", "amd64,arm64", "-o", "oci:out:v1")
    assert (built.code, built.err) == (0, "")
    assert built.out == f"{LayoutStore(tmp_path / 'out').resolve('v1').digest}\n"
    assert manyfest("check", "--deep", "oci:out:v1").code == 0


def test_docker_calls_the_first_platform_that_was_built_by_the_plain_name(
    manyfest: Manyfest, tmp_path: Path
) -> None:
    make_project(tmp_path)
    manyfest("build", "--platform", "arm64,amd64", "-o", "docker-archive:out.tar:team/app:v1")
    with tarfile.open(tmp_path / "out.tar") as archive:
        file = archive.extractfile("manifest.json")
        assert file is not None
        names = [image["RepoTags"] for image in json.load(file)]
    name = "docker.io/team/app:v1"
    assert names == [[name, f"{name}-arm64"], [f"{name}-amd64"]]


def test_a_build_to_standard_output_prints_nothing_else_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    make_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert run(["build", "--platform", "arm64,amd64", "-o", "oci-archive:-:v1"]) == 0
    assert run(["build", "--platform", "arm64,amd64", "-o", "oci-archive:+.tar:v1"]) == 0
    out, err = capfdbinary.readouterr()
    archive, digest = out[:-72], out[-72:]
    assert archive == (tmp_path / "+.tar").read_bytes()
    assert digest in err


def test_a_dry_build_writes_nothing(manyfest: Manyfest, tmp_path: Path) -> None:
    make_project(tmp_path)
    planned = manyfest("build", "--dry-run", "--platform", "arm64", "-o", "oci:out:v1")
    assert planned.code == 0
    assert planned.out.splitlines()[0] == "linux/arm64 by native"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("given", "label"),
    [
        (["--build-arg", "BY=them"], "them"),
        (["--build-arg", "BY"], "the environment"),
        (["--build-arg", "UNSET_BY"], "us"),
        (["--build-arg", "BY=a=b"], "a=b"),
    ],
)
def test_build_arguments(
    manyfest: Manyfest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    given: list[str],
    label: str,
) -> None:
    make_project(tmp_path)
    monkeypatch.setenv("BY", "the environment")
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text("FROM scratch\nARG BY=us\nARG UNSET_BY\nLABEL by=$BY\nCOPY bin /\n")
    manyfest("build", "--platform", "amd64", "-o", "oci:out:v1", *given)
    shown = json.loads(manyfest("inspect", "--json", "oci:out:v1").out)
    assert shown["images"][0]["labels"] == {"by": label}


def test_init_writes_a_file_that_version_and_release_read(
    manyfest: Manyfest, tmp_path: Path
) -> None:
    make_project(tmp_path)
    assert manyfest("init") == (
        0,
        "manyfest.yaml\n",
        "wrote manyfest.yaml; look it over, say in 'publish' where to publish, commit it,"
        " then run: manyfest release --dry-run\n",
    )
    assert manyfest("version", "--version", "1.2.3").out.splitlines()[-1] == "1.2.3"
    planned = manyfest("release", "--dry-run", "--version", "1.2.3", "--to", "one.example/app")
    assert planned.code == 0
    assert "publish  one.example/app" in planned.out.splitlines()


def test_a_dry_init_prints_the_file(manyfest: Manyfest, tmp_path: Path) -> None:
    assert manyfest("init", "--dry-run").out.splitlines()[0].startswith("# What")
    assert not (tmp_path / "manyfest.yaml").exists()


def test_a_plan_is_told_step_by_step(manyfest: Manyfest, tmp_path: Path) -> None:
    (tmp_path / "manyfest.yaml").write_text(
        "name: app\nbuild: {platforms: [linux/amd64, linux/arm64], before: make}\n"
        'tags: ["{{version}}", latest]\npublish: [one.example/app, two.example/app]\n'
        "check: {smoke: {command: [--config, a b]}}\n"
    )
    planned = manyfest("release", "--dry-run", "--version", "1.2.3")
    assert (planned.code, planned.err) == (0, "")
    assert planned.out.splitlines() == [
        "release  app 1.2.3",
        "run      'make', once for each platform",
        "build    linux/amd64",
        "build    linux/arm64",
        "write    dist/app-1.2.3.tar",
        "check    every digest, platform, program and entrypoint",
        "try      --config 'a b', in the image of each platform",
        "publish  one.example/app",
        "publish  two.example/app",
        "tag      1.2.3: names this release alone",
        "tag      latest: moves to 1.2.3, a final release, unless a higher one is there",
    ]


@pytest.mark.parametrize(
    "named", ["built.tar", "./built.tar", "oci-archive:built.tar", "built.tar:v1"]
)
def test_a_plan_from_an_image_builds_nothing(
    manyfest: Manyfest, tmp_path: Path, named: str
) -> None:
    (tmp_path / "manyfest.yaml").write_text(
        "name: app\nbuild: {platforms: [linux/amd64], before: make}\npublish: [one.example/app]\n"
    )
    planned = manyfest("release", "--dry-run", "--version", "1.2.3", "--from", named)
    path = named.removeprefix("oci-archive:")
    assert planned.out.splitlines()[:3] == [
        "release  app 1.2.3",
        f"take     oci-archive:{path}",
        "check    every digest, platform, program and entrypoint",
    ]


def hostile_layout(path: Path) -> None:
    """Everything that a stranger may write into a layout tries to reach the terminal."""
    layout = LayoutStore(path)
    image = images.image(layout)
    platform = Platform(os="linux\x1b[31m\nFAKE", architecture="amd64")
    listed = msgspec.structs.replace(image.descriptor, platform=platform)
    root = images.index(layout, [listed])
    entry = msgspec.structs.replace(
        root.descriptor, annotations={"org.opencontainers.image.ref.name": "v1\x1b[2J\nlatest"}
    )
    layout.update(lambda _: Index(schema_version=2, media_type=OCI_INDEX, manifests=(entry,)))


@pytest.mark.parametrize("verb", ["ls", "inspect", "check"])
def test_nothing_in_an_image_reaches_the_terminal(
    manyfest: Manyfest, tmp_path: Path, verb: str
) -> None:
    hostile_layout(tmp_path / "image")
    shown = manyfest(verb, "oci:image")
    assert shown.code == 0
    assert "\x1b" not in shown.out + shown.err
    assert "\\x1b[" in shown.out
    assert not any(line.startswith(("latest", "FAKE")) for line in shown.out.splitlines())
