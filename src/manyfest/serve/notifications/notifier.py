"""Sends what happened to all receivers, each on a thread of its own, until it is taken.

Events wait in memory. So a receiver that is away, slow or hostile costs a push nothing, and what
waits when the registry is killed is not told: a webhook is a hint that there is something to see.
"""

from __future__ import annotations

import logging
import random
import socket
import threading
import time
from collections.abc import Callable, Sequence
from uuid import uuid4

import msgspec
from msgspec import Struct

from manyfest.errors import ConnectionFailed, ManyfestError
from manyfest.pauses import growing_pauses
from manyfest.serve.access.places import Places
from manyfest.serve.notifications.events import MEDIA_TYPE, Envelope, Event, Source, events_of
from manyfest.serve.notifications.mailbox import Mailbox
from manyfest.serve.notifications.receiver import Receiver
from manyfest.serve.observed import Exchange
from manyfest.stores.registry.headers import Headers
from manyfest.stores.registry.http import Request, Transport
from manyfest.stores.registry.retry import retry_after

logger = logging.getLogger(__name__)

TIME_LIMIT = 10.0
"""Seconds that a receiver has to answer."""

GRACE = 5.0
"""Seconds in which what waits may still be told when the registry stops."""

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds between attempts."""

LONGEST_REQUEST = 600.0
"""Seconds for which a receiver may ask to be left alone."""

_HOPELESS = frozenset({400, 405, 406, 410, 411, 413, 414, 415, 422, 431})
"""The receiver will not take these events, however often they are sent."""


class _Outcome(Struct, frozen=True):
    """What came of a request: ``fault`` is empty if it was taken. ``again_after`` is what the
    receiver asks for, in seconds."""

    fault: str = ""
    again_after: float = 0.0
    hopeless: bool = False


class Notifier:
    """An :class:`~manyfest.serve.observed.Observer`: it is told of each request, and tells
    ``receivers`` of those that changed something. ``places`` knows the registry's own URL.

    Nothing is sent before :meth:`start`. ``transport`` is closed by :meth:`stop`.
    """

    def __init__(
        self,
        receivers: Sequence[Receiver],
        places: Places,
        transport: Transport,
        *,
        clock: Callable[[], float] = time.time,
        jitter: Callable[[], float] = random.random,
        first_pause: float = FIRST_PAUSE,
    ) -> None:
        self._places = places
        self._transport = transport
        self._clock = clock
        self._source = Source(addr=socket.gethostname(), instance=str(uuid4()))
        self._posts = [_Post(each, transport, jitter, first_pause) for each in receivers]

    def observe(self, exchange: Exchange) -> None:
        """Note what a request changed."""
        if exchange.request.method not in ("PUT", "DELETE"):
            return
        url = self._places.url(exchange.request)
        for event in events_of(exchange, url, self._source, self._clock()):
            for post in self._posts:
                post.mailbox.add(event)

    def start(self) -> None:
        """Begin to send."""
        for post in self._posts:
            post.start()

    def stop(self, grace: float = GRACE) -> None:
        """Send what waits, for ``grace`` seconds at most, and end."""
        deadline = time.monotonic() + grace
        for post in self._posts:
            post.mailbox.close()
        for post in self._posts:
            post.join(max(0.0, deadline - time.monotonic()))
        for post in self._posts:
            post.give_up()
            post.join()
        self._transport.close()


class _Post(threading.Thread):
    """The way to one receiver: one request at a time, in order."""

    def __init__(
        self,
        receiver: Receiver,
        transport: Transport,
        jitter: Callable[[], float],
        first_pause: float,
    ) -> None:
        super().__init__(name=f"notify {receiver.name}", daemon=True)
        self.mailbox = Mailbox()
        self._receiver = receiver
        self._transport = transport
        self._jitter = jitter
        self._first_pause = first_pause
        self._over = threading.Event()
        self._told_lost = 0

    def give_up(self) -> None:
        """Send nothing any more."""
        self._over.set()

    def run(self) -> None:
        while events := self.mailbox.take():
            if not self._deliver(events):
                left = len(events) + len(self.mailbox)
                logger.warning("%s is not told of %d events", self._receiver.name, left)
                return
            self._count_lost()

    def _deliver(self, events: tuple[Event, ...]) -> bool:
        """Send them until they are taken or that is hopeless; false if it was given up."""
        name = self._receiver.name
        body = msgspec.json.encode(Envelope(events))
        pauses = growing_pauses(self._first_pause, LONGEST_PAUSE, self._jitter)
        failed = ""
        while not self._over.is_set():
            outcome = self._send(body)
            if not outcome.fault:
                if failed:
                    logger.info("%s takes notifications again", name)
                return True
            if outcome.hopeless:
                logger.error("%s does not want %d events: %s", name, len(events), outcome.fault)
                return True
            if outcome.fault != failed:
                logger.warning("%s is not told yet: %s", name, outcome.fault)
            failed = outcome.fault
            self._over.wait(max(next(pauses), min(outcome.again_after, LONGEST_REQUEST)))
        return False

    def _send(self, body: bytes) -> _Outcome:
        deadline = time.monotonic() + TIME_LIMIT
        fields = {"Content-Type": MEDIA_TYPE}
        if self._receiver.authorization:
            fields["Authorization"] = self._receiver.authorization.reveal()
        request = Request(
            method="POST",
            url=self._receiver.url.reveal(),
            headers=Headers(fields),
            body=body,
            follow=False,
            given_up=lambda: self._over.is_set() or time.monotonic() > deadline,
        )
        try:
            with self._transport.send(request) as response:
                status, again_after = response.status, retry_after(response, time.time())
        except ConnectionFailed as error:
            late = time.monotonic() > deadline
            return _Outcome(f"no answer within {TIME_LIMIT:g} seconds" if late else error.what)
        except ManyfestError as error:
            return _Outcome(error.what)
        if 200 <= status < 300:
            return _Outcome()
        fault = f"it answered {status}"
        return _Outcome(fault, again_after or 0.0, hopeless=status in _HOPELESS)

    def _count_lost(self) -> None:
        lost = self.mailbox.lost
        if lost > self._told_lost:
            logger.error("%s was away for too long: %d events are lost", self._receiver.name, lost)
            self._told_lost = lost
