"""A server that takes messages as Gotify does: ``POST /message``, with an application's token."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "AbCdEf.123456"


@dataclass
class Gotify:
    """The server: its address, what it was sent, and how it behaves. While ``busy`` is clear,
    nothing is answered; ``moved_to`` is where it sends people instead."""

    address: str = ""
    below: str = ""
    messages: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    moved_to: str = ""
    busy: threading.Event = field(default_factory=threading.Event)

    def url(self, token: str = TOKEN) -> str:
        """The Apprise URL of the application with this token."""
        return f"gotify://{self.address}{self.below}/{token}"

    def answer(self, path: str, token: str, body: bytes) -> tuple[int, dict[str, Any]]:
        """As Gotify answers; what is right is kept."""
        if path != f"{self.below}/message":
            return 404, {"error": "Not Found", "errorCode": 404}
        if token != TOKEN:
            return 401, {"error": "Unauthorized", "errorCode": 401}
        message = json.loads(body)
        if not isinstance(message.get("message"), str) or not message["message"]:
            return 400, {"error": "Bad Request", "errorCode": 400}
        self.messages.append(message)
        return 200, {"id": len(self.messages), "appid": 1, **message}


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
            status, document = gotify.answer(self.path, self.headers["X-Gotify-Key"] or "", body)
            answer = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
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
