"""A server that takes messages as Gotify does: ``POST /message``, with an application's token."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "AbCdEf.123456"


@dataclass
class Gotify:
    """The server: its address, what it was sent, and how it behaves. While ``busy`` is clear,
    nothing is answered; ``moved_to`` is where it sends people instead; ``fails`` are the statuses
    of the next answers, with ``headers``."""

    address: str = ""
    below: str = ""
    messages: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    received: list[dict[str, str]] = field(default_factory=list)
    moved_to: str = ""
    fails: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    busy: threading.Event = field(default_factory=threading.Event)

    def url(self, token: str = TOKEN) -> str:
        """The Apprise URL of the application with this token."""
        return f"gotify://{self.address}{self.below}/{token}"

    def answer(self, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Any]:
        """As Gotify answers; what is right is kept. Its API description has the forms. The names of
        ``headers`` are in lower case."""
        if path != f"{self.below}/message":
            return 404, error(404, "Not Found", "page not found")
        if self.fails:
            return self.fails.pop(0), error(500, "Internal Server Error", "database is locked")
        if headers.get("x-gotify-key") != TOKEN:
            words = (
                "you need to provide a valid access token or user credentials to access this api"
            )
            return 401, error(401, "Unauthorized", words)
        message = json.loads(body)
        if headers.get("content-type") != "application/json" or not is_right(message):
            return 400, error(400, "Bad Request", "Field 'message' is required")
        self.messages.append(message)
        date = "2026-11-26T20:00:00Z"
        return 200, {"id": len(self.messages), "appid": 1, "date": date, **message}


TYPES = {"message": str, "title": str, "priority": int, "extras": dict, "appid": int}
"""Of ``CreateMessage`` in the API description, which requires ``message`` alone."""


def is_right(message: dict[str, Any]) -> bool:
    """Whether it is what the API description has."""
    known = all(type(value) is TYPES.get(name) for name, value in message.items())
    return known and bool(message.get("message"))


def error(status: int, name: str, words: str) -> dict[str, Any]:
    """What Gotify says when it refuses something."""
    return {"error": name, "errorCode": status, "errorDescription": words}


@contextmanager
def running_gotify(below: str = "") -> Iterator[Gotify]:
    """Such a server on loopback, its paths below ``below``."""
    gotify = Gotify(below=below)
    gotify.busy.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            gotify.asked.append(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            gotify.busy.wait(60)
            self.close_connection = True
            if gotify.moved_to:
                self.send_response(307)
                self.send_header("Location", f"http://{gotify.moved_to}{self.path}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            headers = {name.lower(): text for name, text in self.headers.items()}
            gotify.received.append(headers)
            status, document = gotify.answer(self.path, headers, body)
            answer = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            for name, text in gotify.headers.items():
                self.send_header(name, text)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    gotify.address = f"127.0.0.1:{server.server_address[1]}"
    try:
        yield gotify
    finally:
        gotify.busy.set()
        server.shutdown()
        server.server_close()
        thread.join()
