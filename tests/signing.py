"""Signatures of images, in both forms that cosign writes, made with keys of our own."""

from __future__ import annotations

import base64
import json

from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec.structs import replace

from manyfest.oci.manifest import Image, Manifest
from manyfest.stores.base import Content, Target
from manyfest.stores.referrers import as_referrer
from manyfest.trust.public_key import PublicKey
from tests.images import OCI_CONFIG, OCI_EMPTY, OCI_MANIFEST, content_of, put, put_manifest
from tests.referring import Holding

SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
SIGNS = "https://sigstore.dev/cosign/sign/v1"


class Key:
    """A key pair: signs, and gives away its public half."""

    def __init__(self) -> None:
        self._private: EllipticCurvePrivateKey = generate_private_key(SECP256R1())

    @property
    def pem(self) -> bytes:
        return self._private.public_key().public_bytes(
            Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        )

    def public(self, label: str = "cosign.pub") -> PublicKey:
        return PublicKey.parse(self.pem, label)

    def sign(self, message: bytes) -> bytes:
        return self._private.sign(message, ECDSA(SHA256()))


def payload_of(digest: str, kind: str = "cosign container image signature") -> bytes:
    """What cosign's first form signs."""
    critical = {
        "identity": {"docker-reference": "example.org/app"},
        "image": {"docker-manifest-digest": digest},
        "type": kind,
    }
    return json.dumps({"critical": critical, "optional": None}).encode()


def statement_of(digest: str, predicate: str = SIGNS) -> bytes:
    """What cosign 3 signs."""
    algorithm, _, value = digest.partition(":")
    return json.dumps(
        {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"digest": {algorithm: value}}],
            "predicateType": predicate,
            "predicate": {},
        }
    ).encode()


def sign_by_tag(target: Target, subject: Manifest, *signed: tuple[bytes, bytes]) -> str:
    """Put payloads and their signatures under cosign's tag; that tag."""
    layers = tuple(
        replace(
            put(target, payload, SIMPLE_SIGNING),
            annotations={
                "dev.cosignproject.cosign/signature": base64.b64encode(signature).decode()
            },
        )
        for payload, signature in signed
    )
    config = put(target, b"{}", OCI_CONFIG)
    body = Image(schema_version=2, media_type=OCI_MANIFEST, config=config, layers=layers)
    tag = f"sha256-{subject.descriptor.digest.hex}.sig"
    target.tag(tag, _content(target, body))
    return tag


def sign_by_bundle(target: Holding, subject: Manifest, key: Key, statement: bytes) -> Manifest:
    """Attach a bundle around the statement to the subject."""
    kind = b"application/vnd.in-toto+json"
    message = b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(statement), statement)
    bundle = {
        "mediaType": BUNDLE,
        "verificationMaterial": {"publicKey": {"hint": ""}},
        "dsseEnvelope": {
            "payload": base64.b64encode(statement).decode(),
            "payloadType": kind.decode(),
            "signatures": [{"sig": base64.b64encode(key.sign(message)).decode()}],
        },
    }
    body = Image(
        schema_version=2,
        media_type=OCI_MANIFEST,
        artifact_type=BUNDLE,
        config=put(target, b"{}", OCI_EMPTY),
        layers=(put(target, json.dumps(bundle).encode(), BUNDLE),),
        subject=subject.descriptor,
    )
    referrer = put_manifest(target, Manifest.of_image(body))
    target.attach(subject.descriptor, as_referrer(referrer))
    return referrer


def _content(target: Target, body: Image) -> Content:
    return content_of(put_manifest(target, Manifest.of_image(body)))
