"""What the history takes and gives. Values only."""

from __future__ import annotations

from uuid import uuid4

from msgspec import Struct, field

from manyfest.watch.config.values import Origin, TagChoice
from manyfest.watch.health.values import RegistryState
from manyfest.watch.values import Change, Event, Facts, Incident, Notice, Sample


class Batch(Struct, frozen=True, kw_only=True):
    """What is written together, or not at all.

    ``events`` are those of no tag: a registry's. ``opened`` are incidents that began, ``closed``
    those that ended, as :func:`~manyfest.watch.health.incidents.follow` gives them. ``facts`` are
    what was read of versions, ``lists`` what is known of lists of tags. The ``key`` is the batch's
    own: one that is recorded again, because nobody knew what came of it, is written once.
    """

    changes: tuple[Change, ...] = ()
    events: tuple[Event, ...] = ()
    notices: tuple[Notice, ...] = ()
    registries: tuple[RegistryState, ...] = ()
    samples: tuple[Sample, ...] = ()
    opened: tuple[Incident, ...] = ()
    closed: tuple[Incident, ...] = ()
    facts: tuple[Facts, ...] = ()
    lists: tuple[WasListed, ...] = ()
    key: str = field(default_factory=lambda: uuid4().hex)


class WasListed(Struct, frozen=True):
    """That a repository was asked for its tags, of which those of the ``choice`` were watched as
    versions of an image. What another choice adds after a start was there before."""

    image: str
    repository: str
    choice: TagChoice


class WasRead(Struct, frozen=True):
    """That the facts of a digest were read ``at`` a moment, and whether for the last time."""

    digest: str
    at: float
    is_last: bool


class WaitingNotice(Struct, frozen=True, kw_only=True):
    """A notice that is to be told. ``tries`` is how often that was attempted, ``fault`` what kept
    the last attempt from it. ``cut_short``: an attempt began of which nobody knows the end, so the
    recipient may have been told before."""

    id: int
    recipient: str
    due: float
    events: tuple[Event, ...]
    tries: int = 0
    cut_short: bool = False
    fault: str = ""


class KeptImage(Struct, frozen=True, kw_only=True):
    """An image that the page added, or one of the file's that was paused. ``rule`` is JSON of what
    the configuration says of it."""

    name: str
    rule: bytes
    origin: Origin
    added_at: float
    paused_at: float | None = None


class User(Struct, frozen=True, kw_only=True):
    """Somebody who may sign in. ``password`` is its hash."""

    name: str
    password: str
    made_at: float

    def __repr__(self) -> str:
        return f"<User {self.name}>"


class Token(Struct, frozen=True, kw_only=True):
    """What a program signs in with for ``user``: the ``digest`` of its secret, and what it is
    called. ``id`` is 0 until it is kept."""

    digest: str
    name: str
    user: str
    may_write: bool
    made_at: float
    used_at: float | None = None
    id: int = 0


class Session(Struct, frozen=True, kw_only=True):
    """A browser that somebody signed in with: the ``digest`` of its cookie, and the word that its
    forms must send back."""

    digest: str
    user: str
    csrf: str
    ends_at: float

    def __repr__(self) -> str:
        return f"<Session of {self.user}>"
