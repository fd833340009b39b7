"""What is watched, what was seen, what is known, and what is told. Values only.

Times are seconds since 1970, as the clock of the machine that looks has them: what an image says
of its own age counts for nothing.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from manyfest.check.readiness import Readiness, State

Kind = Literal[
    "appeared",
    "platform ready",
    "complete",
    "soaked",
    "late",
    "incomplete",
    "moved",
    "vanished",
    "differ",
    "agree",
    "unreachable",
    "recovered",
]
"""What may be told of. ``appeared``, ``complete``, ``soaked``, ``late`` and ``incomplete`` are of
one version; ``platform ready``, ``moved`` and ``vanished`` of one place too; ``differ`` and
``agree`` of all places of a version; ``unreachable`` and ``recovered`` of a registry.

``late``, and the ``complete`` that ends it, have a place where a mirror is meant. A ``vanished``
whose ``what`` is ``gone`` is the last one: the tag is in no place any more that is no mirror."""


class Place(Struct, frozen=True, kw_only=True):
    """A repository in which an image should be. A ``mirror`` follows the others: no version waits
    for it to be complete, and it has a limit of its own for being ``late``, in seconds, or 0 for
    none."""

    repository: str
    mirror: bool = False
    late: float = 0.0


class Rule(Struct, frozen=True, kw_only=True):
    """What is expected of every version of one image. Times are in seconds.

    What all ``places`` hold is held against the first of them that has anything. A version is late
    if it is not complete ``late`` seconds after it was first seen, 0 for never; ``soak`` is how
    long it must stay complete. What takes something back (a tag that vanished, one that went back
    to what it was, registries that differ) must last for ``settle`` seconds before it is believed:
    a cache that gives old answers does not.
    """

    image: str
    places: tuple[Place, ...]
    platforms: tuple[str, ...]
    late: float = 0.0
    soak: float = 0.0
    settle: float = 60.0


class Observation(Struct, frozen=True, kw_only=True):
    """What one place said of one tag at one moment. ``answer`` is ``None`` if it could not tell;
    ``silence`` says why then. A tag that is not there is an answer, with an empty digest.
    ``signed_by`` is the fingerprint of the key by which all had to be signed, or empty."""

    image: str
    tag: str
    place: str
    at: float
    answer: Readiness | None
    silence: str = ""
    signed_by: str = ""


class PlatformSeen(Struct, frozen=True, kw_only=True):
    """A platform in a place: its state, held against the other places, of which image, and why.
    ``ready_at`` is since when that image is ready there; an index that is filled does not end
    that, and neither does it that another place holds something else."""

    state: State
    digest: str = ""
    why: str = ""
    ready_at: float | None = None


class Doubt(Struct, frozen=True, kw_only=True):
    """What a place answers ``since`` a moment and is not believed yet, for it takes something back:
    that it holds ``digest``, or that platforms are ``lost`` under the one that it has."""

    digest: str
    since: float
    lost: tuple[str, ...] = ()


class PlaceSeen(Struct, frozen=True, kw_only=True):
    """What is believed of a tag in one place. ``digest`` is that of its index, empty if the tag is
    not there, ``since`` the moment from which that is so, ``first_seen`` when this version was
    there for the first time, ``complete_at`` since when all platforms are ready under that digest.
    ``answered_at`` is its last answer; ``silence`` is why it gives none since ``silent_since``.

    ``lost_at`` is since when it is not complete any more under that digest, ``late_at`` when a
    mirror was told to be late. ``earlier`` are digests that it held before, the last one first, and
    ``doubt`` is what it answers now and is not believed. ``was_there`` says that this place is
    watched only since after the version came: its first answer is no news, and it is never late.
    ``signed_by`` is the fingerprint of the key that its last answer is about, or empty.
    """

    place: str
    digest: str = ""
    since: float = 0.0
    first_seen: float | None = None
    complete_at: float | None = None
    platforms: dict[str, PlatformSeen] = {}
    answered_at: float | None = None
    silent_since: float | None = None
    silence: str = ""
    lost_at: float | None = None
    late_at: float | None = None
    earlier: tuple[str, ...] = ()
    doubt: Doubt | None = None
    was_there: bool = False
    signed_by: str = ""


class TagState(Struct, frozen=True, kw_only=True):
    """What is known of one tag of one image everywhere.

    ``was_there`` says that it was there when the watch began: then nobody knows when it came, and
    it counts in no statistics of lags. ``first_seen`` is its first sighting in any place,
    ``complete_at`` since when it is complete in all places that are no mirrors, ``soaked_at`` when
    it had been so for the soak time, ``late_at`` when it was told to be late, ``differ_at`` since
    when registries are believed to differ; each ``None`` if that is not so. ``digest`` is what the
    first place that has it and is no mirror holds. All of these begin anew when the tag moves.

    ``first_complete_at`` is when this version was complete for the first time, whatever became of
    it; ``untold`` that it is complete, or differs, and nobody was told, for it was so when the
    watch began.
    """

    image: str
    tag: str
    began: float
    was_there: bool = False
    digest: str = ""
    first_seen: float | None = None
    complete_at: float | None = None
    soaked_at: float | None = None
    late_at: float | None = None
    differ_at: float | None = None
    places: tuple[PlaceSeen, ...] = ()
    first_complete_at: float | None = None
    untold: bool = False


class PlatformFacts(Struct, frozen=True, kw_only=True):
    """What one platform's image consists of: the bytes of its configuration and ``layers`` as they
    are downloaded, when it says that it was ``created``, and the kinds of what is ``attached``."""

    platform: str
    digest: str
    size: int
    layers: int
    created: str = ""
    attached: tuple[str, ...] = ()


class Facts(Struct, frozen=True, kw_only=True):
    """What an index, or an image without one, consists of, read at a moment: the platforms that
    are watched, and the kinds of what is ``attached`` to the index itself. Nothing of it changes
    but that more may be attached: ``is_last`` says that it was read again for that."""

    digest: str
    platforms: tuple[PlatformFacts, ...]
    read_at: float
    attached: tuple[str, ...] = ()
    is_last: bool = False


class Event(Struct, frozen=True, kw_only=True):
    """One thing that happened. What it is not about is left empty.

    ``what`` is the digest that it is about, or the new state; ``was`` the one before. ``lag`` is
    the time in seconds from the first sighting of the version to this, where that is known; of a
    registry, from the first question that it did not answer.
    """

    kind: Kind
    at: float
    image: str = ""
    tag: str = ""
    place: str = ""
    registry: str = ""
    platform: str = ""
    what: str = ""
    was: str = ""
    why: str = ""
    lag: float | None = None


class Sample(Struct, frozen=True, kw_only=True):
    """How one request to a registry went. ``seconds`` is how long it took; ``why`` is empty, or
    what kept the registry from answering. That it says no (404, 401) is an answer; that it asks to
    be left alone (429) is one too, and ``limited`` then."""

    registry: str
    at: float
    seconds: float
    why: str = ""
    limited: bool = False


class Incident(Struct, frozen=True, kw_only=True):
    """Something that was wrong from ``began`` to ``ended``, or still is: a registry that gives no
    answers, a version that is late, or registries that differ.

    ``kind`` is the event that began it. ``acknowledged_by`` is who took note of it, or empty.
    """

    kind: Kind
    began: float
    cause: str
    registry: str = ""
    image: str = ""
    tag: str = ""
    place: str = ""
    ended: float | None = None
    acknowledged_at: float | None = None
    acknowledged_by: str = ""


class Change(Struct, frozen=True, kw_only=True):
    """What one decision leaves behind, to be written as a whole or not at all: the tag's new state,
    and the observations and events that led to it and followed from it."""

    state: TagState
    observations: tuple[Observation, ...] = ()
    events: tuple[Event, ...] = ()


class Notice(Struct, frozen=True, kw_only=True):
    """What one recipient is to be told, not before ``due``: the events, in order. ``recipient`` is
    its name in the configuration."""

    recipient: str
    due: float
    events: tuple[Event, ...]
