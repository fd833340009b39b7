"""What happened, as an Atom feed (RFC 4287): of all images, or of one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, cast
from urllib.parse import quote, urlencode, urlsplit
from xml.etree.ElementTree import Element, SubElement, register_namespace, tostring

from msgspec import Meta, Struct

from manyfest.watch import addresses
from manyfest.watch.history.read import events
from manyfest.watch.history.read.events import Recorded
from manyfest.watch.values import Event, Kind
from manyfest.watch.web.api.moments import written
from manyfest.watch.web.api.operations import Answer, Call, Operation
from manyfest.watch.web.api.replies import Reply
from manyfest.watch.web.pages.words import sentence
from manyfest.watch.wording import subject, told

ATOM = "application/atom+xml"
_NAMESPACE = "http://www.w3.org/2005/Atom"
_ENTRIES = 50

register_namespace("", _NAMESPACE)


class FeedQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is told."""

    kind: Annotated[
        tuple[Kind, ...],
        Meta(
            description="Only events of this kind; may be given repeatedly. All but each platform's"
            " step, if none."
        ),
    ] = ()


_USUAL: tuple[Kind, ...] = (
    "appeared", "complete", "soaked", "late", "incomplete", "moved", "vanished", "differ", "agree",
    "unreachable", "recovered",
)  # fmt: skip


def _of_all(call: Call) -> Reply:
    return _feed(call, "")


def _of_image(call: Call) -> Reply:
    return _feed(call, call.image().name)


def _feed(call: Call, image: str) -> Reply:
    query = cast("FeedQuery", call.query)
    about = events.About(image=image, kinds=query.kind or _USUAL)
    with call.service.history.reading() as connection:
        found = events.happened(connection, about, _ENTRIES)
    path = f"/feed/{quote(image)}.atom" if image else "/feed.atom"
    asked = urlencode([("kind", kind) for kind in query.kind])
    title = call.service.config.title
    page = addresses.image(image) if image else "/"
    return Reply(
        body=feed(
            f"{title}: {image}" if image else title,
            f"{call.base}{path}{'?' if asked else ''}{asked}",
            f"{call.base}{page}",
            found,
        ),
        media=ATOM,
        headers={"Cache-Control": "max-age=60"},
    )


def feed(title: str, itself: str, page: str, events: list[Recorded]) -> bytes:
    """The feed at the address ``itself``, of the ``events``, the latest first; ``page`` is where
    people read of them."""
    root = Element(f"{{{_NAMESPACE}}}feed")
    _add(root, "id", itself)
    _add(root, "title", title)
    _add(root, "updated", written(events[0].event.at if events else 0.0))
    SubElement(root, _name("link"), rel="self", type=ATOM, href=itself)
    SubElement(root, _name("link"), rel="alternate", type="text/html", href=page)
    _add(SubElement(root, _name("author")), "name", "manyfest watch")
    parts = urlsplit(itself)
    for each in events:
        _entry(root, f"{parts.scheme}://{parts.netloc}", each)
    return bytes(tostring(root, encoding="utf-8", xml_declaration=True))


def _entry(root: Element, base: str, recorded: Recorded) -> None:
    event = recorded.event
    entry = SubElement(root, _name("entry"))
    _add(entry, "id", _lasting(urlsplit(base).hostname or "localhost", recorded))
    _add(entry, "title", f"{subject(event)} {_brief(told(event))}")
    _add(entry, "updated", written(event.at))
    _add(entry, "published", written(event.at))
    SubElement(entry, _name("link"), rel="alternate", type="text/html", href=base + _page(event))
    SubElement(entry, _name("category"), term=event.kind)
    _add(entry, "content", sentence(event)).set("type", "text")


def _lasting(host: str, recorded: Recorded) -> str:
    """A name for an entry that stays (RFC 4151)."""
    day = datetime.fromtimestamp(recorded.event.at, UTC).date().isoformat()
    return f"tag:{host},{day}:event/{recorded.mark.number}"


def _page(event: Event) -> str:
    if event.tag:
        return addresses.version(event.image, event.tag)
    if event.image:
        return addresses.image(event.image)
    return addresses.registry(event.registry)


def _brief(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:199]}…"


def _add(parent: Element, name: str, text: str) -> Element:
    element = SubElement(parent, _name(name))
    element.text = "".join(each if _is_xml(each) else "\ufffd" for each in text)
    return element


def _is_xml(character: str) -> bool:
    """Whether XML 1.0 has it ("Characters")."""
    code = ord(character)
    return code in {9, 10, 13} or 32 <= code < 0xD800 or 0xE000 <= code < 0xFFFE or code > 0xFFFF


def _name(local: str) -> str:
    return f"{{{_NAMESPACE}}}{local}"


OPERATIONS = (
    Operation(
        name="feed",
        path="/feed.atom",
        summary="What happened, as an Atom feed",
        run=_of_all,
        answers=(Answer(what="The feed.", media=ATOM),),
        query=FeedQuery,
        tag="forms",
    ),
    Operation(
        name="imageFeed",
        path="/feed/{image}.atom",
        summary="What happened to one image, as an Atom feed",
        run=_of_image,
        answers=(Answer(what="The feed.", media=ATOM),),
        query=FeedQuery,
        tag="forms",
    ),
)
