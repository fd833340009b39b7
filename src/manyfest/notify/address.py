"""Where a message goes: a URL of Apprise's, which may be a secret from its second word on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from msgspec import Struct

from manyfest.stores.registry.auth.secret import NO_SECRET, Secret

VARIABLE = "env:"
"""What stands before the name of a variable that holds the URL."""

_HOST = re.compile(r"[a-z0-9:][a-z0-9.:-]{0,252}")

_WITH_HOST = frozenset(
    scheme + secure
    for scheme in ("apprise", "form", "gotify", "json", "matrix", "mmost", "mqtt", "rocket", "xml")
    for secure in ("", "s")
)
"""Services whose URL begins with a host of their users' own. In others that may be a token."""


class Address(Struct, frozen=True, kw_only=True):
    """``url`` is empty if its variable is not set; ``label`` shows no secret."""

    url: Secret
    label: str


def address(text: str, environ: Mapping[str, str]) -> Address:
    """What a configuration names: a URL, or ``env:NAME`` for a variable that holds one."""
    if not text.startswith(VARIABLE):
        return Address(url=Secret(text), label=shown(text))
    held = environ.get(text.removeprefix(VARIABLE), "").strip()
    return Address(url=Secret(held) if held else NO_SECRET, label=text)


def shown(url: str) -> str:
    """What may be shown of a URL: the service, and the host if it is sure to be one."""
    scheme = url.partition("://")[0].lower()
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        host = ""
    known = scheme in _WITH_HOST and _HOST.fullmatch(host)
    return f"{scheme}://{host}" if known else f"{scheme}://…"
