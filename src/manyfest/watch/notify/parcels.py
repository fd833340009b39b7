"""What goes into one message, and when one that was not taken is sent again. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import islice

from msgspec import Struct

from manyfest.notify.answer import Answer
from manyfest.pauses import growing_pauses
from manyfest.watch.history.batch import WaitingNotice
from manyfest.watch.recipients import Recipient
from manyfest.watch.values import Event

MOST_SINGLE = 5
"""Notices that are told one by one; of more, as after a night, one message is made."""

FIRST_PAUSE, LONGEST_PAUSE = 2.0, 900.0
"""Seconds until the second attempt, and between later ones."""

LONGEST_REQUEST = 86400.0
"""Seconds for which a service may ask to be left alone."""

GIVE_UP_AFTER = 7 * 86400.0
"""Seconds after the last thing in it happened that a message is tried no longer,"""

FEWEST_TRIES = 10
"""unless it was hardly tried: the watch was down all the time, or the clock jumped."""


class Parcel(Struct, frozen=True, kw_only=True):
    """What one message tells one recipient."""

    recipient: str
    notices: tuple[WaitingNotice, ...]

    @property
    def events(self) -> tuple[Event, ...]:
        """What it tells of, in the order in which it happened."""
        return tuple(event for notice in self.notices for event in notice.events)

    @property
    def repeated(self) -> bool:
        """Whether some of it may have been told before."""
        return any(notice.cut_short for notice in self.notices)

    @property
    def tries(self) -> int:
        """How often some of it was attempted."""
        return max(notice.tries for notice in self.notices)


def parcels(
    waiting: Iterable[WaitingNotice], recipients: Mapping[str, Recipient]
) -> dict[str, Parcel]:
    """The next message for each recipient that something waits for: of what was decided first, or
    of all that waits, if there is much or the recipient wants it together."""
    of_each: dict[str, list[WaitingNotice]] = {}
    for notice in sorted(waiting, key=lambda notice: notice.id):
        of_each.setdefault(notice.recipient, []).append(notice)
    return {
        name: Parcel(
            recipient=name,
            notices=tuple(notices if _in_one(recipients.get(name), notices) else notices[:1]),
        )
        for name, notices in of_each.items()
    }


def _in_one(recipient: Recipient | None, notices: list[WaitingNotice]) -> bool:
    wants_it = recipient is not None and recipient.digest is not None
    return wants_it or len(notices) > MOST_SINGLE


def next_attempt(
    parcel: Parcel, answer: Answer, now: float, jitter: Callable[[], float]
) -> float | None:
    """When what was not taken is to be sent again, in seconds since 1970 as ``now``; ``None`` if it
    has been tried for long enough."""
    age = now - max(event.at for event in parcel.events)
    if age > GIVE_UP_AFTER and parcel.tries + 1 >= FEWEST_TRIES:
        return None
    pauses = growing_pauses(FIRST_PAUSE, LONGEST_PAUSE, jitter)
    pause = next(islice(pauses, min(parcel.tries, 100), None))
    return now + max(pause, min(answer.again_after or 0.0, LONGEST_REQUEST))
