"""What a registry's answer means: from statuses and error bodies to our errors.

OCI distribution specification, "Error Codes". A registry's own words are shown, cut short, with
control characters left to the command line to escape.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from manyfest.errors import (
    AccessDenied,
    DigestMismatch,
    ManyfestError,
    NotFound,
    RateLimited,
    RegistryError,
    StoreError,
)
from manyfest.stores.registry.http import Response

_MAX_ERROR_BODY = 64 * 1024
_PATIENCE = 10.0


@dataclass(frozen=True, slots=True)
class Complaint:
    """The first error in an error body; empty if there is none that can be read."""

    code: str = ""
    message: str = ""


def expect(response: Response, *statuses: int, doing: str, where: str) -> Response:
    """The response, if it has one of ``statuses``; ``doing`` says what was asked for.

    Otherwise it is closed and the error that it stands for is raised.
    """
    if response.status in statuses:
        return response
    with response:
        raise error_for(response.status, read_complaint(response), doing=doing, where=where)


def read_complaint(response: Response) -> Complaint:
    """What the error body says, as far as it has the specified form. A body that is too large,
    too slow or breaks off says nothing; the status is known in any case."""
    try:
        raw = response.read_all(_MAX_ERROR_BODY, seconds=_PATIENCE)
        first = json.loads(raw)["errors"][0]
        return Complaint(_shown(first.get("code"), 40), _shown(first.get("message"), 200))
    except (StoreError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return Complaint()


def _shown(value: object, longest: int) -> str:
    """Some of a registry's own words, on one line."""
    return " ".join(value.split())[:longest] if isinstance(value, str) else ""


def error_for(status: int, complaint: Complaint, *, doing: str, where: str) -> ManyfestError:
    """The error for an answer that was not the one hoped for."""
    said = " ".join(filter(None, (str(status), complaint.code, complaint.message)))
    if status in (401, 403):
        host = where.partition("/")[0]
        return AccessDenied(
            f"the registry refuses {doing} ({said})",
            where=where,
            mend=f"log in with: manyfest login {host}",
            status=status,
            code=complaint.code,
        )
    if status == 404:
        return NotFound(f"{doing}: not found ({said})", where=where)
    if status == 429:
        return RateLimited(
            f"the registry limits how often it is asked ({said})",
            where=where,
            mend="wait, or log in for a higher limit",
            status=status,
            code=complaint.code,
        )
    if complaint.code == "DIGEST_INVALID":
        return DigestMismatch(f"the registry refuses {doing} ({said})", where=where)
    return RegistryError(
        f"{doing} failed ({said})", where=where, status=status, code=complaint.code
    )
