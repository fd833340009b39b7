"""How the registries do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from manyfest.watch.history.read import registries as read
from manyfest.watch.history.read.registries import DayTaken, Standing
from manyfest.watch.service_api import Service
from manyfest.watch.web.api.moments import moment
from manyfest.watch.web.api.operations import Answer, Call, Operation
from manyfest.watch.web.api.replies import Fault, Reply, document
from manyfest.watch.web.api.values import Day, Registries, Registry, RegistryWhole, Spans
from manyfest.watch.web.pages.words import registry_of

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def hosts(service: Service) -> list[str]:
    """The registries that are asked, each once, by name."""
    places = (place for image in service.images() for place in image.rule.places)
    return sorted({registry_of(place.repository) for place in places})


def standings(service: Service) -> list[Standing]:
    """How each of them does. Waits for the history."""
    now = service.clock()
    with service.history.reading() as connection:
        return [read.standing(connection, host, now) for host in hosts(service)]


def _all(call: Call) -> Reply:
    return document(Registries(registries=tuple(map(_registry, standings(call.service)))))


def _one(call: Call) -> Reply:
    host = call.path["registry"]
    if host not in hosts(call.service):
        raise Fault(404, f"no image is watched in a registry {host[:200]!r}")
    with call.service.history.reading() as connection:
        found = read.standing(connection, host, call.service.clock())
    return document(
        RegistryWhole(**msgspec.structs.asdict(_registry(found)), days=tuple(map(_day, found.days)))
    )


def _registry(found: Standing) -> Registry:
    state = found.state
    hours, week, quarter = found.uptimes
    return Registry(
        name=found.host,
        answers=None if state is None else state.down_since is None,
        down_since=moment(state.down_since) if state else None,
        why=state.why if state and state.down_since is not None else "",
        limited_at=moment(state.limited_at) if state else None,
        uptime=Spans(hours_24=_share(hours), days_7=_share(week), days_90=_share(quarter)),
        p50=_rounded(found.p50),
        p95=_rounded(found.p95),
    )


def _share(uptime: float | None) -> float | None:
    """To the thousandth of a percent, so that an answer does not differ from the one before it by
    what nobody sees."""
    return None if uptime is None else int(uptime * 100_000) / 100_000


def _rounded(seconds: float | None) -> float | None:
    """To the tenth of a millisecond."""
    return None if seconds is None else round(seconds, 4)


def _day(taken: DayTaken) -> Day:
    bar = taken.bar
    return Day(
        day=(_EPOCH + timedelta(days=bar.day)).date().isoformat(),
        asked=bar.asked,
        failed=bar.failed,
        down=bar.down,
    )


OPERATIONS = (
    Operation(
        name="registries",
        path="/api/v1/registries",
        summary="The registries that are asked, and how they do",
        run=_all,
        answers=(Answer(what="The registries, by name.", shape=Registries),),
    ),
    Operation(
        name="registry",
        path="/api/v1/registries/{registry}",
        summary="One registry, and its last 90 days",
        run=_one,
        answers=(Answer(what="The registry.", shape=RegistryWhole),),
    ),
)
