"""Tells people what waits to be told, until it is taken.

That an attempt is made is written before it is made, and that it was taken after: so nothing is
lost, and what a kill cut short is told again, and says so. Each recipient has its messages in
order, one at a time, on a thread of its own: one that hangs holds up nobody else.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from functools import partial
from typing import Protocol

from manyfest.amounts import counted
from manyfest.errors import HistoryError
from manyfest.notify.address import Address
from manyfest.notify.answer import Answer
from manyfest.notify.message import Message
from manyfest.notify.send import obstacle, send
from manyfest.watch.config.values import WatchConfig
from manyfest.watch.history.batch import WaitingNotice
from manyfest.watch.notify.parcels import LONGEST_REQUEST, Parcel, next_attempt, parcels
from manyfest.watch.notify.texts import compose
from manyfest.watch.recipients import Recipient

logger = logging.getLogger(__name__)

TIME_LIMIT = 30.0
"""Seconds that a service has to take a message."""

GRACE = 5.0
"""Seconds that messages on their way have when the watch stops."""

_TROUBLED_AFTER = 3
"""Attempts in vain, after which it is not only the log that says so."""

_MOST_WAITING = 1000
_REST = 2.0
"""Seconds between looks at what is due by now; whoever adds notices wakes us besides."""

_LONGEST_REST = 2 * LONGEST_REQUEST
"""Seconds; who would rest for longer does so because the clock was wrong."""


class Outbox(Protocol):
    """Where notices wait: :class:`~manyfest.watch.history.notices.Notices`, whose methods raise
    :class:`~manyfest.errors.HistoryError`."""

    def waiting(
        self, now: float, limit: int = ..., besides: Collection[str] = ...
    ) -> Sequence[WaitingNotice]: ...

    def resting(self, now: float) -> dict[str, float]: ...

    def attempt(self, notice: WaitingNotice) -> None: ...

    def delivered(self, number: int, at: float) -> None: ...

    def failed(self, number: int, why: str, again_at: float, *, unclear: bool = ...) -> None: ...

    def give_up(self, number: int, why: str, at: float) -> None: ...


Sender = Callable[[Address, Message, Callable[[], bool]], Answer]
"""Sends a message unless the watch stops, and says what came of it. It may raise anything, and
never end."""


def by_any_service(address: Address, message: Message, stopped: Callable[[], bool]) -> Answer:
    """Send by Gotify's own form or by Apprise."""
    return send(address, message, limit=TIME_LIMIT, stopped=stopped)


class Deliverer:
    """Delivers by :meth:`run`, which a thread of the watch calls; any thread may :meth:`wake` and
    :meth:`stop` it. ``config`` gives the recipients as they are now, and ``clock`` the time in
    seconds since 1970."""

    def __init__(
        self,
        outbox: Outbox,
        config: Callable[[], WatchConfig],
        *,
        clock: Callable[[], float] = time.time,
        sender: Sender = by_any_service,
        jitter: Callable[[], float] = random.random,
        limit: float = 2 * TIME_LIMIT,
        grace: float = GRACE,
    ) -> None:
        """A message is awaited for ``limit`` seconds, and for ``grace`` seconds at the end."""
        self._outbox = outbox
        self._config = config
        self._clock = clock
        self._sender = sender
        self._jitter = jitter
        self._limit = limit
        self._grace = grace
        self._changed = threading.Event()
        self._stopping = threading.Event()
        self._aborted = threading.Event()
        self._under_way: dict[str, _Sending] = {}
        self._rests: dict[str, float] = {}
        self._knows_rests = False
        self._troubles: dict[str, str] = {}
        self._is_away = False

    def run(self) -> None:
        """Deliver until it is stopped. Then what is on its way has a little time to arrive; what
        has not is told again by the next watch, as something that may have been told before."""
        self._say_obstacles()
        while not self._stopping.is_set():
            self._changed.clear()
            self._work_off()
            self._changed.wait(min(_REST, self._limit))
        end = time.monotonic() + self._grace
        while self._under_way and time.monotonic() < end:
            self._changed.clear()
            self._changed.wait(0.1)
            with suppress(HistoryError):
                self._settle_all()
        self._aborted.set()

    def troubles(self) -> tuple[str, ...]:
        """Who has not been told of anything for a while, and why: a line each, without secrets."""
        return tuple(self._troubles.copy().values())

    def wake(self) -> None:
        """There is something new to tell."""
        self._changed.set()

    def stop(self) -> None:
        """Let :meth:`run` end soon. It does not wait for that."""
        self._stopping.set()
        self._changed.set()

    def _say_obstacles(self) -> None:
        """Say who cannot be told, before there is anything to tell."""
        for recipient in self._config().recipients.values():
            why = obstacle(recipient.address)
            if why:
                logger.warning("%s: %s", recipient.where, why)

    def _work_off(self) -> None:
        """Do what can be done now."""
        try:
            self._settle_all()
            self._start_all()
        except HistoryError as error:
            if not self._is_away:
                logger.warning("nobody is told of anything for now: %s", error)
            self._is_away = True
            return
        self._is_away = False

    def _start_all(self) -> None:
        """Send the next message to each recipient that has none on its way and is not resting."""
        now = self._clock()
        config = self._config()
        if not self._knows_rests:
            self._rests = self._outbox.resting(now)
            self._knows_rests = True
        resting = {name for name, until in self._rests.items() if 0 < until - now <= _LONGEST_REST}
        busy = resting | self._under_way.keys()
        waiting = self._outbox.waiting(now, _MOST_WAITING, busy)
        for name, parcel in parcels(waiting, config.recipients).items():
            for notice in parcel.notices:
                self._outbox.attempt(notice)
            sending = _Sending(parcel, self._work(parcel, config), self._changed.set)
            self._under_way[name] = sending
            sending.start()

    def _work(self, parcel: Parcel, config: WatchConfig) -> Callable[[], Answer]:
        recipient = config.recipients.get(parcel.recipient)
        if recipient is None:
            return lambda: Answer(fault="nobody of this name is in the configuration")
        return partial(self._send, recipient, parcel, config.url)

    def _send(self, recipient: Recipient, parcel: Parcel, page: str) -> Answer:
        message = compose(
            recipient, parcel.events, page, now=self._clock(), repeated=parcel.repeated
        )
        return self._sender(recipient.address, message, self._aborted.is_set)

    def _settle_all(self) -> None:
        """Write down what came of the messages that have ended. One that is not written for the
        history's fault stays, and is written later."""
        for name, sending in list(self._under_way.items()):
            answer = sending.answer
            if answer is None and sending.lasts > self._limit:
                answer = Answer(fault=f"no answer within {self._limit:g} seconds", unclear=True)
            if answer is not None:
                sending.answer = answer
                self._settle(sending.parcel, answer)
                del self._under_way[name]

    def _settle(self, parcel: Parcel, answer: Answer) -> None:
        now = self._clock()
        told = f"{parcel.recipient} of {counted(len(parcel.events), 'event')}"
        if not answer.fault:
            for notice in parcel.notices:
                self._outbox.delivered(notice.id, now)
            self._rests.pop(parcel.recipient, None)
            self._troubles.pop(parcel.recipient, None)
            logger.info("told %s", told)
            return
        again = next_attempt(parcel, answer, now, self._jitter)
        for notice in parcel.notices:
            if again is None:
                self._outbox.give_up(notice.id, answer.fault, now)
            else:
                unclear = answer.unclear or notice.cut_short  # once unclear, it stays so
                self._outbox.failed(notice.id, answer.fault, again, unclear=unclear)
        if again is None or parcel.tries + 1 >= _TROUBLED_AFTER:
            self._troubles[parcel.recipient] = f"{parcel.recipient} is not told: {answer.fault}"
        if again is None:
            logger.error("gave up to tell %s: %s", told, answer.fault)
            return
        if not answer.this_one:
            self._rests[parcel.recipient] = again
        wait = round(again - now)
        logger.warning("did not tell %s: %s; again in %d s", told, answer.fault, wait)


class _Sending(threading.Thread):
    """One message on its way. ``answer`` is what came of it, once that is known."""

    def __init__(
        self, parcel: Parcel, work: Callable[[], Answer], on_end: Callable[[], None]
    ) -> None:
        super().__init__(name=f"notify {parcel.recipient}", daemon=True)
        self.parcel = parcel
        self.answer: Answer | None = None
        self._work = work
        self._on_end = on_end
        self._began = time.monotonic()

    @property
    def lasts(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self._began

    def run(self) -> None:
        try:
            answer = self._work()
        except Exception as error:  # noqa: BLE001 - a service's own code, in which all may happen
            answer = Answer(fault=type(error).__name__, unclear=True)  # its words may hold the URL
        self.answer = self.answer or answer
        self._on_end()
