"""A public key, and whether a signature was made with its private half.

Keys are PEM files of the type ``PUBLIC KEY`` (RFC 7468, section 13), as those that cosign makes and
``openssl pkey -pubout`` writes. What is signed is hashed with SHA-256, as cosign does with a key of
any size.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Self

from manyfest.errors import UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

MAX_SIZE = 16 * 1024
"""Bytes of a key's file. The largest RSA key that is in use has under one thousand."""

MIN_RSA_BITS = 2048
"""NIST SP 800-131A, section 3."""

_VARIABLE = "env:"


class PublicKey:
    """A key of the kinds ECDSA, RSA (PKCS #1 v1.5) or Ed25519; ``label`` is how the user named
    it. Two are equal if both the key and its name are."""

    def __init__(self, key: PublicKeyTypes, label: str) -> None:
        self._key = key
        self.label = label

    @classmethod
    def load(
        cls, text: str, environ: Mapping[str, str] = os.environ, folder: Path = Path()
    ) -> Self:
        """The key in the file at this path, from ``folder`` on, or with ``env:NAME`` in that
        variable.

        Raises :class:`~manyfest.errors.UsageError`.
        """
        if not text.startswith(_VARIABLE):
            return cls.parse(_read(folder / text), text)
        held = environ.get(text.removeprefix(_VARIABLE), "")
        if not held:
            raise UsageError("the variable is not set", where=text, mend="put the key's PEM in it")
        return cls.parse(held.encode(), text)

    @classmethod
    def parse(cls, pem: bytes, label: str) -> Self:
        """The key in this PEM text. Raises :class:`~manyfest.errors.UsageError`."""
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
        from cryptography.hazmat.primitives.serialization import load_pem_public_key

        if b"PRIVATE KEY" in pem:
            raise UsageError(
                "it is a private key", where=label, mend="name its public half, such as cosign.pub"
            )
        try:
            key = load_pem_public_key(pem)
        except (ValueError, UnsupportedAlgorithm):
            raise UsageError(
                "it is no public key in PEM form",
                where=label,
                mend="name a file such as cosign.pub, which begins with BEGIN PUBLIC KEY",
            ) from None
        if not isinstance(key, EllipticCurvePublicKey | RSAPublicKey | Ed25519PublicKey):
            raise UsageError("images are not signed with keys of this kind", where=label)
        if isinstance(key, RSAPublicKey) and key.key_size < MIN_RSA_BITS:
            raise UsageError(
                f"an RSA key of {key.key_size} bits proves nothing",
                where=label,
                mend=f"use one of {MIN_RSA_BITS} or more, or ECDSA",
            )
        return cls(key, label)

    @property
    def fingerprint(self) -> str:
        """What the key is told apart by, whatever it is called: the SHA-256 of its DER form."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        der = self._key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return f"sha256:{sha256(der).hexdigest()}"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PublicKey):
            return NotImplemented
        return (self.label, self.fingerprint) == (other.label, other.fingerprint)

    def __hash__(self) -> int:
        return hash((self.label, self.fingerprint))

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Whether ``signature`` is one of ``message``, made with this key's private half."""
        from cryptography.exceptions import InvalidSignature

        try:
            self._verify(signature, message)
        except InvalidSignature:
            return False
        return True

    def _verify(self, signature: bytes, message: bytes) -> None:
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
        from cryptography.hazmat.primitives.hashes import SHA256

        match self._key:
            case EllipticCurvePublicKey():
                self._key.verify(signature, message, ECDSA(SHA256()))
            case RSAPublicKey():
                self._key.verify(signature, message, PKCS1v15(), SHA256())
            case Ed25519PublicKey():
                self._key.verify(signature, message)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_SIZE + 1)
    except OSError as error:
        raise UsageError(
            f"the key cannot be read: {error.strerror}",
            where=str(path),
            mend="name a file, or env:NAME for a variable that holds the key",
        ) from None
    if len(raw) > MAX_SIZE:
        raise UsageError(f"larger than {MAX_SIZE} bytes, so no key", where=str(path))
    return raw
