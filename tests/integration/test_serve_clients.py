"""What people use pushes to the registry and pulls from it, and every digest stays what it was."""

from __future__ import annotations

import hashlib
import io
import json
import re
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from manyfest.oci import json as oci_json
from manyfest.oci.config import ImageConfig, RootFS
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Image, Index, Manifest
from manyfest.oci.platform import Platform
from manyfest.serve.content import content_at
from manyfest.serve.server import running
from manyfest.stores.base import Content
from manyfest.stores.layout import LayoutStore
from manyfest.stores.registry.http import BytesReader
from tests import real
from tests.integration.conftest import MANYFEST, Manyfest
from tests.runtimes import running_containerd

pytestmark = pytest.mark.real


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    with running(tmp_path / "registry") as address:
        yield address


@pytest.fixture
def layout(tmp_path: Path) -> tuple[str, str]:
    """A layout with an image for two platforms: its reference, and the index's digest."""
    store = LayoutStore(tmp_path / "layout")
    images = [make_image(store, architecture) for architecture in ("amd64", "arm64")]
    index = Manifest.of_index(
        Index(
            schema_version=2,
            media_type="application/vnd.oci.image.index.v1+json",
            manifests=tuple(images),
        )
    )
    store.tag("v1", content(index.raw, index.descriptor))
    return f"oci:{tmp_path}/layout:v1", str(index.descriptor.digest)


def make_image(store: LayoutStore, architecture: str) -> Descriptor:
    layer = make_layer(architecture)
    config = oci_json.dumps(
        ImageConfig(
            os="linux",
            architecture=architecture,
            rootfs=RootFS(diff_ids=(Digest.of(layer),)),
        )
    )
    image = Manifest.of_image(
        Image(
            schema_version=2,
            media_type="application/vnd.oci.image.manifest.v1+json",
            config=put(store, config, "application/vnd.oci.image.config.v1+json"),
            layers=(put(store, layer, "application/vnd.oci.image.layer.v1.tar"),),
        )
    )
    put(store, image.raw, image.descriptor.media_type)
    return Descriptor(
        media_type=image.descriptor.media_type,
        digest=image.descriptor.digest,
        size=image.descriptor.size,
        platform=Platform(os="linux", architecture=architecture),
    )


def make_layer(text: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        entry = tarfile.TarInfo("file")
        entry.size = len(text)
        tar.addfile(entry, io.BytesIO(text.encode()))
    return buffer.getvalue()


def put(store: LayoutStore, data: bytes, media_type: str) -> Descriptor:
    descriptor = Descriptor.of(data, media_type)
    store.put(content(data, descriptor))
    return descriptor


def content(data: bytes, descriptor: Descriptor) -> Content:
    return Content(descriptor, lambda: BytesReader(data))


def digest_at(reference: str) -> str:
    """The digest of what a registry answers for a tag."""
    raw = subprocess.run(
        ["skopeo", "inspect", "--tls-verify=false", "--raw", f"docker://{reference}"],
        capture_output=True,
        check=True,
    ).stdout
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


def skopeo_push(layout: str, reference: str) -> None:
    real.need_programs("skopeo")
    real.output_of(
        "skopeo", "copy", "--all", "--preserve-digests", "--dest-tls-verify=false",
        layout, f"docker://{reference}",
    )  # fmt: skip


def test_skopeo(address: str, layout: tuple[str, str], tmp_path: Path) -> None:
    source, digest = layout
    skopeo_push(source, f"{address}/team/app:v1")
    assert digest_at(f"{address}/team/app:v1") == digest
    real.output_of(
        "skopeo", "copy", "--all", "--preserve-digests", "--src-tls-verify=false",
        f"docker://{address}/team/app:v1", f"oci:{tmp_path}/back:v1",
    )  # fmt: skip
    back = json.loads((tmp_path / "back/index.json").read_text())
    assert [entry["digest"] for entry in back["manifests"]] == [digest]


def test_skopeo_deletes_and_lists(address: str, layout: tuple[str, str]) -> None:
    source, _ = layout
    skopeo_push(source, f"{address}/app:v1")
    skopeo_push(source, f"{address}/app:v2")
    listed = real.output_of("skopeo", "list-tags", "--tls-verify=false", f"docker://{address}/app")
    assert json.loads(listed)["Tags"] == ["v1", "v2"]
    real.output_of("skopeo", "delete", "--tls-verify=false", f"docker://{address}/app:v1")
    listed = real.output_of("skopeo", "list-tags", "--tls-verify=false", f"docker://{address}/app")
    assert json.loads(listed)["Tags"] == []


def test_skopeo_reads_a_repository_as_a_layout(
    address: str, layout: tuple[str, str], tmp_path: Path
) -> None:
    source, digest = layout
    skopeo_push(source, f"{address}/app:v1")
    stored = f"oci:{tmp_path}/registry/repositories/app/_oci:v1"
    raw = real.output_of("skopeo", "inspect", "--raw", stored)
    assert f"sha256:{hashlib.sha256(raw.encode()).hexdigest()}" == digest


def test_podman(address: str, layout: tuple[str, str], tmp_path: Path) -> None:
    real.need_programs("podman")
    real.need_root()
    podman = [
        "podman", f"--root={tmp_path}/storage", f"--runroot={tmp_path}/run",
        "--storage-driver=vfs",
    ]  # fmt: skip
    source, _ = layout
    skopeo_push(source, f"{address}/app:v1")
    real.output_of(*podman, "pull", "--tls-verify=false", f"{address}/app:v1")
    real.output_of(
        *podman, "push", "--tls-verify=false", f"--digestfile={tmp_path}/digest",
        f"{address}/app:v1", f"{address}/app:pushed",
    )  # fmt: skip
    pushed = (tmp_path / "digest").read_text()
    assert digest_at(f"{address}/app:pushed") == pushed
    real.output_of(*podman, "pull", "--tls-verify=false", f"{address}/app@{pushed}")


def test_docker(address: str, layout: tuple[str, str], docker: list[str]) -> None:
    source, digest = layout
    skopeo_push(source, f"{address}/app:v1")
    pulled = real.output_of(*docker, "pull", f"{address}/app:v1")
    assert f"Digest: {digest}" in pulled
    real.output_of(*docker, "tag", f"{address}/app:v1", f"{address}/other:v2")
    said = real.output_of(*docker, "push", f"{address}/other:v2")
    found = re.search(r"v2: digest: (sha256:[0-9a-f]{64})", said)
    assert found is not None
    assert digest_at(f"{address}/other:v2") == found[1]
    real.output_of(*docker, "rmi", f"{address}/app:v1", f"{address}/other:v2")
    assert f"Digest: {found[1]}" in real.output_of(*docker, "pull", f"{address}/other:v2")


def test_buildah(address: str, layout: tuple[str, str], tmp_path: Path) -> None:
    real.need_programs("buildah")
    real.need_root()
    buildah = [
        "buildah", f"--root={tmp_path}/storage", f"--runroot={tmp_path}/run",
        "--storage-driver=vfs",
    ]  # fmt: skip
    source, _ = layout
    skopeo_push(source, f"{address}/app:v1")
    real.output_of(*buildah, "pull", "--tls-verify=false", f"{address}/app:v1")
    real.output_of(
        *buildah, "push", "--tls-verify=false", f"--digestfile={tmp_path}/digest",
        f"{address}/app:v1", f"docker://{address}/app:pushed",
    )  # fmt: skip
    pushed = (tmp_path / "digest").read_text()
    assert digest_at(f"{address}/app:pushed") == pushed
    real.output_of(*buildah, "pull", "--tls-verify=false", f"{address}/app@{pushed}")


def test_containerd(address: str, layout: tuple[str, str], tmp_path: Path) -> None:
    source, digest = layout
    skopeo_push(source, f"{address}/app:v1")
    plain = ("--plain-http", "--all-platforms")
    with running_containerd(tmp_path) as ctr:
        ctr("content", "fetch", *plain, f"{address}/app:v1")
        assert digest in ctr("content", "ls", "--quiet").split()
        ctr("images", "tag", f"{address}/app:v1", f"{address}/team/other:v2")
        ctr("images", "push", "--plain-http", f"{address}/team/other:v2")
    assert digest_at(f"{address}/team/other:v2") == digest


def test_crane(address: str, layout: tuple[str, str], tmp_path: Path) -> None:
    crane, (source, digest) = real.peer("crane"), layout
    folder = source.removeprefix("oci:").removesuffix(":v1")
    real.output_of(crane, "push", "--index", folder, f"{address}/team/app:layout")
    skopeo_push(source, f"{address}/app:v1")
    real.output_of(crane, "copy", f"{address}/app:v1", f"{address}/other:v1")
    real.output_of(crane, "tag", f"{address}/other:v1", "v2")
    assert real.output_of(crane, "digest", f"{address}/other:v2") == digest
    assert real.output_of(crane, "ls", f"{address}/other") == "v1\nv2"
    assert real.output_of(crane, "catalog", address) == "app\nother\nteam/app"
    real.output_of(crane, "pull", "--format=oci", f"{address}/other:v2", tmp_path / "back")
    assert (tmp_path / f"back/blobs/sha256/{digest.removeprefix('sha256:')}").exists()
    real.output_of(crane, "delete", f"{address}/other@{digest}")
    assert real.output_of(crane, "ls", f"{address}/other") == ""


def test_regctl(address: str, layout: tuple[str, str], tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path)}
    regctl = [real.peer("regctl"), "--host", f"reg={address},tls=disabled"]
    source, digest = layout
    folder = source.removeprefix("oci:")
    name = f"{address}/team/app:v1"
    real.output_of(*regctl, "image", "copy", f"ocidir://{folder}", name, **home)
    assert real.output_of(*regctl, "image", "digest", name, **home) == digest
    (tmp_path / "note").write_text("note")
    real.output_of(
        *regctl, "artifact", "put", "--artifact-type=application/vnd.example.note",
        f"--file={tmp_path}/note", f"--subject={name}", **home,
    )  # fmt: skip
    assert "application/vnd.example.note" in real.output_of(
        *regctl, "artifact", "list", "--filter-artifact-type=application/vnd.example.note",
        name, **home,
    )  # fmt: skip
    real.output_of(
        *regctl, "image", "copy", "--referrers", name, f"ocidir://{tmp_path}/back:v1", **home
    )
    assert (tmp_path / f"back/blobs/sha256/{digest.removeprefix('sha256:')}").exists()
    real.output_of(*regctl, "tag", "delete", name, **home)
    assert real.output_of(*regctl, "tag", "ls", f"{address}/team/app", **home) == ""


def test_oras(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    oras, name = real.peer("oras"), f"{address}/team/files:v1"
    monkeypatch.chdir(tmp_path)
    Path("data").write_text("data")
    plain, data, note = "--plain-http", "application/vnd.example.data", "application/x.note"
    real.output_of(oras, "push", plain, f"--artifact-type={data}", f"{name},latest", "data")
    real.output_of(oras, "attach", plain, f"--artifact-type={note}", name, "data")
    found = json.loads(real.output_of(oras, "discover", plain, "--format=json", name))
    assert [each["artifactType"] for each in found["referrers"]] == [note]
    Path("data").unlink()
    real.output_of(oras, "pull", plain, f"{address}/team/files:latest")
    assert Path("data").read_text() == "data"
    real.output_of(
        oras, "copy", "--recursive", "--from-plain-http", "--to-plain-http",
        name, f"{address}/copy:v1",
    )  # fmt: skip
    assert real.output_of(oras, "repo", "ls", plain, address) == "copy\nteam/files"
    real.output_of(oras, "manifest", "delete", plain, "--force", f"{address}/copy:v1")
    assert real.output_of(oras, "repo", "tags", plain, f"{address}/copy") == ""
    assert real.output_of(oras, "repo", "tags", plain, f"{address}/team/files") == "latest\nv1"


@pytest.fixture
def archive(tmp_path: Path, layout: tuple[str, str]) -> Iterator[str]:
    """The address of a registry that serves an archive of the image."""
    source, _ = layout
    real.output_of(MANYFEST, "copy", "-q", source, f"oci-archive:{tmp_path}/app.tar:v1")
    with running(content_at([tmp_path / "app.tar"])) as address:
        yield address


def test_docker_pulls_out_of_an_archive(
    archive: str, layout: tuple[str, str], docker: list[str]
) -> None:
    assert f"Digest: {layout[1]}" in real.output_of(*docker, "pull", f"{archive}/app:v1")


def test_skopeo_and_crane_pull_out_of_an_archive(
    archive: str, layout: tuple[str, str], tmp_path: Path
) -> None:
    real.need_programs("skopeo")
    real.output_of(
        "skopeo", "copy", "--all", "--preserve-digests", "--src-tls-verify=false",
        f"docker://{archive}/app:v1", f"oci:{tmp_path}/back:v1",
    )  # fmt: skip
    back = json.loads((tmp_path / "back/index.json").read_text())
    assert [entry["digest"] for entry in back["manifests"]] == [layout[1]]
    real.output_of(
        real.peer("crane"), "pull", "--format=oci", f"{archive}/app:v1", tmp_path / "pulled"
    )
    pulled = json.loads((tmp_path / "pulled/index.json").read_text())
    assert [entry["digest"] for entry in pulled["manifests"]] == [layout[1]]


def test_docker_and_containerd_pull_what_docker_saved(
    layout: tuple[str, str], docker: list[str], tmp_path: Path
) -> None:
    real.need_programs("skopeo")
    path = tmp_path / "saved.tar"
    saved = f"docker-archive:{path}:team/app:v1"
    real.output_of("skopeo", "--override-arch=amd64", "copy", layout[0], saved)
    with running(content_at([path])) as address, running_containerd(tmp_path) as ctr:
        name = f"{address}/team/app:v1"
        digest = digest_at(name)
        assert f"Digest: {digest}" in real.output_of(*docker, "pull", name)
        ctr("content", "fetch", "--plain-http", "--all-platforms", name)
        assert digest in ctr("content", "ls", "--quiet").split()


def test_a_damaged_archive_is_refused_in_one_line(tmp_path: Path, manyfest: Manyfest) -> None:
    (tmp_path / "app.tar").write_bytes(b"no archive" * 1000)
    done = manyfest("serve", "app.tar", "--listen", "127.0.0.1:0")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("manyfest: oci-archive:app.tar")


def test_the_command_prints_how_to_pull(
    archive: str, layout: tuple[str, str], tmp_path: Path
) -> None:
    command = [str(MANYFEST), "serve", f"{tmp_path}/app.tar", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        process.terminate()
        assert process.wait(20) == 0
    assert re.fullmatch(r"docker pull 127\.0\.0\.1:[0-9]+/app:v1\n", line)
