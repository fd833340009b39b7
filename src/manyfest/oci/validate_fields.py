"""Checks of what manifests and configurations are made of: digests, types, platforms, times."""

from __future__ import annotations

import base64
import datetime
import re
from collections.abc import Iterator

from manyfest.errors import InvalidDigest
from manyfest.oci.digest import Digest
from manyfest.oci.faults import Node, shown
from manyfest.oci.limits import MAX_BLOB_SIZE, MAX_DESCRIPTORS, MAX_MANIFEST_SIZE
from manyfest.oci.mediatypes import CONFIGS, MANIFESTS, OCI_EMPTY
from manyfest.oci.platform import ARCHITECTURES, SYSTEMS, VARIANTS, Platform

_DESCRIPTOR_KEYS = "annotations artifactType data digest mediaType platform size urls".split()
_PLATFORM_KEYS = ("architecture", "os", "os.features", "os.version", "variant")
_NAME = r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}"
_MEDIA_TYPE = re.compile(rf"{_NAME}/{_NAME}")
_URL = re.compile(r"https?://[!-.0-~]+(?:/[!-~]*)?", re.IGNORECASE | re.ASCII)
_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.\d+)?(?:[Zz]|[+-](\d\d):(\d\d))", re.ASCII
)


def check_descriptor(node: Node) -> None:
    """A descriptor ("Content Descriptors"), its platform left out."""
    node.spell(_DESCRIPTOR_KEYS)
    check_media_type(node, "mediaType", required=True)
    check_media_type(node, "artifactType")
    check_strings(node, "annotations")
    for url in node.items("urls", str):
        url.expect(_URL.fullmatch(str(url.value)), "is no URL; expected http:// or https://")
    digest, size = _check_digest(node), _check_size(node)
    _check_data(node, digest, size)
    if node.text("mediaType") == OCI_EMPTY:
        _check_empty(node, digest, size)


def check_descriptors(node: Node, key: str) -> Iterator[Node]:
    """The entries of the list called ``key``, each checked as a descriptor."""
    for position, entry in enumerate(node.items(key, dict, required=True)):
        if position == MAX_DESCRIPTORS:
            node.member(key).fault(f"has more than the {MAX_DESCRIPTORS} entries allowed")
            return
        check_descriptor(entry)
        yield entry


def _check_digest(node: Node) -> Digest | None:
    """The digest of a descriptor, which is required."""
    found = node.find("digest", str, required=True)
    return None if found is None else parse_digest(found)


def parse_digest(node: Node) -> Digest | None:
    """The digest that this string is.

    The specification lets algorithms pass that it does not know ("Digests"); here they are a
    fault, since nobody could tell whether the content is what it should be.
    """
    try:
        return Digest.parse(str(node.value))
    except InvalidDigest as error:
        node.fault(str(error))
        return None


def check_media_type(node: Node, key: str, *, required: bool = False) -> None:
    """The media type called ``key`` (RFC 6838, section 4.2)."""
    found = node.find(key, str, required=required)
    if found is not None:
        text = str(found.value)
        found.expect(
            _MEDIA_TYPE.fullmatch(text), f"is {shown(text)}, no media type; expected type/subtype"
        )


def check_strings(node: Node, key: str) -> dict[str, str]:
    """The object of strings called ``key``: annotations or labels ("Annotations", "Rules")."""
    return {name: str(value.value) for name, value in node.entries(key, str)}


def check_platform(node: Node) -> Platform:
    """The members of ``node`` that name a platform ("Image Index Property Descriptions")."""
    node.spell(_PLATFORM_KEYS)
    platform = Platform(
        os=node.text("os"),
        architecture=node.text("architecture"),
        variant=node.text("variant"),
        os_version=node.text("os.version"),
        os_features=tuple(str(item.value) for item in node.items("os.features", str)),
    )
    usual = platform.normalised()
    _check_name(node, "os", usual.os, SYSTEMS)
    _check_name(node, "architecture", usual.architecture, ARCHITECTURES)
    _check_variant(node, usual.architecture)
    node.find("os.version", str)
    return platform


def check_time(node: Node, key: str) -> None:
    """The moment called ``key``, if there is one (RFC 3339, section 5.6)."""
    found = node.find(key, str)
    if found is not None:
        text = str(found.value)
        found.expect(
            _is_time(text),
            f"is {shown(text)}, no time; expected RFC 3339, such as 2006-01-02T15:04:05Z",
        )


def _check_name(node: Node, key: str, usual: str, known: frozenset[str]) -> None:
    """An operating system's or an architecture's name: Go's, and spelled as Go spells it."""
    found = node.find(key, str, required=True)
    if found is None:
        return
    name = str(found.value)
    if usual not in known:
        found.fault(f"is {shown(name)}, which nobody knows; expected one of Go's names")
    else:
        found.expect(name == usual, f"is {shown(name)}; expected the usual name, {usual!r}")


def _check_variant(node: Node, architecture: str) -> None:
    """A variant, where the specification names those there are ("Platform Variants")."""
    found = node.find("variant", str)
    if found is not None and found.value and architecture in VARIANTS:
        form, expected = VARIANTS[architecture]
        name = str(found.value)
        found.expect(
            form.fullmatch(name),
            f"is {shown(name)}, no variant of {architecture}; expected {expected}",
        )


def _check_size(node: Node) -> int | None:
    found = node.find("size", int, required=True)
    if found is None or not isinstance(found.value, int):
        return None
    is_document = node.text("mediaType") in MANIFESTS | CONFIGS
    limit = MAX_MANIFEST_SIZE if is_document else MAX_BLOB_SIZE
    found.expect(
        0 <= found.value <= limit, f"is {found.value}; expected 0 to {limit}, a number of bytes"
    )
    return found.value


def _check_empty(node: Node, digest: Digest | None, size: int | None) -> None:
    """The empty descriptor points at ``{}`` ("Guidance for an Empty Descriptor")."""
    node.member("size").expect(size in (None, 2), f"is {size}; expected 2, the size of {{}}")
    if digest is not None:
        empty = Digest.of(b"{}", digest.algorithm)
        node.member("digest").expect(digest == empty, f"is not that of {{}}; expected {empty}")


def _check_data(node: Node, digest: Digest | None, size: int | None) -> None:
    """Embedded content is the content ("Embedded Content")."""
    data = node.find("data", str)
    if data is None:
        return
    try:
        content = base64.b64decode(str(data.value), validate=True)
    except ValueError:
        data.fault("is not base64")
        return
    data.expect(size in (None, len(content)), f"is {len(content)} bytes; expected {size}, the size")
    if digest is not None:
        found = Digest.of(content, digest.algorithm)
        data.expect(found == digest, f"has the digest {found}; expected the descriptor's")


def _is_time(text: str) -> bool:
    found = _TIME.fullmatch(text)
    if found is None:
        return False
    year, month, day, hour, minute, second, *offset = (int(part or 0) for part in found.groups())
    try:
        datetime.date(year or 1, month, day)
    except ValueError:
        return False
    # The 60th second is a leap second.
    return hour < 24 and minute < 60 and second <= 60 and offset[0] < 24 and offset[1] < 60
