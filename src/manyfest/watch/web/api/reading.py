"""What is taken in: query parameters and bodies, checked against the types that describe them.

Nothing is overlooked: who misspells ``platform`` must not be told that all is well with the image.
"""

from __future__ import annotations

import asyncio
import re
from typing import TypeVar, cast
from urllib.parse import parse_qsl

import msgspec
from msgspec import inspect
from starlette.requests import ClientDisconnect, Request

from manyfest.watch.web.api.replies import JSON, Fault

T = TypeVar("T")

MAX_BODY = 64 * 1024
"""Bytes. No form and no document that is sent here needs a tenth of it."""

BODY_SECONDS = 20.0

_MOST_FIELDS = 64
_PLACE = re.compile(r" - at `\$\.?(?P<key>[^`]*)`$")


def query(raw: bytes, shape: type[T]) -> T:
    """The query after ``?`` as a ``shape``, a struct: a parameter of a list may be given several
    times, another once. Raises :class:`Fault` 400."""
    lists = _lists(shape)
    given: dict[str, object] = {}
    for name, value in fields(raw):
        if name in lists:
            lists[name].append(value)
            given[name] = lists[name]
        elif name in given:
            raise Fault(400, f"{name[:80]} is given twice")
        else:
            given[name] = value
    try:
        found = msgspec.convert(given, shape, strict=False)
    except msgspec.ValidationError as error:
        raise Fault(400, _told(error)) from None
    for name in given:
        if getattr(found, name) is None:  # msgspec takes the word "null" for it
            raise Fault(400, f"{name}: null is no value; leave it out")
    return found


def fields(raw: bytes) -> list[tuple[str, str]]:
    """The pairs of a query or a form (``application/x-www-form-urlencoded``), in order. Raises
    :class:`Fault` 400."""
    try:
        return parse_qsl(
            raw.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(raw),
            errors="strict",
            max_num_fields=_MOST_FIELDS,
        )
    except ValueError:
        raise Fault(400, "what was sent are no parameters: name=value&…, in UTF-8") from None


async def body(request: Request, media: str) -> bytes:
    """The body, which must be of the type ``media``. Raises :class:`Fault`: 415, 413 as soon as it
    is known to be larger than :data:`MAX_BODY`, 408 if it does not come."""
    sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if sent != media:
        raise Fault(415, f"a body of the type {media} is expected here")
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:18]) > MAX_BODY:
        raise _too_large()
    received = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                received += part
                if len(received) > MAX_BODY:
                    raise _too_large()
    except TimeoutError:
        raise Fault(408, "the body does not come") from None
    except ClientDisconnect:
        raise Fault(400, "the body broke off") from None
    return bytes(received)


def decoded(raw: bytes, shape: type[T]) -> T:
    """A JSON body as a ``shape``. Raises :class:`Fault`: 400 for what is not JSON, 422 for JSON
    that does not have the shape."""
    try:
        return msgspec.json.decode(raw, type=shape)
    except msgspec.ValidationError as error:
        raise Fault(422, _told(error)) from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise Fault(400, f"the body is not {JSON}") from None


def _too_large() -> Fault:
    return Fault(413, f"the body may have {MAX_BODY} bytes at most")


def _lists(shape: type) -> dict[str, list[str]]:
    """Parameters that may be given repeatedly, none of which was yet."""
    fields_of = cast("inspect.StructType", inspect.type_info(shape)).fields
    return {
        each.encode_name: []
        for each in fields_of
        if isinstance(_bare(each.type), inspect.VarTupleType)
    }


def _bare(kind: inspect.Type) -> inspect.Type:
    return kind.type if isinstance(kind, inspect.Metadata) else kind


def _told(error: msgspec.ValidationError) -> str:
    """msgspec's words, with the name of what is wrong first."""
    text = str(error)
    found = _PLACE.search(text)
    plain = _PLACE.sub("", text).replace("`", "").replace("Object", "what was sent")
    plain = plain[:1].lower() + plain[1:]
    key = found["key"].split("[")[0] if found else ""
    return f"{key}: {plain}" if key else plain
