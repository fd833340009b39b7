"""Tells people what became of a release, by Apprise: Gotify, and over a hundred other services.

Telling is a courtesy. It fails no release and takes ten seconds at most. What goes wrong with it is
one line, which shows no secret: an Apprise URL may be one from its second word on.
"""

from __future__ import annotations

import logging
import os
import re
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal
from urllib.parse import parse_qs, urlencode, urlsplit

from msgspec import Struct

from manyfest.release.project.config import Config
from manyfest.release.reporting.markdown import escaped
from manyfest.stores.registry.auth.secret import NO_SECRET, Secret

TIME_LIMIT = 10.0
"""Seconds that all services together have."""

INSTALL = "pip install 'manyfest[notify]'"

_VARIABLE = "env:"
_HOST = re.compile(r"[a-z0-9:][a-z0-9.:-]{0,252}")
_STATUS = re.compile(r"\berror=([1-5][0-9]{2})\b")

_WITH_HOST = frozenset(
    scheme + secure
    for scheme in ("apprise", "form", "gotify", "json", "matrix", "mmost", "mqtt", "rocket", "xml")
    for secure in ("", "s")
)
"""Services whose URL begins with a host of their users' own. In others that may be a token."""


class Message(Struct, frozen=True, kw_only=True):
    """What is told. ``link`` is a page with more about it, or empty."""

    event: Literal["released", "failed", "rolled back"]
    title: str
    lines: tuple[str, ...]
    link: str = ""


class Recipient(Struct, frozen=True, kw_only=True):
    """One that is told. ``label`` shows no secret; ``url`` is empty if its variable is not set;
    ``where`` is its line in the configuration."""

    label: str
    url: Secret
    where: str


Send = Callable[[str, Message], str]
"""Sends to an Apprise URL and says why that did not work, or nothing. It may raise anything."""


def recipients(config: Config, environ: Mapping[str, str] = os.environ) -> tuple[Recipient, ...]:
    """Whom ``notify`` names: an Apprise URL, or ``env:NAME`` for a variable that holds one."""
    return tuple(
        _recipient(text, config.where(f"notify[{position}]"), environ)
        for position, text in enumerate(config.notify)
    )


def _recipient(text: str, where: str, environ: Mapping[str, str]) -> Recipient:
    if not text.startswith(_VARIABLE):
        return Recipient(label=shown(text), url=Secret(text), where=where)
    held = environ.get(text.removeprefix(_VARIABLE), "").strip()
    return Recipient(label=text, url=Secret(held) if held else NO_SECRET, where=where)


def shown(url: str) -> str:
    """What may be shown of an Apprise URL: the service, and the host if it is sure to be one."""
    scheme = url.partition("://")[0].lower()
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        host = ""
    known = scheme in _WITH_HOST and _HOST.fullmatch(host)
    return f"{scheme}://{host}" if known else f"{scheme}://…"


def obstacles(found: Sequence[Recipient]) -> Iterator[str]:
    """What will keep recipients from being told, a line each, before there is anything to tell.
    It raises nothing."""
    if not found:
        return
    if not _is_installed():
        labels = ", ".join(each.label for each in found)
        yield f"{labels} will not be told, as Apprise is not installed; {INSTALL}"
        return
    for each in found:
        if not each.url:
            yield f"{each.where}: {each.label} is not set, so nobody is told there"
            continue
        if not _is_understood(each.url):
            yield f"{each.where}: Apprise does not understand the URL of {each.label}"


def _is_installed() -> bool:
    try:
        import apprise  # noqa: F401
    except ImportError:
        return False
    return True


def _is_understood(url: Secret) -> bool:
    """Whether Apprise makes anything of the URL; to try that, it imports all of its services."""
    from apprise import Apprise

    with _Overheard(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one of them imports what Python is to lose
        try:
            return Apprise.instantiate(url.reveal()) is not None
        except Exception:  # noqa: BLE001 - others' code, in which all may happen
            return False


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
    sendings = [_Sending(each, message, send or by_apprise) for each in found if each.url]
    for sending in sendings:
        sending.start()
    for sending in sendings:
        sending.join(max(0.0, deadline - time.monotonic()))
        fault = f"no answer within {limit:g} seconds" if sending.is_alive() else sending.fault
        if fault:
            warn(f"{sending.recipient.label} was not told: {fault}")


class _Sending(threading.Thread):
    """One message on its way. Nothing waits for it when the program ends."""

    def __init__(self, recipient: Recipient, message: Message, send: Send) -> None:
        super().__init__(name="notify", daemon=True)
        self.recipient = recipient
        self.fault = ""
        self._message = message
        self._send = send

    def run(self) -> None:
        try:
            url = addressed(self.recipient.url.reveal(), self._message)
            self.fault = self._send(url, self._message)
        except Exception as error:  # noqa: BLE001 - a service's own code, in which all may happen
            self.fault = type(error).__name__  # its words may hold the URL


def addressed(url: str, message: Message) -> str:
    """The URL, asking for what the service can do with such a message, unless it asks for
    something else itself."""
    service = url.partition("://")[0].lower().removesuffix("s")
    wanted = {}
    if service in {"gotify", "ntfy"} and message.event == "failed":
        wanted["priority"] = "high"
    if service == "gotify":
        wanted["format"] = "markdown"  # else its page shows a link as text that leads nowhere
    if service == "ntfy" and message.link:
        wanted["click"] = message.link
    more = urlencode({key: value for key, value in wanted.items() if key not in _asked(url)})
    if not more:
        return url
    return f"{url}{'&' if '?' in url else '?'}{more}"


def _asked(url: str) -> dict[str, list[str]]:
    return parse_qs(url.partition("?")[2], keep_blank_values=True)


def by_apprise(url: str, message: Message) -> str:
    """Send with Apprise. A redirect is not followed: it would take the token elsewhere."""
    try:
        from apprise import Apprise, AppriseAsset, NotifyFormat, NotifyType
    except ImportError:
        return f"Apprise is not installed; {INSTALL}"
    kinds = {
        "released": NotifyType.SUCCESS,
        "failed": NotifyType.FAILURE,
        "rolled back": NotifyType.WARNING,
    }
    asset = AppriseAsset(app_id="manyfest", http_redirects=False, storage_mode="memory")
    is_markdown = _asked(url).get("format") == ["markdown"]
    with _Overheard() as overheard:
        service = Apprise.instantiate(url, asset=asset)
        if service is None:
            return "Apprise does not understand its URL"
        taken = service.notify(
            title=message.title,
            body=as_markdown(message) if is_markdown else as_text(message),
            notify_type=kinds[message.event],
            body_format=NotifyFormat.MARKDOWN if is_markdown else NotifyFormat.TEXT,
        )
    if taken:
        return ""
    return f"it answered {overheard.status}" if overheard.status else "it did not take the message"


def as_text(message: Message) -> str:
    """The message's text for people who see it as it is."""
    return "\n".join(filter(None, (*message.lines, message.link)))


def as_markdown(message: Message) -> str:
    """The same as Markdown, in which the link can be followed."""
    lines = [escaped(line) for line in message.lines]
    return "  \n".join([*lines, f"<{message.link}>"] if message.link else lines)


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
