"""A message that only shows whether messages arrive."""

from __future__ import annotations

from manyfest.notify.answer import Answer
from manyfest.notify.message import Message
from manyfest.watch.notify.deliver import Sender, by_any_service
from manyfest.watch.recipients import Recipient


def notify_test(recipient: Recipient, page: str = "", *, sender: Sender = by_any_service) -> Answer:
    """Send the recipient a test message, and say what came back. ``page`` is the URL of the watch's
    pages, or empty. It raises nothing."""
    message = Message.of_lines(
        "A test of manyfest watch",
        [f"{recipient.name} is told of what the watch sees; this is only a test."],
        link=page,
    )
    return sender(recipient.address, message, lambda: False)
