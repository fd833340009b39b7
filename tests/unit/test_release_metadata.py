"""What a project says of its images: from git, and from ``manyfest.yaml``."""

from __future__ import annotations

import subprocess
from pathlib import Path

import msgspec
import pytest

from manyfest.errors import ConfigError
from manyfest.release.project.config import Metadata
from manyfest.release.project.metadata import metadata_of, metadata_of_folder, web_address
from manyfest.release.project.template import Template
from tests.unit.releases import VERSION, make_config


def facts(folder: Path, **said: str) -> dict[str, str]:
    """The facts, by the last words of their keys."""
    metadata = Metadata(**{key: Template(text) for key, text in said.items()})  # type: ignore[arg-type]
    found = metadata_of(make_config(folder, metadata=metadata), VERSION).facts
    assert all(key.startswith("org.opencontainers.image.") for key in found)
    return {key.removeprefix("org.opencontainers.image."): found[key] for key in sorted(found)}


def clone_of(url: str, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    subprocess.run(["git", "remote", "add", "origin", url], cwd=folder, check=True)
    return folder


def test_without_a_remote_the_commit_is_what_is_known(tmp_path: Path) -> None:
    assert facts(tmp_path) == {
        "created": "2023-11-14T22:13:20Z",
        "revision": "0123456789abcdef0123456789abcdef01234567",
        "title": "app",
        "version": "2.6.1",
    }


def test_the_remote_says_where_the_source_is(tmp_path: Path) -> None:
    found = facts(clone_of("git@github.com:gotify/server.git", tmp_path))
    assert found["source"] == "https://github.com/gotify/server"
    assert found["url"] == "https://github.com/gotify/server"


def test_what_the_configuration_says_is_stronger_than_git(tmp_path: Path) -> None:
    said = {
        "title": "Gotify",
        "description": "{{name}} {{major}}",
        "licenses": "MIT",
        "authors": "us",
        "vendor": "we",
        "documentation": "https://example.org/docs",
        "source": "https://example.org/code",
    }
    found = facts(clone_of("https://github.com/a/b", tmp_path), **said)
    expected = {**said, "description": "app 2", "url": "https://example.org/code"}
    assert {key: found[key] for key in expected} == expected


def test_labels_and_annotations_are_templates(tmp_path: Path) -> None:
    metadata = Metadata(
        labels={"org.example.version": Template("v{{version}}")},
        annotations={"org.example.commit": Template("{{short_sha}}")},
    )
    found = metadata_of(make_config(tmp_path, metadata=metadata), VERSION)
    assert found.labels == {"org.example.version": "v2.6.1"}
    assert found.annotations == {"org.example.commit": "0123456"}


def test_a_template_that_needs_a_version_where_none_is_known(tmp_path: Path) -> None:
    metadata = Metadata(labels={"org.example.version": Template("v{{version}}")})
    unknown = msgspec.structs.replace(VERSION, text="")
    with pytest.raises(ConfigError) as caught:
        metadata_of(make_config(tmp_path, metadata=metadata), unknown)
    assert str(caught.value) == (
        "{{version}} in 'v{{version}}' is not known here; tag the commit, or give --version"
    )


def test_a_time_that_is_not_known_is_left_out(tmp_path: Path) -> None:
    nothing = msgspec.structs.replace(VERSION, text="", revision="", commit_time=0)
    assert metadata_of_folder(tmp_path, nothing).facts == {}
    dated = msgspec.structs.replace(nothing, commit_time=1)
    assert metadata_of_folder(tmp_path, dated).facts == {
        "org.opencontainers.image.created": "1970-01-01T00:00:01Z"
    }


@pytest.mark.parametrize(
    ("remote", "address"),
    [
        ("https://github.com/gotify/server", "https://github.com/gotify/server"),
        ("https://github.com/gotify/server.git/", "https://github.com/gotify/server"),
        ("https://user:TOKEN@github.com/a/b.git", "https://github.com/a/b"),
        ("https://TOKEN@Git.Example.org:8443/a/b?c#d", "https://git.example.org:8443/a/b"),
        ("http://localhost:3000/a/b", "http://localhost:3000/a/b"),
        ("https://[::1]:3000/a/b", "https://[::1]:3000/a/b"),
        ("git@github.com:gotify/server.git", "https://github.com/gotify/server"),
        ("github.com:gotify/server", "https://github.com/gotify/server"),
        ("ssh://git@git.example.org:2222/group/sub/app.git", "https://git.example.org/group/sub/app"),
        ("git://git.example.org/app.git", "https://git.example.org/app"),
        ("work:app.git", ""),
        ("ssh://alias/app.git", ""),
        ("/srv/git/app.git", ""),
        ("../app", ""),
        ("file:///srv/git/app.git", ""),
        ("https://github.com/a b/c", ""),
        ("https://github.com/a\x1b[31m/c", ""),
        ("https://github.com", ""),
        ("https://host:port/a", ""),
        ("https://[/a", ""),
        ("", ""),
    ],
)  # fmt: skip
def test_a_remotes_address_in_the_web(remote: str, address: str) -> None:
    assert web_address(remote) == address
