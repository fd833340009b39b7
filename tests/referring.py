"""What refers to an image: artifacts that are attached to it, and what cosign tags."""

from __future__ import annotations

from typing import Protocol

from manyfest.oci.descriptor import Descriptor
from manyfest.oci.manifest import Image, Manifest
from manyfest.stores.base import Attaches, Target
from manyfest.stores.referrers import as_referrer
from tests.images import OCI_EMPTY, OCI_MANIFEST, content_of, put, put_manifest


class Holding(Target, Attaches, Protocol):
    """A place in which referrers can be found."""


def about(target: Target, text: str, subject: Descriptor | None = None) -> Manifest:
    """An artifact of one file."""
    body = Image(
        schema_version=2,
        media_type=OCI_MANIFEST,
        artifact_type="application/vnd.example.note",
        config=put(target, b"{}", OCI_EMPTY),
        layers=(put(target, text.encode(), "text/plain"),),
        subject=subject,
    )
    return put_manifest(target, Manifest.of_image(body))


def attach(target: Holding, subject: Manifest, text: str) -> Manifest:
    """An artifact that refers to ``subject`` and is listed among its referrers."""
    referrer = about(target, text, subject.descriptor)
    target.attach(subject.descriptor, as_referrer(referrer))
    return referrer


def sign(target: Target, subject: Manifest, suffix: str = "sig") -> tuple[str, Manifest]:
    """What cosign would put under a tag of its own, and that tag."""
    tag = f"sha256-{subject.descriptor.digest.hex}.{suffix}"
    signature = about(target, f"{suffix} of {subject.descriptor.digest}")
    target.tag(tag, content_of(signature))
    return tag, signature
