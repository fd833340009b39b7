"""The whole watch in the form that other status pages have at this address, so that programs that
read those read this one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal

from msgspec import Struct

from manyfest.watch import addresses
from manyfest.watch.config.values import WatchedImage
from manyfest.watch.history.read import api, events, incidents, versions
from manyfest.watch.history.read.events import Recorded
from manyfest.watch.history.read.incidents import Known
from manyfest.watch.history.read.registries import Standing as RegistryStanding
from manyfest.watch.values import Incident
from manyfest.watch.web.api import registries
from manyfest.watch.web.api.moments import moment
from manyfest.watch.web.api.operations import Answer, Call, Operation
from manyfest.watch.web.api.replies import Reply, document
from manyfest.watch.web.pages.words import incident_title

Status = Literal["operational", "degraded_performance", "partial_outage", "major_outage"]
Impact = Literal["none", "minor", "major", "critical"]

_MOST_INCIDENTS = 50
_PAGE_ID = "manyfest"
_IMAGES, _REGISTRIES = "images", "registries"

_OF_STANDING: dict[str, Status] = {
    "complete": "operational",
    "incomplete": "degraded_performance",
    "late": "partial_outage",
    "differ": "partial_outage",
}
_WORSE: tuple[Status, ...] = (
    "operational", "degraded_performance", "partial_outage", "major_outage",
)  # fmt: skip
_INDICATOR: dict[Status, tuple[Impact, str]] = {
    "operational": ("none", "All Systems Operational"),
    "degraded_performance": ("minor", "Partially Degraded Service"),
    "partial_outage": ("major", "Partial System Outage"),
    "major_outage": ("critical", "Major Service Outage"),
}
"""The words that readers of such pages know."""


class PageInShort(Struct, frozen=True, kw_only=True):
    """The page."""

    id: str
    name: str
    url: str
    time_zone: str
    updated_at: datetime


class Component(Struct, frozen=True, kw_only=True):
    """An image, by its newest version, or a registry; or a group of either."""

    id: str
    name: str
    status: Status
    created_at: datetime
    updated_at: datetime
    position: int
    description: str | None = None
    group: bool = False
    group_id: str | None = None
    components: tuple[str, ...] = ()
    page_id: str = _PAGE_ID
    showcase: bool = True
    start_date: str | None = None
    only_show_if_degraded: bool = False


class Update(Struct, frozen=True, kw_only=True):
    """What was said of an incident."""

    id: str
    status: Literal["investigating", "identified"]
    body: str
    incident_id: str
    created_at: datetime
    updated_at: datetime
    display_at: datetime


class OpenIncident(Struct, frozen=True, kw_only=True):
    """An incident that lasts. It is ``identified`` once somebody took note of it."""

    id: str
    name: str
    status: Literal["investigating", "identified"]
    impact: Impact
    created_at: datetime
    updated_at: datetime
    started_at: datetime
    monitoring_at: datetime | None
    resolved_at: datetime | None
    shortlink: str
    page_id: str
    incident_updates: tuple[Update, ...]
    components: tuple[Component, ...]


class Overall(Struct, frozen=True, kw_only=True):
    """The worst of all."""

    indicator: Impact
    description: str


class Summary(Struct, frozen=True, kw_only=True):
    """All of it. No maintenance is planned here."""

    page: PageInShort
    components: tuple[Component, ...]
    incidents: tuple[OpenIncident, ...]
    scheduled_maintenances: tuple[str, ...]
    status: Overall


def _summary(call: Call) -> Reply:
    service = call.service
    with service.history.reading() as connection:
        ongoing = incidents.wrong(connection, _MOST_INCIDENTS, is_open=True)
        newest_of = api.newest(connection)
        latest = events.happened(connection, events.About(), 1)
    updated = _latest(latest, ongoing, newest_of.values())
    images = _images(service.images(), newest_of, updated)
    hosts = _hosts(registries.standings(service), updated)
    components = (*_grouped(_IMAGES, "Images", images), *_grouped(_REGISTRIES, "Registries", hosts))
    indicator, description = _INDICATOR[_worst(components)]
    return document(
        Summary(
            page=PageInShort(
                id=_PAGE_ID,
                name=service.config.title,
                url=call.base,
                time_zone="Etc/UTC",
                updated_at=moment(updated),
            ),
            components=components,
            incidents=tuple(_incident(each, call.base, components) for each in ongoing),
            scheduled_maintenances=(),
            status=Overall(indicator=indicator, description=description),
        )
    )


def _latest(
    events: Sequence[Recorded],
    ongoing: Sequence[Known],
    newest_of: Iterable[versions.Version],
) -> float:
    """When anything of this last changed: not when it was asked for, which would make every answer
    another one."""
    times = [each.event.at for each in events]
    times += [each.state.began for each in newest_of]
    times += [each.incident.acknowledged_at or each.incident.began for each in ongoing]
    return max(times, default=0.0)


def _images(
    watched: Iterable[WatchedImage], found: dict[str, versions.Version], updated: float
) -> list[Component]:
    made = []
    for position, image in enumerate(watched, 1):
        version = found.get(image.name)
        status = _OF_STANDING.get(version.standing, "operational") if version else "operational"
        began = version.state.began if version else updated
        words = f"{version.state.tag}: {version.standing}" if version else "no version was seen yet"
        words = f"paused; {words}" if image.paused_at is not None else words
        made.append(_component(f"image/{image.name}", image.name, status, position, words, began))
    return made


def _hosts(found: Iterable[RegistryStanding], updated: float) -> list[Component]:
    made = []
    for position, each in enumerate(found, 1):
        down = each.state is not None and each.state.down_since is not None
        words = each.state.why if each.state and down else None
        status: Status = "major_outage" if down else "operational"
        made.append(
            _component(f"registry/{each.host}", each.host, status, position, words, updated)
        )
    return made


def _grouped(group: str, name: str, members: Sequence[Component]) -> Iterable[Component]:
    """The members of a group, after a component that stands for all of them."""
    if not members:
        return
    yield Component(
        id=group,
        name=name,
        status=_worst(members),
        created_at=min(each.created_at for each in members),
        updated_at=max(each.updated_at for each in members),
        position=1 if group == _IMAGES else 2,
        group=True,
        components=tuple(each.id for each in members),
    )
    yield from members


def _component(
    identity: str, name: str, status: Status, position: int, words: str | None, at: float
) -> Component:
    return Component(
        id=identity,
        name=name,
        status=status,
        created_at=moment(at),
        updated_at=moment(at),
        position=position,
        description=words,
        group_id=_IMAGES if identity.startswith("image/") else _REGISTRIES,
    )


def _worst(components: Iterable[Component]) -> Status:
    return max((each.status for each in components), key=_WORSE.index, default="operational")


def _incident(known: Known, base: str, components: Sequence[Component]) -> OpenIncident:
    incident = known.incident
    noted = incident.acknowledged_at is not None
    status: Literal["investigating", "identified"] = "identified" if noted else "investigating"
    began, updated = moment(incident.began), moment(incident.acknowledged_at or incident.began)
    about = {f"image/{incident.image}", f"registry/{incident.registry}"}
    update = Update(
        id=f"{known.number}-1",
        status=status,
        body=incident.cause or incident_title(incident),
        incident_id=str(known.number),
        created_at=began,
        updated_at=updated,
        display_at=began,
    )
    return OpenIncident(
        id=str(known.number),
        name=incident_title(incident),
        status=status,
        impact="critical" if incident.kind == "unreachable" else "major",
        created_at=began,
        updated_at=updated,
        started_at=began,
        monitoring_at=None,
        resolved_at=None,
        shortlink=base + _page(incident),
        page_id=_PAGE_ID,
        incident_updates=(update,),
        components=tuple(each for each in components if each.id in about),
    )


def _page(incident: Incident) -> str:
    if incident.tag:
        return addresses.version(incident.image, incident.tag)
    return addresses.registry(incident.registry) if incident.registry else "/"


OPERATIONS = (
    Operation(
        name="summary",
        path="/api/v2/summary.json",
        summary="The whole watch, in the form of other status pages",
        run=_summary,
        answers=(Answer(what="The summary.", shape=Summary),),
        tag="forms",
    ),
)
