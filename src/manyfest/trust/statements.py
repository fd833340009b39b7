"""What is signed when an image is: a document that names its digest. Pure.

There are two forms, and releases carry both for now:

- cosign's first one, "simple signing": a payload, beside which lies its signature;
- a Sigstore bundle, as cosign 3 writes it: a DSSE envelope (version 1.0.2) around an in-toto
  statement (version 1) whose predicate type says that it is a signature and no other attestation.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from msgspec import Struct

from manyfest.errors import InvalidManifest
from manyfest.oci import json

SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
SIGNATURE_ANNOTATION = "dev.cosignproject.cosign/signature"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"

_SIMPLE_TYPE = "cosign container image signature"
_STATEMENT = "https://in-toto.io/Statement/v1"
_IN_TOTO = "application/vnd.in-toto+json"
_SIGNS = "https://sigstore.dev/cosign/sign/v1"


class Signed(Struct, frozen=True):
    """A document and its ``signature``. ``message`` is what that is of; ``digests`` are those that
    the document is about."""

    message: bytes
    signature: bytes
    digests: frozenset[str]


def read_simple_signing(payload: bytes, signature: str) -> Signed:
    """A payload and its signature, in base64.

    The repository that it names is not looked at, as in cosign: a mirror has another one. Raises
    :class:`~manyfest.errors.InvalidManifest` for what is no such payload.
    """
    critical = _map(json.loads(payload, "the payload"), "critical")
    if critical.get("type") != _SIMPLE_TYPE:
        raise InvalidManifest("the payload is no signature of an image")
    digest = _map(critical, "image").get("docker-manifest-digest")
    return Signed(payload, _decoded(signature), frozenset({str(digest)}))


def read_bundle(raw: bytes) -> Signed:
    """A Sigstore bundle that holds a signature of an image.

    Raises :class:`~manyfest.errors.InvalidManifest` for anything else: another attestation by the
    same key is no signature.
    """
    envelope = _map(json.loads(raw, "the bundle"), "dsseEnvelope")
    kind, body = str(envelope.get("payloadType")), _decoded(envelope.get("payload"))
    if kind != _IN_TOTO:
        raise InvalidManifest(f"the bundle holds {kind[:80]!r} and no statement")
    statement = json.loads(body, "the statement")
    if statement.get("_type") != _STATEMENT or statement.get("predicateType") != _SIGNS:
        raise InvalidManifest("the statement is no signature of an image")
    signatures = _maps(envelope, "signatures")
    if len(signatures) != 1:  # as sigstore_bundle.proto has it; each more costs a verification
        raise InvalidManifest(f"the bundle has {len(signatures)} signatures, not one")
    digests = {
        f"{algorithm}:{value}"
        for subject in _maps(statement, "subject")
        for algorithm, value in _map(subject, "digest").items()
    }
    signature = _decoded(signatures[0].get("sig"))
    return Signed(_pre_authentication(kind, body), signature, frozenset(digests))


def _pre_authentication(kind: str, body: bytes) -> bytes:
    """What is signed of an envelope (DSSE 1.0.2, "Signature Definition")."""
    name = kind.encode()
    return b"DSSEv1 %d %b %d %b" % (len(name), name, len(body), body)


def _map(document: dict[str, Any], key: str) -> dict[str, Any]:
    value = document.get(key)
    if not isinstance(value, dict):
        raise InvalidManifest(f"the document has no {key!r}")
    return value


def _maps(document: dict[str, Any], key: str) -> list[dict[str, Any]]:
    value = document.get(key)
    if not (isinstance(value, list) and all(isinstance(each, dict) for each in value)):
        raise InvalidManifest(f"the document has no {key!r}")
    return value


def _decoded(text: object) -> bytes:
    try:
        return base64.b64decode(str(text), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidManifest("what should be base64 is not") from None
