"""A repository with many tags, written as ``docker-registry`` keeps one on disk.

Each tag is an index of its own for two platforms; each platform's image has one layer that all
share and a small one of its own.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
ARCHITECTURES = ("amd64", "arm64")
BASE = 1 << 20
"""Bytes in the file that all images of a platform share."""


class Repository:
    """A repository in a registry's data folder, while the registry is not running."""

    def __init__(self, data: Path, name: str) -> None:
        root = data / "docker" / "registry" / "v2"
        self._blobs = root / "blobs" / "sha256"
        self._own = root / "repositories" / name

    def blob(self, data: bytes, media_type: str) -> dict[str, object]:
        """Keep a blob; what points at it."""
        digest = self._keep(data)
        self._link(f"_layers/sha256/{digest}", digest)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}

    def manifest(self, content: dict[str, object], tag: str = "") -> dict[str, object]:
        """Keep a manifest, and give it a tag; what points at it."""
        data = json.dumps(content).encode()
        digest = self._keep(data)
        self._link(f"_manifests/revisions/sha256/{digest}", digest)
        if tag:
            self._link(f"_manifests/tags/{tag}/current", digest)
            self._link(f"_manifests/tags/{tag}/index/sha256/{digest}", digest)
        kind = content["mediaType"]
        return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(data)}

    def _keep(self, data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        folder = self._blobs / digest[:2] / digest
        if not folder.exists():
            folder.mkdir(parents=True)
            (folder / "data").write_bytes(data)
        return digest

    def _link(self, at: str, digest: str) -> None:
        folder = self._own / at
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "link").write_text(f"sha256:{digest}")


def write_tags(repository: Repository, count: int) -> None:
    """Tags ``v0000``, ``v0001`` and so on; the same bytes each time."""
    bases = {arch: _layer("base", _noise(arch)) for arch in ARCHITECTURES}
    for number in range(count):
        tag = f"v{number:04}"
        manifests = []
        for arch in ARCHITECTURES:
            layers = [bases[arch], _layer("app", f"{tag} for {arch}".encode())]
            image = repository.manifest(_image(repository, arch, layers))
            manifests.append({**image, "platform": {"os": "linux", "architecture": arch}})
        repository.manifest(
            {"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}, tag=tag
        )


def _image(repository: Repository, arch: str, layers: list[bytes]) -> dict[str, object]:
    diff_ids = [f"sha256:{hashlib.sha256(gzip.decompress(tar)).hexdigest()}" for tar in layers]
    config = {
        "os": "linux",
        "architecture": arch,
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    }
    return {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": repository.blob(json.dumps(config).encode(), CONFIG),
        "layers": [repository.blob(tar, LAYER) for tar in layers],
    }


def _layer(name: str, data: bytes) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        member = tarfile.TarInfo(name)
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))
    return gzip.compress(file.getvalue(), mtime=0)


def _noise(seed: str) -> bytes:
    """Bytes that cannot be made smaller, the same for the same seed."""
    return b"".join(
        hashlib.sha256(f"{seed} {number}".encode()).digest() for number in range(BASE // 32)
    )
