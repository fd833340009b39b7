"""From a request's path to an endpoint.

Repository names contain slashes, so the parts are told apart from the end of the path.
Everything is checked here, before any of it gets near the file system.
"""

from __future__ import annotations

import re
from typing import Literal, cast

from msgspec import Struct

from manyfest.oci.reference import is_repository
from manyfest.serve.errors import Refusal

Endpoint = Literal[
    "version",
    "catalog",
    "tags",
    "blob",
    "uploads",
    "upload",
    "manifest",
    "referrers",
    "token",
    "overview",
    "page",
]

_PATH = re.compile(
    r"/repositories/(?P<shown>.+)(?P<page>)"
    r"|/v2/(?P<name>.+)/"
    r"(?:tags/list(?P<tags>)"
    r"|blobs/uploads/?(?P<uploads>)"
    r"|blobs/uploads/(?P<upload>[^/]+)"
    r"|blobs/(?P<blob>[^/]+)"
    r"|manifests/(?P<manifest>[^/]+)"
    r"|referrers/(?P<referrers>[^/]+))",
    re.DOTALL,
)
"""The group that matched names the endpoint and holds the item; some endpoints have none."""

_FIXED: dict[str, Endpoint] = {
    "/v2": "version",
    "/v2/": "version",
    "/v2/_catalog": "catalog",
    "/token": "token",
    "/": "overview",
}


class Route(Struct, frozen=True):
    """An endpoint, the repository it is asked of, and the item in it: a digest, tag or upload.

    The name is a valid repository's; the item is still as it was sent.
    """

    endpoint: Endpoint
    name: str = ""
    item: str = ""


def find_route(path: str, raw_path: bytes = b"") -> Route:
    """The route of a decoded ``path``; ``raw_path`` is the path as it was sent.

    Raises :class:`Refusal`: 404 where the interface has no such path, 400 for a repository's name
    that no repository can have. An encoded slash is refused: a proxy that guards some repositories
    would not read it as we do.
    """
    if path in _FIXED:
        return Route(_FIXED[path])
    match = _PATH.fullmatch(path)
    if match is None:
        raise Refusal("UNSUPPORTED", "there is nothing at this path", status=404)
    name = match["name"] or match["shown"]
    if b"%2f" in raw_path.lower():
        raise Refusal("NAME_INVALID", "a slash must not be encoded: write / instead of %2F")
    if not is_repository(name):
        raise Refusal("NAME_INVALID", f"{name[:80]!r} is not a repository's name")
    endpoint = cast("Endpoint", match.lastgroup)
    return Route(endpoint, name, match[endpoint])
