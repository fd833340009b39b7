"""The endpoints that list: tags, repositories, referrers."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from urllib.parse import urlencode

from manyfest.oci import json
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.limits import MAX_MANIFEST_SIZE
from manyfest.oci.manifest import Index
from manyfest.oci.mediatypes import OCI_INDEX
from manyfest.serve.asgi import Request, Response
from manyfest.serve.call import Call, warned
from manyfest.serve.errors import Refusal

_MOST_TAGS = 10_000
_MOST_REPOSITORIES = 1_000
"""Names on one page, however many were asked for (CVE-2023-2253)."""

_PAGE_SIZE = MAX_MANIFEST_SIZE - 64 * 1024
"""Bytes of referrers on one page: with the rest of the index it is a manifest like any other."""


async def version(_call: Call) -> Response:
    """``/v2/``: yes, this is a registry."""
    return Response.json({})


async def list_tags(call: Call) -> Response:
    """The tags of a repository, a page at a time if asked."""
    repository = call.repository
    tags = await repository.tag_names()
    names, headers = _page(tags, call.request, _MOST_TAGS)
    headers |= warned(repository)
    return Response.json({"name": call.name, "tags": names}, headers)


async def list_repositories(call: Call) -> Response:
    """The catalogue."""
    readable = await readable_names(call)
    names, headers = _page(readable, call.request, _MOST_REPOSITORIES)
    return Response.json({"repositories": names}, headers)


async def readable_names(call: Call) -> list[str]:
    """The repositories that the visitor may read."""

    def may_see(name: str) -> bool:
        other = call.content.other_name(name)
        return call.visitor.may_see(name) and (not other or call.visitor.may_see(other))

    def find() -> list[str]:
        return [name for name in call.content.names() if may_see(name)]

    return await asyncio.to_thread(find)


async def list_referrers(call: Call) -> Response:
    """What has this digest for its subject. Nothing is an empty index, never a 404."""
    subject = Digest.parse(call.item)
    query = call.request.query()
    kind, last = query.get("artifactType", ""), query.get("last", "")
    repository = call.content.repository(call.name)
    referrers = await repository.find_referrers(subject)
    found, more = await asyncio.to_thread(_referrers, referrers, kind, last)
    headers = {"Content-Type": OCI_INDEX, **warned(repository)}
    if kind:
        headers["OCI-Filters-Applied"] = "artifactType"
    if more:
        following = {"artifactType": kind} if kind else {}
        following["last"] = str(found[-1].digest)
        headers["Link"] = _next(call.request, following)
    return Response.json(Index(schema_version=2, media_type=OCI_INDEX, manifests=found), headers)


def _referrers(
    referrers: Iterable[Descriptor], kind: str, last: str
) -> tuple[tuple[Descriptor, ...], bool]:
    """One page of referrers after ``last``, and whether there are more."""
    page: list[Descriptor] = []
    size = 0
    for referrer in referrers:
        if str(referrer.digest) <= last or (kind and referrer.artifact_type != kind):
            continue
        size += len(json.dumps(referrer))
        if page and size > _PAGE_SIZE:
            return tuple(page), True
        page.append(referrer)
    return tuple(page), False


def _page(
    names: Sequence[str], request: Request, most: int
) -> tuple[Sequence[str], dict[str, str]]:
    """What ``n`` and ``last`` ask for of sorted names, and a ``Link`` to the rest."""
    query = request.query()
    count = _count(query["n"], most) if "n" in query else most
    start = bisect_right(names, query["last"]) if "last" in query else 0
    page = names[start : start + count]
    if not page or start + count >= len(names):
        return page, {}
    return page, {"Link": _next(request, {"n": str(count), "last": page[-1]})}


def _count(text: str, most: int) -> int:
    if not (text.isascii() and text.isdigit()):
        raise Refusal("UNSUPPORTED", f"n={text[:20]!r} is not a number of names", status=400)
    return min(int(text), most) if len(text) < 10 else most


def _next(request: Request, query: dict[str, str]) -> str:
    meant = request.query().get("ns")
    query |= {"ns": meant} if meant else {}
    return f'<{request.path}?{urlencode(query)}>; rel="next"'
