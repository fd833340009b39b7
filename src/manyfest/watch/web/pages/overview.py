"""The first page: is everything complete everywhere, and if not, what is not."""

from __future__ import annotations

from msgspec import Struct

from manyfest.amounts import counted
from manyfest.watch import addresses
from manyfest.watch.config.values import WatchedImage
from manyfest.watch.history.read import incidents, registries, versions
from manyfest.watch.web.pages.cards import card, counts_in_words
from manyfest.watch.web.pages.health import health
from manyfest.watch.web.pages.page import Fragment, Level, Page
from manyfest.watch.web.pages.view import View
from manyfest.watch.web.pages.words import registry_of
from manyfest.watch.web.rendering import fragment

IMAGES = 20
"""On one page."""
VERSIONS = 3
"""Of each image; its own page has all."""
_ONGOING = 10
_PAST = 10


class Banner(Struct, frozen=True):
    """The answer in one line, the state in a word or two, and a line about it."""

    level: Level
    state: str
    title: str
    text: str


def overview(view: View) -> Page:
    """The page at ``/``; ``?after=NAME`` shows the images that come after that one."""
    counts = _watched(versions.counts(view.connection), view.images)
    ongoing = incidents.ongoing_counts(view.connection)
    shown = banner(counts, ongoing.get("unreachable", 0), view.images)
    healths = [
        health(registries.standing(view.connection, host, view.now)) for host in _hosts(view.images)
    ]
    return Page(
        title="",
        state=shown.state,
        level=shown.level,
        fragments=(
            fragment("banner", "banner", banner=shown, troubles=_troubles(view)),
            _ongoing(view, sum(ongoing.values())),
            *_images(view, counts),
            fragment("registries", "registries", healths=healths),
            fragment("past", "past", known=incidents.past(view.connection, _PAST)),
        ),
        live=not view.query,
    )


def _troubles(view: View) -> tuple[str, ...]:
    """What is wrong with the watch itself. That may name files, databases and people, so everybody
    is told no more than that there is something."""
    troubles = view.service.troubles()
    if troubles and view.service.config.public:
        return ("something is wrong with it, and the administration says what",)
    return troubles


def banner(
    counts: dict[str, dict[str, int]], unreachable: int, images: tuple[WatchedImage, ...]
) -> Banner:
    """What all versions are together, given how many of each standing each image has."""
    total: dict[str, int] = {}
    for standings in counts.values():
        for name, amount in standings.items():
            total[name] = total.get(name, 0) + amount
    text = _watched_in_words(total, images)
    late, differ, incomplete = (total.get(each, 0) for each in ("late", "differ", "incomplete"))
    if not images:
        return Banner("unknown", "Nothing watched", "Nothing is watched yet", text)
    if not sum(total.values()):
        return Banner("unknown", "Nothing seen", "Nothing has been seen yet", text)
    if late or differ:
        wrong = [f"{counted(late, 'version')} late"] if late else []
        wrong += [f"{counted(differ, 'version')} not the same everywhere"] if differ else []
        title = f"Partly complete: {' and '.join(wrong)}"
        return Banner("bad", f"{late + differ} not complete", title, text)
    if unreachable:
        title = f"{counted(unreachable, 'registry')} out of reach"
        return Banner("bad", "Out of reach", title, text)
    if incomplete:
        title = f"Partly complete: {counted(incomplete, 'version')} on the way"
        return Banner("busy", f"{incomplete} on the way", title, text)
    return Banner("good", "Complete", "All versions are complete everywhere", text)


def _watched_in_words(total: dict[str, int], images: tuple[WatchedImage, ...]) -> str:
    if not images:
        return "Images to watch are named in watch.yaml."
    amount = sum(count for name, count in total.items() if name != "gone")
    seen = f"{counted(amount, 'version')} of {counted(len(images), 'image')}"
    return f"{seen} in {counted(len(_hosts(images)), 'registry')}"


def _watched(
    counts: dict[str, dict[str, int]], images: tuple[WatchedImage, ...]
) -> dict[str, dict[str, int]]:
    names = {each.name for each in images}
    return {name: standings for name, standings in counts.items() if name in names}


def _hosts(images: tuple[WatchedImage, ...]) -> list[str]:
    """Each registry once, those that are not only mirrors first."""
    places = [place for each in images for place in each.rule.places]
    ordered = sorted(places, key=lambda place: place.mirror)
    return list(dict.fromkeys(registry_of(place.repository) for place in ordered))


def _ongoing(view: View, amount: int) -> Fragment:
    known = incidents.ongoing(view.connection, _ONGOING)
    return fragment("ongoing", "ongoing", known=known, more=amount - len(known))


def _images(view: View, counts: dict[str, dict[str, int]]) -> list[Fragment]:
    """The images of this page, by name."""
    after = view.query.get("after", "")
    names = sorted(each.name for each in view.images)
    following = [name for name in names if name > after]
    shown = following[:IMAGES]
    fragments = [fragment("images", "images_head", any=bool(names))]
    fragments += [_image(view, name, counts.get(name, {})) for name in shown]
    more = shown[-1] if len(following) > IMAGES else ""
    fragments.append(
        fragment(
            "images-pages",
            "pager",
            label="Images",
            before="/" if after else "",
            before_word="first images",
            after=addresses.with_query("/", after=more) if more else "",
            after_word="more images",
        )
    )
    return fragments


def _image(view: View, name: str, standings: dict[str, int]) -> Fragment:
    image = view.image(name)
    newest = versions.newest(view.connection, name, VERSIONS)
    return fragment(
        f"image {name}",
        "image_card",
        id=f"image-{name}",
        name=name,
        paused=image is not None and image.paused_at is not None,
        summary=counts_in_words(standings),
        cards=[card(each, image) for each in newest],
    )
