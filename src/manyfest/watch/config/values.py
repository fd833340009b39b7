"""What the watch is told to do, as the program uses it; :mod:`~manyfest.watch.config.file` has the
file's shape. Times are in seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from msgspec import Struct

from manyfest.stores.registry.auth.secret import NO_SECRET, Secret
from manyfest.trust.public_key import PublicKey
from manyfest.watch.config.pattern import Pattern
from manyfest.watch.recipients import Recipient
from manyfest.watch.values import PlaceSeen, Rule

Origin = Literal["file", "page"]
"""Who asked for an image to be watched."""

HookForm = Literal["docker-hub", "ghcr", "harbor", "quay", "distribution"]
"""Whose webhooks are understood."""


class TagChoice(Struct, frozen=True, kw_only=True):
    """Which tags of an image are watched: those that ``names`` has; and of those that are within
    the ``versions`` (npm's notation), or that ``match`` describes, the ``newest``."""

    names: tuple[str, ...] = ()
    versions: str = ""
    match: Pattern | None = None
    newest: int = 10

    @property
    def describes(self) -> bool:
        """Whether tags are described, and not all of them named: then lists tell of more."""
        return bool(self.versions or self.match)


class WatchedImage(Struct, frozen=True, kw_only=True):
    """An image and what is expected of it. Its tags are looked at ``every`` so many seconds;
    ``notify`` names recipients. ``signed_by`` is the key by which all of it must be signed, if
    that is asked for. ``paused_at`` is since when nothing is asked about it."""

    rule: Rule
    tags: TagChoice
    every: float
    notify: tuple[str, ...] = ()
    signed_by: PublicKey | None = None
    origin: Origin = "file"
    paused_at: float | None = None

    @property
    def name(self) -> str:
        return self.rule.image

    def signer_of(self, seen: PlaceSeen) -> str:
        """What the key is called by which all is signed that a place holds; empty if it is not, or
        no key is asked for."""
        states = {each.state for each in seen.platforms.values()}
        if self.signed_by is None or not seen.digest or not states <= {"ready", "different"}:
            return ""
        return self.signed_by.label if seen.signed_by == self.signed_by.fingerprint else ""


class Budget(Struct, frozen=True, kw_only=True):
    """So many ``requests`` in so many ``seconds``."""

    requests: int
    seconds: float


class RegistryRule(Struct, frozen=True, kw_only=True):
    """How a registry may be asked: within a ``budget``, if there is one, and without TLS if
    ``plain_http``."""

    host: str
    budget: Budget | None = None
    plain_http: bool = False


class Hook(Struct, frozen=True, kw_only=True):
    """A webhook that may give hints: whose form it has, and what it proves itself with."""

    name: str
    form: HookForm
    secret: Secret


class WatchConfig(Struct, frozen=True, kw_only=True):
    """All of it. ``url`` is where people reach the page, or empty; those who did not sign in see
    it if it is ``public``; Images that do not say
    how often they are looked at are so ``every`` so many seconds. ``database`` is SQLAlchemy's URL,
    which may hold a password, or empty for a file beside the configuration; ``keep`` is for how
    many seconds what was observed is kept. ``path`` is the file it was read from, if it was."""

    images: tuple[WatchedImage, ...]
    title: str = "Releases"
    url: str = ""
    public: bool = True
    every: float = 300.0
    recipients: dict[str, Recipient] = {}
    registries: dict[str, RegistryRule] = {}
    hooks: dict[str, Hook] = {}
    database: Secret = NO_SECRET
    keep: float = 400 * 86400.0
    path: Path | None = None
