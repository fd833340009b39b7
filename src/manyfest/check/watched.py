"""One place that is asked again and again what it has, and no more often than it must be."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from manyfest.check.parts import Memory
from manyfest.check.readiness import Readiness, readiness
from manyfest.check.signed import WhyUnsigned, with_signatures
from manyfest.check.soak import Answer, Silence
from manyfest.errors import ConnectionFailed, ContentError, ManyfestError, RegistryError
from manyfest.oci.platform import Platform
from manyfest.stores.base import Source
from manyfest.stores.registry.http import LastingFailure
from manyfest.stores.registry.retry import PASSING_STATUSES


class Asked(Struct, frozen=True, kw_only=True):
    """What is asked: the platforms ``wanted`` of ``name`` in ``source``. ``rest`` tells for how
    many seconds the registry wants to be left alone; ``require_registry`` raises if it is none."""

    source: Source
    name: str
    wanted: Sequence[Platform]
    reference: str
    rest: Callable[[], float]
    require_registry: Callable[[], None]
    why_unsigned: WhyUnsigned | None = None


class Watched:
    """Remembers what was there: then a HEAD request for the tag is enough.

    ``confirmed`` is when the soak began at whose end everything was asked for once more.
    """

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._memory = Memory()
        self._has_answered = False
        self.confirmed: float | None = None

    def look(self, confirm: float | None = None) -> Answer:
        """What is there now. For each soak that is over, all is asked for once more: ``confirm`` is
        when it began.

        Raises what the registry raises if it will not pass.
        """
        rest = self._asked.rest()
        if rest:
            return Silence(f"it wants to be left alone for {rest:.0f} s", rests=True)
        if confirm not in (None, self.confirmed):
            self._memory = Memory()
        try:
            answer = self._ask()
        except ManyfestError as error:
            if not may_pass(error):
                raise
            return Silence(str(error))
        self._has_answered = True
        self.confirmed = confirm
        return answer

    def _ask(self) -> Readiness:
        asked = self._asked
        answer = readiness(asked.source, asked.name, asked.wanted, asked.reference, self._memory)
        if not (answer.digest or self._has_answered):
            # Any web server says 404 to what it does not know.
            asked.require_registry()
        if asked.why_unsigned is None:
            return answer
        return with_signatures(asked.source, answer, asked.why_unsigned)


def may_pass(error: ManyfestError) -> bool:
    """Whether it is worth while to ask again later. A host that nobody answers for may be about to
    start, and what is damaged may be put right."""
    if isinstance(error, RegistryError):
        return error.status in PASSING_STATUSES or error.status >= 500
    if isinstance(error, ConnectionFailed):
        return not isinstance(error, LastingFailure)
    return isinstance(error, ContentError)
