"""``manyfest index`` in a real registry, read back with skopeo."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from manyfest.oci.manifest import Manifest
from manyfest.stores.layout import LayoutStore
from tests import images, real
from tests.integration.conftest import Manyfest, image_index

pytestmark = pytest.mark.real

Read = Callable[[str], dict[str, Any]]


@pytest.fixture
def read() -> Read:
    """The manifest at a reference, as skopeo sees it."""
    real.need_programs("skopeo")

    def raw(reference: str) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(
            real.output_of(
                "skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{reference}"
            )
        )
        return document

    return raw


def push(manyfest: Manyfest, tmp_path: Path, kind: str, *targets: str) -> Manifest:
    """Copy an image of one of the kinds to each target; its root."""
    root = images.make(LayoutStore(tmp_path / "source"), kind)
    for target in targets:
        done = manyfest("copy", "oci:source:v1", target)
        assert done.returncode == 0, done.stderr
    return root


def run(manyfest: Manyfest, *arguments: str) -> str:
    """Its standard output's last line: a digest."""
    done = manyfest("index", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def platforms(document: dict[str, Any]) -> list[str]:
    return list(image_index(json.dumps(document)))


def test_an_index_of_images_from_everywhere_is_whole(
    manyfest: Manyfest, docker_registry: str, tmp_path: Path, read: Read
) -> None:
    """From another repository, a layout and an archive; the tag is what skopeo copies whole."""
    app = f"{docker_registry}/team/app"
    push(manyfest, tmp_path, "index", f"{docker_registry}/other/app:1", "oci-archive:image.tar:1")

    digest = run(
        manyfest,
        "create",
        f"{app}:2",
        f"linux/amd64={docker_registry}/other/app:1",
        "linux/arm64=oci:source:v1",
        "linux/arm/v7=oci-archive:image.tar:1",
    )

    assert platforms(read(f"{app}:2")) == ["linux/amd64", "linux/arm64", "linux/arm/v7"]
    assert read(f"{app}@{digest}") == read(f"{app}:2")
    real.output_of(
        "skopeo", "copy", "-q", "--all", "--preserve-digests", "--src-tls-verify=false",
        f"docker://{app}:2", f"oci:{tmp_path}/back:2",
    )  # fmt: skip
    assert str(LayoutStore(tmp_path / "back").resolve("2").digest) == digest


def test_images_of_one_repository_are_not_sent_again(
    manyfest: Manyfest, docker_registry: str, tmp_path: Path, read: Read
) -> None:
    app = f"{docker_registry}/team/app"
    push(manyfest, tmp_path, "index", f"{app}:all")
    for name in ("amd64", "arm64"):
        run(manyfest, "create", f"{app}:1-{name}", f"{name}={app}:all")

    made = manyfest("index", "create", f"{app}:1", f"{app}:1-amd64", f"{app}:1-arm64")

    assert made.stderr == f"{app}:1: set\n"
    assert platforms(read(f"{app}:1")) == ["linux/amd64", "linux/arm64"]


def test_blobs_of_another_repository_are_mounted(
    manyfest: Manyfest, docker_registry: str, tmp_path: Path
) -> None:
    push(manyfest, tmp_path, "index", f"{docker_registry}/other/app:1")

    made = manyfest(
        "index", "create", "-v", f"{docker_registry}/team/app:1", f"{docker_registry}/other/app:1"
    )

    assert made.returncode == 0
    requests = [line for line in made.stderr.splitlines() if "/blobs/" in line]
    assert {line.split()[0] for line in requests} == {"HEAD", "POST"}
    assert [line for line in requests if line.startswith("POST") and not line.endswith("201")] == []


def test_an_index_is_changed_step_by_step(
    manyfest: Manyfest, docker_registry: str, tmp_path: Path, read: Read
) -> None:
    app = f"{docker_registry}/team/app:1"
    push(manyfest, tmp_path, "index with attestations", app)
    before = read(app)

    run(manyfest, "annotate", app, "org.example.a=b")
    run(manyfest, "annotate", app, "--platform", "arm64", "org.example.c=d")
    annotated = read(app)
    run(manyfest, "remove", app, "--platform", "arm64")
    removed = read(app)
    source = LayoutStore(tmp_path / "new")
    source.tag("1", images.content_of(images.image(source, "linux/riscv64")))
    run(manyfest, "add", app, "oci:new:1")

    assert annotated["annotations"] == {"org.example.a": "b"}
    assert annotated["manifests"][2]["annotations"] == {"org.example.c": "d"}
    assert removed["manifests"] == before["manifests"][:2]
    assert platforms(read(app)) == ["linux/amd64", "unknown/unknown", "linux/riscv64"]
    assert manyfest("check", app).returncode == 0


def test_a_list_of_dockers_stays_one_for_skopeo_too(
    manyfest: Manyfest, docker_registry: str, tmp_path: Path, read: Read
) -> None:
    app = f"{docker_registry}/team/app:1"
    push(manyfest, tmp_path, "docker list", app)

    run(manyfest, "remove", app, "--platform", "arm/v7")

    assert read(app)["mediaType"] == "application/vnd.docker.distribution.manifest.list.v2+json"
    assert platforms(read(app)) == ["linux/amd64", "linux/arm64"]


def test_the_old_index_is_still_there_by_its_digest(
    manyfest: Manyfest, docker_registry: str, tmp_path: Path, read: Read
) -> None:
    app = f"{docker_registry}/team/app"
    root = push(manyfest, tmp_path, "index", f"{app}:1")

    changed = manyfest("index", "remove", f"{app}:1", "--platform", "arm64")

    assert changed.stderr == f"{app}:1: moved; it was {root.descriptor.digest}\n"
    assert read(f"{app}@{root.descriptor.digest}") == json.loads(root.raw)


def test_inspect_shows_what_is_in_the_registry(
    manyfest: Manyfest, docker_registry: str, tmp_path: Path
) -> None:
    app = f"{docker_registry}/team/app:1"
    root = push(manyfest, tmp_path, "index with attestations", app)

    shown = manyfest("inspect", app)

    assert (shown.returncode, shown.stderr) == (0, "")
    assert f"digest  {root.descriptor.digest}\n" in shown.stdout
    assert "attached  provenance (SLSA)\n" in shown.stdout
    assert manyfest("inspect", "--raw", app).stdout.encode() == root.raw
