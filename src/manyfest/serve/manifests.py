"""The endpoints of manifests."""

from __future__ import annotations

import asyncio
from functools import partial

from manyfest.errors import InvalidManifest
from manyfest.oci.digest import Digest
from manyfest.oci.limits import MAX_MANIFEST_SIZE
from manyfest.oci.manifest import Image, Manifest
from manyfest.oci.mediatypes import MANIFESTS, OCI_INDEX, OCI_MANIFEST, is_foreign
from manyfest.oci.parse import parse_manifest
from manyfest.oci.reference import is_tag
from manyfest.serve.asgi import Response
from manyfest.serve.call import Call, warned
from manyfest.serve.content import Readable
from manyfest.serve.errors import Refusal, unknown_manifest
from manyfest.serve.pushes import Push
from manyfest.serve.repository import Repository


async def get_manifest(call: Call) -> Response:
    """GET and HEAD by tag or digest. What is stored is the answer, whatever ``Accept`` says."""
    repository = call.repository
    digest = await _resolve(repository, call.item)
    manifest = repository.known_manifest(digest) or await repository.find_manifest(digest)
    if not call.read_only:
        call.changing.rely_on(digest)
    tag = f'"{digest}"'
    headers = {"Docker-Content-Digest": str(digest), "ETag": tag, **warned(repository)}
    if tag in call.request.header("if-none-match"):
        return Response(304, headers)
    headers["Content-Type"] = manifest.descriptor.media_type
    return Response(200, headers, manifest.raw)


async def put_manifest(call: Call) -> Response:
    """PUT by tag, or by digest with any number of tags, after everything that it points at."""
    digest = _by_digest(call.item)
    tags = [call.item] if digest is None else call.request.values("tag")
    for tag in tags:
        if not is_tag(tag):
            raise Refusal("MANIFEST_INVALID", f"{tag[:80]!r} is not a tag")
    raw = await call.request.body(MAX_MANIFEST_SIZE, "a manifest")
    media_type = call.request.header("content-type").partition(";")[0].strip()
    repository = call.storage.repository(call.name)
    push = Push(partial(_read, raw, media_type, digest), tags)
    manifest = await repository.pushes.share(push)
    stored = str(manifest.descriptor.digest)
    headers = {"Location": f"/v2/{call.name}/manifests/{stored}", "Docker-Content-Digest": stored}
    if manifest.body.subject is not None:
        headers["OCI-Subject"] = str(manifest.body.subject.digest)
    if digest is not None and tags:
        headers["OCI-Tag"] = ", ".join(tags)
    warnings = _warnings(repository, manifest)
    if warnings:
        headers["Warning"] = ", ".join(f'299 - "{warning}"' for warning in warnings)
    return Response(201, headers)


async def delete_manifest(call: Call) -> Response:
    """DELETE: of a tag alone, or of a manifest with all its tags."""
    repository = call.changing
    digest = await _resolve(repository, call.item)
    if _by_digest(call.item) is None:
        await asyncio.to_thread(repository.tags.remove, call.item)
    else:
        await asyncio.to_thread(repository.remove_manifest, digest)
    return Response(202)


def _read(raw: bytes, media_type: str, digest: Digest | None) -> Manifest:
    """The manifest that was sent, which must have the ``digest`` if one was said."""
    algorithm = digest.algorithm if digest else "sha256"
    declared = media_type if media_type in MANIFESTS else ""
    manifest = parse_manifest(raw, media_type=declared, algorithm=algorithm)
    _check_type(manifest)
    if digest is not None and manifest.descriptor.digest != digest:
        raise Refusal("DIGEST_INVALID", f"the manifest's digest is {manifest.descriptor.digest}")
    return manifest


def _warnings(repository: Repository, manifest: Manifest) -> list[str]:
    """What whoever pushed this may not have meant; each of less than 200 bytes of ASCII."""
    body, found = manifest.body, []
    if isinstance(body, Image):
        foreign = sum(is_foreign(layer.media_type) for layer in body.layers)
        if foreign:
            found.append(f"{foreign} of the layers are not here, but where their URLs say")
    if body.subject is not None and not repository.blob(body.subject.digest).exists():
        found.append(f"the subject {body.subject.digest} is not in the repository yet")
    return found


def _check_type(manifest: Manifest) -> None:
    """What a manifest is must be seen from its bytes alone: nothing else is kept of it."""
    inside, declared = manifest.body.media_type, manifest.descriptor.media_type
    if inside == declared or (not inside and declared in (OCI_MANIFEST, OCI_INDEX)):
        return
    raise InvalidManifest(f"the manifest must say that it is {declared}, but says {inside[:80]!r}")


async def _resolve(repository: Readable, reference: str) -> Digest:
    """The digest that a tag or digest stands for; 404 for a tag that is not there or is none."""
    digest = _by_digest(reference)
    if digest is not None:
        return digest
    found = await repository.find_tag(reference)
    if found is None:
        raise unknown_manifest(reference, repository.name)
    return found


def _by_digest(reference: str) -> Digest | None:
    return Digest.parse(reference) if ":" in reference else None
