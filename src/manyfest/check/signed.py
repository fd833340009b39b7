"""What is ready, and signed as well, if that is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from msgspec.structs import replace

from manyfest.check.parts import Entry, read_outline
from manyfest.check.readiness import PlatformState, Readiness, images_for, with_states
from manyfest.oci.digest import Digest
from manyfest.stores.base import Source

WhyUnsigned = Callable[[Source, Digest], str]
"""Why nobody that is trusted has signed what a digest stands for; empty if somebody has. Raises if
that cannot be told."""


def with_signatures(source: Source, answer: Readiness, why_unsigned: WhyUnsigned) -> Readiness:
    """The same answer, in which what is ready and not signed is unsigned.

    The signature of an index is one of all that is in it, since it holds their digests. Without one
    each image of each platform needs its own.
    """
    if not any(each.state == "ready" for each in answer.platforms):
        return answer
    why = why_unsigned(source, Digest.parse(answer.digest))
    if not why:
        return answer
    states = _states(source, answer, why, why_unsigned)
    return with_states(answer.reference, answer.digest, states)


def _states(
    source: Source, answer: Readiness, why: str, why_unsigned: WhyUnsigned
) -> Iterator[PlatformState]:
    entries: Sequence[Entry] | None = None
    for each in answer.platforms:
        if each.state != "ready":
            yield each
            continue
        is_root = each.digest == answer.digest
        is_signed = not (is_root or why_unsigned(source, Digest.parse(each.digest)))
        if is_signed:  # and with Windows, all that are for other versions of the system too
            if entries is None:
                entries = read_outline(source, source.resolve(answer.digest)).entries
            is_signed = not any(why_unsigned(source, image) for image in _beside(each, entries))
        yield each if is_signed else replace(each, state="unsigned", why=why)


def _beside(state: PlatformState, entries: Sequence[Entry]) -> Iterator[Digest]:
    """The images that some client takes for the same platform."""
    own = (platform for platform, image in entries if str(image.digest) == state.digest)
    for platform in islice(own, 1):
        yield from (image.digest for image in images_for(platform, entries))
