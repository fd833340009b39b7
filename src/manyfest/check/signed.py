"""What is ready, and signed as well, if that is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec.structs import replace

from manyfest.check.readiness import PlatformState, Readiness, with_states
from manyfest.oci.digest import Digest
from manyfest.stores.base import Source

WhyUnsigned = Callable[[Source, Digest], str]
"""Why nobody that is trusted has signed what a digest stands for; empty if somebody has. Raises if
that cannot be told."""


def with_signatures(source: Source, answer: Readiness, why_unsigned: WhyUnsigned) -> Readiness:
    """The same answer, in which what is ready and not signed is unsigned.

    The signature of an index is one of all that is in it, since it holds their digests. Without one
    each platform's image needs its own.
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
    for each in answer.platforms:
        is_root = each.digest == answer.digest
        if each.state == "ready" and (is_root or why_unsigned(source, Digest.parse(each.digest))):
            yield replace(each, state="unsigned", why=why)
        else:
            yield each
