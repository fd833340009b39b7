"""A registry that takes uploads by a script: one answer after the other."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable

from manyfest.errors import ManyfestError
from manyfest.oci.descriptor import Descriptor
from manyfest.stores.base import Content, Reader
from manyfest.stores.registry.headers import Headers
from manyfest.stores.registry.http import Body, FunctionTransport, Request, Response
from manyfest.stores.registry.uploads import Uploader

URL = "https://ghcr.io/v2/team/app/blobs/uploads/"
DATA = b"0123456789"
BLOB = Descriptor.of(DATA, "text/plain")
DIGEST = "sha256:84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882"
SCOPES = ("repository:team/app:pull,push",)

GONE = Response(404)
"""What a registry says of an upload that it no longer knows."""

Step = Response | ManyfestError | Callable[[Request], Response]


def content(data: bytes = DATA, descriptor: Descriptor = BLOB) -> Content:
    return Content(descriptor, lambda: io.BytesIO(data))


def begun(location: str = "/v2/team/app/blobs/uploads/1", status: int = 202) -> Response:
    return Response(status, headers=Headers({"Location": location} if location else {}))


def holding(count: int, location: str = "", status: int = 204) -> Response:
    """The answer to a look at an upload of which the registry has ``count`` bytes."""
    fields = {"Range": f"0-{max(count - 1, 0)}"}
    return Response(status, headers=Headers(fields | ({"Location": location} if location else {})))


class Script:
    """Gives these answers, one after the other, and reads what is sent to it.

    ``there`` is what it says each time that it is asked whether it has the blob; else it has not.
    """

    def __init__(self, *steps: Step, there: Iterable[bool] = ()) -> None:
        self.there = list(there)
        self.looks = 0
        self.steps = list(steps)
        self.received: list[bytes] = []
        self.pauses: list[float] = []
        self.transport = FunctionTransport(self._answer)
        self.uploader = Uploader(
            self.transport.send,
            URL,
            scopes=SCOPES,
            where="ghcr.io/team/app",
            has=self._has,
            sleep=self.pauses.append,
            jitter=lambda: 1.0,
        )

    def _has(self, descriptor: Descriptor) -> bool:
        self.looks += 1
        return self.there.pop(0) if self.there else False

    def _answer(self, request: Request) -> Response:
        if isinstance(request.body, Body):
            self.received.append(read(request.body.open()))
        step = self.steps.pop(0)
        if isinstance(step, ManyfestError):
            raise step
        return step(request) if callable(step) else step

    @property
    def asked(self) -> list[str]:
        return [
            f"{each.method} {each.url.removeprefix('https://ghcr.io/v2/team/app/blobs')}"
            for each in self.transport.requests
        ]

    @property
    def ranges(self) -> list[str]:
        """Which bytes each chunk said that it is."""
        fields = (each.headers.get("Content-Range") for each in self.transport.requests)
        return [field for field in fields if field]


def read(reader: Reader, size: int = 3) -> bytes:
    """To the end, as a transport does: until nothing more comes."""
    return b"".join(iter(lambda: reader.read(size), b""))
