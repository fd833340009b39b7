"""An upload under way in a registry: where it goes on, and how far it came.

OCI distribution specification, "Pushing Blobs".
"""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit

from msgspec import Struct
from msgspec.structs import replace

from manyfest.errors import RegistryError
from manyfest.oci.digest import Digest
from manyfest.stores.registry.addresses import Place, redirect_places
from manyfest.stores.registry.headers import Headers
from manyfest.stores.registry.http import (
    LARGEST_SMALL,
    Body,
    Origin,
    Request,
    Response,
    check_place,
    place_of_answer,
)
from manyfest.stores.registry.redirects import resolve_location

_BINARY = ("Content-Type", "application/octet-stream")
_RECEIVED = r"(?:bytes[= ])?0-([0-9]{1,18})"
_SIZE = r"[0-9]{1,18}"


class Session(Struct, frozen=True):
    """An upload under way: its address, the scopes that are asked for it, the kinds of address it
    may lead to (``None`` for the registry itself), and the fewest bytes that it takes in a chunk
    that is not the last."""

    url: str
    scopes: tuple[str, ...] = ()
    places: frozenset[Place] | None = None
    smallest_chunk: int = 0

    def next(self, request: Request, response: Response, *, where: str) -> Session:
        """Where the upload goes on, as the answer to ``request`` says.

        Another host gets the bytes, but no credentials (CVE-2026-50151), and must be one that a
        redirect could lead to. Raises :class:`RegistryError` if it is not.
        """
        location = response.headers.get("Location")
        if not location:
            raise RegistryError("the registry began an upload without a Location", where=where)
        url = resolve_location(response.url or request.url, location)
        least = response.headers.get("OCI-Chunk-Min-Length")
        smallest = int(least) if re.fullmatch(_SIZE, least) else self.smallest_chunk
        if Origin.of(url) == Origin.of(self.url):
            return replace(self, url=url, smallest_chunk=smallest)
        places = request.places or redirect_places(place_of_answer(response))
        elsewhere = Session(url, (), places, smallest)
        check_place(session_request("PUT", elsewhere), Origin.of(url).host)
        return elsewhere

    def closing(self, digest: Digest) -> Session:
        """The address that ends the upload. Whatever query the registry put there stays as it
        is."""
        separator = "&" if urlsplit(self.url).query else "?"
        return replace(self, url=f"{self.url}{separator}digest={quote(str(digest), safe=':')}")


def received(response: Response) -> int | None:
    """How many bytes the registry has of an upload, by its answer to a look at it; ``None`` if the
    answer does not tell. ``0-0`` is what registries say of none."""
    found = re.fullmatch(_RECEIVED, response.headers.get("Range").strip())
    if response.status not in (200, 202, 204) or found is None:
        return None
    last = int(found[1])
    return last + 1 if last else 0


def session_request(
    method: str,
    session: Session,
    fields: tuple[tuple[str, str], ...] = (),
    *,
    body: Body | bytes | None = b"",
) -> Request:
    """A request of an upload. What adds to one is not repeated by itself."""
    adds = method in ("PATCH", "PUT")
    size = body.size if isinstance(body, Body) else 0
    return Request(
        method=method,
        url=session.url,
        headers=Headers((_BINARY, *fields) if adds else fields),
        body=body,
        repeatable=not adds,
        scopes=session.scopes,
        follow=False,
        places=session.places,
        bulk=size is None or size > LARGEST_SMALL,
    )
