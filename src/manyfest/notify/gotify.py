"""Gotify's messages, sent by our own client: Apprise names no page for the notification to open,
and knows five of its eleven priorities.

The form is that of Gotify's API description (``docs/spec.json`` in gotify/server, API 2.1.0):
``POST /message`` with an application's token in ``X-Gotify-Key``; 200 with the message's ``id``, or
an error with its ``errorDescription``. What apps do with ``extras`` is in its documentation of
message extras.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import msgspec
from msgspec import Struct

from manyfest.errors import ConnectionFailed, ManyfestError, RegistryError
from manyfest.markdown import plain
from manyfest.notify.answer import TAKEN, Answer
from manyfest.notify.message import Message
from manyfest.stores.registry.auth.secret import Secret
from manyfest.stores.registry.headers import Headers, is_field
from manyfest.stores.registry.http import (
    AnswersPlainHttp,
    LastingFailure,
    Origin,
    Request,
    Response,
    Transport,
    Unreachable,
)
from manyfest.stores.registry.retry import retry_after

_SCHEMES = {"gotify": "http", "gotifys": "https"}
_NAMED = {"l": 0, "m": 3, "n": 5, "h": 8, "e": 10}
"""Apprise's priorities: low, moderate, normal, high, emergency. It looks at the first letter."""

_FORMATS = {"text": False, "markdown": True}
_LONGEST_ANSWER = 256 * 1024
_LONGEST_WORDS = 200
_REFUSED = frozenset({400, 413, 422})
_MAY_BE_TAKEN = frozenset({502, 504})
"""What something between says that lost sight of Gotify."""


class Target(Struct, frozen=True, kw_only=True):
    """An application of a Gotify server: where messages for it are posted, and what its URL asks
    for, ``None`` if it leaves that to us."""

    endpoint: str
    token: Secret
    priority: int | None = None
    markdown: bool | None = None


class _NotAsked(ValueError):
    """The URL is not one that we send to."""


def target(url: str) -> Target | None:
    """What ``gotify[s]://HOST[:PORT][/PATH]/TOKEN[?priority=…&format=…]`` means; ``None`` for any
    other URL, and for one that asks for what only Apprise does, such as ``verify=no``."""
    try:
        return _target(url)
    except (ValueError, RegistryError):
        return None


def _target(url: str) -> Target:
    parts = urlsplit(url)
    asked = {key.lower(): value for key, value in parse_qsl(parts.query, keep_blank_values=True)}
    *below, token = [unquote(part) for part in parts.path.split("/") if part] or [""]
    if asked.keys() - {"priority", "format"} or parts.fragment or not token:
        raise _NotAsked
    if parts.scheme not in _SCHEMES or not is_field("X-Gotify-Key", token):
        raise _NotAsked
    path = "".join(f"/{quote(part, safe='')}" for part in (*below, "message"))
    endpoint = f"{_SCHEMES[parts.scheme]}://{parts.netloc}{path}"
    Origin.of(endpoint)
    return Target(
        endpoint=endpoint,
        token=Secret(token),
        priority=_priority(asked.get("priority", "")),
        markdown=_markdown(asked.get("format", "")),
    )


def _priority(text: str) -> int | None:
    """A number, or Apprise's word for one."""
    if not text:
        return None
    if text.isascii() and text.isdecimal() and len(text) < 3 and int(text) <= 10:
        return int(text)
    try:
        return _NAMED[text[0].lower()]
    except KeyError:
        raise _NotAsked from None


def _markdown(text: str) -> bool | None:
    if text and text not in _FORMATS:
        raise _NotAsked
    return _FORMATS.get(text)


def request(target: Target, message: Message, given_up: Callable[[], bool]) -> Request:
    """The request that posts the message. A redirect is not followed: it would take the token
    elsewhere. It is not repeated unseen either: it may have been taken."""
    return Request(
        method="POST",
        url=target.endpoint,
        headers=Headers(
            {"X-Gotify-Key": target.token.reveal(), "Content-Type": "application/json"}
        ),
        body=msgspec.json.encode(_document(target, message)),
        repeatable=False,
        follow=False,
        given_up=given_up,
    )


def _document(target: Target, message: Message) -> dict[str, Any]:
    markdown = message.in_markdown if target.markdown is None else target.markdown
    shown = "text/markdown" if markdown else "text/plain"
    extras: dict[str, Any] = {"client::display": {"contentType": shown}}
    if message.link:
        extras["client::notification"] = {"click": {"url": message.link}}
    words = message.markdown if markdown else message.text
    return {
        "title": message.title,
        "message": words or message.title,  # it takes none that is empty
        "priority": message.priority if target.priority is None else target.priority,
        "extras": extras,
    }


def post(
    target: Target,
    message: Message,
    transport: Transport,
    *,
    limit: float,
    stopped: Callable[[], bool] = lambda: False,
) -> Answer:
    """Send the message, and give up after ``limit`` seconds or when ``stopped`` says so."""
    deadline = time.monotonic() + limit
    asked = request(target, message, lambda: stopped() or time.monotonic() > deadline)
    try:
        with transport.send(asked) as response:
            left = max(0.1, deadline - time.monotonic())
            said = response.read_all(_LONGEST_ANSWER, seconds=left)
            return _answer(response, said, target.token)
    except RegistryError:
        return Answer(fault="what answers there is not Gotify: it says too much", unclear=True)
    except ConnectionFailed as error:
        if stopped() or time.monotonic() > deadline:
            return Answer(fault=f"no answer within {limit:g} seconds", unclear=True)
        return _no_answer(error)
    except ManyfestError as error:
        return Answer(fault=str(error))


def _no_answer(error: ConnectionFailed) -> Answer:
    if isinstance(error, AnswersPlainHttp):
        return Answer(fault=f"{error.what}; write gotify:// if that is meant to be")
    if isinstance(error, LastingFailure):
        return Answer(fault=f"{error.what}; SSL_CERT_FILE may name whom to trust")
    return Answer(fault=error.what, unclear=not isinstance(error, Unreachable))


def _answer(response: Response, said: bytes, token: Secret) -> Answer:
    status = response.status
    document = _read(said)
    if status == 200 and isinstance(document.get("id"), int):
        return TAKEN
    if status == 200:
        return Answer(fault="what answers there is not Gotify: it names no message")
    if 300 <= status < 400:
        return Answer(fault=f"it answered {status}, and a redirect is not followed with a token")
    words = _words(document, token)
    return Answer(
        fault=f"it answered {status}: {words}" if words else f"it answered {status}",
        again_after=retry_after(response, time.time()),
        unclear=status in _MAY_BE_TAKEN,
        this_one=status in _REFUSED,
    )


def _read(said: bytes) -> dict[str, Any]:
    try:
        document = msgspec.json.decode(said)
    except (msgspec.DecodeError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _words(document: dict[str, Any], token: Secret) -> str:
    """What it says of the error, unless it repeats the token."""
    said = document.get("errorDescription")
    if not isinstance(said, str) or token.reveal() in said:
        return ""
    return plain(said)[:_LONGEST_WORDS]
