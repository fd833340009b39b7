"""Bad input: one clear line, the right exit code, nothing changed and nothing left behind."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from manyfest.stores.layout import LayoutStore
from tests.unit.cli import Manyfest, make_layout
from tests.unit.releases import make_project

CONFIG = "name: app\nbuild:\n  platforms: [linux/amd64, linux/arm64]\npublish: [one.example/app]\n"


def snapshot(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b""
        for path in folder.rglob("*")
    }


def assert_refused(
    manyfest: Manyfest, folder: Path, arguments: list[str], code: int, line: str
) -> None:
    before = snapshot(folder)
    assert manyfest(*arguments) == (code, "", f"manyfest: {line}\n")
    assert snapshot(folder) == before


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (["inspect", "oci:none"], 1, "oci:none: there is no OCI layout here"),
        (["inspect", "oci-archive:none.tar"], 1, "oci-archive:none.tar: there is no such file"),
        (["ls", "oci:none"], 1, "oci:none: there is no OCI layout here"),
        (["tag", "oci:none:v1", "v2"], 1, "oci:none: there is no OCI layout here"),
        (["copy", "oci:none", "oci:new:v1"], 1, "oci:none: there is no OCI layout here"),
        (
            ["copy", "oci-archive:none.tar", "oci-archive:new.tar:v1"],
            1,
            "oci-archive:none.tar: there is no such file",
        ),
        (["build", "none", "-o", "oci:new:v1"], 2, "none: there is no such folder"),
        (["init", "none"], 1, "none: no such folder"),
        (["version"], 2, "no manyfest.yaml here; `manyfest init` writes one"),
        (["release"], 2, "no manyfest.yaml here; `manyfest init` writes one"),
        (["release", "-c", "x/y.yaml"], 2, "no y.yaml in x; `manyfest init` writes one"),
        (
            ["inspect", "--ca-file", "none.pem", "oci:none"],
            2,
            "invalid value for '--ca-file': File 'none.pem' does not exist;"
            " see: manyfest inspect --help",
        ),
    ],
)
def test_a_missing_file(
    manyfest: Manyfest, tmp_path: Path, arguments: list[str], code: int, line: str
) -> None:
    assert_refused(manyfest, tmp_path, arguments, code, line)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "manyfest.yaml: the file is empty; `manyfest init --dry-run` shows one"),
        (
            "name: app\nbuild:\n  platfroms: [linux/amd64]\n",
            "manyfest.yaml:3: unknown key 'platfroms' under 'build'; did you mean 'platforms'?",
        ),
        (
            "name: app\nbuild:\n  platforms: [linux/amd46]\n",
            "manyfest.yaml:3: 'build.platforms[0]': unknown architecture in platform 'linux/amd46';"
            " use one of 386, amd64, arm, arm64, loong64, mips, mips64, mips64le, mipsle, ppc64,"
            " ppc64le, riscv64, s390x, wasm",
        ),
        (
            "name: app\nbuild:\n  platforms: [linux/amd64]\ntags: [{{version}}]\n",
            "manyfest.yaml:4: a key is not short, plain text under 'tags[0]';"
            ' put a value that starts with "{" in quotes',
        ),
        (
            "name: app\n\tbuild:\n",
            "manyfest.yaml:2: not YAML: found character '\\t' that cannot start any token;"
            " indent with spaces, not tabs",
        ),
        (
            CONFIG + "sign: {key: env:KEY}\n",
            "manyfest.yaml:5: manyfest 0.1.0 does not do 'sign'; take it out, or use a later"
            " version",
        ),
        (
            CONFIG.replace("publish", "# publish"),
            "manyfest.yaml: 'publish' names no repository; name one there or with --to;"
            " `manyfest build` only builds",
        ),
    ],
)
def test_a_broken_manyfest_yaml(manyfest: Manyfest, tmp_path: Path, text: str, line: str) -> None:
    (tmp_path / "manyfest.yaml").write_text(text)
    arguments = ["release", "--version", "1.0.0", "--dry-run"]
    assert_refused(manyfest, tmp_path, arguments, 2, line)


def test_a_folder_in_the_place_of_the_file(manyfest: Manyfest, tmp_path: Path) -> None:
    (tmp_path / "manyfest.yaml").mkdir()
    line = "manyfest.yaml: cannot be read: Is a directory"
    assert_refused(manyfest, tmp_path, ["version"], 2, line)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--version", "one"], "'one' is not a version; write 1.2.3 or 1.2.3-rc.1"),
        (
            ["--version", "1.0.0", "--to", "one.example/app:v1"],
            "--to 'one.example/app:v1' names one image; write one.example/app; 'tags' has the tags",
        ),
        (
            ["--version", "1.0.0", "--to", "one.example/App"],
            "one.example/App: repository 'App' has capital letters; write app",
        ),
        (
            ["--version", "1.0.0", "--from", "ftp://host/image"],
            "unknown transport in 'ftp://host/image';"
            " use docker://, oci:, oci-archive:, docker-archive: or docker-daemon:",
        ),
    ],
)
def test_a_release_that_is_asked_for_wrongly(
    manyfest: Manyfest, tmp_path: Path, arguments: list[str], line: str
) -> None:
    (tmp_path / "manyfest.yaml").write_text(CONFIG)
    assert_refused(manyfest, tmp_path, ["release", *arguments], 2, line)


@pytest.mark.parametrize(
    ("key", "line"),
    [
        (
            "dockerfile: nope",
            "manyfest.yaml:3: nope cannot be read: No such file or directory;"
            " let 'build.dockerfile' name the Dockerfile",
        ),
        (
            "context: nope",
            "manyfest.yaml:3: the build context nope is not a folder;"
            " name the folder that COPY copies from in 'build.context'",
        ),
        (
            "target: biuld",
            "manyfest.yaml:3: there is no stage 'biuld' to build in Dockerfile;"
            " did you mean build?",
        ),
        (
            "secrets: ['id=a,env=UNSET_A']",
            "manyfest.yaml:3: the secret's variable UNSET_A is not set; set it, or name a file",
        ),
    ],
)
@pytest.mark.parametrize("verb", [("release", "--dry-run"), ("build",)])
def test_what_cannot_be_built_is_told_with_its_line(
    manyfest: Manyfest, tmp_path: Path, verb: tuple[str, ...], key: str, line: str
) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch AS build\nCOPY Dockerfile /\n")
    config = f"name: app\nbuild:\n  {key}\n  platforms: [amd64]\npublish: [localhost:1/app]\n"
    (tmp_path / "manyfest.yaml").write_text(config)
    told = manyfest(*verb, "--version", "1.0.0")
    assert told == (2, "", f"manyfest: {line}\n")


def test_a_build_looks_at_the_dockerfile_before_the_command_runs(
    manyfest: Manyfest, tmp_path: Path
) -> None:
    config = CONFIG.replace("build:", "build:\n  before: touch ran")
    (tmp_path / "manyfest.yaml").write_text(config)
    (tmp_path / "Dockerfile").write_text("FORM scratch\n")
    assert manyfest("build", "--version", "1.0.0").code == 2
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("key", ["dockerfile: made", "context: made"])
def test_a_dry_run_leaves_to_the_command_before_what_that_may_make(
    manyfest: Manyfest, tmp_path: Path, key: str
) -> None:
    config = CONFIG.replace("build:", f"build:\n  before: make all\n  {key}")
    (tmp_path / "manyfest.yaml").write_text(config)
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    assert manyfest("release", "--version", "1.0.0", "--dry-run").code == 0


def test_the_same_repository_twice_is_one(manyfest: Manyfest, tmp_path: Path) -> None:
    (tmp_path / "manyfest.yaml").write_text(CONFIG)
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    to = ["--to", "one.example/app", "--to", "docker://one.example/app"]
    planned = manyfest("release", "--dry-run", "--version", "1.0.0", *to)
    assert planned.out.count("publish  one.example/app\n") == 1


UNKNOWN = (
    "unknown architecture in platform 'linux/amd46'; use one of 386, amd64, arm, arm64, loong64,"
    " mips, mips64, mips64le, mipsle, ppc64, ppc64le, riscv64, s390x, wasm"
)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["build", "-o", "oci:new:v1", "--platform", "linux/amd46"], UNKNOWN),
        (["check", "oci:image:v1", "--platform", "linux/amd64,linux/amd46"], UNKNOWN),
        (["inspect", "oci:image:v1", "--platform", "linux/amd46"], UNKNOWN),
        (
            ["check", "oci:image:v1", "--platform", "amd64,"],
            "'' is not a platform; write it as os/arch[/variant]: linux/arm64",
        ),
        (
            ["inspect", "--config", "oci:image:v1"],
            "oci:image:v1: it has a configuration for each platform; add --platform",
        ),
        (["inspect", ""], "the reference is empty; name an image: host/name:tag"),
        (["inspect", "oci:"], "'oci:' names no path"),
        (["ls", "host/a b"], None),
        (["inspect", "image@sha256:abc"], None),
        (
            ["tag", "oci:image:v1", "v2", "v 3"],
            "'v 3' is not a tag; use up to 128 letters, digits, '_', '.' and '-',"
            " no '.' or '-' in front",
        ),
        (
            ["tag", "oci-archive:image.tar:v1", "v2"],
            "oci-archive:image.tar:v1: nothing in it can be changed: it is written anew as a whole;"
            " name a registry's repository or a layout",
        ),
        (
            ["build", "-o", "oci:new:v1", "--build-arg", "=x"],
            "--build-arg '=x' has no name; write KEY=VALUE",
        ),
        (["login", "--password-stdin", "one.example"], "--password-stdin needs --username"),
        (["logout", "one example"], "'one example' is not a registry's host name"),
    ],
)
def test_an_argument_that_means_nothing(
    manyfest: Manyfest, tmp_path: Path, arguments: list[str], line: str | None
) -> None:
    make_project(tmp_path)
    make_layout(tmp_path / "image", "v1")
    before = snapshot(tmp_path)
    refused = manyfest(*arguments)
    assert (refused.code, refused.out) == (2, "")
    assert refused.err.count("\n") == 1
    assert line is None or refused.err == f"manyfest: {line}\n"
    assert snapshot(tmp_path) == before


def test_a_binary_of_the_wrong_architecture(manyfest: Manyfest, tmp_path: Path) -> None:
    make_project(tmp_path)
    shutil.copy("bin/linux/amd64/app", "bin/linux/arm64/app")
    manyfest("build", "--platform", "amd64,arm64", "-o", "oci:out:v1")
    answer = manyfest("check", "--deep", "oci:out:v1")
    assert answer.code == 3
    assert answer.out.splitlines()[-1] == (
        "linux/arm64 /app: is built for linux/amd64, not for linux/arm64; ship the build for this"
        " platform, or list the path in 'check.foreign' if it is there on purpose"
    )


def damage_layout(path: Path) -> None:
    """One bit of one layer."""
    largest = max((path / "blobs/sha256").iterdir(), key=lambda blob: blob.stat().st_size)
    data = bytearray(largest.read_bytes())
    data[600] ^= 1
    largest.write_bytes(data)


@pytest.mark.parametrize("target", ["oci:new:v1", "oci-archive:new.tar:v1"])
def test_damaged_content_is_not_copied(manyfest: Manyfest, tmp_path: Path, target: str) -> None:
    make_layout(tmp_path / "image", "v1")
    damage_layout(tmp_path / "image")
    refused = manyfest("copy", "oci:image:v1", target)
    assert (refused.code, refused.out) == (1, "")
    assert refused.err.count("\n") == 1
    assert "has the digest sha256:" in refused.err
    assert not (tmp_path / "new.tar").exists()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    if (tmp_path / "new/index.json").exists():
        assert list(LayoutStore(tmp_path / "new").tags()) == []


@pytest.mark.parametrize("kept", [0, 1, 511, 512, 5000, 0.5, 0.99])
def test_a_truncated_archive(manyfest: Manyfest, tmp_path: Path, kept: float) -> None:
    make_layout(tmp_path / "image", "v1")
    manyfest("copy", "oci:image:v1", "oci-archive:image.tar:v1")
    whole = (tmp_path / "image.tar").read_bytes()
    size = int(kept * len(whole)) if isinstance(kept, float) else kept
    (tmp_path / "image.tar").write_bytes(whole[:size])
    before = snapshot(tmp_path)
    for verb in (["inspect"], ["ls"], ["check", "--deep"], ["copy"]):
        target = ["oci:new:v1"] if verb == ["copy"] else []
        refused = manyfest(*verb, "oci-archive:image.tar", *target)
        assert (refused.code, refused.out) == (1, "")
        assert refused.err.startswith("manyfest: oci-archive:image.tar")
        assert refused.err.count("\n") == 1
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: (path / "index.json").write_text("{"),
        lambda path: (path / "index.json").write_text("[]"),
        lambda path: (path / "index.json").write_bytes(b"\xff\xfe"),
        lambda path: (path / "index.json").write_text('{"schemaVersion":2}'),
        lambda path: (path / "index.json").write_text("[" * 100_000),
        lambda path: (path / "index.json").unlink(),
        lambda path: shutil.rmtree(path / "blobs"),
    ],
)
def test_a_damaged_layout(
    manyfest: Manyfest, tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    make_layout(tmp_path / "image", "v1")
    damage(tmp_path / "image")
    refused = manyfest("inspect", "oci:image:v1")
    assert (refused.code, refused.out) == (1, "")
    assert refused.err.startswith("manyfest: ")
    assert refused.err.count("\n") == 1


def test_a_dockerfile_with_run_says_where(manyfest: Manyfest, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\nRUN make\n")
    before = snapshot(tmp_path)
    refused = manyfest("build", "--backend", "native", "-o", "oci:new:v1")
    assert refused.code != 0
    assert refused.err.startswith("manyfest: Dockerfile:2: ")
    assert refused.err.splitlines()[1:] == ["  2 | RUN make", "    | ^^^"]
    assert snapshot(tmp_path) == before


def test_a_password_is_never_taken_from_the_command_line(manyfest: Manyfest) -> None:
    refused = manyfest("login", "one.example", "--password", "secret")
    assert refused.code == 2
    assert "secret" not in refused.err
