"""Whether a tool did the job: a fast run that leaves something out does not count."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from benchmarks.measure import Failed
from benchmarks.tags import INDEX, MANIFEST

ACCEPT = ", ".join([
    INDEX, MANIFEST,
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
])  # fmt: skip

GZIP = b"\x1f\x8b"


def root_of(archive: Path) -> str:
    """The digest of the one image in an OCI archive."""
    with tarfile.open(archive) as tar:
        index = json.load(_member(tar, "index.json"))
    return str(index["manifests"][0]["digest"])


def registry_holds(address: str, repository: str, tag: str, digest: str) -> None:
    """The tag names ``digest``, and all that is below it is there."""
    connection = http.client.HTTPConnection(address)
    path = f"/v2/{repository}"
    found, _ = _ask(connection, "GET", f"{path}/manifests/{tag}")
    if found != digest:
        raise Failed(f"{repository}:{tag} names {found}, not {digest}")
    pending = [digest]
    while pending:
        _, manifest = _ask(connection, "GET", f"{path}/manifests/{pending.pop()}")
        content = json.loads(manifest)
        pending.extend(child["digest"] for child in content.get("manifests", ()))
        for part in _parts(content):
            _ask(connection, "HEAD", f"{path}/blobs/{part['digest']}")
    connection.close()


def registry_lists(address: str, repository: str, count: int) -> None:
    """The registry has this one repository, with so many tags."""
    connection = http.client.HTTPConnection(address)
    repositories = json.loads(_ask(connection, "GET", "/v2/_catalog")[1])["repositories"]
    tags = json.loads(_ask(connection, "GET", f"/v2/{repository}/tags/list")[1])["tags"]
    connection.close()
    if repositories != [repository] or len(tags) != count:
        raise Failed(f"the target has {repositories} with {len(tags)} tags")


def layout_holds(folder: Path, digest: str) -> None:
    """The folder's index names ``digest``, and all that is below it is there, its bytes true."""
    index = json.loads((folder / "index.json").read_text())
    _named(index, digest)

    def opened(digest: str) -> BinaryIO:
        return (folder / "blobs" / digest.replace(":", "/")).open("rb")

    _walk(digest, opened)


def archive_holds(archive: Path, digest: str) -> None:
    """As :func:`layout_holds`, of a layout in a tar."""
    with tarfile.open(archive) as tar:
        _named(json.load(_member(tar, "index.json")), digest)
        _walk(digest, lambda digest: _blob(tar, digest))


def docker_archive_holds(archive: Path, name: str) -> None:
    """What ``docker load`` reads: one image of that name, its config, and its layers in order, as
    they are or compressed with gzip."""
    with tarfile.open(archive) as tar:
        images = json.load(_member(tar, "manifest.json"))
        found = [image for image in images if name in (image["RepoTags"] or ())]
        if not found:
            raise Failed(f"no image in {archive.name} is named {name}")
        config = json.load(_member(tar, found[0]["Config"]))
        diff_ids = [_diff_id(_member(tar, layer)) for layer in found[0]["Layers"]]
        if diff_ids != config["rootfs"]["diff_ids"]:
            raise Failed(f"{name} has other layers than its config says")


def archive_is_built(archive: Path, context: Path, platforms: int) -> None:
    """The archive has an image for so many platforms, all of it true, and in each as many files
    as were to be copied: of those that are for one platform, one."""
    copied = [path for path in context.rglob("*") if path.is_file() and path.name != "Dockerfile"]
    beside = sum(path.parent == context for path in copied)
    wanted = len(copied) - beside + bool(beside)
    root = root_of(archive)
    archive_holds(archive, root)
    with tarfile.open(archive) as tar:
        index = json.load(_blob(tar, root))
        images = [json.load(_blob(tar, each["digest"])) for each in index["manifests"]]
        for image in images:
            files = sum(_files_in(_blob(tar, layer["digest"])) for layer in image["layers"])
            if files != wanted:
                raise Failed(f"an image in {archive.name} has {files} files, not {wanted}")
    if len(images) != platforms:
        raise Failed(f"{archive.name} has {len(images)} images, not {platforms}")


def _blob(tar: tarfile.TarFile, digest: str) -> Any:
    return _member(tar, f"blobs/{digest.replace(':', '/')}")


def _files_in(layer: BinaryIO) -> int:
    with tarfile.open(fileobj=layer, mode="r:*") as tar:
        return sum(member.isfile() for member in tar)


def _walk(digest: str, opened: Any) -> None:
    pending = [digest]
    while pending:
        digest = pending.pop()
        try:
            with opened(digest) as file:
                content = json.load(file)
            pending.extend(child["digest"] for child in content.get("manifests", ()))
            for part in [{"digest": digest}, *_parts(content)]:
                with opened(part["digest"]) as file:
                    found = hashlib.file_digest(file, "sha256").hexdigest()
                if part["digest"] != f"sha256:{found}":
                    raise Failed(f"{part['digest']} holds other bytes")
        except OSError as error:
            raise Failed(f"{digest} is not whole: {error}") from None


def _diff_id(layer: BinaryIO) -> str:
    compressed = layer.read(2) == GZIP
    layer.seek(0)
    with gzip.GzipFile(fileobj=layer) if compressed else layer as unpacked:
        found = hashlib.sha256()
        while chunk := unpacked.read(1 << 20):
            found.update(chunk)
    return f"sha256:{found.hexdigest()}"


def _named(index: dict[str, Any], digest: str) -> None:
    if all(entry["digest"] != digest for entry in index["manifests"]):
        raise Failed(f"the index does not name {digest}")


def _parts(manifest: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "config" in manifest:
        yield manifest["config"]
    yield from manifest.get("layers", ())


def _member(tar: tarfile.TarFile, name: str) -> Any:
    for spelling in (name, f"./{name}"):
        try:
            found = tar.extractfile(spelling)
        except KeyError:
            continue
        if found is not None:
            return found
    raise Failed(f"the archive has no {name}")


def _ask(connection: http.client.HTTPConnection, method: str, path: str) -> tuple[str, bytes]:
    connection.request(method, path, headers={"Accept": ACCEPT})
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != http.HTTPStatus.OK:
        raise Failed(f"{method} {path}: {answer.status}")
    return answer.headers.get("Docker-Content-Digest", ""), body
