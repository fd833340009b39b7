from __future__ import annotations

import errno

import pytest

from manyfest.errors import ConnectionFailed, RegistryError
from manyfest.stores.registry.addresses import Place, place_of, realm_places, redirect_places
from manyfest.stores.registry.curl.faults import connection_failure
from manyfest.stores.registry.curl.head import ResponseHead
from manyfest.stores.registry.curl.options import is_proxied
from manyfest.stores.registry.curl.stalls import StallWatch
from manyfest.stores.registry.headers import Headers
from manyfest.stores.registry.http import (
    FunctionTransport,
    LastingFailure,
    Origin,
    Request,
    Response,
    show_url,
)


def test_headers_are_found_in_any_case_and_keep_every_value() -> None:
    headers = Headers([("Link", "a"), ("LINK", "b"), ("Content-Length", "3")])
    assert headers.get("link") == "a"
    assert headers.get_all("Link") == ("a", "b")
    assert headers.get("Range") == ""
    assert "content-length" in headers
    assert headers == Headers([("link", "a"), ("link", "b"), ("content-length", "3")])


def test_headers_are_replaced_and_dropped_in_a_copy() -> None:
    headers = Headers({"Accept": "a", "authorization": "b"})
    assert list(headers.replaced("ACCEPT", "c")) == [("authorization", "b"), ("ACCEPT", "c")]
    assert list(headers.without("Authorization")) == [("Accept", "a")]
    assert headers.get("Accept") == "a"


@pytest.mark.parametrize(
    ("name", "value"),
    [("A", "b\r\nC: d"), ("A", "b\nc"), ("A", "b\0"), ("A b", "c"), ("A:", "b"), ("", "b")],
)
def test_a_header_cannot_smuggle_in_another(name: str, value: str) -> None:
    with pytest.raises(ValueError, match="not a usable header field"):
        Headers({name: value})


def test_secrets_do_not_show() -> None:
    headers = Headers({"Authorization": "Basic c2VjcmV0", "Location": "/?sig=c2VjcmV0", "A": "b"})
    url = "https://user:c2VjcmV0@host/v2/?token=c2VjcmV0"
    request = Request(method="GET", url=url, headers=headers, body=b"c2VjcmV0")
    shown = f"{headers} {request!r} {request} {Response(200, url=url)!r} {show_url(url)}"
    assert "c2VjcmV0" not in shown
    assert repr(request) == "<Request GET https://host/v2/>"


def test_a_shown_address_has_no_control_characters() -> None:
    assert show_url("http://h/\x1b[31m\n\u202e") == "http://h/?[31m??"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://ghcr.io/v2/", "ghcr.io"),
        ("HTTPS://GHCR.io:443/v2/", "ghcr.io"),
        ("http://localhost:5000", "localhost:5000"),
        ("http://[::1]:5000/", "[::1]:5000"),
        ("https://[2001:db8::1]/", "[2001:db8::1]"),
    ],
)
def test_an_origin_shows_as_in_a_reference(url: str, shown: str) -> None:
    assert str(Origin.of(url)) == shown


@pytest.mark.parametrize(
    "url",
    [
        "ftp://host/",
        "file:///etc/passwd",
        "host/path",
        "https://",
        "https://user@host/",
        "https://good.example\\@bad.example/",
        "https://host/a b",
        "https://host/\r\nX: y",
        "https://host:99999/",
        "https://hö.example/",
        "https://host/" + "a" * 20_000,
    ],
)
def test_an_address_that_is_not_to_be_connected_to_is_refused(url: str) -> None:
    with pytest.raises(RegistryError):
        Origin.of(url)


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("8.8.8.8", Place.PUBLIC),
        ("2606:4700::1", Place.PUBLIC),
        ("10.1.2.3", Place.PRIVATE),
        ("100.64.0.1", Place.PRIVATE),
        ("fd00::1", Place.PRIVATE),
        ("127.0.0.1", Place.LOOPBACK),
        ("0.0.0.0", Place.LOOPBACK),
        ("::1", Place.LOOPBACK),
        ("localhost", Place.LOOPBACK),
        ("LOCALHOST.", Place.LOOPBACK),
        ("registry.localhost", Place.LOOPBACK),
        ("::ffff:127.0.0.1", Place.LOOPBACK),
        ("169.254.169.254", Place.LINK_LOCAL),
        ("fe80::1%eth0", Place.LINK_LOCAL),
        ("64:ff9b::a9fe:a9fe", Place.LINK_LOCAL),
        ("224.0.0.1", Place.LINK_LOCAL),
        ("ghcr.io", None),
        ("localhost.example.com", None),
    ],
)
def test_addresses_are_told_apart(address: str, place: Place | None) -> None:
    assert place_of(address) is place


def test_a_public_registry_sends_downloads_to_private_networks_but_tokens_only_to_public() -> None:
    assert redirect_places(Place.PUBLIC) == {Place.PUBLIC, Place.PRIVATE}
    assert realm_places(Place.PUBLIC) == {Place.PUBLIC}


def test_a_registry_on_loopback_sends_to_loopback_but_not_to_link_local() -> None:
    assert redirect_places(Place.LOOPBACK) == {Place.PUBLIC, Place.PRIVATE, Place.LOOPBACK}
    assert realm_places(Place.LOOPBACK) == {Place.PUBLIC, Place.PRIVATE, Place.LOOPBACK}


def test_port_0_is_not_the_usual_one() -> None:
    assert Origin.of("https://ghcr.io:0/") != Origin.of("https://ghcr.io/")
    assert Origin.of("https://ghcr.io:443/") == Origin.of("https://ghcr.io/")


def test_a_body_is_read_in_parts_and_whole() -> None:
    with Response(200, b"content") as response:
        assert response.read(3) == b"con"
        assert response.read_all(4) == b"tent"


def test_a_body_longer_than_its_limit_is_refused() -> None:
    response = Response(200, b"12345", url="https://ghcr.io/v2/?signed")
    with pytest.raises(RegistryError) as caught:
        response.read_all(4)
    assert str(caught.value) == "ghcr.io: the answer is longer than 4 bytes"


def test_a_body_that_trickles_is_given_up() -> None:
    with pytest.raises(ConnectionFailed, match="took longer than 0 seconds"):
        Response(200, b"12345", url="https://ghcr.io/").read_all(10, seconds=0)


def test_a_function_stands_in_for_the_network() -> None:
    transport = FunctionTransport(lambda request: Response(200, request.method.encode()))
    request = Request(method="GET", url="https://ghcr.io/v2/")
    response = transport.send(request)
    assert response.read_all(10) == b"GET"
    assert response.url == "https://ghcr.io/v2/"
    assert transport.requests == [request]


def test_interim_answers_and_trailers_are_passed_over() -> None:
    head = ResponseHead(where="host")
    complete = []
    for line in (b"HTTP/1.1 100 Continue\r\n", b"\r\n"):
        head.add(line)
        complete.append(head.complete)
    assert complete == [False, False]
    for line in (b"HTTP/1.1 404 Not Found\r\n", b"A: b\r\n", b"bad name: x\r\n", b"\r\n"):
        head.add(line)
    assert head.complete
    head.add(b"Trailer: x\r\n")
    assert head.status == 404
    assert list(head.headers) == [("A", "b")]


def test_a_status_line_without_a_number_is_no_answer() -> None:
    head = ResponseHead(where="host")
    for line in (b"HTTP/1.1\r\n", b"\r\n"):
        head.add(line)
    assert not head.complete


@pytest.mark.parametrize(
    ("waits", "stalled"),
    [
        ([(59.0, 0)], False),
        ([(59.0, 0), (1.0, 0)], True),
        ([(59.0, 0), (1.0, 60 * 1024)], False),
        ([(59.0, 60 * 1024), (1.0, 60 * 1024 + 100)], True),
    ],
)
def test_a_transfer_stalls_when_less_than_a_kib_a_second_moves(
    waits: list[tuple[float, int]], stalled: bool
) -> None:
    watch = StallWatch(seconds=60)
    answers = [watch.is_stalled(waited=waited, moved=moved) for waited, moved in waits]
    assert answers[-1] is stalled


@pytest.mark.parametrize(
    ("number", "message", "says"),
    [
        (6, "Could not resolve host", "h:5000: no such host; check the name and the network"),
        (28, "Timeout", "h:5000: it did not answer in time"),
        (52, "Empty reply", "h:5000: the connection broke off: Empty reply"),
        (7, "Failed", "h:5000: no connection: Failed"),
        (5, "x", "h:5000: the proxy cannot be reached: x; check HTTPS_PROXY"),
        (35, "handshake failure", "h:5000: no secure connection: handshake failure"),
        (61, "odd", "h:5000: the request failed: odd (libcurl error 61)"),
    ],
)
def test_errors_of_libcurl_are_put_plainly(number: int, message: str, says: str) -> None:
    request = Request(method="GET", url="https://h:5000/v2/?secret")
    assert str(connection_failure(request, number, message)) == says


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.ECONNREFUSED, "nothing listens there; check the port, and whether the server runs"),
        (errno.ENETUNREACH, "this machine has no network that leads there; check the network"),
    ],
)
def test_why_there_is_no_connection_is_told_with_what_to_check(number: int, says: str) -> None:
    request = Request(method="GET", url="https://h:5000/v2/")
    assert str(connection_failure(request, 7, "Failed", os_error=number)) == f"h:5000: {says}"


def test_a_refused_certificate_is_a_lasting_failure() -> None:
    request = Request(method="GET", url="https://h/")
    assert isinstance(connection_failure(request, 60, "expired"), LastingFailure)
    assert not isinstance(connection_failure(request, 56, "reset"), LastingFailure)


@pytest.mark.parametrize(
    ("url", "environ", "proxied"),
    [
        ("https://h/", {"HTTPS_PROXY": "p"}, True),
        ("https://h/", {"all_proxy": "p"}, True),
        ("http://h/", {"http_proxy": "p"}, True),
        ("http://h/", {"HTTP_PROXY": "p"}, False),
        ("http://h/", {"HTTPS_PROXY": "p"}, False),
        ("https://localhost/", {"HTTPS_PROXY": "p"}, False),
    ],
)
def test_a_proxy_is_seen_in_the_environment(
    url: str, environ: dict[str, str], proxied: bool
) -> None:
    assert is_proxied(Origin.of(url), environ) is proxied
