"""The page: repositories at ``/``, and the tags of one at ``/repositories/NAME``.

It is whole without scripts, it loads nothing else, and it shows what the visitor may read.
"""

from __future__ import annotations

import base64
import hashlib
from bisect import bisect_right
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from manyfest.errors import UsageError
from manyfest.serve.access.places import Places
from manyfest.serve.asgi import Response
from manyfest.serve.call import Call, Handler
from manyfest.serve.listings import readable_names
from manyfest.serve.page.facts import Facts

if TYPE_CHECKING:
    from jinja2 import Environment

_MOST_REPOSITORIES = 200
_MOST_TAGS = 50
_TEMPLATES = Path(__file__).parent / "templates"


class Pages:
    """The endpoints of the page. ``places`` knows how clients reach the registry."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._facts = Facts()

    def overview(self) -> dict[str, Handler]:
        """Of ``/``, by methods."""
        return {"GET": self._overview, "HEAD": self._overview}

    def repository(self) -> dict[str, Handler]:
        """Of ``/repositories/NAME``, by methods."""
        return {"GET": self._repository, "HEAD": self._repository}

    async def _overview(self, call: Call) -> Response:
        names = await readable_names(call)
        shown, following = _after(names, call.request.query().get("last"), _MOST_REPOSITORIES)
        return _page(
            call,
            "overview.html",
            host=self._places.host(call.request),
            names=shown,
            count=len(names),
            following=following,
        )

    async def _repository(self, call: Call) -> Response:
        repository = call.repository
        tags = await repository.tag_list()
        shown, following = _after(tags.names, call.request.query().get("last"), _MOST_TAGS)
        meanings = [tags.by_name[tag] for tag in shown]
        rows = [
            (tag, await self._facts.of(repository, digest))
            for tag, digest in zip(shown, meanings, strict=True)
        ]
        return _page(
            call,
            "repository.html",
            host=self._places.host(call.request),
            name=call.name,
            rows=rows,
            count=len(tags.names),
            following=following,
        )


def _after(names: Sequence[str], last: str | None, most: int) -> tuple[Sequence[str], str]:
    """A part of sorted names, and the last of them if there are more."""
    start = bisect_right(names, last) if last is not None else 0
    shown = names[start : start + most]
    return shown, shown[-1] if start + most < len(names) else ""


def _page(call: Call, template: str, **values: object) -> Response:
    environment = _environment()
    visitor = call.visitor
    html = environment.get_template(template).render(
        user=visitor.name,
        may_log_in=not (visitor.name or visitor.sees_all),
        style=_style(),
        **values,
    )
    body = html.encode()
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {
        "ETag": tag,
        "Cache-Control": "private, no-cache",
        "Vary": "Authorization",
        "Content-Security-Policy": (
            f"default-src 'none'; style-src 'sha256-{_style_digest()}'; base-uri 'none';"
            " form-action 'none'; frame-ancestors 'none'"
        ),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }
    if tag in call.request.header("if-none-match"):
        return Response(304, headers)
    return Response(200, {"Content-Type": "text/html; charset=utf-8", **headers}, body)


@cache
def _environment() -> Environment:
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
    except ImportError:
        raise UsageError(
            "the page needs Jinja2, which is not installed", mend="pip install 'manyfest[serve]'"
        ) from None
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters["path"] = lambda text: quote(text, safe="/")
    return environment


@cache
def _style() -> str:
    return (_TEMPLATES / "style.css").read_text(encoding="utf-8")


@cache
def _style_digest() -> str:
    return base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
