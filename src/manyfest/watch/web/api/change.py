"""What a token that may write can change: the same as on the page of those who are signed in."""

from __future__ import annotations

from typing import Annotated, Any, cast

from msgspec import Meta, Struct

from manyfest.oci.reference import is_tag
from manyfest.watch.access.accounts import Bearer
from manyfest.watch.config.schema import schema
from manyfest.watch.history.read import api, incidents, versions
from manyfest.watch.history.read.incidents import Known
from manyfest.watch.service_api import Service
from manyfest.watch.web.api import made
from manyfest.watch.web.api.moments import moment
from manyfest.watch.web.api.operations import Answer, Call, Operation
from manyfest.watch.web.api.read import THERE, newest
from manyfest.watch.web.api.replies import Fault, Reply, document
from manyfest.watch.web.api.values import Asked, Image, Notices, Troubles, Waits, Wrong

NewImage = dict[str, Any]
"""What ``watch.yaml`` has under ``images``; it is checked where that file is."""


_MOST_LOOKED_AT = 20
"""Tags that are looked at at once; others are when it is their turn."""


class LookQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is looked at."""

    tag: Annotated[
        str, Meta(description="This tag; if it is empty, the list of tags and the newest of them.")
    ] = ""


def look(service: Service, name: str, tag: str) -> int:
    """Have a tag of an image looked at soon, in all its places; without one, what tags there are
    and the newest of them. Gives how many places those are. Raises :class:`Fault` 400 for what is
    no tag."""
    if tag and not is_tag(tag):
        raise Fault(400, f"{tag[:128]!r} is not a tag")
    places = [
        place for image in service.images() if image.name == name for place in image.rule.places
    ]
    for each in [tag] if tag else ["", *_newest(service, name)]:
        for place in places[:1]:  # it is looked at in all others then
            service.hint(place.repository, each)
    return len(places)


def _newest(service: Service, name: str) -> list[str]:
    with service.history.reading() as connection:
        found = api.versions(connection, name, _MOST_LOOKED_AT, standing=THERE)
    return [each.state.tag for each in found]


def acknowledged(service: Service, number: str, by: str) -> Known:
    """Note that ``by`` took note of an incident; who did so first stays. Raises :class:`Fault`
    404."""
    known = number.isdecimal() and number.isascii() and len(number) < 19
    if known and service.history.acknowledge(int(number), by, service.clock()):
        with service.history.reading() as connection:
            found = incidents.one(connection, int(number))
        if found is not None:
            return found
    raise Fault(404, "there is no such incident")


def _new_image() -> tuple[str, dict[str, Any]]:
    return "ImageKey", schema()["$defs"]


def _add(call: Call) -> Reply:
    image = call.service.add(cast("dict[str, object]", call.body))
    return document(made.image(image, {}, None), 201)


def _remove(call: Call) -> Reply:
    call.service.remove(call.path["image"])
    return Reply(body=b"", status=204)


def _pause(call: Call) -> Reply:
    call.service.pause(call.image().name)
    return _as_it_is(call)


def _resume(call: Call) -> Reply:
    call.service.resume(call.image().name)
    return _as_it_is(call)


def _as_it_is(call: Call) -> Reply:
    image = call.image()
    with call.service.history.reading() as connection:
        counts = versions.counts_of(connection, image.name)
        return document(made.image(image, counts, newest(connection, image.name)))


def _look(call: Call) -> Reply:
    places = look(call.service, call.image().name, cast("LookQuery", call.query).tag)
    return document(Asked(places=places), 202)


def _acknowledge(call: Call) -> Reply:
    by = cast("Bearer", call.bearer).user  # its scope says so
    return document(made.wrong(acknowledged(call.service, call.path["number"], by)))


def _notices(call: Call) -> Reply:
    with call.service.history.reading() as connection:
        found = api.waiting(connection)
    return document(
        Notices(
            recipients=tuple(
                Waits(
                    recipient=each.recipient,
                    notices=each.notices,
                    failing=each.failing,
                    given_up=each.given_up,
                    fault=each.fault,
                    oldest=moment(each.oldest),
                )
                for each in found
            )
        )
    )


def _troubles(call: Call) -> Reply:
    return document(Troubles(troubles=call.service.troubles()))


OPERATIONS = (
    Operation(
        name="notices",
        path="/api/v1/notices",
        summary="What is not told yet, and what keeps it from being told",
        run=_notices,
        answers=(Answer(what="What waits, by recipient.", shape=Notices),),
        scope="signed",
    ),
    Operation(
        name="troubles",
        path="/api/v1/troubles",
        summary="What is wrong with the watch itself",
        run=_troubles,
        answers=(Answer(what="A line each.", shape=Troubles),),
        scope="signed",
    ),
    Operation(
        name="addImage",
        method="POST",
        path="/api/v1/images",
        summary="Watch an image too",
        run=_add,
        answers=(Answer(what="It is watched.", shape=Image, status=201),),
        scope="write",
        body=NewImage,
        body_schema=_new_image,
        tag="change",
    ),
    Operation(
        name="removeImage",
        method="DELETE",
        path="/api/v1/images/{image}",
        summary="No longer watch an image that was added here; its history stays",
        run=_remove,
        answers=(Answer(what="It is not watched any more.", status=204),),
        scope="write",
        faults=(422,),
        tag="change",
    ),
    Operation(
        name="pauseImage",
        method="POST",
        path="/api/v1/images/{image}/pause",
        summary="Ask nothing about an image until it is resumed",
        run=_pause,
        answers=(Answer(what="It is paused.", shape=Image),),
        scope="write",
        tag="change",
    ),
    Operation(
        name="resumeImage",
        method="POST",
        path="/api/v1/images/{image}/resume",
        summary="Look at a paused image again",
        run=_resume,
        answers=(Answer(what="It is looked at.", shape=Image),),
        scope="write",
        tag="change",
    ),
    Operation(
        name="lookAtImage",
        method="POST",
        path="/api/v1/images/{image}/look",
        summary="Look at an image, or at one tag of it, soon",
        run=_look,
        answers=(Answer(what="It will be, in so many places.", shape=Asked, status=202),),
        scope="write",
        query=LookQuery,
        tag="change",
    ),
    Operation(
        name="acknowledgeIncident",
        method="POST",
        path="/api/v1/incidents/{number}/acknowledge",
        summary="Say that somebody took note of an incident",
        run=_acknowledge,
        answers=(Answer(what="It is noted.", shape=Wrong),),
        scope="write",
        tag="change",
    ),
)
