from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry

from manyfest.serve.access.places import Places
from manyfest.serve.metrics import Metrics, checking_host
from manyfest.serve.policy import Policy
from tests.unit.serve_client import Client

if TYPE_CHECKING:
    from wsgiref.types import StartResponse


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def client(tmp_path: Path, metrics: Metrics) -> Client:
    client = Client(tmp_path / "root", policy=Policy(metrics=metrics))
    client.registry.prepare()
    return client


def values(metrics: Metrics) -> dict[str, float]:
    """What Prometheus would read, by name and labels."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(metrics)
    return {
        " ".join([sample.name.removeprefix("manyfest_registry_"), *sample.labels.values()]): (
            sample.value
        )
        for family in registry.collect()
        for sample in family.samples
    }


def test_requests_are_counted_by_method_endpoint_and_status(
    client: Client, metrics: Metrics
) -> None:
    client.push_image("app", "v1")
    client.call("GET", "app/manifests/v1")
    client.call("GET", "app/manifests/v1")
    client.call("GET", "app/manifests/none")
    client.call("GET", "/nowhere")
    found = values(metrics)
    assert found["requests_total GET manifest 200"] == 2
    assert found["requests_total GET manifest 404"] == 1
    assert found["requests_total PUT manifest 201"] == 1
    assert found["requests_total POST uploads 202"] == 2
    assert found["requests_total PUT upload 201"] == 2
    assert found["requests_total GET none 404"] == 1
    assert found["request_seconds_count GET manifest"] == 3
    assert found["request_seconds_bucket GET manifest +Inf"] == 3
    assert found["request_seconds_sum GET manifest"] > 0


def test_bytes_are_counted(client: Client, metrics: Metrics) -> None:
    blob = client.push_blob("app", b"0123456789")
    client.call("GET", f"app/blobs/{blob.digest}")
    client.call("GET", f"app/blobs/{blob.digest}", range="bytes=0-3")
    assert values(metrics)["received_bytes_total upload"] == 10
    assert values(metrics)["sent_bytes_total blob"] == 14


def test_what_clients_make_up_is_no_label(client: Client, metrics: Metrics) -> None:
    for number in range(20):
        client.call(f"X{number}", f"name{number}/manifests/tag{number}")
    found = [name for name in values(metrics) if name.startswith("requests_total")]
    assert found == ["requests_total other manifest 405"]


def test_what_is_stored_is_measured(client: Client, metrics: Metrics) -> None:
    client.push_blob("app", b"0123456789")
    client.begin("app")
    found = values(metrics)
    assert found["storage_bytes"] == 10
    assert found["unfinished_uploads"] == 1
    assert found["uploads_in_progress"] == 0
    assert found["disk_free_bytes"] > 0


def test_what_is_stored_is_not_counted_at_each_look(client: Client, metrics: Metrics) -> None:
    assert values(metrics)["storage_bytes"] == 0
    client.push_blob("app", b"0123456789")
    assert values(metrics)["storage_bytes"] == 0


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"HTTP_HOST": "localhost:9095"}, "200 OK"),
        ({}, "200 OK"),
        ({"HTTP_HOST": "evil.example:9095"}, "421 Misdirected Request"),
    ],
)
def test_a_page_that_was_led_here_reads_no_metrics(environ: dict[str, str], expected: str) -> None:
    answered: list[str] = []

    def app(_environ: object, start: StartResponse) -> list[bytes]:
        start("200 OK", [])
        return [b"metrics"]

    def start(status: str, *_: object) -> Callable[[bytes], object]:
        answered.append(status)
        return lambda _: None

    body = b"".join(checking_host(app, Places())(environ, start))
    assert answered == [expected]
    assert (body == b"metrics") is (expected == "200 OK")
