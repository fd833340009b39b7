"""The page of an image: all its versions, and how long they took."""

from __future__ import annotations

from collections.abc import Callable

from manyfest.watch import addresses
from manyfest.watch.history.read import versions
from manyfest.watch.history.read.lags import lags_of
from manyfest.watch.history.read.versions import Version
from manyfest.watch.web.pages.cards import card, counts_in_words, level_of
from manyfest.watch.web.pages.page import Fragment, Level, Page
from manyfest.watch.web.pages.version import version_page
from manyfest.watch.web.pages.view import NoSuchPage, View
from manyfest.watch.web.rendering import fragment

VERSIONS = 12
"""On one page."""

_WORDS: dict[Level, str] = {
    "good": "all complete",
    "busy": "on the way",
    "bad": "partly complete",
    "unknown": "nothing seen yet",
}


def image_or_version(view: View) -> Page:
    """The page below ``/images/``. Names have slashes in them: what is an image's name is one, and
    what follows an image's name and a slash is a tag."""
    counts = versions.counts_of(view.connection, view.rest)
    if counts or view.image(view.rest):
        return image_page(view, view.rest, counts)
    for at in _slashes(view.rest):
        name, tag = view.rest[:at], view.rest[at + 1 :]
        found = versions.version(view.connection, name, tag)
        if found is not None:
            return version_page(view, found)
    raise NoSuchPage(f"No image or version is known as “{view.rest}”.")


def image_page(view: View, name: str, counts: dict[str, int]) -> Page:
    """The page of one image; ``?below=TAG`` and ``?above=TAG`` show other versions."""
    level = level_of(counts)
    image = view.image(name)
    return Page(
        title=name,
        state=_WORDS[level].capitalize(),
        level=level,
        fragments=(
            fragment(
                "head",
                "image_head",
                name=name,
                word=_WORDS[level],
                level=level,
                paused=image is not None and image.paused_at is not None,
                summary=counts_in_words(counts),
                rule=image.rule if image else None,
            ),
            _versions(view, name),
            _lags(view, name),
        ),
        image=name,
        live=not view.query,
    )


def _slashes(text: str) -> list[int]:
    """Where they are, the last one first."""
    return [at for at in range(len(text) - 1, 0, -1) if text[at] == "/"]


def _versions(view: View, name: str) -> Fragment:
    found, before, after = _one_page(view, name)
    image = view.image(name)
    address = addresses.image(name)
    first, last = (found[0].state.tag, found[-1].state.tag) if found else ("", "")
    return fragment(
        "versions",
        "image_versions",
        cards=[card(each, image) for each in found],
        label="Versions",
        before=addresses.with_query(address, above=first) if before else "",
        before_word="newer versions",
        after=addresses.with_query(address, below=last) if after else "",
        after_word="older versions",
    )


def _one_page(view: View, name: str) -> tuple[list[Version], bool, bool]:
    """The versions that were asked for, and whether there are any before and after them."""
    connection, query = view.connection, view.query
    edge: Callable[[str], Version | None] = lambda tag: versions.version(connection, name, tag)  # noqa: E731
    if below := edge(query.get("below", "")):
        found = versions.older(connection, name, below.rank, VERSIONS + 1)
        return found[:VERSIONS], True, len(found) > VERSIONS
    if above := edge(query.get("above", "")):
        found = versions.newer(connection, name, above.rank, VERSIONS + 1)
        return found[-VERSIONS:], len(found) > VERSIONS, True
    found = versions.newest(connection, name, VERSIONS + 1)
    return found[:VERSIONS], False, len(found) > VERSIONS


def _lags(view: View, name: str) -> Fragment:
    found = lags_of(view.connection, name)
    longest = max((lag.took.p95 for lag in found), default=0) or 1

    def share(seconds: float) -> float:
        return round(max(seconds / longest * 200, 1), 1)

    return fragment("lags", "image_lags", lags=found, share=share)
