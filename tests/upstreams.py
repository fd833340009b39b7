"""Registries to pull through: ``docker-registry`` that writes down what it is asked, and one that
sends blobs as a test wants it; and ``manyfest serve`` before them, in a process of its own."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Protocol

from tests import real

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"

LOGGING = """\
version: 0.1
log: {{level: info, formatter: text, accesslog: {{disabled: false}}}}
storage: {{filesystem: {{rootdirectory: {folder}/data}}, delete: {{enabled: true}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""


class Out(Protocol):
    """What a body is written to."""

    def write(self, data: bytes, /) -> object: ...
    def flush(self) -> None: ...


Sender = Callable[[Out, bytes], None]
"""Writes of a blob, or of what it is asked for of it, as much as it likes."""


class LoggedRegistry:
    """``docker-registry`` in ``folder``; it can be stopped and started again at its address."""

    def __init__(self, folder: Path) -> None:
        real.need_programs("docker-registry")
        folder.mkdir(parents=True)
        self.port = real.free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.data = folder / "data"
        self._config = folder / "config.yml"
        self._config.write_text(LOGGING.format(folder=folder, port=self.port))
        self._log = folder / "log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            command = ["docker-registry", "serve", str(self._config)]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        real.wait_until(lambda: real.is_listening(self.port), "docker-registry")

    def stop(self) -> None:
        if self._process is not None:
            real.stop(self._process)
            self._process = None

    def asked(self, what: str) -> int:
        """How many requests began so, such as ``GET /v2/app/blobs/``."""
        return len(re.findall(f'"{re.escape(what)}', self._log.read_text()))

    def blob_file(self, digest: str) -> Path:
        hexadecimal = digest.removeprefix("sha256:")
        below = "docker/registry/v2/blobs/sha256"
        return self.data / below / hexadecimal[:2] / hexadecimal / "data"


@contextmanager
def logged_registry(folder: Path) -> Iterator[LoggedRegistry]:
    registry = LoggedRegistry(folder)
    registry.start()
    try:
        yield registry
    finally:
        registry.stop()


@contextmanager
def caching(
    folder: Path, upstream: str, *options: str, program: Path
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """``manyfest serve`` that fills ``folder`` from ``upstream``, and its address."""
    command = [
        str(program), "serve", str(folder), "--upstream", upstream, "--listen", "127.0.0.1:0",
        *options,
    ]  # fmt: skip
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            line = process.stderr.readline()
            found = re.search(r" at (\S+);", line)
            assert found is not None, line + process.stderr.read()
            drain = threading.Thread(target=process.stderr.read, daemon=True)
            drain.start()
            yield process, found[1]
        finally:
            process.kill()


class OneImage:
    """A registry with one image, ``app:v1``, of one layer, which ``send`` writes."""

    def __init__(self, layer: bytes, send: Sender) -> None:
        config = b'{"os":"linux","architecture":"amd64"}'
        self.layer = digest_of(layer)
        self.blobs = {digest_of(config): config, self.layer: layer}
        self.send = send
        self.manifest = json.dumps({
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": digest_of(config), "size": len(config),
            },
            "layers": [{
                "mediaType": "application/vnd.oci.image.layer.v1.tar",
                "digest": self.layer, "size": len(layer),
            }],
        }).encode()  # fmt: skip
        self.sent = 0

    @contextmanager
    def running(self) -> Iterator[str]:
        """Serve it; its address."""
        image = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                image.answer(self)

            do_HEAD = do_GET  # noqa: N815 - the server's name for it

            def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
                """Nothing is written down."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            server.server_close()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        item = request.path.rpartition("/")[2]
        body = self.blobs.get(item) if "/blobs/" in request.path else self.manifest
        if request.path == "/v2/":
            body = b"{}"
        if body is None:
            request.send_response(404)
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        start = 0
        found = re.fullmatch(r"bytes=([0-9]+)-", request.headers.get("Range", ""))
        if found is not None:
            start = int(found[1])
        request.send_response(206 if start else 200)
        if start:
            request.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        request.send_header("Content-Length", str(len(body) - start))
        request.send_header("Content-Type", OCI_MANIFEST)
        request.send_header("Docker-Content-Digest", digest_of(body))
        request.end_headers()
        if request.command == "GET" and item == self.layer:
            self.sent += 1
            request.close_connection = True
            self.send(request.wfile, body[start:])
        elif request.command == "GET":
            request.wfile.write(body)


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
