"""Tells people what became of a release.

Telling is a courtesy. It fails no release and takes ten seconds at most. What goes wrong with it is
one line, which shows no secret.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from manyfest.notify.address import Address, address
from manyfest.release.project.config import Config

if TYPE_CHECKING:
    from manyfest.notify.answer import Answer
    from manyfest.notify.message import Message
    from manyfest.notify.send import Send

TIME_LIMIT = 10.0
"""Seconds that all services together have."""


class Recipient(Struct, frozen=True, kw_only=True):
    """One that is told, and ``where`` the configuration says so: its line there."""

    address: Address
    where: str


def recipients(config: Config, environ: Mapping[str, str] = os.environ) -> tuple[Recipient, ...]:
    """Whom ``notify`` names."""
    return tuple(
        Recipient(address=address(text, environ), where=config.where(f"notify[{position}]"))
        for position, text in enumerate(config.notify)
    )


def obstacles(found: Sequence[Recipient]) -> Iterator[str]:
    """What will keep recipients from being told, a line each, before there is anything to tell.
    It raises nothing."""
    if not found:
        return
    from manyfest.notify.send import obstacle

    for each in found:
        why = obstacle(each.address)
        if why:
            yield f"{each.where}: {why}"


def at_once(to: Address, message: Message) -> Answer:
    """Send by whatever service it takes, in the time that all have together."""
    # Loaded when somebody is to be told.
    from manyfest.notify.send import send

    return send(to, message, limit=TIME_LIMIT)


def tell(
    found: Sequence[Recipient],
    message: Message,
    warn: Callable[[str], None],
    *,
    send: Send | None = None,
    limit: float = TIME_LIMIT,
) -> None:
    """Tell all recipients at once; a line to ``warn`` for each that could not be told within
    ``limit`` seconds. It raises nothing."""
    deadline = time.monotonic() + limit
    sendings = [
        _Sending(each.address, message, send or at_once) for each in found if each.address.url
    ]
    for sending in sendings:
        sending.start()
    for sending in sendings:
        sending.join(max(0.0, deadline - time.monotonic()))
        fault = f"no answer within {limit:g} seconds" if sending.is_alive() else sending.fault
        if fault:
            warn(f"{sending.address.label} was not told: {fault}")


class _Sending(threading.Thread):
    """One message on its way. Nothing waits for it when the program ends."""

    def __init__(self, address: Address, message: Message, send: Send) -> None:
        super().__init__(name="notify", daemon=True)
        self.address = address
        self.fault = ""
        self._message = message
        self._send = send

    def run(self) -> None:
        try:
            self.fault = self._send(self.address, self._message).fault
        except Exception as error:  # noqa: BLE001 - a service's own code, in which all may happen
            self.fault = type(error).__name__  # its words may hold the URL
