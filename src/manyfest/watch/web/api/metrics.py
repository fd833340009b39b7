"""What is known now, for Prometheus.

The series are bounded by what is configured: none has a tag, a digest or a reason as a label.
Images beyond a thousand are counted together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache

from msgspec import Struct
from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from manyfest import __version__
from manyfest.watch.config.values import WatchedImage
from manyfest.watch.history.read import api, incidents, versions
from manyfest.watch.history.read.registries import Standing
from manyfest.watch.history.read.versions import Version
from manyfest.watch.web.api import registries
from manyfest.watch.web.api.operations import Answer, Call, Operation
from manyfest.watch.web.api.replies import Reply

_MOST_IMAGES = 1000
_OTHERS = "(others)"
_STANDINGS = ("complete", "incomplete", "late", "differ", "gone")
_KINDS = ("unreachable", "late", "differ")


class Known(Struct, frozen=True, kw_only=True):
    """What there is to tell, at one moment."""

    now: float
    is_ready: bool
    images: tuple[WatchedImage, ...]
    counts: dict[str, dict[str, int]]
    newest: dict[str, Version]
    ongoing: dict[str, int]
    registries: list[Standing]
    waiting: list[api.Waiting]


class _Collected(Collector):
    """A collector of what was read already."""

    def __init__(self, known: Known) -> None:
        self._known = known

    def collect(self) -> Iterable[Metric]:
        """All metrics of the watch."""
        yield from _of_the_watch(self._known)
        yield from _of_images(self._known)
        yield from _of_registries(self._known)
        yield from _of_notices(self._known)


def _metrics(call: Call) -> Reply:
    registry = CollectorRegistry()
    for collector in (_Collected(_known(call)), *_of_process()):
        registry.register(collector)
    encode, media = choose_encoder(call.accept)
    return Reply(body=encode(registry), media=media, headers={"Cache-Control": "no-store"})


def _known(call: Call) -> Known:
    service = call.service
    images = service.images()
    with service.history.reading() as connection:
        counts = versions.counts(connection)
        ongoing = incidents.ongoing_counts(connection)
        waiting = api.waiting(connection)
        newest_of = api.newest(connection)
    return Known(
        now=service.clock(),
        is_ready=service.is_ready(),
        images=images,
        counts=counts,
        newest=newest_of,
        ongoing=ongoing,
        registries=registries.standings(service),
        waiting=waiting,
    )


@cache
def _of_process() -> tuple[Collector, ...]:
    """What the client library tells of the process and of Python."""
    return ProcessCollector(registry=None), PlatformCollector(registry=None)


def _of_the_watch(known: Known) -> Iterator[Metric]:
    yield InfoMetricFamily("manyfest_watch", "The version of manyfest.", {"version": __version__})
    yield GaugeMetricFamily(
        "manyfest_watch_ready",
        "Whether it looks at registries and its history takes what it sees.",
        float(known.is_ready),
    )
    family = GaugeMetricFamily(
        "manyfest_watch_incidents_open", "Incidents that last.", labels=["kind"]
    )
    for kind in sorted({*_KINDS, *known.ongoing}):
        family.add_metric([kind], known.ongoing.get(kind, 0))
    yield family


def _of_images(known: Known) -> Iterator[Metric]:
    paused = GaugeMetricFamily(
        "manyfest_watch_image_paused", "Whether nothing is asked about an image.", labels=["image"]
    )
    amounts = GaugeMetricFamily(
        "manyfest_watch_versions", "Versions of an image by how they stand.",
        labels=["image", "standing"],
    )  # fmt: skip
    seen = GaugeMetricFamily(
        "manyfest_watch_newest_first_seen_timestamp_seconds",
        "When the newest version of an image was first seen.", labels=["image"],
    )  # fmt: skip
    complete = GaugeMetricFamily(
        "manyfest_watch_newest_complete",
        "Whether the newest version of an image is complete in all places.", labels=["image"],
    )  # fmt: skip
    for image in known.images[:_MOST_IMAGES]:
        paused.add_metric([image.name], float(image.paused_at is not None))
        version = known.newest.get(image.name)
        if version is not None:
            complete.add_metric([image.name], float(version.standing == "complete"))
        if version is not None and version.state.first_seen is not None:
            seen.add_metric([image.name], version.state.first_seen)
    for name, counts in _bounded(known).items():
        for standing in _STANDINGS:
            amounts.add_metric([name, standing], counts.get(standing, 0))
    yield from (paused, amounts, seen, complete)


def _bounded(known: Known) -> dict[str, dict[str, int]]:
    """The counts of the images that are told one by one, and of all others together."""
    found = {each.name: known.counts.get(each.name, {}) for each in known.images[:_MOST_IMAGES]}
    others = known.images[_MOST_IMAGES:]
    if others:
        found[_OTHERS] = {
            standing: sum(known.counts.get(each.name, {}).get(standing, 0) for each in others)
            for standing in _STANDINGS
        }
    return found


def _of_registries(known: Known) -> Iterator[Metric]:
    answers = GaugeMetricFamily(
        "manyfest_watch_registry_up", "Whether a registry answers.", labels=["registry"]
    )
    uptime = GaugeMetricFamily(
        "manyfest_watch_registry_uptime_ratio",
        "The part of the time in which a registry answered.", labels=["registry", "window"],
    )  # fmt: skip
    took = GaugeMetricFamily(
        "manyfest_watch_registry_latency_seconds",
        "What so many of its answers of the last 24 hours took at most.",
        labels=["registry", "quantile"],
    )  # fmt: skip
    for each in known.registries:
        if each.state is not None:
            answers.add_metric([each.host], float(each.state.down_since is None))
        for window, share in zip(("24h", "7d", "90d"), each.uptimes, strict=True):
            if share is not None:
                uptime.add_metric([each.host, window], share)
        for quantile, seconds in (("0.5", each.p50), ("0.95", each.p95)):
            if seconds is not None:
                took.add_metric([each.host, quantile], seconds)
    yield from (answers, uptime, took)


def _of_notices(known: Known) -> Iterator[Metric]:
    waiting = GaugeMetricFamily(
        "manyfest_watch_notices_waiting", "Notices that are not told yet.", labels=["recipient"]
    )
    failing = GaugeMetricFamily(
        "manyfest_watch_notices_failing",
        "Notices of those that were tried in vain.", labels=["recipient"],
    )  # fmt: skip
    given_up = GaugeMetricFamily(
        "manyfest_watch_notices_given_up",
        "Notices that nobody will be told any more.", labels=["recipient"],
    )  # fmt: skip
    overdue = GaugeMetricFamily(
        "manyfest_watch_notices_overdue_seconds",
        "For how long the oldest of them has been due.", labels=["recipient"],
    )  # fmt: skip
    for each in known.waiting:
        waiting.add_metric([each.recipient], each.notices)
        failing.add_metric([each.recipient], each.failing)
        given_up.add_metric([each.recipient], each.given_up)
        due = known.now if each.oldest is None else each.oldest
        overdue.add_metric([each.recipient], max(0.0, known.now - due))
    yield from (waiting, failing, given_up, overdue)


OPERATIONS = (
    Operation(
        name="metrics",
        path="/metrics",
        summary="What is known now, for Prometheus",
        run=_metrics,
        answers=(Answer(what="Prometheus' text format, or OpenMetrics.", media="text/plain"),),
        tag="forms",
    ),
)
