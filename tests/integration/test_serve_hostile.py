"""Clients that mean harm, on a real socket: they are cut off, and others are served meanwhile."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from manyfest.serve.server import running
from tests.serving import ask


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    with running(tmp_path / "registry") as address:
        yield address


def connect(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=20)


def said(connection: socket.socket) -> bytes:
    """What the registry answers until it closes the connection; nothing if it cuts it off."""
    answer = b""
    try:
        while chunk := connection.recv(65536):
            answer += chunk
    except ConnectionResetError:
        pass
    return answer


def send(address: str, *parts: bytes) -> bytes:
    """The answer to raw bytes, some of which may find the connection closed already."""
    with connect(address) as connection:
        try:
            for part in parts:
                connection.sendall(part)
        except (BrokenPipeError, ConnectionResetError):
            pass
        return said(connection)


def test_a_header_bomb_is_cut_off(address: str) -> None:
    bomb = [
        b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\n",
        *[b"A: " + b"a" * 65536 + b"\r\n"] * 64,
        b"\r\n",
    ]
    assert b" 200 " not in send(address, *bomb)[:20]
    assert ask(address, "GET", "/v2/")[0] == 200


def test_a_header_without_an_end_is_cut_off(address: str) -> None:
    answer = send(address, b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\nA: ", *[b"a" * 65536] * 64)
    assert b" 200 " not in answer[:20]
    assert ask(address, "GET", "/v2/")[0] == 200


def test_many_headers_are_refused(address: str) -> None:
    many = b"".join(b"X-%d: y\r\n" % number for number in range(2000))
    answer = send(address, b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\n" + many + b"\r\n")
    assert answer[:13] == b"HTTP/1.1 431 "


@pytest.mark.parametrize(
    "head",
    [
        b"GET /v2/\0 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        b"PUT /v2/app/manifests/v1 HTTP/1.1\r\nHost: localhost\r\n"
        b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n",
        b"POST /v2/app/blobs/uploads/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n"
        b"Content-Length: 5\r\n\r\nabcde",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"nonsense\r\n\r\n",
    ],
)  # fmt: skip
def test_what_is_no_request_is_refused(address: str, head: bytes) -> None:
    assert send(address, head)[:10] in (b"", b"HTTP/1.1 4")
    assert ask(address, "GET", "/v2/")[0] == 200


@pytest.mark.parametrize(
    "path",
    [
        "/v2/../../../etc/passwd",
        "/v2/app/blobs/..%2f..%2f..%2fetc%2fpasswd",
        "/v2/app/../../x/blobs/uploads/",
        "/v2/%2e%2e/%2e%2e/x/blobs/uploads/",
        "/v2/..%5c..%5cx/blobs/uploads/",
        "//etc/passwd",
    ],
)
def test_a_path_leads_out_of_nothing(address: str, path: str, tmp_path: Path) -> None:
    for method in ("GET", "POST", "PUT"):
        assert 400 <= ask(address, method, path, b"")[0] < 500
    assert [each.name for each in tmp_path.iterdir()] == ["registry"]


def test_a_manifest_without_an_end_is_refused_at_its_limit(address: str, tmp_path: Path) -> None:
    head = (
        b"PUT /v2/app/manifests/v1 HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
        b"Connection: close\r\n\r\n"
    )
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    assert send(address, head, *[chunk] * 100)[:13] == b"HTTP/1.1 413 "
    assert not (tmp_path / "registry/repositories").exists()
