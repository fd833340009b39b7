from __future__ import annotations

import pytest

from manyfest.errors import NotFound, RegistryError
from manyfest.oci.descriptor import Descriptor
from manyfest.stores.registry.headers import Headers
from manyfest.stores.registry.http import FunctionTransport, Request, Response
from manyfest.stores.registry.ranges import Blob, takes_ranges

DATA = b"0123456789"
URL = "https://ghcr.io/v2/team/app/blobs/1"
SCOPES = ("repository:team/app:pull",)


def ranged(request: Request) -> Response:
    """What a registry that takes ranges answers."""
    first, _, last = request.headers.get("Range").removeprefix("bytes=").partition("-")
    if not first:
        return Response(200, DATA)
    end = int(last) if last else len(DATA) - 1
    stated = f"bytes {first}-{end}/{len(DATA)}"
    return Response(206, DATA[int(first) : end + 1], headers=Headers({"Content-Range": stated}))


def blob(answer: Response | None = None) -> tuple[Blob, FunctionTransport]:
    transport = FunctionTransport(lambda request: answer or ranged(request))
    made = Blob(
        send=transport.send,
        url=URL,
        scopes=SCOPES,
        descriptor=Descriptor.of(DATA, "application/octet-stream"),
        where="ghcr.io/team/app",
    )
    return made, transport


def test_the_whole_is_asked_for_without_a_range() -> None:
    made, transport = blob()
    assert made.whole().read_all(99) == DATA
    (request,) = transport.requests
    assert (request.method, request.url, request.scopes) == ("GET", URL, SCOPES)
    assert "Range" not in request.headers
    assert not request.spare


@pytest.mark.parametrize(
    ("start", "end", "asked", "content"),
    [(3, None, "bytes=3-", b"3456789"), (3, 7, "bytes=3-6", b"3456"), (9, 10, "bytes=9-9", b"9")],
)
def test_the_rest_or_some_of_it(start: int, end: int | None, asked: str, content: bytes) -> None:
    made, transport = blob()
    response, to_pass_over = made.rest(start, end)
    assert response.read_all(99) == content
    assert to_pass_over == 0
    assert transport.requests[0].headers.get("Range") == asked


def test_a_registry_that_knows_no_ranges_sends_everything_and_the_reader_is_told() -> None:
    made, _ = blob(Response(200, DATA))
    response, to_pass_over = made.rest(3)
    assert to_pass_over == 3
    assert response.read_all(99) == DATA


def test_a_part_takes_a_spare_place_and_can_be_given_up() -> None:
    made, transport = blob()
    with made.part(2, 5, lambda: False) as response:
        assert response.read_all(99) == b"234"
    (request,) = transport.requests
    assert request.spare
    assert not request.repeatable
    assert request.given_up is not None
    assert request.headers.get("Range") == "bytes=2-4"


def test_a_part_is_a_part_and_never_the_whole() -> None:
    made, _ = blob(Response(200, DATA))
    with pytest.raises(RegistryError, match=r"the blob sha256:\w+ failed \(200\)"):
        made.part(2, 5, lambda: False)


def test_more_than_was_asked_for_is_refused() -> None:
    beyond = Response(206, DATA[2:], headers=Headers({"Content-Range": "bytes 2-9/10"}))
    made, _ = blob(beyond)
    with pytest.raises(RegistryError, match="answers with the bytes 'bytes 2-9/10' instead"):
        made.part(2, 5, lambda: False)


def test_less_than_was_asked_for_is_taken_and_gone_on_with() -> None:
    less = Response(206, DATA[2:4], headers=Headers({"Content-Range": "bytes 2-3/10"}))
    made, _ = blob(less)
    response, _ = made.rest(2, 8)
    assert response.read_all(99) == b"23"


@pytest.mark.parametrize("status", [404, 416])
def test_a_refusal_closes_the_answer(status: int) -> None:
    class Body:
        closed = False

        def read(self, size: int, /) -> bytes:
            return b""

        def close(self) -> None:
            self.closed = True

    body = Body()
    made, _ = blob(Response(status, body))
    with pytest.raises((NotFound, RegistryError)):
        made.rest(3)
    assert body.closed


@pytest.mark.parametrize(
    ("status", "fields", "expected"),
    [
        (200, {}, False),
        (200, {"Accept-Ranges": "none"}, False),
        (200, {"Accept-Ranges": "bytes"}, True),
        (200, {"accept-ranges": "Bytes"}, True),
        (206, {}, True),
    ],
)
def test_who_takes_ranges(status: int, fields: dict[str, str], expected: bool) -> None:
    assert takes_ranges(Response(status, headers=Headers(fields))) is expected
