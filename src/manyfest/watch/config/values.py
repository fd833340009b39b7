"""What the watch is told to do, as the program uses it; :mod:`~manyfest.watch.config.file` has the
file's shape. Times are in seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from msgspec import Struct

from manyfest.errors import UsageError
from manyfest.watch.values import Kind, Rule

Origin = Literal["file", "page"]
"""Who asked for an image to be watched."""

HookForm = Literal["docker-hub", "ghcr", "harbor", "quay", "distribution"]
"""Whose webhooks are understood."""


class TagChoice(Struct, frozen=True, kw_only=True):
    """Which tags of an image are watched: those that ``names`` has; and of those that are versions
    within ``versions`` (npm's notation), or that ``match`` describes as a whole (a regular
    expression), the ``newest``."""

    names: tuple[str, ...] = ()
    versions: str = ""
    match: str = ""
    newest: int = 10


class WatchedImage(Struct, frozen=True, kw_only=True):
    """An image and what is expected of it. Its tags are looked at ``every`` so many seconds;
    ``notify`` names recipients. ``paused_at`` is since when nothing is asked about it."""

    rule: Rule
    tags: TagChoice
    every: float
    notify: tuple[str, ...] = ()
    origin: Origin = "file"
    paused_at: float | None = None

    @property
    def name(self) -> str:
        return self.rule.image


class Quiet(Struct, frozen=True, kw_only=True):
    """A time of day at which somebody is told nothing: from ``start`` to ``end``, in minutes since
    midnight in the time zone ``zone``. It may go over midnight."""

    start: int
    end: int
    zone: str = "UTC"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``22:00-07:00 Europe/Berlin``. Raises :class:`~manyfest.errors.UsageError`."""
        import re

        found = re.fullmatch(r"([0-9]{1,2}):([0-9]{2})-([0-9]{1,2}):([0-9]{2})(?: +(\S+))?", text)
        if found is None:
            raise UsageError(
                f"{text[:80]!r} is not a time of day", mend="write 22:00-07:00 Europe/Berlin"
            )
        hours, minutes = (int(found[1]), int(found[3])), (int(found[2]), int(found[4]))
        if max(hours) > 24 or max(minutes) > 59:
            raise UsageError(f"{text[:80]!r} is not a time of day", mend="hours go from 0 to 24")
        start, end = (hour * 60 + minute for hour, minute in zip(hours, minutes, strict=True))
        if max(start, end) > 24 * 60 or start == end:
            raise UsageError(f"{text[:80]!r} is no span of a day", mend="write 22:00-07:00")
        return cls(start=start % 1440, end=end % 1440, zone=_zone(found[5] or "UTC"))


def _zone(name: str) -> str:
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise UsageError(
            f"no time zone {name[:80]!r} is known here", mend="write one such as Europe/Berlin"
        ) from None
    return name


class Recipient(Struct, frozen=True, kw_only=True):
    """Somebody who is told. ``url`` is Apprise's, a secret, or ``env:NAME`` of a variable that
    holds it. Only ``events`` of these kinds are told, or the usual ones if there are none; not at
    a ``quiet`` time; and with a ``digest`` together, once in so many seconds. ``template`` is the
    text, in Jinja2; the usual one if it is empty."""

    name: str
    url: str
    events: tuple[Kind, ...] = ()
    quiet: Quiet | None = None
    digest: float = 0.0
    template: str = ""

    def __repr__(self) -> str:
        return f"<Recipient {self.name}>"


class RegistryRule(Struct, frozen=True, kw_only=True):
    """How a registry may be asked: at most ``budget`` requests an hour, 0 for as many as it takes;
    without TLS if ``plain_http``."""

    host: str
    budget: int = 0
    plain_http: bool = False


class Hook(Struct, frozen=True, kw_only=True):
    """A webhook that may give hints: whose form it has, and the ``secret`` that it proves itself
    with, or ``env:NAME`` of a variable that holds it."""

    name: str
    form: HookForm
    secret: str

    def __repr__(self) -> str:
        return f"<Hook {self.name}>"


class WatchConfig(Struct, frozen=True, kw_only=True):
    """All of it. ``url`` is where people reach the page, or empty; ``database`` is SQLAlchemy's URL
    or ``env:NAME``; ``keep`` is for how many seconds what was observed is kept. ``path`` is the
    file it was read from, if it was."""

    images: tuple[WatchedImage, ...]
    title: str = "Releases"
    url: str = ""
    recipients: dict[str, Recipient] = {}  # noqa: RUF012 - msgspec copies it
    registries: dict[str, RegistryRule] = {}  # noqa: RUF012
    hooks: dict[str, Hook] = {}  # noqa: RUF012
    database: str = ""
    keep: float = 400 * 86400.0
    path: Path | None = None
