"""Who is told by a webhook, as the command line names it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Self

from msgspec import Struct

from manyfest.errors import RegistryError, UsageError
from manyfest.stores.registry.addresses import Place, place_of
from manyfest.stores.registry.auth.secret import NO_SECRET, Secret
from manyfest.stores.registry.headers import is_field
from manyfest.stores.registry.http import Origin

_WITH_VARIABLE = re.compile(r"(?P<url>.+),env:(?P<name>[A-Za-z_][A-Za-z0-9_]*)")
_EXAMPLE = "write https://HOST/PATH, or https://HOST/PATH,env:NAME for a variable with its token"


class Receiver(Struct, frozen=True, kw_only=True):
    """``authorization`` is the value of the field of that name, or empty. ``url`` may have a secret
    in its path or query: of that, only ``name`` is shown, the host."""

    url: Secret
    name: str
    authorization: Secret = NO_SECRET

    @classmethod
    def parse(cls, text: str, environ: Mapping[str, str], plain_http: Collection[str]) -> Self:
        """Read ``URL`` or ``URL,env:NAME``, for a variable that holds a token, or the whole value
        of the ``Authorization`` field. ``plain_http`` names hosts that get tokens over http.

        Raises :class:`~manyfest.errors.UsageError`.
        """
        found = _WITH_VARIABLE.fullmatch(text)
        url, variable = (found["url"], found["name"]) if found else (text, "")
        if "," in url.rpartition("/")[2]:  # or a token that was put there would be in each request
            raise UsageError(
                "what follows the comma of --notify is not env: and a variable's name",
                mend=f"{_EXAMPLE}; a comma of the address is written %2C",
            )
        try:
            origin = Origin.of(url)
        except RegistryError:  # its words would show the URL
            raise UsageError("--notify names no http or https address", mend=_EXAMPLE) from None
        name = str(origin)
        held = environ.get(variable, "").strip() if variable else ""
        if variable and not held:
            raise UsageError(f"{variable} is not set, which holds the token for {name}")
        value = held if " " in held or not held else f"Bearer {held}"
        if not is_field("Authorization", value):
            raise UsageError(f"{variable} holds what no Authorization field can")
        if held and origin.scheme == "http" and not _may_be_plain(origin, plain_http):
            raise UsageError(
                f"the token for {name} would be sent over plain http, where others can read it",
                mend=f"write https://, or add --plain-http {name}",
            )
        return cls(url=Secret(url), name=name, authorization=Secret(value))


def _may_be_plain(origin: Origin, plain_http: Collection[str]) -> bool:
    return place_of(origin.host) is Place.LOOPBACK or str(origin) in plain_http
