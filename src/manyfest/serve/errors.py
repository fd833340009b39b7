"""What the registry refuses, in the form of the distribution specification ("Error Codes")."""

from __future__ import annotations

import errno
from collections.abc import Mapping

import msgspec

from manyfest.errors import (
    DigestMismatch,
    InvalidDigest,
    InvalidManifest,
    ManyfestError,
    RegistryError,
)

STATUS = {
    "BLOB_UNKNOWN": 404,
    "BLOB_UPLOAD_INVALID": 400,
    "BLOB_UPLOAD_UNKNOWN": 404,
    "DENIED": 403,
    "DIGEST_INVALID": 400,
    "MANIFEST_BLOB_UNKNOWN": 400,
    "MANIFEST_INVALID": 400,
    "MANIFEST_UNKNOWN": 404,
    "NAME_INVALID": 400,
    "NAME_UNKNOWN": 404,
    "SIZE_INVALID": 400,
    "TOOMANYREQUESTS": 429,
    "UNAUTHORIZED": 401,
    "UNKNOWN": 500,
    "UNSUPPORTED": 405,
}
"""The status that usually goes with a code. Answers of 4XX may have no other codes than the
specification's; ``UNKNOWN`` is for what the registry itself is to blame for."""

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class Refusal(RegistryError):
    """An answer that is an error: a code, a status, a message, and header fields to go with it."""

    def __init__(
        self,
        code: str,
        what: str,
        *,
        status: int = 0,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(what, status=status or STATUS[code], code=code)
        self.headers = dict(headers or {})

    def body(self) -> bytes:
        """The error as the specification's JSON."""
        return msgspec.json.encode({"errors": [{"code": self.code, "message": self.what}]})


def unknown_repository(name: str) -> Refusal:
    """The answer for a repository that is not there."""
    return Refusal("NAME_UNKNOWN", f"there is no repository {name}")


def unknown_manifest(reference: str, repository: str) -> Refusal:
    """The answer for a manifest that is not there."""
    return Refusal("MANIFEST_UNKNOWN", f"{reference[:140]} is not in {repository}")


def refusal_of(error: ManyfestError) -> Refusal:
    """The answer for an error, which may be one already. Paths of the server stay in its own
    log."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, InvalidManifest):
        return Refusal("MANIFEST_INVALID", str(error))
    if isinstance(error, InvalidDigest):
        return Refusal("DIGEST_INVALID", str(error))
    if isinstance(error, DigestMismatch):
        return Refusal("UNKNOWN", f"the registry's own copy is damaged: {error.what}")
    return Refusal("UNKNOWN", f"the registry's storage failed: {error.what}")


def storage_refusal(error: OSError) -> Refusal:
    """The answer when the disk failed; paths of the server stay in its own log."""
    if error.errno in _FULL:
        return Refusal("UNKNOWN", "the registry's disk is full", status=507)
    return Refusal("UNKNOWN", f"the registry's storage failed: {error.strerror or 'error'}")
