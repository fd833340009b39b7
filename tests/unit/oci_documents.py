"""Small right documents, and ways to make them wrong."""

from __future__ import annotations

import copy
import json
from typing import Any

from manyfest.oci.validate import validate_manifest

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_IMAGE = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_IMAGE = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"

A, B, C, D = (f"sha256:{letter * 64}" for letter in "abcd")
EMPTY = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"

Json = dict[str, Any]
GONE = object()


def descriptor(media_type: str, digest: str, **more: object) -> Json:
    return {"mediaType": media_type, "digest": digest, "size": 2, **more}


def entry(digest: str, os: str, architecture: str, variant: str = "") -> Json:
    platform = {"os": os, "architecture": architecture}
    if variant:
        platform["variant"] = variant
    return descriptor(OCI_IMAGE, digest, platform=platform)


IMAGE: Json = {
    "schemaVersion": 2,
    "mediaType": OCI_IMAGE,
    "config": descriptor(OCI_CONFIG, A),
    "layers": [descriptor(OCI_LAYER, B), descriptor(OCI_LAYER, C)],
}
ARTIFACT: Json = {
    "schemaVersion": 2,
    "mediaType": OCI_IMAGE,
    "artifactType": "application/vnd.example+type",
    "config": descriptor(OCI_EMPTY, EMPTY),
    "layers": [descriptor("text/plain", B)],
    "subject": descriptor(OCI_INDEX, D),
    "annotations": {"org.example.a": ""},
}
DOCKER: Json = {
    "schemaVersion": 2,
    "mediaType": DOCKER_IMAGE,
    "config": descriptor(DOCKER_CONFIG, A),
    "layers": [descriptor(DOCKER_LAYER, B)],
}
ATTESTATION = descriptor(
    OCI_IMAGE,
    C,
    platform={"os": "unknown", "architecture": "unknown"},
    annotations={
        "vnd.docker.reference.type": "attestation-manifest",
        "vnd.docker.reference.digest": A,
    },
)
INDEX: Json = {
    "schemaVersion": 2,
    "mediaType": OCI_INDEX,
    "manifests": [entry(A, "linux", "amd64"), entry(B, "linux", "arm64", "v8"), ATTESTATION],
}
LIST: Json = {
    "schemaVersion": 2,
    "mediaType": DOCKER_LIST,
    "manifests": [
        descriptor(DOCKER_IMAGE, A, platform={"os": "linux", "architecture": "amd64"}),
    ],
}


def changed(document: Json, path: str, value: object) -> Json:
    """A copy of ``document`` with another value at ``a/0/b``; ``GONE`` takes the key out."""
    document = copy.deepcopy(document)
    *way, last = [int(step) if step.isdigit() else step for step in path.split("/")]
    place: Any = document
    for step in way:
        place = place[step]
    if value is GONE:
        del place[last]
    else:
        place[last] = value
    return document


def faults(document: object, media_type: str = "") -> list[str]:
    return [str(fault) for fault in validate_manifest(json.dumps(document).encode(), media_type)]
