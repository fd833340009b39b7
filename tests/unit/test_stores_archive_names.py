from __future__ import annotations

from pathlib import Path

import pytest

from manyfest.stores.archives.names import ArchiveName, compression_of, place_of

REF = "org.opencontainers.image.ref.name"
CONTAINERD = "io.containerd.image.name"


@pytest.mark.parametrize(
    ("text", "place", "expected"),
    [
        ("v1", "app", {CONTAINERD: "docker.io/library/app:v1", REF: "v1"}),
        ("v1", "ghcr.io/team/app", {CONTAINERD: "ghcr.io/team/app:v1", REF: "v1"}),
        ("v1", "", {REF: "v1"}),
        ("team/app:1.2", "", {CONTAINERD: "docker.io/team/app:1.2", REF: "1.2"}),
        ("team/app:1.2", "other", {CONTAINERD: "docker.io/team/app:1.2", REF: "1.2"}),
        ("app:1.2", "", {CONTAINERD: "docker.io/library/app:1.2", REF: "1.2"}),
        (
            "localhost:5000/app",
            "",
            {CONTAINERD: "localhost:5000/app:latest", REF: "latest"},
        ),
        ("a+b", "app", {REF: "a+b"}),
        ("Team/App:1", "app", {REF: "Team/App:1"}),
        ("app@sha256:" + "a" * 64, "app", {REF: "app@sha256:" + "a" * 64}),
        ("sha256-" + "a" * 64, "app", {REF: "sha256-" + "a" * 64}),
        ("sha256-" + "a" * 64 + ".sig", "app", {REF: "sha256-" + "a" * 64 + ".sig"}),
        ("", "app", {}),
    ],
)
def test_what_a_name_means(text: str, place: str, expected: dict[str, str]) -> None:
    annotations = ArchiveName.parse(text, place).annotations
    assert annotations == expected
    assert list(annotations) == sorted(annotations)


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("app.tar", "app"),
        ("/tmp/ruff-0.17.6.tar.gz", "ruff-0.17.6"),
        ("app.tgz", "app"),
        ("app.tar.zst", "app"),
        ("app.img", "app.img"),
        ("app", "app"),
        (".unchecked-app.tar", ""),
        ("My App.tar", ""),
        ("App.tar", ""),
        (".tar", ""),
        ("app:v1.tar", ""),
        ("a" * 64 + ".tar", ""),  # an image's id to Docker
    ],
)
def test_the_repository_that_a_files_name_suggests(path: str, place: str) -> None:
    assert place_of(Path(path)) == place


@pytest.mark.parametrize(
    ("path", "compression"),
    [
        ("app.tar", "none"),
        ("app", "none"),
        ("app.gz", "none"),
        ("app.tar.gz", "gzip"),
        ("app.tgz", "gzip"),
        ("app.tar.zst", "zstd"),
    ],
)
def test_a_files_name_says_how_it_is_compressed(path: str, compression: str) -> None:
    assert compression_of(Path(path)) == compression
