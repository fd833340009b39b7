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
from manyfest.serve.server import running
from manyfest.stores.base import Content
from manyfest.stores.layout import LayoutStore
from manyfest.stores.registry.http import BytesReader
from tests import real

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
