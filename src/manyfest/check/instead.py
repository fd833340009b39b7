"""What serves a platform that an index does not have yet: a tag of its own, ``2.6.1-arm64``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from msgspec import Struct

from manyfest.check.readiness import Readiness, readiness
from manyfest.check.signed import WhyUnsigned, with_signatures
from manyfest.errors import ContentError, InvalidPlatform, StoreError
from manyfest.oci.platform import Platform
from manyfest.oci.reference import Name, is_tag
from manyfest.stores.base import Source


class Instead(Struct, frozen=True):
    """The ``reference`` that has the ``platform``, complete."""

    platform: str
    reference: str


def find_instead(
    source: Source, name: Name, answer: Readiness, why_unsigned: WhyUnsigned | None = None
) -> tuple[Instead, ...]:
    """For each platform that is not ready a tag beside that of ``name`` which has it. With
    ``why_unsigned`` that must be signed too.

    It is a hint and no answer: a registry that does not tell is passed over.
    """
    late = (each.platform for each in answer.platforms if each.state not in ("ready", "different"))
    found = ((platform, _serving(source, name, platform, why_unsigned)) for platform in late)
    return tuple(Instead(platform, str(each)) for platform, each in found if each)


def _serving(
    source: Source, name: Name, text: str, why_unsigned: WhyUnsigned | None
) -> Name | None:
    with suppress(InvalidPlatform, StoreError, ContentError):
        platform = Platform.parse(text)
        for tag in _tags(name.target, platform):
            held = readiness(source, tag, [platform], tag)
            if (with_signatures(source, held, why_unsigned) if why_unsigned else held).ready:
                return name.with_tag(tag)
    return None


def _tags(tag: str, platform: Platform) -> Iterator[str]:
    """As this and other projects write them: ``2.6.1-armv7``, ``2.6.1-arm-v7``, ``2.6.1-arm7``. A
    digest has none."""
    suffixes = [platform.suffix]
    if platform.variant:
        number = platform.variant.removeprefix("v")
        suffixes += [
            platform.suffix.replace(platform.variant, f"-{platform.variant}"),
            platform.suffix.replace(platform.variant, number),
        ]
    return (each for each in (f"{tag}-{suffix}" for suffix in suffixes) if is_tag(each))
