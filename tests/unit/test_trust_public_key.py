"""Public keys: those that can be used, and what is said of the others."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from manyfest.errors import UsageError
from manyfest.trust.public_key import PublicKey
from tests.signing import Key

MESSAGE = b"what is signed"
COSIGN_PUB = b"""\
-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEjP0m3y/yVjrmtvu9NMjnhwsZ7fJd
npp1CbNy++HzbPv8MvW123W530t75n8JJqdzYQ9zcl7IpAzZ8nyWq6K5eA==
-----END PUBLIC KEY-----
"""
"""Not a secret: the public half of a key that nobody has any more."""


def pem(private: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | dsa.DSAPrivateKey) -> bytes:
    return private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()])
def test_ecdsa(curve: ec.EllipticCurve) -> None:
    private = ec.generate_private_key(curve)
    signature = private.sign(MESSAGE, ec.ECDSA(SHA256()))
    key = PublicKey.parse(pem(private), "k")
    assert (key.verifies(signature, MESSAGE), key.verifies(signature, b"else")) == (True, False)


def test_rsa() -> None:
    private = rsa.generate_private_key(65537, 2048)
    signature = private.sign(MESSAGE, padding.PKCS1v15(), SHA256())
    key = PublicKey.parse(pem(private), "k")
    assert (key.verifies(signature, MESSAGE), key.verifies(signature, b"else")) == (True, False)


def test_ed25519() -> None:
    private = ed25519.Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signature = private.sign(MESSAGE)
    key = PublicKey.parse(public, "k")
    assert (key.verifies(signature, MESSAGE), key.verifies(signature, b"else")) == (True, False)


def test_what_is_no_signature_at_all_was_not_made() -> None:
    assert not Key().public().verifies(b"", MESSAGE)


def test_a_key_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "cosign.pub"
    path.write_bytes(COSIGN_PUB)
    assert PublicKey.load(str(path)).label == str(path)


def test_a_key_is_read_from_a_variable() -> None:
    key = PublicKey.load("env:KEY", {"KEY": COSIGN_PUB.decode()})
    assert key.label == "env:KEY"


def test_a_variable_that_is_not_set_is_named() -> None:
    with pytest.raises(UsageError, match=r"env:KEY: the variable is not set; put the key's PEM"):
        PublicKey.load("env:KEY", {})


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(UsageError, match=r"nowhere\.pub: the key cannot be read: No such file"):
        PublicKey.load("nowhere.pub")


def test_a_large_file_is_no_key(tmp_path: Path) -> None:
    path = tmp_path / "cosign.pub"
    path.write_bytes(b"A" * (16 * 1024 + 1))
    with pytest.raises(UsageError, match="larger than 16384 bytes, so no key"):
        PublicKey.load(str(path))


def test_a_private_key_is_refused() -> None:
    private = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    with pytest.raises(UsageError, match="it is a private key; name its public half"):
        PublicKey.parse(private, "cosign.key")


@pytest.mark.parametrize("text", [b"", b"hello", b"-----BEGIN PUBLIC KEY-----\nAAAA\n"])
def test_what_is_no_key_is_refused(text: bytes) -> None:
    with pytest.raises(UsageError, match=r"cosign\.pub: it is no public key in PEM form"):
        PublicKey.parse(text, "cosign.pub")


def test_a_short_rsa_key_is_refused() -> None:
    short = pem(rsa.generate_private_key(65537, 1024))
    with pytest.raises(UsageError, match="an RSA key of 1024 bits proves nothing"):
        PublicKey.parse(short, "cosign.pub")


def test_a_key_of_another_kind_is_refused() -> None:
    with pytest.raises(UsageError, match="images are not signed with keys of this kind"):
        PublicKey.parse(pem(dsa.generate_private_key(2048)), "cosign.pub")
