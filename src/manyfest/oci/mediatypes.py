"""Media types of the OCI image specification and of Docker's schema 2."""

from __future__ import annotations

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"

OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
OCI_LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_LAYER_ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"

DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"
DOCKER_LAYER_GZIP = "application/vnd.docker.image.rootfs.diff.tar.gzip"
DOCKER_FOREIGN_LAYER = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
OCI_FOREIGN_PREFIX = "application/vnd.oci.image.layer.nondistributable.v1.tar"

INDEXES = frozenset({OCI_INDEX, DOCKER_LIST})
IMAGES = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
MANIFESTS = INDEXES | IMAGES
CONFIGS = frozenset({OCI_CONFIG, DOCKER_CONFIG})

LAYERS = frozenset({OCI_LAYER, OCI_LAYER_GZIP, OCI_LAYER_ZSTD, DOCKER_LAYER, DOCKER_LAYER_GZIP})
"""Layers of a root file system that registries hold themselves."""


_FOREIGN_LAYERS = {OCI_FOREIGN_PREFIX + end for end in ("", "+gzip", "+zstd")}
_FILE_SYSTEMS = LAYERS | {DOCKER_FOREIGN_LAYER} | _FOREIGN_LAYERS


def is_file_system(media_type: str) -> bool:
    """Whether a layer of this type is part of a root file system, encrypted or not."""
    return media_type.removesuffix("+encrypted") in _FILE_SYSTEMS


def is_foreign(media_type: str) -> bool:
    """Whether a layer lies elsewhere, at its descriptor's ``urls``, and is not pushed."""
    return media_type == DOCKER_FOREIGN_LAYER or media_type.startswith(OCI_FOREIGN_PREFIX)
