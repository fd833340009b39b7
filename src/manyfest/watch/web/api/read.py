"""What may be read: images, versions, events, incidents, registries, and the gate."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, cast

from msgspec import Meta, Struct
from sqlalchemy import Connection

from manyfest.watch.history.rank import Standing
from manyfest.watch.history.read import api, events, incidents, versions
from manyfest.watch.history.read.events import Mark
from manyfest.watch.history.read.facts import facts_of
from manyfest.watch.history.read.incidents import Known
from manyfest.watch.history.read.versions import Version
from manyfest.watch.values import Kind
from manyfest.watch.web.api import cursors, made
from manyfest.watch.web.api.gate import RETRY_SECONDS, judged
from manyfest.watch.web.api.gate import Asked as AskedOfGate
from manyfest.watch.web.api.operations import Answer, Call, Operation, watched
from manyfest.watch.web.api.replies import Fault, Reply, document
from manyfest.watch.web.api.values import (
    Events,
    Gate,
    Image,
    Images,
    Incidents,
    Versions,
    VersionWhole,
)

THERE: tuple[Standing, ...] = ("complete", "incomplete", "late", "differ")
"""How a version may stand that is not gone."""

_ImageName = Annotated[str, Meta(description="The name of an image that is watched.")]
_Limit = Annotated[int, Meta(ge=1, le=500, description="How many there are on a page.")]
_After = Annotated[
    str, Meta(description="What the last page gave as next; empty for the first page.")
]


class PageOfVersions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which versions."""

    standing: Annotated[
        tuple[Standing, ...], Meta(description="Only those that stand so; may be given repeatedly.")
    ] = ()
    limit: _Limit = 50
    after: _After = ""


class PageOfEvents(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which events."""

    image: Annotated[str, Meta(description="Only those of this image.")] = ""
    tag: Annotated[str, Meta(description="Only those of this tag of the image.")] = ""
    place: Annotated[str, Meta(description="Only those of the image in this repository.")] = ""
    registry: Annotated[str, Meta(description="Only those of this registry.")] = ""
    platform: Annotated[str, Meta(description="Only those of this platform of the image.")] = ""
    kind: Annotated[
        tuple[Kind, ...], Meta(description="Only those of this kind; may be given repeatedly.")
    ] = ()
    since: (
        Annotated[datetime, Meta(description="Only those of this time and later ones.", tz=True)]
        | None
    ) = None
    until: Annotated[datetime, Meta(description="Only those before this time.", tz=True)] | None = (
        None
    )
    limit: _Limit = 50
    after: _After = ""


class PageOfIncidents(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which incidents."""

    open: (
        Annotated[bool, Meta(description="Only those that last, or only those that have ended.")]
        | None
    ) = None
    image: Annotated[str, Meta(description="Only those of this image.")] = ""
    registry: Annotated[str, Meta(description="Only those of this registry.")] = ""
    limit: _Limit = 50
    after: _After = ""


class GateQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What has to be ready."""

    image: _ImageName
    tag: Annotated[str, Meta(description="The tag.", min_length=1, max_length=128)]
    platform: Annotated[
        tuple[str, ...],
        Meta(description="A platform that has to be ready; may be given repeatedly. All, if none."),
    ] = ()
    place: Annotated[
        tuple[str, ...],
        Meta(
            description="A repository in which it has to be ready; may be given repeatedly. All"
            " that are no mirrors, if none."
        ),
    ] = ()
    soaked: Annotated[
        bool, Meta(description="Whether it has to have been ready for the soak time.")
    ] = False
    fail: Annotated[
        bool, Meta(description="Whether to answer 412 while it is not ready: curl -f fails then.")
    ] = False


def newest(connection: Connection, image: str) -> Version | None:
    """The highest version of an image that is there."""
    return next(iter(api.versions(connection, image, 1, standing=THERE)), None)


def _images(call: Call) -> Reply:
    with call.service.history.reading() as connection:
        counts = versions.counts(connection)
        newest_of = api.newest(connection)
    found = [
        made.image(each, counts.get(each.name, {}), newest_of.get(each.name))
        for each in call.service.images()
    ]
    return document(Images(images=tuple(found)))


def _image(call: Call) -> Reply:
    image = call.image()
    with call.service.history.reading() as connection:
        counts = versions.counts_of(connection, image.name)
        return document(made.image(image, counts, newest(connection, image.name)))


def _versions(call: Call) -> Reply:
    image, query = call.image(), cast("PageOfVersions", call.query)
    below = cursors.rank(query.after)
    with call.service.history.reading() as connection:
        found = api.versions(
            connection, image.name, query.limit + 1, standing=query.standing, below=below
        )
    shown = found[: query.limit]
    more = cursors.of_rank(shown[-1].rank) if len(found) > len(shown) else ""
    return document(Versions(versions=tuple(map(made.version_in_short, shown)), next=more))


def _version(call: Call) -> Reply:
    image, tag = call.image(), call.path["tag"]
    with call.service.history.reading() as connection:
        found = versions.version(connection, image.name, tag)
        facts = facts_of(connection, found.state) if found else {}
    if found is None:
        raise Fault(404, f"no tag {tag[:128]!r} of {image.name} was seen")
    return document(made.version_whole(found, image, facts))


def _events(call: Call) -> Reply:
    query = cast("PageOfEvents", call.query)
    for name in ("tag", "place", "platform"):
        if getattr(query, name) and not query.image:
            raise Fault(400, f"{name} is only asked for together with image")
    about = events.About(
        image=query.image,
        tag=query.tag,
        place=query.place,
        registry=query.registry,
        platform=query.platform,
        kinds=query.kind,
        since=_seconds(query.since),
        until=_seconds(query.until),
    )
    before = cursors.mark(query.after)
    with call.service.history.reading() as connection:
        found = events.happened(connection, about, query.limit + 1, before)
    shown = found[: query.limit]
    more = cursors.of_mark(shown[-1].mark) if len(found) > len(shown) else ""
    return document(Events(events=tuple(map(made.happened, shown)), next=more))


def _seconds(time: datetime | None) -> float | None:
    return None if time is None else time.timestamp()


def _incidents(call: Call) -> Reply:
    query = cast("PageOfIncidents", call.query)
    before = cursors.mark(query.after)
    with call.service.history.reading() as connection:
        found = incidents.wrong(
            connection,
            query.limit + 1,
            is_open=query.open,
            image=query.image,
            registry=query.registry,
            before=before,
        )
    shown = found[: query.limit]
    more = cursors.of_mark(_end(shown[-1])) if len(found) > len(shown) else ""
    return document(Incidents(incidents=tuple(map(made.wrong, shown)), next=more))


def _end(known: Known) -> Mark:
    return Mark(known.incident.began, known.number)


def _gate(call: Call) -> Reply:
    query = cast("GateQuery", call.query)
    image = watched(call.service, query.image)
    if not call.service.is_ready():
        later = {"Retry-After": str(RETRY_SECONDS)}
        raise Fault(503, "could not tell: the watch is not looking at registries", headers=later)
    with call.service.history.reading() as connection:
        found = versions.version(connection, image.name, query.tag)
    asked = AskedOfGate(platforms=query.platform, places=query.place, soaked=query.soaked)
    state = None if found is None else found.state
    answer = judged(
        image,
        query.tag,
        state,
        asked,
        call.service.clock(),
        is_watched=call.service.looks_at(image.name, query.tag),
        unlisted=call.service.unlisted(image.name),
    )
    if answer.ready or not query.fail:
        return document(answer)
    return document(answer, 412, {"Retry-After": str(RETRY_SECONDS), "Cache-Control": "no-store"})


OPERATIONS = (
    Operation(
        name="images",
        path="/api/v1/images",
        summary="All images that are watched",
        run=_images,
        answers=(Answer(what="The images, in the order of the page.", shape=Images),),
    ),
    Operation(
        name="gate",
        path="/api/v1/gate",
        summary="Whether a version is ready, for CI and other tools to go on with",
        run=_gate,
        answers=(
            Answer(what="Whether it is ready.", shape=Gate),
            Answer(what="It is not ready, and fail was given.", shape=Gate, status=412),
        ),
        query=GateQuery,
        faults=(404, 422),
    ),
    Operation(
        name="versions",
        path="/api/v1/images/{image}/versions",
        summary="The versions of an image, the highest first",
        run=_versions,
        answers=(Answer(what="A page of versions.", shape=Versions),),
        query=PageOfVersions,
    ),
    Operation(
        name="version",
        path="/api/v1/images/{image}/versions/{tag}",
        summary="One version: its platforms in each place",
        run=_version,
        answers=(Answer(what="The version.", shape=VersionWhole),),
    ),
    Operation(
        name="image",
        path="/api/v1/images/{image}",
        summary="One image",
        run=_image,
        answers=(Answer(what="The image.", shape=Image),),
    ),
    Operation(
        name="events",
        path="/api/v1/events",
        summary="What happened, the latest first",
        run=_events,
        answers=(Answer(what="A page of events.", shape=Events),),
        query=PageOfEvents,
    ),
    Operation(
        name="incidents",
        path="/api/v1/incidents",
        summary="What was wrong and is, the latest first",
        run=_incidents,
        answers=(Answer(what="A page of incidents.", shape=Incidents),),
        query=PageOfIncidents,
    ),
)
