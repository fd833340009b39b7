"""Badges for README files: how an image's newest version stands, or one tag of it."""

from __future__ import annotations

from typing import Annotated, cast

from msgspec import Meta, Struct

from manyfest.errors import InvalidPlatform
from manyfest.oci.platform import Platform
from manyfest.watch.config.values import WatchedImage
from manyfest.watch.history.read import versions
from manyfest.watch.history.read.versions import Version
from manyfest.watch.web.api.operations import Answer, Call, Operation
from manyfest.watch.web.api.read import newest
from manyfest.watch.web.api.replies import Fault, Reply
from manyfest.watch.web.api.svg import Colour, badge

SVG = "image/svg+xml"

_HEADERS = {
    "Cache-Control": "max-age=60, stale-while-revalidate=300",
    "Content-Security-Policy": "default-src 'none'",
}

_WORDS: dict[str, tuple[str, Colour]] = {
    "complete": ("complete", "green"),
    "late": ("late", "red"),
    "differ": ("registries differ", "red"),
    "gone": ("gone", "grey"),
}


class BadgeQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the badge is about."""

    platform: Annotated[str, Meta(description="This platform alone, such as linux/arm64.")] = ""


def _badge(call: Call) -> Reply:
    """An unknown image gets a badge too, with the status of what is not there: a README shows
    no broken picture."""
    query, name = cast("BadgeQuery", call.query), call.path["image"]
    platform = _platform(query.platform)
    with call.service.history.reading() as connection:
        image, tag = _meant(call.service.images(), name)
        if image is None:
            return _reply(name, "not watched", "grey", 404)
        found = (
            versions.version(connection, image.name, tag) if tag else newest(connection, image.name)
        )
    if found is None:
        return _reply(f"{image.name} {tag}".strip(), "not seen", "grey", 404 if tag else 200)
    label = f"{image.name} {found.state.tag}"
    if platform:
        return _reply(f"{label} {platform}", *_of_platform(image, found, platform))
    return _reply(label, *_of_version(image, found))


def _meant(images: tuple[WatchedImage, ...], name: str) -> tuple[WatchedImage | None, str]:
    """The image and the tag that a path names: an image's name may have slashes itself."""
    named = {each.name: each for each in images}
    if name in named:
        return named[name], ""
    head, _, tag = name.rpartition("/")
    return named.get(head), tag


def _platform(asked: str) -> str:
    try:
        return asked and str(Platform.parse(asked))
    except InvalidPlatform as error:
        raise Fault(400, f"platform: {error}") from None


def _of_version(image: WatchedImage, version: Version) -> tuple[str, Colour]:
    known = _WORDS.get(version.standing)
    if known is None:
        ready = sum(_is_ready(image, version, each) for each in image.rule.platforms)
        return f"{ready} of {len(image.rule.platforms)} platforms", "amber"
    if version.standing == "complete" and image.rule.soak and version.state.soaked_at is None:
        return "complete, soaking", "blue"
    return known


def _of_platform(image: WatchedImage, version: Version, platform: str) -> tuple[str, Colour]:
    for each in image.rule.platforms:
        if str(Platform.parse(each)) == platform:
            return ("ready", "green") if _is_ready(image, version, each) else ("not ready", "amber")
    return "not watched", "grey"


def _is_ready(image: WatchedImage, version: Version, platform: str) -> bool:
    """Whether a platform is ready in all places that are no mirrors."""
    needed = {each.repository for each in image.rule.places if not each.mirror}
    seen = [each for each in version.state.places if each.place in needed]
    ready = [
        each for each in seen if (there := each.platforms.get(platform)) and there.state == "ready"
    ]
    return len(ready) == len(needed)


def _reply(label: str, message: str, colour: Colour, status: int = 200) -> Reply:
    return Reply(body=badge(label, message, colour), media=SVG, status=status, headers=_HEADERS)


OPERATIONS = (
    Operation(
        name="badge",
        path="/badge/{image}.svg",
        summary="How the newest version of an image stands, or a tag after a slash, as a picture",
        run=_badge,
        answers=(
            Answer(what="The badge.", media=SVG),
            Answer(what="A badge that says that there is no such thing.", media=SVG, status=404),
        ),
        query=BadgeQuery,
        tag="forms",
    ),
)
