"""Metrics for Prometheus, on an address of their own.

A request costs a look into a dictionary: the numbers become metrics when they are asked for. Labels
are the registry's own words and never a client's, so there is an end to them.
"""

from __future__ import annotations

import shutil
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from msgspec import Struct

from manyfest.errors import StoreError, UsageError
from manyfest.listening import is_loopback
from manyfest.serve.access.places import Places
from manyfest.serve.errors import Refusal
from manyfest.serve.observed import Exchange

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from prometheus_client import Metric

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)
"""Seconds; small requests take one millisecond, and large blobs minutes."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
_COUNTED_AGAIN = 60.0
_SHARE = 50
"""What is on disk is counted again after a minute, or this many times what it took last time."""

_Key = tuple[str, str, int]


class _Sums(Struct):
    """Of all requests of one method to one endpoint with one status."""

    buckets: list[int]
    seconds: float = 0.0
    received: int = 0
    sent: int = 0


class Gauges(Struct, frozen=True, kw_only=True):
    """Where present numbers come from. ``root`` is the registry's folder, if it has one."""

    uploads: Callable[[], int]
    unfinished: Callable[[], int] | None = None
    used: Callable[[], int] | None = None
    root: Path | None = None


class Metrics:
    """What is counted."""

    def __init__(self) -> None:
        self._sums: dict[_Key, _Sums] = {}
        self._gauges: Gauges | None = None
        self._used = 0
        self._counted_at = float("-inf")
        self._counting_took = 0.0
        self._lock = Lock()

    def observe(self, exchange: Exchange) -> None:
        """Count a request."""
        method = exchange.request.method
        key = (
            method if method in _METHODS else "other",
            exchange.endpoint,
            exchange.response.status,
        )
        sums = self._sums.get(key)
        if sums is None:
            sums = self._sums[key] = _Sums([0] * (len(BUCKETS) + 1))
        sums.buckets[bisect_left(BUCKETS, exchange.seconds)] += 1
        sums.seconds += exchange.seconds
        sums.received += exchange.request.received
        sums.sent += exchange.sent

    def watch(self, gauges: Gauges) -> None:
        """Have numbers of the present too."""
        self._gauges = gauges

    def collect(self) -> Iterator[Metric]:
        """For the client library: all metrics, as they are now."""
        yield from self._of_requests()
        if self._gauges is not None:
            yield from self._of_now(self._gauges)

    def _of_requests(self) -> Iterator[Metric]:
        from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

        labels = ("method", "endpoint", "status")
        requests = CounterMetricFamily(
            "manyfest_registry_requests", "Requests that were answered.", labels=labels
        )
        seconds = HistogramMetricFamily(
            "manyfest_registry_request_seconds",
            "From a request's head to the end of its answer.",
            labels=("method", "endpoint"),
        )
        received = CounterMetricFamily(
            "manyfest_registry_received_bytes", "Bytes of requests' bodies.", labels=("endpoint",)
        )
        sent = CounterMetricFamily(
            "manyfest_registry_sent_bytes", "Bytes of answers' bodies.", labels=("endpoint",)
        )
        by_method: dict[tuple[str, str], _Sums] = {}
        for (method, endpoint, status), sums in sorted(self._sums.copy().items()):
            requests.add_metric((method, endpoint, str(status)), sum(sums.buckets))
            merged = by_method.setdefault((method, endpoint), _Sums([0] * (len(BUCKETS) + 1)))
            _add(merged, sums)
        by_endpoint: dict[str, _Sums] = {}
        for (method, endpoint), sums in by_method.items():
            seconds.add_metric((method, endpoint), _cumulated(sums.buckets), sums.seconds)
            _add(by_endpoint.setdefault(endpoint, _Sums([0] * (len(BUCKETS) + 1))), sums)
        for endpoint, sums in by_endpoint.items():
            received.add_metric((endpoint,), sums.received)
            sent.add_metric((endpoint,), sums.sent)
        yield from (requests, seconds, received, sent)

    def _of_now(self, gauges: Gauges) -> Iterator[Metric]:
        from prometheus_client.core import GaugeMetricFamily

        yield GaugeMetricFamily(
            "manyfest_registry_uploads_in_progress",
            "Requests that are sending blobs now.",
            gauges.uploads(),
        )
        if gauges.unfinished is not None:
            yield GaugeMetricFamily(
                "manyfest_registry_unfinished_uploads",
                "Uploads that were begun and wait to be gone on with.",
                gauges.unfinished(),
            )
        if gauges.used is not None:
            yield GaugeMetricFamily(
                "manyfest_registry_storage_bytes",
                "Bytes of everything that is stored, each blob once.",
                self._storage(gauges.used),
            )
        if gauges.root is not None:
            yield GaugeMetricFamily(
                "manyfest_registry_disk_free_bytes",
                "Bytes that are free on the disk.",
                shutil.disk_usage(gauges.root).free,
            )

    def _storage(self, count: Callable[[], int]) -> int:
        """Bytes that are stored, or were a while ago: to count them means to look at every file."""
        with self._lock:
            now = time.monotonic()
            if now - self._counted_at > max(_COUNTED_AGAIN, _SHARE * self._counting_took):
                self._used = count()
                self._counted_at = time.monotonic()
                self._counting_took = self._counted_at - now
            return self._used


class MetricsServer:
    """Answers Prometheus, from a thread of its own; on an address that only this machine reaches,
    by the names alone that ``places`` knows."""

    def __init__(self, metrics: Metrics, host: str, port: int, places: Places) -> None:
        self._metrics = metrics
        self._host = host
        self._port = port
        self._places = places
        self._stop: Callable[[], None] = lambda: None

    def start(self) -> int:
        """Begin; gives the port. Raises :class:`~manyfest.errors.StoreError` if the address cannot
        be had, and :class:`~manyfest.errors.UsageError` if the client library is missing."""
        try:
            from prometheus_client import CollectorRegistry, make_wsgi_app, start_http_server
        except ImportError:
            raise UsageError(
                "metrics need prometheus-client, which is not installed",
                mend="pip install 'manyfest[serve]'",
            ) from None
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self._metrics)
        try:
            server, thread = start_http_server(self._port, self._host, registry)
        except OSError as error:
            raise StoreError(
                f"the metrics cannot be at {self._host}:{self._port}: {error.strerror}",
                mend="choose another address with --metrics",
            ) from None
        if is_loopback(str(server.server_address[0])):
            server.set_app(checking_host(make_wsgi_app(registry), self._places))

        def stop() -> None:
            server.shutdown()
            server.server_close()
            thread.join()

        self._stop = stop
        return int(server.server_port)

    def stop(self) -> None:
        """End."""
        self._stop()
        self._stop = lambda: None


def checking_host(app: WSGIApplication, places: Places) -> WSGIApplication:
    """``app``, for requests that :meth:`~manyfest.serve.access.places.Places.check_host` lets
    through."""

    def checked(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        try:
            places.check_host(environ.get("HTTP_HOST", ""))
        except Refusal as refusal:
            start("421 Misdirected Request", [("Content-Type", "application/json")])
            return [refusal.body()]
        return app(environ, start)

    return checked


def _add(total: _Sums, sums: _Sums) -> None:
    total.buckets = [one + other for one, other in zip(total.buckets, sums.buckets, strict=True)]
    total.seconds += sums.seconds
    total.received += sums.received
    total.sent += sums.sent


def _cumulated(buckets: list[int]) -> list[tuple[str, float]]:
    """Prometheus wants of each limit how many took no longer."""
    found, total = [], 0
    for limit, count in zip((*map(str, BUCKETS), "+Inf"), buckets, strict=True):
        total += count
        found.append((limit, float(total)))
    return found
