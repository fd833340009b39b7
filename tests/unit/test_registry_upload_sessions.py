from __future__ import annotations

import pytest

from manyfest.errors import RegistryError
from manyfest.oci.digest import Digest
from manyfest.stores.registry.addresses import Place
from manyfest.stores.registry.headers import Headers
from manyfest.stores.registry.http import Body, BytesReader, LastingFailure, Request, Response
from manyfest.stores.registry.upload_sessions import Session, received, session_request

AT = "https://ghcr.io/v2/app/blobs/uploads/1"
SESSION = Session(AT, ("repository:app:pull,push",))


def following(location: str, session: Session = SESSION, **fields: str) -> Session:
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    response = Response(202, headers=Headers({"Location": location} | named), url=session.url)
    return session.next(session_request("PATCH", session), response, where="ghcr.io/app")


def test_an_upload_goes_on_where_the_registry_says() -> None:
    assert following("/v2/app/blobs/uploads/1?s=2") == Session(f"{AT}?s=2", SESSION.scopes)
    assert following("2").url == "https://ghcr.io/v2/app/blobs/uploads/2"


def test_another_host_gets_no_scopes_and_never_gets_them_back() -> None:
    elsewhere = following("https://storage.example/1")
    assert elsewhere.scopes == ()
    assert elsewhere.places == frozenset({Place.PUBLIC, Place.PRIVATE})
    assert following("https://ghcr.io/v2/back", elsewhere).scopes == ()


def test_a_registry_on_this_machine_may_use_another_port() -> None:
    session = Session("http://127.0.0.1:5000/v2/app/blobs/uploads/1")
    places = following("http://127.0.0.1:5001/x", session).places
    assert places == frozenset({Place.PUBLIC, Place.PRIVATE, Place.LOOPBACK})


@pytest.mark.parametrize("location", ["http://ghcr.io/x", "https://169.254.169.254/x", "file:///x"])
def test_an_upload_is_not_led_where_it_may_not_go(location: str) -> None:
    with pytest.raises((RegistryError, LastingFailure)):
        following(location)


def test_an_answer_without_a_location_is_an_error() -> None:
    with pytest.raises(RegistryError, match="without a Location"):
        SESSION.next(Request(method="POST", url=AT), Response(202), where="ghcr.io/app")


def test_the_smallest_chunk_is_remembered() -> None:
    first = following("2", OCI_Chunk_Min_Length="1024")
    assert first.smallest_chunk == 1024
    assert following("3", first).smallest_chunk == 1024
    assert following("3", first, OCI_Chunk_Min_Length="2048").smallest_chunk == 2048


@pytest.mark.parametrize(
    ("url", "closing"),
    [
        (AT, f"{AT}?digest="),
        (f"{AT}?_state=a%2Fb%3D", f"{AT}?_state=a%2Fb%3D&digest="),
    ],
)
def test_the_digest_ends_an_upload(url: str, closing: str) -> None:
    digest = Digest.of(b"")
    assert Session(url).closing(digest).url == f"{closing}{digest}"


@pytest.mark.parametrize(
    ("stated", "status", "count"),
    [
        ("0-9", 204, 10),
        ("bytes=0-9", 204, 10),
        ("bytes 0-9", 200, 10),
        ("0-9", 202, 10),
        ("0-0", 204, 0),
        ("", 204, None),
        ("1-9", 204, None),
        ("0-", 204, None),
        ("0--1", 204, None),
        ("0-" + "9" * 19, 204, None),
        ("0-9", 404, None),
        ("0-9", 302, None),
    ],
)
def test_how_much_the_registry_has(stated: str, status: int, count: int | None) -> None:
    response = Response(status, headers=Headers({"Range": stated} if stated else {}))
    assert received(response) == count


@pytest.mark.parametrize(
    ("method", "repeatable"),
    [("POST", True), ("GET", True), ("DELETE", True), ("PATCH", False), ("PUT", False)],
)
def test_what_adds_to_an_upload_is_not_repeated_by_itself(method: str, repeatable: bool) -> None:
    assert session_request(method, SESSION).repeatable is repeatable


@pytest.mark.parametrize(
    ("size", "bulk"), [(0, False), (1024 * 1024, False), (1024 * 1024 + 1, True), (None, True)]
)
def test_only_large_bodies_queue_with_transfers(size: int | None, bulk: bool) -> None:
    body = Body(size, lambda: BytesReader(b""))
    assert session_request("PUT", SESSION, body=body).bulk is bulk
