"""Lists that a registry gives page by page."""

from __future__ import annotations

import json
import re

from manyfest.stores.registry.http import Response

_NEXT = re.compile(r'<([^<>]*)>\s*;(?:[^,]*;)?\s*rel="?next"?', re.IGNORECASE)


def next_page(response: Response) -> str:
    """The address in ``Link: <…>; rel="next"`` (RFC 8288), or the empty string at the end."""
    for value in response.headers.get_all("Link"):
        if match := _NEXT.search(value):
            return match.group(1)
    return ""


def tags_in(raw: bytes) -> list[str] | None:
    """The tags in one page; ``None`` if it does not have the specified form.

    A repository without tags has ``null`` for its list in some registries.
    """
    try:
        tags = json.loads(raw)["tags"] or []
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        return None
    return tags
