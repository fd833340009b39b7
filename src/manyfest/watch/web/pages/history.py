"""All that happened, the latest first."""

from __future__ import annotations

from manyfest.watch import addresses
from manyfest.watch.history.read import events, registries
from manyfest.watch.history.read.events import About, Mark
from manyfest.watch.web.pages.page import Page
from manyfest.watch.web.pages.view import NoSuchPage, View
from manyfest.watch.web.pages.words import KINDS
from manyfest.watch.web.rendering import fragment

EVENTS = 50
"""On one page."""
_MOST_NAMES = 1000


def history(view: View) -> Page:
    """The page at ``/history``. The query names what is asked for: ``image``, ``tag``, ``kind`` and
    ``registry``; ``before`` is where the page before it ended."""
    kind = view.query.get("kind", "")
    if kind and kind not in KINDS:
        raise NoSuchPage("The history knows no such kind of event.")
    wanted = About(
        image=view.query.get("image", "").strip(),
        tag=view.query.get("tag", "").strip(),
        kinds=(kind,) if kind else (),
        registry=view.query.get("registry", ""),
    )
    is_filtered = wanted != About()
    before = _mark(view.query.get("before", ""))
    found = events.happened(view.connection, wanted, EVENTS + 1, before)
    shown = found[:EVENTS]
    return Page(
        title="History",
        state="",
        level="unknown",
        fragments=(
            fragment(
                "filter",
                "history_filter",
                wanted=wanted,
                filtered=is_filtered,
                images=sorted(each.name for each in view.images)[:_MOST_NAMES],
                registries=registries.hosts(view.connection),
            ),
            fragment(
                "events",
                "history_events",
                events=shown,
                filtered=is_filtered or before is not None,
                label="Events",
                before=_address(wanted) if before else "",
                before_word="latest",
                after=_address(wanted, shown[-1].mark) if len(found) > EVENTS else "",
                after_word="earlier",
            ),
        ),
        live=not view.query,
    )


def _address(wanted: About, mark: Mark | None = None) -> str:
    return addresses.with_query(
        "/history",
        image=wanted.image,
        tag=wanted.tag,
        kind="".join(wanted.kinds),
        registry=wanted.registry,
        before=f"{mark.at!r}-{mark.number}" if mark else "",
    )


def _mark(text: str) -> Mark | None:
    """Where a page ended, as :func:`_address` writes it."""
    if not text:
        return None
    at, _, number = text.partition("-")
    try:
        return Mark(float(at), int(number if len(number) < 19 else ""))  # as databases count
    except ValueError:
        raise NoSuchPage("No page of the history begins there.") from None
