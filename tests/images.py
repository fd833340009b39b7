"""Small images of every kind, the same bytes each time, put into any store."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable, Sequence

import msgspec

from manyfest.layers.entry import Entry
from manyfest.layers.write import TarWriter
from manyfest.oci import json
from manyfest.oci.config import ImageConfig, RootFS, RunConfig
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Image, Index, Manifest
from manyfest.oci.platform import Platform
from manyfest.stores.base import Content, Target

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"

PLATFORMS = ("linux/amd64", "linux/arm64", "linux/arm/v7")


def content(data: bytes, media_type: str = OCI_LAYER) -> Content:
    """Bytes in memory, ready to be put."""
    return Content(Descriptor.of(data, media_type), lambda: io.BytesIO(data))


def content_of(manifest: Manifest) -> Content:
    """A manifest's own bytes, ready to be put."""
    return Content(manifest.descriptor, lambda: io.BytesIO(manifest.raw))


def put(target: Target, data: bytes, media_type: str = OCI_LAYER) -> Descriptor:
    """Store bytes, and say what points at them."""
    part = content(data, media_type)
    target.put(part)
    return part.descriptor


def put_manifest(target: Target, manifest: Manifest) -> Manifest:
    """Store a manifest under its digest."""
    target.put(content_of(manifest))
    return manifest


def layer(name: str, data: bytes = b"") -> bytes:
    """A layer's tar with one file in it."""
    sink = io.BytesIO()
    writer = TarWriter(sink)
    writer.add(Entry(name=name, size=len(data)), data)
    writer.close()
    return sink.getvalue()


def image(
    target: Target,
    platform: str = "linux/amd64",
    *,
    text: str = "",
    docker: bool = False,
    subject: Descriptor | None = None,
) -> Manifest:
    """An image of two layers, one of which all images share; ``text`` makes it another one."""
    tars = [layer("etc/base", b"shared by all"), layer("app", f"{platform} {text}".encode())]
    if docker:
        kinds = (DOCKER_MANIFEST, DOCKER_CONFIG, DOCKER_LAYER)
        blobs = [gzip.compress(tar, mtime=0) for tar in tars]
    else:
        kinds = (OCI_MANIFEST, OCI_CONFIG, OCI_LAYER)
        blobs = tars
    manifest = Image(
        schema_version=2,
        media_type=kinds[0],
        config=put(target, _config(platform, tars), kinds[1]),
        layers=tuple(put(target, blob, kinds[2]) for blob in blobs),
        subject=subject,
    )
    return put_manifest(target, Manifest.of_image(manifest))


def _config(platform: str, tars: Sequence[bytes]) -> bytes:
    parsed = Platform.parse(platform)
    return json.dumps(
        ImageConfig(
            created="2026-01-02T03:04:05Z",
            architecture=parsed.architecture,
            variant=parsed.variant,
            os=parsed.os,
            config=RunConfig(entrypoint=("/app",), cmd=("--serve",), user="app"),
            rootfs=RootFS(diff_ids=tuple(map(Digest.of, tars))),
        )
    )


def entry(manifest: Manifest, platform: str = "", **annotations: str) -> Descriptor:
    """How an index points at a manifest."""
    return msgspec.structs.replace(
        manifest.descriptor,
        platform=Platform.parse(platform) if platform else None,
        annotations=annotations,
    )


def index(
    target: Target, entries: Sequence[Descriptor], *, docker: bool = False, text: str = ""
) -> Manifest:
    """An index of what is in the store already."""
    body = Index(
        schema_version=2,
        media_type=DOCKER_LIST if docker else OCI_INDEX,
        manifests=tuple(entries),
        annotations={"org.example.text": text} if text else {},
    )
    return put_manifest(target, Manifest.of_index(body))


def platforms(
    target: Target,
    names: Sequence[str] = PLATFORMS,
    *,
    text: str = "",
    docker: bool = False,
) -> Manifest:
    """An index of one image for each platform."""
    images = [(image(target, name, text=text, docker=docker), name) for name in names]
    return index(target, [entry(each, name) for each, name in images], docker=docker)


def single(target: Target) -> Manifest:
    """One image."""
    return image(target)


def docker_list(target: Target) -> Manifest:
    """A manifest list with Docker's media types and compressed layers."""
    return platforms(target, docker=True)


def nested(target: Target) -> Manifest:
    """An index of two indexes. They share one image, which the outermost names as well."""
    amd64, arm64 = image(target, "linux/amd64"), image(target, "linux/arm64")
    riscv64 = image(target, "linux/riscv64")
    shared = entry(amd64, "linux/amd64")
    left = index(target, [shared, entry(arm64, "linux/arm64")])
    right = index(target, [shared, entry(riscv64, "linux/riscv64")])
    return index(target, [shared, entry(left), entry(right)])


def attested(target: Target) -> Manifest:
    """An index as BuildKit makes it: to each image an attestation for ``unknown/unknown``."""
    entries = []
    for name in ("linux/amd64", "linux/arm64"):
        built = image(target, name)
        entries += [entry(built, name), attestation(target, built)]
    return index(target, entries)


def attestation(target: Target, subject: Manifest) -> Descriptor:
    """BuildKit's attestation for an image, as an entry of an index."""
    statement = b'{"_type":"https://in-toto.io/Statement/v0.1"}'
    config = ImageConfig(
        architecture="unknown", os="unknown", rootfs=RootFS(diff_ids=(Digest.of(statement),))
    )
    provenance = msgspec.structs.replace(
        put(target, statement, "application/vnd.in-toto+json"),
        annotations={"in-toto.io/predicate-type": "https://slsa.dev/provenance/v0.2"},
    )
    body = Image(
        schema_version=2,
        media_type=OCI_MANIFEST,
        config=put(target, json.dumps(config), OCI_CONFIG),
        layers=(provenance,),
        annotations={"of": str(subject.descriptor.digest)},
    )
    written = put_manifest(target, Manifest.of_image(body))
    return msgspec.structs.replace(
        written.descriptor,
        platform=Platform(os="unknown", architecture="unknown"),
        annotations={
            "vnd.docker.reference.type": "attestation-manifest",
            "vnd.docker.reference.digest": str(subject.descriptor.digest),
        },
    )


def artifact(target: Target) -> Manifest:
    """An artifact that says something about an image, which is in the store too."""
    body = Image(
        schema_version=2,
        media_type=OCI_MANIFEST,
        artifact_type="application/vnd.example.sbom",
        config=put(target, b"{}", OCI_EMPTY),
        layers=(put(target, b'{"packages":[]}', "application/vnd.example.sbom+json"),),
        subject=image(target).descriptor,
    )
    return put_manifest(target, Manifest.of_image(body))


Maker = Callable[[Target], Manifest]

KINDS: dict[str, Maker] = {
    "image": single,
    "index": platforms,
    "nested index": nested,
    "docker list": docker_list,
    "index with attestations": attested,
    "artifact": artifact,
}
"""Every kind of content that a copy must carry; each maker returns the root."""


def make(target: Target, kind: str, tag: str = "v1") -> Manifest:
    """Put an image of one of :data:`KINDS` into a store under ``tag``."""
    root = KINDS[kind](target)
    target.tag(tag, content_of(root))
    return root
