"""Where each page is, for the pages and for messages that lead to one. A name is written so that it
stays within its part of the address."""

from __future__ import annotations

from urllib.parse import quote, urlencode


def image(name: str) -> str:
    """The page of an image; the slashes in its name stay."""
    return f"/images/{quote(name, safe='/')}"


def version(name: str, tag: str) -> str:
    """The page of a tag."""
    return f"{image(name)}/{quote(tag, safe='')}"


def registry(host: str) -> str:
    """The page of a registry; ports keep their colon."""
    return f"/registries/{quote(host, safe=':')}"


def with_query(path: str, **values: str) -> str:
    """``path`` with those values that are not empty."""
    query = urlencode({key: value for key, value in values.items() if value})
    return f"{path}?{query}" if query else path
