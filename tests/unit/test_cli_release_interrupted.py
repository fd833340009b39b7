"""A release that is told to end while it moves tags."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from manyfest.stores.registry.http import Request, Response
from tests import images
from tests.quirks import Between, Quirk, Send
from tests.unit.cli import Manyfest, reach
from tests.unit.releases import make_project

CONFIG = """\
name: app
build: {platforms: [linux/amd64, linux/arm64]}
tags: ["{{version}}", "{{major}}.{{minor}}", latest]
publish: [localhost:5000/team/app]
"""


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Between]:
    between = Between()
    reach(monkeypatch, between)
    make_project(tmp_path)
    (tmp_path / "manyfest.yaml").write_text(CONFIG)
    yield between
    between.close()


def interrupted_at(tag: str, number: signal.Signals) -> Quirk:
    """Sends itself a signal when the tag has just been set, once."""
    sent: list[signal.Signals] = []

    def quirk(request: Request, send: Send) -> Response:
        response = send(request)
        if request.method == "PUT" and request.url.endswith(f"/manifests/{tag}") and not sent:
            sent.append(number)
            response.close()  # nobody will read it
            signal.raise_signal(number)
        return response

    return quirk


@pytest.mark.parametrize("options", [(), ("-q",)], ids=["", "quiet"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_moving_tags_are_put_back_first(
    manyfest: Manyfest, registry: Between, number: signal.Signals, options: tuple[str, ...]
) -> None:
    store = registry.store()
    former = images.platforms(store, text="2.6.0")
    for tag in ("2.6.0", "2.6", "latest"):
        store.tag(tag, images.content_of(former))
    registry.quirk = interrupted_at("latest", number)
    ended = manyfest("release", "--version", "2.6.1", *options)
    assert ended.code == 130
    assert ended.err.splitlines()[-1] == (
        "manyfest: interrupted; stopped at localhost:5000/team/app:latest: put back:"
        " localhost:5000/team/app:2.6, localhost:5000/team/app:latest; set and left, naming this"
        " version alone: localhost:5000/team/app:2.6.1; no other tag was changed;"
        " run the same command again to go on"
    )
    held = {tag: store.resolve(tag).digest for tag in ("2.6", "latest")}
    assert set(held.values()) == {former.descriptor.digest}


def test_the_same_command_finishes_it(manyfest: Manyfest, registry: Between) -> None:
    registry.quirk = interrupted_at("2.6", signal.SIGTERM)
    assert manyfest("release", "--version", "2.6.1").code == 130
    finished = manyfest("release", "--version", "2.6.1")
    assert finished.code == 0
    digest = finished.out.splitlines()[-1]
    store = registry.store()
    assert {str(store.resolve(tag).digest) for tag in ("2.6.1", "2.6", "latest")} == {digest}
