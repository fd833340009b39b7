from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from manyfest.errors import UsageError
from manyfest.release.project.config import Config
from manyfest.release.project.init import Facts, gather, initial_config, published_at, write_initial
from manyfest.release.project.load import load


def loaded(folder: Path, facts: Facts) -> Config:
    path = folder / "manyfest.yaml"
    path.write_text(initial_config(facts))
    return load(path)


def test_what_it_writes_is_a_configuration(tmp_path: Path) -> None:
    facts = Facts(name="server", dockerfile="docker/Dockerfile", repository="ghcr.io/gotify/server")
    config = loaded(tmp_path, facts)
    assert config.name == "server"
    assert config.build.dockerfile == "docker/Dockerfile"
    assert [str(platform) for platform in config.build.platforms] == ["linux/amd64", "linux/arm64"]
    assert [str(tag) for tag in config.tags] == [
        "{{version}}",
        "{{major}}.{{minor}}",
        "{{major}}",
        "latest",
    ]
    assert config.arch_tags
    assert [str(name) for name in config.publish] == ["ghcr.io/gotify/server"]
    assert str(config.archive) == "dist/{{name}}-{{version}}.tar"
    assert config.unsupported == ()


@pytest.mark.parametrize("name", ["app", "1.10", "true", "null", "7"])
def test_it_is_one_with_few_facts_and_odd_names(tmp_path: Path, name: str) -> None:
    config = loaded(tmp_path, Facts(name=name))
    assert config.name == name
    assert config.publish == ()


def test_its_comments_name_what_is_not_known() -> None:
    text = initial_config(Facts(name="app"))
    assert "  dockerfile: Dockerfile   # none was found: name yours\n" in text
    assert "# publish:\n#   - registry.example.com/app\n" in text


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://github.com/gotify/server", "ghcr.io/gotify/server"),
        ("https://github.com/Gotify/Server.git", "ghcr.io/gotify/server"),
        ("git@github.com:gotify/server.git", "ghcr.io/gotify/server"),
        ("ssh://git@github.com:22/gotify/server.git/", "ghcr.io/gotify/server"),
        ("https://user:TOKEN@github.com/gotify/server.git", "ghcr.io/gotify/server"),
        ("https://gitlab.com/group/sub/app.git", "registry.gitlab.com/group/sub/app"),
        ("https://code.example.org/gotify/server", ""),
        ("https://github.com/alone", ""),
        ("https://github.com/a/../b", ""),
        ("https://github.com/a/b\nname: c", ""),
        ("/srv/git/server.git", ""),
        ("../server", ""),
        ("", ""),
    ],
)
def test_where_a_remotes_images_are_published(url: str, expected: str) -> None:
    assert published_at(url) == expected


def project(folder: Path, remote: str = "") -> Path:
    folder.mkdir()
    if remote:
        subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
        subprocess.run(["git", "remote", "add", "origin", remote], cwd=folder, check=True)
    return folder


def test_facts_come_from_the_remote(tmp_path: Path) -> None:
    folder = project(tmp_path / "checkout", "git@github.com:gotify/server.git")
    assert gather(folder) == Facts(name="server", repository="ghcr.io/gotify/server")


@pytest.mark.parametrize(
    ("folder", "name"),
    [("My Project!", "my-project"), ("app_2.0", "app-2-0"), ("日本", "app"), ("--", "app")],
)
def test_without_a_remote_the_folder_gives_the_name(tmp_path: Path, folder: str, name: str) -> None:
    assert gather(project(tmp_path / folder)) == Facts(name=name)


@pytest.mark.parametrize("name", ["Dockerfile", "docker/Dockerfile", "Containerfile"])
def test_a_dockerfile_is_found(tmp_path: Path, name: str) -> None:
    folder = project(tmp_path / "app")
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).touch()
    assert gather(folder).dockerfile == name


def test_it_is_written_once(tmp_path: Path) -> None:
    folder = project(tmp_path / "app")
    path = write_initial(folder)
    assert path == folder / "manyfest.yaml"
    path.write_text("mine")
    with pytest.raises(UsageError, match=r"manyfest\.yaml: exists already; edit it, or remove it"):
        write_initial(folder)
    assert path.read_text() == "mine"
