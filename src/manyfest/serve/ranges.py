"""Which bytes are meant: ``Range`` of a download, ``Content-Range`` of an upload's chunk."""

from __future__ import annotations

import re

from manyfest.serve.errors import Refusal

_RANGE = re.compile(r"bytes=([0-9]*)-([0-9]*)")
_CHUNK = re.compile(r"([0-9]{1,18})-([0-9]{1,18})")
_LONGEST = 18
"""Decimal digits of a position; more than any file has, fewer than would be costly to read."""


def wanted(field: str, size: int) -> range | None:
    """The bytes that ``Range`` asks for of ``size``, or ``None`` for the whole.

    One range is understood. A field that is malformed or names several is passed over, as
    RFC 9110 (section 14.2) lets a server do. Raises a 416 for a range that ends before it begins,
    and if no byte of it is within ``size``.
    """
    match = _RANGE.fullmatch(field.strip())
    if match is None or not (match[1] or match[2]):
        return None
    first, last = _bounded(match[1]), _bounded(match[2])
    if not match[1]:
        part = range(max(0, size - last), size)
    elif not match[2]:
        part = range(first, size)
    else:
        part = range(first, min(last + 1, size))
    if not part:
        raise Refusal(
            "SIZE_INVALID",
            f"the blob has {size} bytes, none of them in {field[:60]!r}",
            status=416,
            headers={"Content-Range": f"bytes */{size}"},
        )
    return part


def chunk(field: str) -> range | None:
    """The bytes of an upload that a request says it brings; ``None`` if it does not say.

    Distribution specification, "Pushing a blob in chunks": ``<start>-<end>``, both included.
    """
    if not field:
        return None
    match = _CHUNK.fullmatch(field.strip())
    if match is None or int(match[2]) < int(match[1]):
        raise Refusal("BLOB_UPLOAD_INVALID", f"Content-Range {field[:60]!r} is not START-END")
    return range(int(match[1]), int(match[2]) + 1)


def _bounded(digits: str) -> int:
    return 10**_LONGEST if len(digits) > _LONGEST else int(digits or 0)
