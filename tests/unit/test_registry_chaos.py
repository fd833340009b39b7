"""Transfers to and from a registry that fails at random: what arrives is right or is an error.

Each case is a number that all its chances come from, so a failure can be had again.
"""

from __future__ import annotations

import hashlib
import io
import random
import re

import pytest

import manyfest.stores.registry.downloads
import manyfest.stores.registry.parts
import manyfest.stores.registry.ranges
import manyfest.stores.registry.streams
import manyfest.stores.registry.uploads
from manyfest.errors import ConnectionFailed, StoreError
from manyfest.oci.descriptor import Descriptor
from manyfest.stores.base import Content, VerifyingReader
from manyfest.stores.registry.downloads import Download
from manyfest.stores.registry.headers import Headers
from manyfest.stores.registry.http import Body, Request, Response
from manyfest.stores.registry.ranges import Blob
from manyfest.stores.registry.streams import Patience
from manyfest.stores.registry.uploads import Uploader

CASES = range(150)
HERE = "https://ghcr.io/v2/team/app/blobs"


def data_of(chance: random.Random) -> bytes:
    return hashlib.shake_256(chance.randbytes(4)).digest(chance.choice([0, 1, 50, 400, 1000]))


class Uploads:
    """A registry with its own ways, that breaks off, forgets and refuses as chance will have it.

    It takes a blob only if it has the digest that ends the upload.
    """

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.trouble = chance.choice([0.0, 0.1, 0.4])
        self.limit = chance.choice([None, None, 300, 90])
        self.takes_chunks = chance.random() < 0.8
        self.tells = chance.choice(["truth", "truth", "nothing", "nonsense"])
        self.keeps_what_broke = chance.random() < 0.7
        self.sessions: dict[int, bytes] = {}
        self.blobs: dict[str, bytes] = {}
        self.requests = 0

    def send(self, request: Request) -> Response:
        self.requests += 1
        assert self.requests < 300
        if self.chance.random() < self.trouble:
            self._lose_something()
        body = self._receive(request)
        if isinstance(body, Response):
            return body
        if request.method == "POST":
            number = len(self.sessions) + self.requests
            self.sessions[number] = b""
            return self._located(202, number)
        number = int(re.search(r"uploads/([0-9]+)", request.url)[1])  # type: ignore[index]
        if number not in self.sessions:
            return Response(404)
        if request.method == "GET":
            return self._status(number)
        return self._add(request, number, body)

    def _lose_something(self) -> None:
        event = self.chance.choice(["nothing", "session", "connection"])
        if event == "session" and self.sessions:
            self.sessions.pop(self.chance.choice(list(self.sessions)))
        if event == "connection":
            raise ConnectionFailed("it broke off", where="ghcr.io")

    def _receive(self, request: Request) -> bytes | Response:
        """The request's body, unless it breaks off or is refused."""
        if not isinstance(request.body, Body):
            return b""
        if self.limit is not None and (request.body.size or 0) > self.limit:
            return Response(413)
        reader = request.body.open()
        body = b"".join(iter(lambda: reader.read(37), b""))
        reader.close()
        assert len(body) == request.body.size
        if self.chance.random() < self.trouble:
            number = int(re.search(r"uploads/([0-9]+)", request.url)[1])  # type: ignore[index]
            if self.keeps_what_broke and number in self.sessions and self._fits(request, number):
                self.sessions[number] += body[: self.chance.randint(0, len(body))]
            raise ConnectionFailed("it broke off", where="ghcr.io")
        return body

    def _fits(self, request: Request, number: int) -> bool:
        stated = request.headers.get("Content-Range").partition("-")[0]
        start = int(stated) if stated else len(self.sessions[number])
        return start == len(self.sessions[number])

    def _add(self, request: Request, number: int, body: bytes) -> Response:
        if request.method == "PATCH" and not self.takes_chunks:
            return Response(self.chance.choice([400, 404, 405]))
        if not self._fits(request, number):
            return Response(416)
        self.sessions[number] += body
        if request.method == "PATCH":
            return self._located(self.chance.choice([201, 202]), number)
        digest = request.url.rpartition("digest=")[2]
        content = self.sessions.pop(number)
        if digest != f"sha256:{hashlib.sha256(content).hexdigest()}":
            return Response(400, b'{"errors":[{"code":"DIGEST_INVALID"}]}')
        self.blobs[digest] = content
        if self.chance.random() < self.trouble:
            raise ConnectionFailed("the answer was lost", where="ghcr.io")
        return Response(201)

    def _status(self, number: int) -> Response:
        count = len(self.sessions[number])
        if self.tells == "nothing":
            return Response(405)
        if self.tells == "nonsense":
            count = self.chance.randint(0, count + 20)
        headers = {"Range": f"0-{max(count - 1, 0)}"}
        return Response(204, headers=Headers(headers))

    def _located(self, status: int, number: int) -> Response:
        return Response(
            status, headers=Headers({"Location": f"/v2/team/app/blobs/uploads/{number}"})
        )


@pytest.mark.parametrize("case", CASES)
def test_an_upload_arrives_whole_or_is_an_error(monkeypatch: pytest.MonkeyPatch, case: int) -> None:
    monkeypatch.setattr(manyfest.stores.registry.uploads, "CHUNK_BYTES", 128)
    monkeypatch.setattr(manyfest.stores.registry.uploads, "PROGRESS", 100)
    chance = random.Random(case)
    data = data_of(chance)
    blob = Descriptor.of(data, "text/plain")
    registry = Uploads(chance)

    def send(request: Request) -> Response:
        response = registry.send(request)
        response.url = request.url
        return response

    uploader = Uploader(
        send, f"{HERE}/uploads/", scopes=(), where="ghcr.io/team/app",
        has=lambda wanted: str(wanted.digest) in registry.blobs, sleep=lambda _: None,
    )  # fmt: skip
    try:
        uploader.upload(Content(blob, lambda: io.BytesIO(data)))
    except StoreError:
        assert registry.trouble or registry.limit
    else:
        assert registry.blobs == {str(blob.digest): data}


class Downloads:
    """A registry that takes ranges or not, cuts answers short, and refuses now and then."""

    def __init__(self, chance: random.Random, data: bytes) -> None:
        self.chance = chance
        self.data = data
        self.trouble = chance.choice([0.0, 0.1, 0.4])
        self.takes_ranges = chance.random() < 0.7
        self.says_so = chance.random() < 0.7
        self.says_the_size = chance.random() < 0.5
        self.requests = 0

    def send(self, request: Request) -> Response:
        self.requests += 1
        assert self.requests < 500
        if self.chance.random() < self.trouble / 4:
            raise ConnectionFailed("nobody answers", where="ghcr.io")
        found = re.fullmatch(r"bytes=([0-9]+)-([0-9]*)", request.headers.get("Range"))
        fields = {"Accept-Ranges": "bytes"} if self.takes_ranges and self.says_so else {}
        if found is None or not self.takes_ranges:
            return self._answer(200, self.data, fields)
        start, end = int(found[1]), int(found[2]) + 1 if found[2] else len(self.data)
        fields["Content-Range"] = f"bytes {start}-{end - 1}/{len(self.data)}"
        return self._answer(206, self.data[start:end], fields)

    def _answer(self, status: int, content: bytes, fields: dict[str, str]) -> Response:
        cut = self.chance.random() < self.trouble
        body = Cut(content[: self.chance.randint(0, len(content))] if cut else content, cut)
        if self.says_the_size and not cut:
            fields["Content-Length"] = str(len(content))
        return Response(status, body, headers=Headers(fields))


class Cut:
    def __init__(self, content: bytes, breaks: bool) -> None:
        self.content = io.BytesIO(content)
        self.breaks = breaks

    def read(self, size: int, /) -> bytes:
        chunk = self.content.read(min(size, 29))
        if not chunk and self.breaks:
            raise ConnectionFailed("it broke off", where="ghcr.io")
        return chunk

    def close(self) -> None: ...


@pytest.mark.parametrize("case", CASES)
def test_a_download_comes_whole_or_is_an_error(monkeypatch: pytest.MonkeyPatch, case: int) -> None:
    registry = manyfest.stores.registry
    monkeypatch.setattr(registry.streams, "PROGRESS", 50)
    monkeypatch.setattr(registry.downloads, "LARGE", 200)
    monkeypatch.setattr(registry.downloads, "_PROBE", 30)
    monkeypatch.setattr(registry.downloads, "_TRIAL", 200)
    monkeypatch.setattr(registry.parts, "PART_BYTES", 64)
    monkeypatch.setattr(registry.ranges, "LARGEST_SMALL", 10)
    chance = random.Random(case)
    data = data_of(chance)
    blob = Descriptor.of(data, "text/plain")
    source = Downloads(chance, data)
    # By this clock every registry is slow, and several connections are faster or not by chance.
    moments = iter(lambda: chance.random() * 1e-3, None)
    now = [0.0]

    def clock() -> float:
        now[0] += next(moments)
        return now[0]

    download = Download(
        Blob(send=source.send, url=f"{HERE}/1", scopes=(), descriptor=blob, where="ghcr.io"),
        patience=Patience(sleep=lambda _: None),
        clock=clock,
    )
    try:
        reader = VerifyingReader(download.open(), blob, where="ghcr.io")
        got = b"".join(iter(lambda: reader.read(chance.randint(1, 90)), b""))
    except StoreError:
        assert source.trouble
    else:
        assert got == data
    finally:
        download.close()
