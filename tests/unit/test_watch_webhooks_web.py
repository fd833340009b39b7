"""Webhooks as they arrive over HTTP."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from manyfest.stores.registry.auth.secret import Secret
from manyfest.watch.config.values import Hook
from manyfest.watch.webhooks import receive
from manyfest.watch.webhooks.forms import MAX_SIZE
from tests.distribution_events import PUSHED
from tests.unit.test_watch_webhooks import DOCKER_HUB, GHCR_PACKAGE, SECRET, signature
from tests.unit.watch_web import Client, Watch, client, service_of, token, user


@pytest.fixture
def hooked(tmp_path: Path) -> Iterator[Client]:
    """A watch with a webhook of each kind of proof."""
    watch = Watch(tmp_path, url="https://releases.example.org", public=False)
    hooks = {
        "hub": Hook(name="hub", form="docker-hub", secret=Secret(SECRET)),
        "github": Hook(name="github", form="ghcr", secret=Secret(SECRET)),
        "ours": Hook(name="ours", form="distribution", secret=Secret(SECRET)),
    }
    watch.config = replace(watch.config, hooks=hooks)
    yield client(watch)
    watch.history.close()


def test_each_comes_with_its_own_proof(hooked: Client) -> None:
    hub = hooked.call("POST", f"/hooks/hub/{SECRET}", json.dumps(DOCKER_HUB).encode())
    body = json.dumps({"action": "published", "package": GHCR_PACKAGE}).encode()
    signed = {**signature(body), "x-github-event": "package"}
    github = hooked.call("POST", "/hooks/github", body, signed)
    shown = {"authorization": f"Bearer {SECRET}"}
    ours = hooked.call("POST", "/hooks/ours", PUSHED.encode(), shown)

    assert [each.status for each in (hub, github, ours)] == [202, 202, 202]
    assert service_of(hooked).hints == [
        ("docker.io/gotify/server", "2.6.1"),
        ("ghcr.io/gotify/server", "2.6.1"),
        ("registry.example.org/gotify/server", "2.6.1"),
    ]


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/hooks/hub", {}),
        ("/hooks/hub/another-secret-of-some-length", {}),
        ("/hooks/github", {"x-hub-signature-256": "sha256=" + "0" * 64}),
        ("/hooks/ours", {"authorization": "Bearer nothing"}),
        ("/hooks/nobody", {"authorization": f"Bearer {SECRET}"}),
    ],
)
def test_without_proof_nothing_is_looked_at(
    hooked: Client, path: str, headers: dict[str, str]
) -> None:
    answer = hooked.call("POST", path, json.dumps(DOCKER_HUB).encode(), headers)

    assert answer.status == 401
    assert service_of(hooked).hints == []


def test_what_is_not_understood_is_refused_but_for_who_would_send_it_for_ever(
    hooked: Client,
) -> None:
    shown = {"authorization": f"Bearer {SECRET}"}

    assert hooked.call("POST", f"/hooks/hub/{SECRET}", b"nonsense").status == 400
    assert hooked.call("POST", "/hooks/ours", b"nonsense", shown).status == 202
    assert service_of(hooked).hints == []


def test_what_hints_at_nothing_fills_no_log(
    hooked: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    shown = {"authorization": f"Bearer {SECRET}"}
    hooked.call("POST", "/hooks/ours", b'{"events": []}', shown)
    assert caplog.messages == []

    hooked.call("POST", f"/hooks/hub/{SECRET}", json.dumps(DOCKER_HUB).encode())
    assert caplog.messages == ["hints of the webhook hub: 1, of use: 1"]


def test_one_that_is_too_long_is_not_read(hooked: Client) -> None:
    body = b" " * (MAX_SIZE + 1)

    assert hooked.call("POST", f"/hooks/hub/{SECRET}", body).status == 413


def test_a_secret_in_an_address_is_in_no_log(
    hooked: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for path in (f"/hooks/hub/{SECRET}", f"/hooks/hub/{SECRET}x", f"/hooks/other/{SECRET}"):
        hooked.call("POST", path, json.dumps(DOCKER_HUB).encode())
        hooked.call("POST", path, b"nonsense")

    assert len(caplog.records) >= 6
    assert SECRET not in caplog.text


def test_a_neighbour_may_call_us_by_any_name_there(hooked: Client) -> None:
    hooked.host = "watch:8080"

    assert hooked.get("/").status == 421
    assert (
        hooked.call("POST", f"/hooks/hub/{SECRET}", json.dumps(DOCKER_HUB).encode()).status == 202
    )
    assert hooked.get("/healthz").status == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("watch:8080", 200),
        ("10.0.0.7:8080", 200),
        ("[fd00::7]:8080", 200),
        ("evil.example", 421),
        ("", 421),
    ],
)
def test_metrics_are_there_by_names_that_no_other_site_can_have(
    hooked: Client, host: str, status: int
) -> None:
    hooked.host = host
    watch = service_of(hooked)
    watch.config = replace(watch.config, public=True)

    assert hooked.get("/metrics").status == status
    assert hooked.get("/").status == 421


def test_metrics_are_there_by_any_name_for_who_shows_a_token(hooked: Client) -> None:
    hooked.host = "watch.monitoring.example"
    user(hooked)
    shown = token(hooked)

    assert hooked.get("/metrics", authorization=shown).status == 200
    assert hooked.get("/metrics", authorization="Bearer mfw_nobodys").status == 401
    assert hooked.get("/api/v1/images", authorization=shown).status == 421


def test_a_body_that_does_not_come_is_not_awaited(
    hooked: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receive, "BODY_SECONDS", 0.0)
    sent: list[MutableMapping[str, Any]] = []

    async def never() -> MutableMapping[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    path = "/hooks/ours"
    scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": []}
    asyncio.run(hooked.app(scope, never, send))
    assert sent[0]["status"] == 408
