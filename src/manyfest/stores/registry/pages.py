"""Lists that a registry gives page by page (OCI distribution specification, "Listing Tags")."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from urllib.parse import urlencode

from manyfest.errors import RegistryError
from manyfest.stores.registry.http import Origin, Response, join_url

PAGE = 1000
"""Names asked for at a time: ECR and Docker's registry refuse to be asked for more."""

_MAX_PAGES = 10_000
_MAX_PAGE_SIZE = 16 * 1024 * 1024
_MAX_SIZE = 256 * 1024 * 1024
"""Bytes of all pages: two million tags of the longest kind."""

_LINK = r"<([^<>]*)>([^<]*)"
_IS_NEXT = r';\s*rel="?next\b'


class Pages:
    """Where a list goes on, within bounds: at the same host, each page once, not for ever.

    ``what`` names the list in errors, ``where`` says whose it is.
    """

    def __init__(self, url: str, *, what: str, where: str, most: int = _MAX_PAGES) -> None:
        self.url = url
        self._first = url
        self._what = what
        self._where = where
        self._most = most
        self._seen = {url}

    @property
    def goes_on(self) -> bool:
        """Whether there is a page at :attr:`url` that has not been read."""
        return bool(self.url)

    def turn(self, following: str) -> None:
        """Go on at ``following``, relative to this page; the empty string is the end.

        Raises :class:`RegistryError` if it breaks the bounds.
        """
        if not following:
            self.url = ""
            return
        try:
            url = join_url(self.url, following)
            stays = Origin.of(url) == Origin.of(self._first)
        except RegistryError as error:
            raise self._error(f"goes on elsewhere, but {error.what}") from None
        if not stays:
            raise self._error("goes on at another host")
        if url in self._seen or len(self._seen) >= self._most:
            raise self._error("does not end")
        self._seen.add(url)
        self.url = url

    def _error(self, what: str) -> RegistryError:
        return RegistryError(f"{self._what} {what}", where=self._where)


def read_names(
    ask: Callable[[str], Response], url: str, key: str, *, what: str, where: str
) -> Iterator[str]:
    """The names under ``key`` in every page of the list at ``url``, read as they are wanted.

    ``ask`` gives the answer for an address and raises if it is none. A registry may cut a page
    off at the number asked for and say nothing of more; so after a full page the names behind its
    last are asked for.
    """
    pages = Pages(f"{url}?{urlencode({'n': PAGE})}", what=what, where=where)
    last = ""
    left = _MAX_SIZE
    while pages.goes_on:
        with ask(pages.url) as response:
            raw = response.read_all(min(_MAX_PAGE_SIZE, left))
        left -= len(raw)
        names = names_in(raw, key)
        if names is None:
            raise RegistryError(f"{what} is not the specified JSON", where=where)
        if names and names[-1] == last:
            return  # what was asked for is not understood: it is the same page again
        yield from names
        last = names[-1] if names else last
        following = next_page(response)
        if not following and len(names) == PAGE:
            following = f"{url}?{urlencode({'n': PAGE, 'last': last})}"
        pages.turn(following)


def next_page(response: Response) -> str:
    """The address in ``Link: <…>; rel="next"`` (RFC 8288), or the empty string at the end."""
    for value in response.headers.get_all("Link"):
        for address, parameters in re.findall(_LINK, value):
            if re.search(_IS_NEXT, parameters, re.IGNORECASE):
                return str(address)
    return ""


def names_in(raw: bytes, key: str) -> list[str] | None:
    """The names in one page; ``None`` if it does not have the specified form.

    A repository without tags has ``null`` for its list in some registries.
    """
    try:
        names = json.loads(raw)[key] or []
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return None
    return names
