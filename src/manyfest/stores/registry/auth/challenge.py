"""What a registry asks for with a 401: ``WWW-Authenticate`` (RFC 9110, section 11)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import Struct, field

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - a token of the grammar
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_SEPARATORS = re.compile(r"[\s,]*")
_SCHEME = re.compile(rf"({_TOKEN})(?=[\s,]|$)")
_PARAMETER = re.compile(rf"({_TOKEN})\s*=\s*({_TOKEN}|{_QUOTED})(?=\s*(?:,|$))")
_TOKEN68 = re.compile(r"\s+([A-Za-z0-9._~+/-]+=*)(?=\s*(?:,|$))")
_LONGEST = 16 * 1024


class Challenge(Struct, frozen=True):
    """One way to authenticate: its scheme and the names of its parameters in lower case."""

    scheme: str
    parameters: dict[str, str] = field(default_factory=dict)


def parse_challenges(values: Iterable[str]) -> tuple[Challenge, ...]:
    """The challenges in the values of the header field, in order.

    What does not follow the grammar ends its value; what came before it counts.
    """
    return tuple(challenge for value in values for challenge in _parse(value[:_LONGEST]))


def _parse(value: str) -> list[Challenge]:
    found: list[Challenge] = []
    at = _skip(value, 0)
    while at < len(value):
        if (match := _PARAMETER.match(value, at)) and found:
            name = match[1].lower()
            found[-1].parameters.setdefault(name, _unquoted(match[2]))
        elif match := _SCHEME.match(value, at):
            found.append(Challenge(match[1].lower()))
            match = _token68(value, match.end()) or match
        else:
            break
        at = _skip(value, match.end())
    return found


def _token68(value: str, at: int) -> re.Match[str] | None:
    """The single opaque word that a scheme such as Negotiate may carry; no scheme known here uses
    it, so it is passed over."""
    return _TOKEN68.match(value, at)


def _skip(value: str, at: int) -> int:
    match = _SEPARATORS.match(value, at)
    return match.end() if match else at


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1]) if text.startswith('"') else text
