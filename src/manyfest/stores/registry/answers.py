"""What a registry's answer means: from statuses and error bodies to our errors.

OCI distribution specification, "Error Codes". A registry's own words are shown, cut short, with
control characters left to the command line to escape.
"""

from __future__ import annotations

import json
import re

from msgspec import Struct

from manyfest.errors import (
    AccessDenied,
    DigestMismatch,
    InvalidDigest,
    ManyfestError,
    NotFound,
    PartsMissing,
    RateLimited,
    RegistryError,
    StoreError,
)
from manyfest.oci.digest import Digest
from manyfest.stores.registry.http import Response

_MAX_ERROR_BODY = 64 * 1024
_PATIENCE = 10.0
_DIGEST = r"\b(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})\b"
_UNKNOWN_PARTS = frozenset({"MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN", "MANIFEST_UNKNOWN"})


class Complaint(Struct, frozen=True):
    """The first error in an error body; empty if there is none that can be read.

    ``digests`` are all that any of its errors names, in their order.
    """

    code: str = ""
    message: str = ""
    digests: tuple[str, ...] = ()


def expect(response: Response, *statuses: int, doing: str, where: str) -> Response:
    """The response, if it has one of ``statuses``; ``doing`` says what was asked for.

    Otherwise it is closed and the error that it stands for is raised.
    """
    if response.status in statuses:
        return response
    with response:
        raise error_for(response.status, read_complaint(response), doing=doing, where=where)


def expect_taken(response: Response, manifest: Digest, *, doing: str, where: str) -> Response:
    """The answer to a PUT of ``manifest``, if the registry took it; else like :func:`expect`.

    Raises :class:`~manyfest.errors.PartsMissing` if it misses something that the manifest points
    at.
    """
    if response.status in (200, 201, 202):
        return response
    with response:
        complaint = read_complaint(response)
        if complaint.code in _UNKNOWN_PARTS and response.status in (400, 404):
            raise _parts_missing(response.status, complaint, manifest, doing=doing, where=where)
        if response.status == 404:
            raise no_such_repository(response.status, where=where)
        raise error_for(response.status, complaint, doing=doing, where=where)


def no_such_repository(status: int, *, where: str) -> RegistryError:
    """What a registry means that does not make repositories by itself, as ECR does not."""
    return RegistryError(
        "the registry has no such repository",
        where=where,
        mend="make it first, or check its name: this registry does not make it by itself",
        status=status,
    )


def stated_digest(response: Response, *, where: str) -> Digest | None:
    """The digest that the answer says it is about, if it says one.

    Raises :class:`~manyfest.errors.RegistryError` for one that is none.
    """
    stated = response.headers.get("Docker-Content-Digest")
    try:
        return Digest.parse(stated) if stated else None
    except InvalidDigest as error:
        raise RegistryError(f"the registry answers with {error.what}", where=where) from None


def check_stated(response: Response, expected: Digest, *, where: str) -> None:
    """Raise :class:`~manyfest.errors.RegistryError` if the answer says that it is about something
    else than ``expected``. Asked by one algorithm, a registry may answer with its own."""
    stated = stated_digest(response, where=where)
    if stated and stated.algorithm == expected.algorithm and stated != expected:
        raise lied(expected, str(stated), where=where)


def lied(expected: Digest, stated: str, *, where: str) -> RegistryError:
    """What to say of a registry that answers with other content than it was asked for."""
    return RegistryError(
        f"asked for {expected}, the registry answers with {stated}",
        where=where,
        mend="do not trust this registry's content until its operator explains it",
    )


def _parts_missing(
    status: int, complaint: Complaint, manifest: Digest, *, doing: str, where: str
) -> PartsMissing:
    said = " ".join(filter(None, (str(status), complaint.code, complaint.message)))
    return PartsMissing(
        f"{doing} points at what the registry does not have ({said})",
        where=where,
        mend="run it again: what is missing is sent then",
        status=status,
        code=complaint.code,
        digests=tuple(each for each in complaint.digests if each != str(manifest)),
    )


def read_complaint(response: Response) -> Complaint:
    """What the error body says, as far as it has the specified form. A body that is too large,
    too slow or breaks off says nothing; the status is known in any case."""
    try:
        raw = response.read_all(_MAX_ERROR_BODY, seconds=_PATIENCE)
        errors = json.loads(raw)["errors"]
        digests = tuple(dict.fromkeys(re.findall(_DIGEST, json.dumps(errors))))
        code, message = errors[0].get("code"), errors[0].get("message")
        return Complaint(_shown(code, 40), _shown(message, 200), digests)
    except (StoreError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return Complaint()


def _shown(value: object, longest: int) -> str:
    """Some of a registry's own words, on one line."""
    return " ".join(value.split())[:longest] if isinstance(value, str) else ""


def error_for(status: int, complaint: Complaint, *, doing: str, where: str) -> ManyfestError:
    """The error for an answer that was not the one hoped for."""
    said = " ".join(filter(None, (str(status), complaint.code, complaint.message)))
    if status in (401, 403):
        how = "log in with" if status == 401 else "log in as a user who may, with"
        return AccessDenied(
            f"the registry refuses {doing} ({said})",
            where=where,
            mend=f"{how}: manyfest login {where.partition('/')[0]}",
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
