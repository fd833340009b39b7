"""Sends a message to an address, whatever service that is."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

from manyfest.notify import by_apprise, gotify
from manyfest.notify.address import Address
from manyfest.notify.answer import Answer
from manyfest.notify.message import Message

Send = Callable[[Address, Message], Answer]
"""Sends a message, and says what came of it. It may raise anything, and never end."""


def obstacle(address: Address) -> str:
    """What will keep a message from arriving, as far as that is known before there is one; or
    empty. It raises nothing and asks nobody."""
    if not address.url:
        return f"{address.label} is not set, so nobody is told there"
    if gotify.target(address.url.reveal()) is not None:
        return ""
    if not by_apprise.is_installed():
        return (
            f"{address.label} will not be told, as Apprise is not installed; {by_apprise.INSTALL}"
        )
    if not by_apprise.understands(address.url.reveal()):
        return f"Apprise does not understand the URL of {address.label}"
    return ""


def send(
    address: Address,
    message: Message,
    *,
    limit: float,
    stopped: Callable[[], bool] = lambda: False,
) -> Answer:
    """Send the message. It raises nothing: an exception is told by its type, as its words may hold
    the URL.

    Gotify has ``limit`` seconds, or until ``stopped`` says so; what Apprise sends may take longer.
    """
    if not address.url:
        return Answer(fault=f"{address.label} is not set")
    try:
        return _send(address.url.reveal(), message, limit=limit, stopped=stopped)
    except Exception as error:  # noqa: BLE001 - a service's own code, in which all may happen
        return Answer(fault=type(error).__name__, unclear=True)


def _send(url: str, message: Message, *, limit: float, stopped: Callable[[], bool]) -> Answer:
    from manyfest.stores.registry.curl.transport import CurlTransport

    target = gotify.target(url)
    if target is None:
        return by_apprise.send(url, message)
    with closing(CurlTransport()) as transport:
        return gotify.post(target, message, transport, limit=limit, stopped=stopped)
