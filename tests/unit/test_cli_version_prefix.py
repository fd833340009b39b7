"""Several images in one repository, each with a prefix of its own for git's tags."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.cli import Manyfest
from tests.unit.repositories import Git, commit, make_repository


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Git:
    """A repository with a server and a client, each released once on the same commit."""
    run = make_repository(tmp_path, monkeypatch)
    for name in ("server", "client"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
        (folder / "manyfest.yaml").write_text(
            f"name: {name}\nversion_prefix: {name}/\nbuild: {{platforms: [linux/amd64]}}\n"
            f"publish: [registry.example.org/{name}]\n"
        )
    run("add", ".")
    commit(run, "server/v2.6.1", "client/1.0.0", "v9.0.0")
    return run


@pytest.mark.parametrize(
    "prefix",
    ["my server/", "a..b", "-server/", "/server/", "a//b", "x~", "v^", "a:", "@{", ".git/"],
)
def test_a_prefix_that_no_tag_can_have_is_refused(
    manyfest: Manyfest, tmp_path: Path, prefix: str
) -> None:
    (tmp_path / "manyfest.yaml").write_text(
        f"name: a\nversion_prefix: '{prefix}'\nbuild: {{platforms: [linux/amd64]}}\n"
    )
    assert manyfest("version") == (
        2,
        "",
        f"manyfest: manyfest.yaml:2: 'version_prefix': no tag of git's can begin with {prefix!r};"
        " write it as in the tags, such as server/ or server-\n",
    )


def test_a_prefix_may_be_whatever_tags_begin_with(
    manyfest: Manyfest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_repository(tmp_path, monkeypatch)
    commit(run, "@team/server@1.2.3")
    (tmp_path / "manyfest.yaml").write_text(
        "name: a\nversion_prefix: '@team/server@'\nbuild: {platforms: [linux/amd64]}\n"
    )
    assert manyfest("version", "--offline").out.endswith("\n1.2.3\n")


@pytest.mark.parametrize(("name", "version"), [("server", "2.6.1"), ("client", "1.0.0")])
def test_every_verb_takes_the_version_from_the_projects_own_tags(
    run: Git, manyfest: Manyfest, name: str, version: str
) -> None:
    shown = json.loads(manyfest("version", "-c", name, "--offline", "--json").out)
    assert (shown["version"], shown["tags"][0]["tag"]) == (version, version)
    plan = json.loads(manyfest("release", "-c", name, "--dry-run", "--json").out)
    assert plan["version"] == version


def test_a_build_labels_the_image_with_the_projects_own_version(
    run: Git, manyfest: Manyfest, tmp_path: Path
) -> None:
    assert manyfest("build", "-c", "server", "-o", f"oci:{tmp_path}/image:v1").code == 0
    images = json.loads(manyfest("inspect", "oci:image:v1", "--json").out)["images"]
    assert [each["labels"]["org.opencontainers.image.version"] for each in images] == ["2.6.1"]


def test_notes_and_the_next_version_are_the_projects_own(run: Git, manyfest: Manyfest) -> None:
    (Path("client") / "file").touch()
    run("add", "client/file")
    commit(run, message="feat!: of the client")
    assert manyfest("version", "-c", "client", "--next").out == "2.0.0\n"
    ran = manyfest("version", "-c", "server", "--next")
    assert (ran.code, ran.out) == (3, "")
    assert "- of the client (" in manyfest("version", "-c", "client", "--notes").out
    assert "Nothing that users would notice." in manyfest("version", "-c", "server", "--notes").out
