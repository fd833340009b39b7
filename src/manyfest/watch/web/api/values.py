"""What programs are answered: the types that the description at ``/api/openapi.json`` is made of.

Times are in UTC, ``null`` for what has not happened; text that does not apply is empty. Spans are
in seconds.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

from manyfest.check.readiness import State
from manyfest.watch.config.values import Origin
from manyfest.watch.history.rank import Standing
from manyfest.watch.values import Kind


class Counts(Struct, frozen=True, kw_only=True):
    """How many versions of an image stand how."""

    complete: int = 0
    incomplete: int = 0
    late: int = 0
    differ: int = 0
    gone: int = 0


class Where(Struct, frozen=True, kw_only=True):
    """A repository that is watched. Nothing waits for a mirror, which is late after a span of its
    own."""

    repository: str
    mirror: bool
    late_after: float


class VersionInShort(Struct, frozen=True, kw_only=True):
    """A version of an image, as a whole.

    ``complete_since`` is since when all platforms are ready in all places that are no mirrors, and
    ``soaked_since`` since when that has been so for the soak time.
    """

    image: str
    tag: str
    digest: str
    standing: Standing
    first_seen: datetime | None
    complete_since: datetime | None
    soaked_since: datetime | None
    late_since: datetime | None
    differs_since: datetime | None


class Image(Struct, frozen=True, kw_only=True):
    """An image that is watched, and what is expected of it. ``newest`` is the highest version that
    is there."""

    name: str
    origin: Origin
    paused_since: datetime | None
    platforms: tuple[str, ...]
    places: tuple[Where, ...]
    late_after: float
    soak: float
    settle: float
    versions: Counts
    newest: VersionInShort | None


class Images(Struct, frozen=True, kw_only=True):
    """All that is watched."""

    images: tuple[Image, ...]


class Versions(Struct, frozen=True, kw_only=True):
    """A page of versions, the highest first. ``next`` asks for the page after this one, as
    ``after``; it is empty on the last one."""

    versions: tuple[VersionInShort, ...]
    next: str


class PlatformThere(Struct, frozen=True, kw_only=True):
    """A platform in a place. ``size`` are the bytes of its configuration and ``layers`` as they are
    downloaded, both ``null`` as long as they are not known; ``created`` is when it says that it was
    made, and ``attached`` what else there is for it: signatures, bills of materials."""

    platform: str
    state: State
    digest: str
    why: str
    ready_since: datetime | None
    size: int | None
    layers: int | None
    created: str
    attached: tuple[str, ...]


class There(Struct, frozen=True, kw_only=True):
    """A version in one place. ``silent_since`` is since when the registry gives no answer, and
    ``silence`` why; what else is said is from before then. ``signed_by`` is the key that
    ``watch.yaml`` asks for, if all of it is signed by that, and ``attached`` what is attached to
    the index."""

    repository: str
    mirror: bool
    digest: str
    since: datetime | None
    first_seen: datetime | None
    complete_since: datetime | None
    silent_since: datetime | None
    silence: str
    signed_by: str
    attached: tuple[str, ...]
    platforms: tuple[PlatformThere, ...]


class VersionWhole(VersionInShort, frozen=True, kw_only=True):
    """A version, and what is known of it in each place. ``was_there`` says that it was there when
    the watch began: nobody knows when it came."""

    was_there: bool
    watched_since: datetime
    places: tuple[There, ...]


class Happened(Struct, frozen=True, kw_only=True):
    """An event. ``lag`` is how long after the version was first seen; ``what`` is a digest or a new
    state, ``was`` the one before."""

    id: int
    kind: Kind
    at: datetime
    image: str
    tag: str
    place: str
    registry: str
    platform: str
    what: str
    was: str
    why: str
    lag: float | None


class Events(Struct, frozen=True, kw_only=True):
    """A page of events, the latest first. ``next`` asks for earlier ones, as ``after``; it is empty
    on the last page."""

    events: tuple[Happened, ...]
    next: str


class Wrong(Struct, frozen=True, kw_only=True):
    """An incident: what began it, whom it is about, and until when it lasted."""

    id: int
    kind: Kind
    cause: str
    registry: str
    image: str
    tag: str
    place: str
    began: datetime
    ended: datetime | None
    acknowledged_at: datetime | None


class Incidents(Struct, frozen=True, kw_only=True):
    """A page of incidents, the latest first. ``next`` asks for earlier ones, as ``after``; it is
    empty on the last page."""

    incidents: tuple[Wrong, ...]
    next: str


class Day(Struct, frozen=True, kw_only=True):
    """A day of a registry, in UTC: of so many requests so many failed; it was down for so long."""

    day: str
    asked: int
    failed: int
    down: float


class Spans(Struct, frozen=True, kw_only=True):
    """The part of the last 24 hours, 7 and 90 days in which a registry answered, from 0 to 1;
    ``null`` where it was not asked."""

    hours_24: float | None
    days_7: float | None
    days_90: float | None


class Registry(Struct, frozen=True, kw_only=True):
    """How a registry is. ``answers`` is ``null`` as long as it was not asked; ``down_since`` is
    since when it does not, and ``why`` what the last failure was. ``limited_at`` is when it last
    asked to be left alone. ``p50`` and ``p95`` are the seconds that half, and 95 in 100, of the
    answers of the last 24 hours took at most."""

    name: str
    answers: bool | None
    down_since: datetime | None
    why: str
    limited_at: datetime | None
    uptime: Spans
    p50: float | None
    p95: float | None


class RegistryWhole(Registry, frozen=True, kw_only=True):
    """A registry with its last 90 days, the earliest first."""

    days: tuple[Day, ...]


class Registries(Struct, frozen=True, kw_only=True):
    """All registries that are asked."""

    registries: tuple[Registry, ...]


class Gate(Struct, frozen=True, kw_only=True):
    """Whether a version is ready: for all platforms that are watched or for those that were asked
    for, in all places that are no mirrors or in those that were asked for.

    ``since`` is since when, or ``null``; ``soaked`` whether that is longer than the soak time;
    ``soaked_at`` when it was or will be. ``why`` says what it waits for, a line each.
    """

    ready: bool
    image: str
    tag: str
    digest: str
    platforms: tuple[str, ...]
    places: tuple[str, ...]
    since: datetime | None
    soaked: bool
    soaked_at: datetime | None
    why: tuple[str, ...]


class Waits(Struct, frozen=True, kw_only=True):
    """Somebody who was not told everything: so many ``notices`` wait, of which so many ``failing``
    were tried in vain, and so many were ``given_up``; ``fault`` is why the last attempt failed.
    ``oldest`` is when the first of those that wait was or is due."""

    recipient: str
    notices: int
    failing: int
    given_up: int
    fault: str
    oldest: datetime | None


class Notices(Struct, frozen=True, kw_only=True):
    """What is not told yet."""

    recipients: tuple[Waits, ...]


class Asked(Struct, frozen=True, kw_only=True):
    """How many repositories are looked at soon."""

    places: int


class Alive(Struct, frozen=True, kw_only=True):
    """It answers."""

    status: Literal["ok"] = "ok"


class Troubles(Struct, frozen=True, kw_only=True):
    """What is wrong with the watch itself: a history that is away, settings that were not taken."""

    troubles: tuple[str, ...]
