"""What is sent back: documents, and faults in the one form of RFC 9457.

A document that has not changed is not sent again (RFC 9110, "Conditional Requests"): its tag is
made of its bytes, which hold no time of the answering.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from msgspec import Struct
from starlette.responses import Response

from manyfest.errors import ManyfestError

JSON = "application/json"
PROBLEM_JSON = "application/problem+json"


class Problem(Struct, frozen=True, kw_only=True):
    """A fault (RFC 9457). ``title`` is that of the ``status``; ``detail`` is one line for people:
    what is wrong, where, and how to mend it."""

    title: str
    status: int
    detail: str
    type: str = "about:blank"


class Fault(ManyfestError):
    """Ends a request with a :class:`Problem`. ``headers`` go with the answer."""

    def __init__(
        self, status: int, what: str, *, mend: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(what, mend=mend)
        self.status = status
        self.headers = dict(headers or {})


class Reply(Struct, frozen=True, kw_only=True):
    """An answer before it is sent."""

    body: bytes
    media: str = JSON
    status: int = 200
    headers: dict[str, str] = {}


def document(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """``value`` as JSON."""
    body = msgspec.json.encode(value)
    return Reply(body=body, status=status, headers=dict(headers or {}))


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Reply:
    """A fault, in the form that all have."""
    fault = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail)
    return Reply(
        body=msgspec.json.encode(fault),
        media=PROBLEM_JSON,
        status=status,
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


def response(reply: Reply, method: str, if_none_match: str = "") -> Response:
    """What Starlette sends: nothing but the head for HEAD and for what the client has already."""
    headers = {"X-Content-Type-Options": "nosniff", **reply.headers}
    headers.setdefault("Cache-Control", "no-cache")
    if method in {"GET", "HEAD"} and reply.status == HTTPStatus.OK:
        tag = entity_tag(reply.body)
        headers["ETag"] = tag
        if _has(if_none_match, tag):
            return Response(status_code=304, headers=headers)
    headers["Content-Type"] = reply.media  # as it is: Starlette would add a charset to text
    if method == "HEAD":
        headers["Content-Length"] = str(len(reply.body))
        return Response(status_code=reply.status, headers=headers)
    return Response(reply.body, status_code=reply.status, headers=headers)


def entity_tag(body: bytes) -> str:
    """The tag of a document: equal for equal bytes."""
    return f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'


def _has(if_none_match: str, tag: str) -> bool:
    asked = {each.strip().removeprefix("W/") for each in if_none_match.split(",")}
    return "*" in asked or tag in asked
