"""Is there a signature by a key for what a digest stands for?

Signatures lie where cosign puts them: in a bundle that refers to the manifest (OCI distribution
specification, "Listing Referrers"), or under the tag ``sha256-….sig``. What cannot be read is an
error, never a "no": a registry that is in trouble must not make an image look unsigned.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from manyfest.errors import ContentError, InvalidManifest, NotFound
from manyfest.graph import read_manifest
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Image, Manifest
from manyfest.oci.mediatypes import OCI_CONFIG, OCI_EMPTY
from manyfest.oci.reference import is_tag
from manyfest.stores.base import Refers, Source, read_all
from manyfest.trust.public_key import PublicKey
from manyfest.trust.statements import (
    BUNDLE,
    SIGNATURE_ANNOTATION,
    SIMPLE_SIGNING,
    Signed,
    read_bundle,
    read_simple_signing,
)

MAX_SIGNATURES = 256
"""Signatures of one manifest that are looked at. Who may push could put any number there
(CVE-2023-46737)."""

MAX_DOCUMENT = 1024 * 1024
"""Bytes of a payload or bundle. Real ones have a few thousand."""

_UNTOLD = frozenset({"", BUNDLE, OCI_CONFIG, OCI_EMPTY})
"""What a list of referrers says of a bundle: old ones may have its configuration's type instead."""


class Signatures:
    """Looks for signatures by ``key``. What was found signed is not asked for again: what a digest
    stands for never changes."""

    def __init__(self, key: PublicKey) -> None:
        self._key = key
        self._signed: set[Digest] = set()

    def why_unsigned(self, source: Source, subject: Digest) -> str:
        """Why no signature in ``source`` vouches for ``subject``; empty if one does.

        Raises :class:`~manyfest.errors.InvalidManifest` if there are too many to look at, and what
        ``source`` raises.
        """
        if subject in self._signed:
            return ""
        others = 0
        for signed in _found(source, subject):
            if self._vouches(signed, subject):
                self._signed.add(subject)
                return ""
            others += 1
        if not others:
            return "it is not signed"
        count = "its signature is not" if others == 1 else f"none of its {others} signatures is"
        return f"{count} by {self._key.label}"

    def forget(self, subject: Digest) -> None:
        """It will not be asked about any more."""
        self._signed.discard(subject)

    def _vouches(self, signed: Signed | None, subject: Digest) -> bool:
        return (
            signed is not None
            and str(subject) in signed.digests
            and self._key.verifies(signed.signature, signed.message)
        )


def _found(source: Source, subject: Digest) -> Iterator[Signed | None]:
    """Everything that is there as a signature; ``None`` stands for one that is damaged."""
    seen = 0
    for manifest in _manifests(source, subject):
        for layer in manifest.image.layers:
            if layer.media_type not in (BUNDLE, SIMPLE_SIGNING):
                continue
            seen += 1
            _require_few(seen, source, subject)
            yield _read(source, layer)


def _manifests(source: Source, subject: Digest) -> Iterator[Manifest]:
    """The artifacts with signatures in them."""
    referrers = source.referrers(subject) if isinstance(source, Refers) else ()
    may_sign = (each for each in referrers if each.artifact_type in _UNTOLD)
    for count, each in enumerate(may_sign, 1):
        _require_few(count, source, subject)  # each is read to see whether it holds any
        with suppress(NotFound):  # lists of referrers are not always tidied
            yield from _image(source, each)
    tag = f"{subject.algorithm}-{subject.hex}.sig"
    if is_tag(tag):  # one of sha512 would be too long
        with suppress(NotFound):
            yield from _image(source, source.resolve(tag))


def _require_few(count: int, source: Source, subject: Digest) -> None:
    if count > MAX_SIGNATURES:
        raise InvalidManifest(
            f"it has more than {MAX_SIGNATURES} signatures, which nobody would need",
            where=f"{source.label}@{subject}",
            mend="remove those that are not yours",
        )


def _image(source: Source, root: Descriptor) -> Iterator[Manifest]:
    manifest = read_manifest(source, root)
    if isinstance(manifest.body, Image):
        yield manifest


def _read(source: Source, layer: Descriptor) -> Signed | None:
    try:
        raw = read_all(source, layer, limit=MAX_DOCUMENT)
        if layer.media_type == BUNDLE:
            return read_bundle(raw)
        return read_simple_signing(raw, layer.annotations.get(SIGNATURE_ANNOTATION, ""))
    except (ContentError, NotFound):
        return None
