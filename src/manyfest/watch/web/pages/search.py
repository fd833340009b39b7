"""Images, tags and registries by a part of their name."""

from __future__ import annotations

import re

from sqlalchemy import Connection

from manyfest.watch.history.read import registries, versions
from manyfest.watch.history.read.versions import Found
from manyfest.watch.web.pages.page import Page
from manyfest.watch.web.pages.view import View
from manyfest.watch.web.rendering import fragment

_MOST = 50
_LONGEST = 200
_DIGEST = re.compile("sha(256:[0-9a-f]{64}|512:[0-9a-f]{128})")


def search(view: View) -> Page:
    """The page at ``/search``; ``?q=`` is what is searched for. ``gotify/server 2.6`` and
    ``gotify/server:2.6`` find the tags of images that have the first part in their name, and a
    whole digest those that hold it."""
    words = view.query.get("q", "").strip()[:_LONGEST]
    lower = words.lower()
    images = [each.name for each in view.images if lower in each.name.lower()]
    hosts = [each for each in registries.hosts(view.connection) if lower in each.lower()]
    tags = _tags(view.connection, words) if words else []
    return Page(
        title=f"Search: {words}" if words else "Search",
        state="",
        level="unknown",
        fragments=(
            fragment(
                "found",
                "search",
                words=words,
                images=sorted(images)[:_MOST] if words else [],
                registries=hosts if words else [],
                tags=tags[:_MOST],
                more=len(tags) > _MOST,
            ),
        ),
        live=False,
    )


def _tags(connection: Connection, words: str) -> list[Found]:
    digest = words.rpartition("@")[2].lower()
    if _DIGEST.fullmatch(digest):
        return versions.of_digest(connection, digest, _MOST + 1)
    return versions.search(connection, *_parts(words), _MOST + 1)


def _parts(words: str) -> tuple[str, str]:
    """What images and tags have in their names."""
    for between in (" ", ":"):
        image, found, tag = words.rpartition(between)
        if found and image and tag:
            return image.strip(), tag.strip()
    return "", words
