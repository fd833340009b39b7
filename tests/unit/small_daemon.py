"""A daemon with Docker's API, as much of it as manyfest uses: one socket, images in memory."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from urllib.parse import parse_qs, unquote, urlsplit

from manyfest.oci.reference import Name

CLASSIC: dict[str, object] = {"OSType": "linux", "Architecture": "aarch64", "DriverStatus": None}
WITH_CONTAINERD = CLASSIC | {"DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]]}


class SmallDaemon:
    """Loads archives as Docker's classic daemon does, by their ``manifest.json``, or as one with
    containerd's store, by ``index.json``.

    ``images`` are the ids by name, ``archives`` what it gives out by name, ``received`` all that
    was sent, ``requests`` what was asked. ``answers`` are status and body by path, instead of what
    it would say itself.
    """

    def __init__(self, socket: Path) -> None:
        self.host = f"unix://{socket}"
        self.info: dict[str, object] = CLASSIC
        self.images: dict[str, str] = {}
        self.archives: dict[str, bytes] = {}
        self.received: list[bytes] = []
        self.requests: list[str] = []
        self.answers: dict[str, tuple[int, bytes]] = {}

    def answer(self, method: str, target: str, body: bytes) -> tuple[int, bytes]:
        path = unquote(urlsplit(target).path)
        self.requests.append(f"{method} {path}")
        if path in self.answers:
            return self.answers[path]
        if path == "/info":
            return 200, json.dumps(self.info).encode()
        if path == "/images/load":
            return self._load(body)
        if path == "/images/get":
            (name,) = parse_qs(urlsplit(target).query)["names"]
            return (200, self.archives[name]) if name in self.archives else _missing(name)
        name = path.removeprefix("/images/").removesuffix("/json")
        found = self.images.get(name)
        return (200, json.dumps({"Id": found}).encode()) if found else _missing(name)

    def _load(self, body: bytes) -> tuple[int, bytes]:
        self.received.append(body)
        with tarfile.open(fileobj=io.BytesIO(body)) as archive:
            images = _classic(archive) if self.info is CLASSIC else _with_containerd(archive)
        self.images |= images
        lines = (json.dumps({"stream": f"Loaded image: {name}\n"}) for name in images)
        return 200, "\r\n".join(lines).encode()


def _classic(archive: tarfile.TarFile) -> dict[str, str]:
    ids: dict[str, str] = {}
    for image in json.loads(_member(archive, "manifest.json")):
        config = hashlib.sha256(_member(archive, image["Config"])).hexdigest()
        ids |= {Name.parse(name).familiar: f"sha256:{config}" for name in image["RepoTags"]}
    return ids


def _with_containerd(archive: tarfile.TarFile) -> dict[str, str]:
    return {
        Name.parse(entry["annotations"]["io.containerd.image.name"]).familiar: entry["digest"]
        for entry in json.loads(_member(archive, "index.json"))["manifests"]
    }


@contextmanager
def small_daemon(folder: Path) -> Iterator[SmallDaemon]:
    """One that listens in ``folder``, whose path must be short."""
    daemon = SmallDaemon(folder / "s")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(b"")

        def do_POST(self) -> None:
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size + 2)[:-2]
            self._answer(body)

        def _answer(self, body: bytes) -> None:
            status, content = daemon.answer(self.command, self.path, body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """It is asked by tests alone."""

    with _Server(str(folder / "s"), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield daemon
        finally:
            server.shutdown()
            thread.join()


class _Server(ThreadingMixIn, UnixStreamServer):
    """A thread for each connection."""

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away in the middle is what some tests are about."""


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    assert file is not None
    return file.read()


def _missing(name: str) -> tuple[int, bytes]:
    return 404, json.dumps({"message": f"No such image: {name}"}).encode()
