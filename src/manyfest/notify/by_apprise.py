"""Messages to all that is not Gotify, by Apprise, which is loaded when it is needed."""

from __future__ import annotations

import logging
import re
import threading
import warnings
from urllib.parse import parse_qs, urlencode

from manyfest.notify.answer import TAKEN, Answer
from manyfest.notify.message import HIGH, HIGHEST, Message

INSTALL = "pip install 'manyfest[notify]'"

_STATUS = re.compile(r"\berror=([1-5][0-9]{2})\b")
_REFUSED = frozenset({"413", "422"})
"""What is said of one message. With 400, services speak of tokens and rooms too."""

_SOUND = 4
"""Gotify's first priority that makes a sound."""


def is_installed() -> bool:
    """Whether Apprise is there."""
    try:
        import apprise  # noqa: F401
    except ImportError:
        return False
    return True


def understands(url: str) -> bool:
    """Whether Apprise makes anything of the URL; to try that, it imports all of its services."""
    from apprise import Apprise

    with _Overheard(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one of them imports what Python is to lose
        try:
            return Apprise.instantiate(url) is not None
        except Exception:  # noqa: BLE001 - others' code, in which all may happen
            return False


def addressed(url: str, message: Message) -> str:
    """The URL, asking for what the service can do with such a message, unless it asks for
    something else itself."""
    service = url.partition("://")[0].lower().removesuffix("s")
    wanted = {"overflow": "split"}  # what is too long for it comes in several messages
    if service == "gotify":
        wanted["priority"] = str(message.priority)
        if message.in_markdown:
            wanted["format"] = "markdown"
    if service == "ntfy":
        wanted["priority"] = _of_ntfy(message.priority)
        wanted["click"] = message.link
    asked = _asked(url)
    more = {key: value for key, value in wanted.items() if value and key not in asked}
    if not more:
        return url
    return f"{url}{'&' if '?' in url else '?'}{urlencode(more)}"


def _of_ntfy(priority: int) -> str:
    """Ntfy's word for one of Gotify's priorities; the usual one needs none."""
    if priority >= HIGH:
        return "max" if priority >= HIGHEST else "high"
    return "low" if priority < _SOUND else ""


def _asked(url: str) -> dict[str, list[str]]:
    return parse_qs(url.partition("?")[2], keep_blank_values=True)


def send(url: str, message: Message) -> Answer:
    """Send the message; how long that may take is Apprise's affair. A redirect is not followed: it
    would take a token elsewhere. It may raise whatever a service's code does."""
    try:
        from apprise import Apprise, AppriseAsset, NotifyFormat, NotifyType
    except ImportError:
        return Answer(fault=f"Apprise is not installed; {INSTALL}")
    tones = {
        "info": NotifyType.INFO,
        "success": NotifyType.SUCCESS,
        "warning": NotifyType.WARNING,
        "failure": NotifyType.FAILURE,
    }
    url = addressed(url, message)
    asset = AppriseAsset(app_id="manyfest", http_redirects=False, storage_mode="memory")
    is_markdown = _asked(url).get("format") == ["markdown"]
    with _Overheard() as overheard:
        service = Apprise.instantiate(url, asset=asset)
        if service is None:
            return Answer(fault="Apprise does not understand its URL")
        taken = service.notify(
            title=message.title,
            body=message.markdown if is_markdown else message.text,
            notify_type=tones[message.tone],
            body_format=NotifyFormat.MARKDOWN if is_markdown else NotifyFormat.TEXT,
        )
    if taken:
        return TAKEN
    if overheard.status:
        refused = overheard.status in _REFUSED
        return Answer(fault=f"it answered {overheard.status}", this_one=refused)
    return Answer(fault="it did not take the message", unclear=True)


class _Overheard(logging.Filter):
    """Apprise says only in its log why a message was not taken, and may name tokens there. What
    this thread logs goes no further, and of that just an HTTP ``status`` is kept."""

    def __init__(self) -> None:
        super().__init__()
        self.status = ""
        self._log = logging.getLogger("apprise")
        self._thread = threading.get_ident()

    def filter(self, record: logging.LogRecord) -> bool:
        if record.thread != self._thread:
            return True
        found = _STATUS.search(record.getMessage())
        self.status = found[1] if found else self.status
        return False

    def __enter__(self) -> _Overheard:
        self._log.addFilter(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._log.removeFilter(self)
