"""The options of ``manyfest build``."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest

from manyfest.build.request import BACKENDS
from manyfest.cli.build import command
from tests.unit.cli import Manyfest

DOCKERFILE = "FROM scratch\nCOPY file /file\nLABEL a=dockerfile\n"


@pytest.fixture
def manyfest(manyfest: Manyfest, monkeypatch: pytest.MonkeyPatch) -> Manyfest:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    Path("Dockerfile").write_text(DOCKERFILE)
    Path("file").write_text("content")
    return manyfest


def build(manyfest: Manyfest, *options: str) -> dict[str, Any]:
    """The index that a build with these options makes."""
    done = manyfest("build", "-q", "--platform", "amd64", "-o", "oci:out:v1", *options)
    assert (done.code, done.err) == (0, "")
    index: dict[str, Any] = json.loads(manyfest("inspect", "--raw", "oci:out:v1").out)
    return index


def config(manyfest: Manyfest) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        manyfest("inspect", "--config", "--platform", "amd64", "oci:out:v1").out
    )
    return found


def layer_types(manyfest: Manyfest, index: dict[str, Any]) -> list[str]:
    image = f"oci:out@{index['manifests'][0]['digest']}"
    raw = json.loads(manyfest("inspect", "--raw", image).out)
    return [layer["mediaType"].rpartition("+")[2] for layer in raw["layers"]]


def test_labels_and_annotations(manyfest: Manyfest) -> None:
    index = build(
        manyfest, "--label", "a=1", "--label", "b=x=y", "--annotation", "c=2", "--annotation", "d="
    )
    labels = config(manyfest)["config"]["Labels"]
    assert (labels["a"], labels["b"]) == ("1", "x=y")
    assert (index["annotations"]["c"], index["annotations"]["d"]) == ("2", "")


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_compression(manyfest: Manyfest, kind: str) -> None:
    assert layer_types(manyfest, build(manyfest, "--compression", kind)) == [kind]


def test_a_dockerfile_from_standard_input(
    manyfest: Manyfest, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = SimpleNamespace(buffer=io.BytesIO(b"FROM scratch\nCOPY file /elsewhere\nUSER 7\n"))
    monkeypatch.setattr(sys, "stdin", given)
    build(manyfest, "-f", "-")
    assert config(manyfest)["config"]["User"] == "7"


def test_a_fault_in_standard_input_says_its_line(
    manyfest: Manyfest, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = {
        b"FROM scratch\nCOPI a b\n": "-:2: unknown instruction",
        b"FROM scratch\n\xff\n": "-:2: is not UTF-8",
        b"#" * ((16 << 20) + 1): "-: is larger than 16 MiB",
    }
    for text, line in faults.items():
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(text)))
        refused = manyfest("build", "-f", "-", "-o", "oci:out:v1")
        assert refused.code == 2
        assert refused.err.startswith(f"manyfest: {line}")


def test_a_check_of_a_good_dockerfile_says_nothing(manyfest: Manyfest, tmp_path: Path) -> None:
    assert manyfest("build", "--check") == (0, "", "")
    assert not (tmp_path / "out").exists()


def test_a_check_prints_what_is_suspicious_and_builds_nothing(
    manyfest: Manyfest, tmp_path: Path
) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\nWORKDIR app\nUSER $WHO\n")
    before = sorted(tmp_path.iterdir())
    checked = manyfest("build", "--check")
    assert checked.code == 3
    assert checked.out.splitlines()[0].startswith("Dockerfile:2: WorkdirRelativePath: ")
    assert "Dockerfile:3: UndefinedVar: nothing sets $WHO here" in checked.out
    assert checked.err == "manyfest: Dockerfile: 2 warnings\n"
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--label", "a"], "--label 'a' is no pair; write KEY=VALUE"),
        (["--annotation", "=1"], "--annotation '=1' is no pair; write KEY=VALUE"),
        (
            ["--secret", "id=a,src=none"],
            "none: the secret cannot be read: No such file or directory",
        ),
    ],
)
def test_options_that_are_wrong(manyfest: Manyfest, options: list[str], told: str) -> None:
    refused = manyfest("build", "-o", "oci:out:v1", *options)
    assert (refused.code, refused.out, refused.err) == (2, "", f"manyfest: {told}\n")


@pytest.mark.parametrize("backend", ["auto", "buildah", "docker", "buildctl"])
def test_a_builder_that_is_not_here_is_one_line(
    manyfest: Manyfest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "Dockerfile").write_text("FROM scratch\nRUN make\n")
    for options in ([], ["--dry-run"]):
        refused = manyfest("build", "--backend", backend, "-o", "oci:out:v1", *options)
        assert (refused.code, refused.out, refused.err.count("\n")) == (1, "", 1)
        assert "install" in refused.err
    assert not (tmp_path / "out").exists()


def test_every_back_end_can_be_named() -> None:
    (option,) = (each for each in command.params if each.name == "backend")
    assert isinstance(option.type, click.Choice)
    assert tuple(option.type.choices) == BACKENDS
