"""The endpoints of blobs and their uploads."""

from __future__ import annotations

import asyncio
from contextlib import closing, suppress

from msgspec.structs import replace

from manyfest.errors import InvalidDigest
from manyfest.oci.digest import Digest
from manyfest.oci.reference import is_repository
from manyfest.serve import ranges
from manyfest.serve.asgi import Response
from manyfest.serve.call import Call
from manyfest.serve.errors import Refusal
from manyfest.serve.repository import Repository
from manyfest.serve.room import NoRoom
from manyfest.serve.routes import Route
from manyfest.serve.uploads import Writer, unknown_upload


async def get_blob(call: Call) -> Response:
    """GET and HEAD of a blob, or of a range of it."""
    digest = Digest.parse(call.item)
    tag = f'"{digest}"'
    unchanged = tag in call.request.header("if-none-match")
    to_send = call.request.method == "GET" and not unchanged
    body = await call.repository.find_blob(digest, to_send=to_send)
    if body is None:
        raise Refusal("BLOB_UNKNOWN", f"{digest} is not in {call.name}")
    if call.request.method == "HEAD" and not call.read_only:
        call.changing.rely_on(digest)
    headers = {"Docker-Content-Digest": str(digest), "ETag": tag, "Accept-Ranges": "bytes"}
    headers["Cache-Control"] = "max-age=31536000"
    if unchanged:
        return Response(304, headers)
    headers["Content-Type"] = "application/octet-stream"
    field = call.request.header("range") if to_send else ""
    part = ranges.wanted(field, body.size) if call.request.header("if-range") in ("", tag) else None
    if part is None:
        return Response(200, headers, body)
    headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{body.size}"
    return Response(206, headers, replace(body, part=part))


async def delete_blob(call: Call) -> Response:
    """DELETE of a blob."""
    digest = Digest.parse(call.item)
    await asyncio.to_thread(call.changing.remove_blob, digest)
    return Response(202)


async def begin_upload(call: Call) -> Response:
    """POST: a mount, a whole blob at once, or the start of an upload."""
    query = call.request.query()
    if "mount" in query and await _mount(call, query):
        return _created(call.name, Digest.parse(query["mount"]))
    digest = Digest.parse(query["digest"]) if "digest" in query else None
    algorithm = digest.algorithm if digest else query.get("digest-algorithm", "sha256")
    if algorithm not in ("sha256", "sha512"):
        raise InvalidDigest(f"unknown digest algorithm {algorithm[:20]!r}")
    uploads, whose = call.storage.uploads, call.request.whose
    identity = await asyncio.to_thread(uploads.begin, call.name, algorithm, whose)
    upload = replace(call, route=Route("upload", call.name, identity))
    if digest is None:
        return _accepted(202, upload.route, 0)
    try:
        return await _complete(upload, digest)
    except BaseException:
        # Nobody was told of this upload, so nobody can go on with it.
        with suppress(Refusal):
            call.storage.uploads.discard(call.name, identity)
        raise


async def append_upload(call: Call) -> Response:
    """PATCH: the next chunk, or as much as comes."""
    writer = await asyncio.to_thread(call.storage.uploads.open, call.name, call.item)
    with closing(writer):
        await _receive(call, writer)
    return _accepted(202, call.route, writer.size)


async def finish_upload(call: Call) -> Response:
    """PUT: the last chunk, or nothing more, and the digest of the whole."""
    query = call.request.query()
    if "digest" not in query:
        raise Refusal("DIGEST_INVALID", "the query names no digest")
    return await _complete(call, Digest.parse(query["digest"]))


async def upload_status(call: Call) -> Response:
    """GET: how far an upload has come."""
    return _accepted(204, call.route, call.storage.uploads.size(call.name, call.item))


async def cancel_upload(call: Call) -> Response:
    """DELETE of an upload."""
    call.storage.uploads.discard(call.name, call.item)
    return Response(204)


async def _mount(call: Call, query: dict[str, str]) -> bool:
    """Whether the blob could be had: from the repository that the client names, or from any if it
    names none. A repository that it may not read is as good as none."""
    digest = Digest.parse(query["mount"])
    repository = call.storage.repository(call.name)
    if "from" not in query:
        return await asyncio.to_thread(_mount_any, call, repository, digest)
    source = query["from"]
    if not is_repository(source) or not call.visitor.may("read", source):
        return False
    return await asyncio.to_thread(repository.mount, digest, call.storage.repository(source))


def _mount_any(call: Call, repository: Repository, digest: Digest) -> bool:
    """Where not everybody may read everything, only what may be read is looked at, so that how
    long it takes tells nothing of the rest."""
    if call.visitor.sees_all:
        return repository.mount_any(digest)
    return any(
        repository.mount(digest, call.storage.repository(name))
        for name in call.content.names()
        if call.visitor.may("read", name)
    )


async def _complete(call: Call, digest: Digest) -> Response:
    writer = await asyncio.to_thread(call.storage.uploads.open, call.name, call.item)
    with closing(writer):
        await _receive(call, writer)
        await asyncio.to_thread(_admit, call, writer, digest)
    return _created(call.name, digest)


def _admit(call: Call, writer: Writer, digest: Digest) -> None:
    found = writer.digest(digest.algorithm)
    if found != digest:
        call.storage.uploads.discard(call.name, call.item)
        raise Refusal("DIGEST_INVALID", f"what arrived has the digest {found}, not {digest}")
    try:
        call.storage.repository(call.name).add_blob(writer.path, digest)
    except FileNotFoundError:
        # It was cancelled at this moment.
        raise unknown_upload() from None


async def _receive(call: Call, writer: Writer) -> None:
    """Write the body. What was not meant so, or does not fit, is taken back: a body without an end
    must not keep the disk full until it is given up."""
    limit = _expected(call, writer)
    writer.expect(call.request.length() or 0)
    try:
        received = await _write(call, writer, limit)
    except (NoRoom, OSError):
        await asyncio.to_thread(writer.roll_back)
        raise
    if limit is not None and received != limit:
        await asyncio.to_thread(writer.roll_back)
        raise Refusal("SIZE_INVALID", f"Content-Range says {limit} bytes, but others came")


async def _write(call: Call, writer: Writer, limit: int | None) -> int:
    """Write one part in a thread while the next one arrives; how many bytes came, or that they are
    more than ``limit``."""
    received = 0
    job: asyncio.Future[None] | None = None
    loop = asyncio.get_running_loop()
    try:
        async for part in call.request.parts():
            received += len(part)
            if job is not None:
                await job
            if limit is not None and received > limit:
                break
            job = loop.run_in_executor(None, writer.append, part)
    finally:
        if job is not None:
            await job
    return received


def _expected(call: Call, writer: Writer) -> int | None:
    """How many bytes the request says it brings; 416 if they are not the next ones."""
    chunk = ranges.chunk(call.request.header("content-range"))
    if chunk is None:
        return None
    if chunk.start != writer.size:
        raise Refusal(
            "BLOB_UPLOAD_INVALID",
            f"the upload has {writer.size} bytes, but the chunk begins at {chunk.start}",
            status=416,
            headers=_progress(call.route, writer.size),
        )
    if call.request.length() not in (None, len(chunk)):
        raise Refusal("SIZE_INVALID", "Content-Range and Content-Length differ")
    return len(chunk)


def _created(name: str, digest: Digest) -> Response:
    location = f"/v2/{name}/blobs/{digest}"
    return Response(201, {"Location": location, "Docker-Content-Digest": str(digest)})


def _accepted(status: int, route: Route, size: int) -> Response:
    return Response(status, _progress(route, size))


def _progress(route: Route, size: int) -> dict[str, str]:
    """Where to go on. Of an empty upload the range is ``0-0`` too, as every client expects."""
    return {
        "Location": f"/v2/{route.name}/blobs/uploads/{route.item}",
        "Range": f"0-{max(0, size - 1)}",
        "Docker-Upload-UUID": route.item,
    }
