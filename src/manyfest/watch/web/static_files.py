"""The style, the script and the icons. They are small and few, and kept in memory; an address names
the bytes it stands for, so that browsers keep them for good."""

from __future__ import annotations

from functools import cache
from hashlib import blake2b
from importlib.resources import files
from typing import Final

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

_TYPES: Final = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_NAMES: Final = (
    "style.css",
    "page.js",
    "icon-good.svg",
    "icon-busy.svg",
    "icon-bad.svg",
    "icon-unknown.svg",
)


class _File(Struct, frozen=True):
    body: bytes
    media_type: str
    version: str


def address(name: str) -> str:
    """Where the file is, in its present version."""
    return f"/static/{name}?v={_files()[name].version}"


def routes() -> list[Route]:
    """Where they are had from."""
    return [
        Route("/static/{name}", _send, methods=["GET"]),
        Route("/favicon.ico", _icon, methods=["GET"]),
    ]


async def _send(request: Request) -> Response:
    found = _files().get(request.path_params["name"])
    if found is None:
        return PlainTextResponse("There is no such file.\n", status_code=404)
    is_current = request.query_params.get("v") == found.version
    kept = "public, max-age=31536000, immutable" if is_current else "no-cache"
    return Response(found.body, media_type=found.media_type, headers={"cache-control": kept})


async def _icon(_: Request) -> Response:
    """For what asks without having read the page."""
    found = _files()["icon-unknown.svg"]
    return Response(found.body, media_type=found.media_type)


@cache
def _files() -> dict[str, _File]:
    folder = files("manyfest.watch.web") / "static"
    found = {}
    for name in _NAMES:
        body = (folder / name).read_bytes()
        media_type = _TYPES[name.rpartition(".")[2]]
        found[name] = _File(body, media_type, blake2b(body, digest_size=6).hexdigest())
    return found
