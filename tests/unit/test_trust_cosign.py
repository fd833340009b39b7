"""Signatures that cosign 3.1.3 wrote, with ``--tlog-upload=false``, of an index with the digest
``DIGEST``, by a key whose private half nobody has any more."""

from __future__ import annotations

import pytest

from manyfest.errors import InvalidManifest
from manyfest.trust.public_key import PublicKey
from manyfest.trust.statements import read_bundle, read_simple_signing

DIGEST = "sha256:7eaa5526dbafda282139e4896593cf12d3f75d032bb5a3713df1f6283b9dc410"
COSIGN_PUB = b"""\
-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqLuZG9sQYHWa/pohMqkmO7yuezaL
WXYaCjAqsP2/MkkEq6qvwwQ2FbibQqUs2Wq1Rqm17wIDa6j89HLYbJ7E0A==
-----END PUBLIC KEY-----
"""
PAYLOAD = (
    b'{"critical":{"identity":{"docker-reference":"127.0.0.1:57949/legacy"},"image":{"docker-m'
    b'anifest-digest":"sha256:7eaa5526dbafda282139e4896593cf12d3f75d032bb5a3713df1f6283b9dc410'
    b'"},"type":"cosign container image signature"},"optional":null}'
)
SIGNATURE = (
    "MEUCIFwUt1g/Xj5ClMzdpDUWmGstjQ0PmPOxUtzJzRR7y38AAiEApuUQVN+u"
    "PZlWNSLT7xOXbxDbO4UO8JYmZXiqoP0H338="
)
BUNDLE = (
    b'{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json", "verificationMaterial":{"p'
    b'ublicKey":{"hint":"rTiofRUIIF2W5LFdZpn+TX31zz6YCh8BH7JT5YTe2bM="}}, "dsseEnvelope":{"pay'
    b'load":"eyJfdHlwZSI6Imh0dHBzOi8vaW4tdG90by5pby9TdGF0ZW1lbnQvdjEiLCAic3ViamVjdCI6W3siZGlnZ'
    b"XN0Ijp7InNoYTI1NiI6IjdlYWE1NTI2ZGJhZmRhMjgyMTM5ZTQ4OTY1OTNjZjEyZDNmNzVkMDMyYmI1YTM3MTNkZ"
    b"jFmNjI4M2I5ZGM0MTAifSwgImFubm90YXRpb25zIjp7fX1dLCAicHJlZGljYXRlVHlwZSI6Imh0dHBzOi8vc2lnc"
    b'3RvcmUuZGV2L2Nvc2lnbi9zaWduL3YxIiwgInByZWRpY2F0ZSI6e319", "payloadType":"application/vnd'
    b'.in-toto+json", "signatures":[{"sig":"MEUCIQCqmngyBL/IB62fSBINg6++E5Jdn6xxyOsHzPPT4cyYTA'
    b'IgRr/Ba3AyyTnTApOk4wtVulc49b6gV5qlMIqvI5wjqhg="}]}}'
)


def test_the_payload_under_a_tag_of_cosigns() -> None:
    signed = read_simple_signing(PAYLOAD, SIGNATURE)
    assert signed.digests == {DIGEST}
    assert key().verifies(signed.signature, signed.message)


def test_the_bundle_among_the_referrers() -> None:
    signed = read_bundle(BUNDLE)
    assert signed.digests == {DIGEST}
    assert key().verifies(signed.signature, signed.message)


def test_a_payload_with_another_digest_is_not_what_was_signed() -> None:
    signed = read_simple_signing(PAYLOAD.replace(b"7eaa5526", b"7eaa5527"), SIGNATURE)
    assert not key().verifies(signed.signature, signed.message)


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        (b"dsseEnvelope", b"messageSignature", "the document has no 'dsseEnvelope'"),
        (b"vnd.in-toto+json", b"vnd.else+json", "the bundle holds 'application/vnd.else"),
        (b'"payload":"', b'"payload":"*', "what should be base64 is not"),
        (b'"signatures":[', b'"signature":[', "the document has no 'signatures'"),
        (b'"signatures":[', b'"signatures":[{"sig":""},', "the bundle has 2 signatures, not one"),
        (b'"mediaType"', b'"payload":1,"payload":2,"mediaType"', "key 'payload' appears twice"),
    ],
)
def test_what_is_no_such_bundle_is_refused(old: bytes, new: bytes, what: str) -> None:
    with pytest.raises(InvalidManifest, match=what):
        read_bundle(BUNDLE.replace(old, new))


def key() -> PublicKey:
    return PublicKey.parse(COSIGN_PUB, "cosign.pub")
