"""``manyfest serve --notify``, over sockets: what a receiver gets of a push, whoever pushes."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from manyfest.stores.layout import LayoutStore
from tests import real
from tests.images import make
from tests.integration.conftest import MANYFEST


@dataclass
class Receiver:
    """Answers with ``statuses``, then with 202; ``got`` are the requests: fields and document."""

    address: str = ""
    statuses: list[int] = field(default_factory=list)
    got: list[tuple[dict[str, str], Any]] = field(default_factory=list)

    @property
    def tags(self) -> list[str]:
        """Those of all events so far, in their order."""
        return [
            event["target"]["tag"]
            for _, document in self.got
            for event in document["events"]
            if event["target"].get("tag")
        ]


@contextmanager
def running_receiver() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            fields = {name.lower(): value for name, value in self.headers.items()}
            receiver.got.append((fields | {":path": self.path}, json.loads(body)))
            self.send_response(receiver.statuses.pop(0) if receiver.statuses else 202)
            self.send_header("Location", "http://127.0.0.1:1/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    receiver.address = f"127.0.0.1:{server.server_address[1]}"
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def serving(folder: Path, notify: str, **environ: str) -> Iterator[str]:
    """``manyfest serve`` as a process; its address."""
    port = real.free_port()
    process = subprocess.Popen(
        [MANYFEST, "serve", str(folder), "--listen", f"127.0.0.1:{port}", "--notify", notify],
        env={**os.environ, **environ},
        stderr=subprocess.DEVNULL,
    )
    try:
        real.wait_until(lambda: real.is_listening(port), "the registry")
        yield f"127.0.0.1:{port}"
    finally:
        real.stop(process)


def push(layout: str, reference: str) -> None:
    subprocess.run([MANYFEST, "copy", layout, reference], check=True, capture_output=True)


@pytest.fixture
def layout(tmp_path: Path) -> str:
    """An image for several platforms."""
    make(LayoutStore(tmp_path / "layout"), "index")
    return f"oci:{tmp_path}/layout:v1"


def test_a_push_is_told_with_the_token(tmp_path: Path, layout: str) -> None:
    with running_receiver() as receiver:
        url = f"http://{receiver.address}/hooks/own"
        with serving(tmp_path / "registry", f"{url},env:HOOK", HOOK="t0k3n") as address:
            push(layout, f"{address}/app:1.0")
            real.wait_until(lambda: receiver.tags == ["1.0"], "the tag to be told")
    fields, document = receiver.got[-1]
    assert fields[":path"] == "/hooks/own"
    assert fields["authorization"] == "Bearer t0k3n"
    assert fields["content-type"] == "application/vnd.docker.distribution.events.v2+json"
    event = document["events"][-1]
    assert event["action"] == "push"
    assert event["target"]["repository"] == "app"
    assert event["target"]["url"] == (
        f"http://{address}/v2/app/manifests/{event['target']['digest']}"
    )
    assert event["request"]["host"] == address
    assert event["request"]["addr"] == "127.0.0.1"


def test_what_is_not_taken_is_told_again_and_a_redirect_is_not_followed(
    tmp_path: Path, layout: str
) -> None:
    with running_receiver() as receiver:
        receiver.statuses = [500, 307]
        with serving(tmp_path / "registry", f"http://{receiver.address}/") as address:
            push(layout, f"{address}/app:1.0")
            real.wait_until(lambda: len(receiver.got) >= 3, "the third attempt")
    first, second, third = (document for _, document in receiver.got[:3])
    assert first == second == third


def test_what_waits_is_told_before_the_registry_stops(tmp_path: Path, layout: str) -> None:
    with running_receiver() as receiver:
        receiver.statuses = [500]
        with serving(tmp_path / "registry", f"http://{receiver.address}/") as address:
            push(layout, f"{address}/app:1.0")
            push(layout, f"{address}/app:1.1")
        assert receiver.tags[-1] == "1.1"
