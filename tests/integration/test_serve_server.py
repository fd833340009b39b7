"""The registry on a real socket: what the server does with requests, addresses and signals."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from manyfest.errors import StoreError, UsageError
from manyfest.oci.digest import Digest
from manyfest.serve.server import run, running
from tests import real
from tests.serving import ask, served

DATA = os.urandom(3_000_000)
DIGEST = str(Digest.of(DATA))


def begin(address: str) -> str:
    return ask(address, "POST", "/v2/app/blobs/uploads/")[1]["location"]


def send_part(address: str, method: str, path: str, size: int, body: bytes) -> socket.socket:
    """Send the head of a request of ``size`` bytes and the beginning of its body."""
    host, _, port = address.rpartition(":")
    connection = socket.create_connection((host, int(port)), timeout=20)
    head = f"{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {size}\r\n\r\n"
    connection.sendall(head.encode() + body)
    return connection


def test_a_blob_goes_over_the_wire_and_back(tmp_path: Path) -> None:
    with running(tmp_path) as address:
        assert ask(address, "PUT", f"{begin(address)}?digest={DIGEST}", DATA)[0] == 201
        status, headers, body = ask(address, "GET", f"/v2/app/blobs/{DIGEST}")
        assert (status, body == DATA) == (200, True)
        assert headers["content-type"] == "application/octet-stream"
        assert headers["content-length"] == "3000000"
        part = ask(address, "GET", f"/v2/app/blobs/{DIGEST}", range="bytes=1000-1999999")
        assert (part[0], part[2] == DATA[1000:2000000]) == (206, True)
        head = ask(address, "HEAD", f"/v2/app/blobs/{DIGEST}")
        assert (head[0], head[1]["content-length"], head[2]) == (200, "3000000", b"")


def test_an_address_of_ipv6(tmp_path: Path) -> None:
    real.need("no IPv6 here", met=Path("/proc/net/if_inet6").exists())
    with running(tmp_path, "[::1]:0") as address:
        assert address.startswith("[::1]:")
        assert ask(address, "GET", "/v2/")[0] == 200


def test_another_sites_name_is_refused(tmp_path: Path) -> None:
    with running(tmp_path) as address:
        assert ask(address, "GET", "/v2/", host="evil.example")[0] == 421
        assert ask(address, "GET", "/v2/", host="localhost:5000")[0] == 200


@pytest.mark.parametrize("head", ["GET /v2/ HTTP/1.0\r\n\r\n", "GET /v2/ HTTP/1.1\r\n\r\n"])
def test_a_client_need_not_say_whom_it_asks(tmp_path: Path, head: str) -> None:
    with running(tmp_path) as address:
        host, _, port = address.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            connection.sendall(head.encode())
            assert connection.recv(100).split()[1] == b"200"


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with running(tmp_path / "one") as address:
        message = f"{address} is taken by another program; choose another with --listen"
        with pytest.raises(StoreError) as caught, running(tmp_path / "two", address):
            pytest.fail("two registries share one port")
        assert str(caught.value) == message


@pytest.mark.parametrize("listen", ["", "5000", ":5000", "localhost", "localhost:x", "a:99999"])
def test_an_address_that_is_none_is_refused(tmp_path: Path, listen: str) -> None:
    with pytest.raises(UsageError, match="is not HOST:PORT"):
        run(tmp_path, listen, on_ready=lambda _: None)


def test_an_address_of_another_machine_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is not an address of this machine"):
        run(tmp_path, "192.0.2.1:5000", on_ready=lambda _: None)


def test_without_granian_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "granian.server.embed", None)
    with pytest.raises(UsageError, match=r"pip install 'manyfest\[serve\]'"):
        run(tmp_path, "127.0.0.1:0", on_ready=lambda _: None)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_requests_finish(tmp_path: Path, number: int) -> None:
    with served(tmp_path) as (process, address):
        location = f"{begin(address)}?digest={DIGEST}"
        connection = send_part(address, "PUT", location, len(DATA), DATA[:1_000_000])
        real.wait_until(lambda: written(tmp_path) > 0, "the upload")
        process.send_signal(number)
        connection.sendall(DATA[1_000_000:])
        assert connection.recv(100).startswith(b"HTTP/1.1 201 ")
        connection.close()
        assert process.wait(20) == 0
        assert process.stderr is not None
        assert process.stderr.read() == b""


def test_a_second_signal_does_not_wait(tmp_path: Path) -> None:
    with served(tmp_path) as (process, address):
        connection = send_part(address, "PATCH", begin(address), len(DATA), DATA[:1_000_000])
        real.wait_until(lambda: written(tmp_path) > 0, "the upload")
        process.send_signal(signal.SIGTERM)
        real.wait_until(lambda: not accepts(address), "the first signal")
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == -signal.SIGTERM
        connection.close()


def test_an_upload_that_broke_off_goes_on(tmp_path: Path) -> None:
    with running(tmp_path) as address:
        location = begin(address)
        send_part(address, "PATCH", location, len(DATA), DATA[:1_000_000]).close()
        real.wait_until(lambda: written(tmp_path) == 1_000_000, "what came of the upload")
        real.wait_until(lambda: go_on(address, location) == 202, "the upload's end")
        assert ask(address, "PUT", f"{location}?digest={DIGEST}")[0] == 201


def test_a_killed_registry_loses_nothing_that_was_finished(tmp_path: Path) -> None:
    with served(tmp_path) as (process, address):
        assert ask(address, "PUT", f"{begin(address)}?digest={DIGEST}", DATA)[0] == 201
        location = begin(address)
        connection = send_part(address, "PATCH", location, len(DATA), DATA[:1_000_000])
        real.wait_until(lambda: written(tmp_path) > 0, "the upload")
        process.kill()
        process.wait()
        connection.close()
    with running(tmp_path) as address:
        assert ask(address, "GET", f"/v2/app/blobs/{DIGEST}")[2] == DATA
        have = int(ask(address, "GET", location)[1]["range"].partition("-")[2]) + 1
        assert ask(address, "PUT", f"{location}?digest={DIGEST}", DATA[have:])[0] == 201


def written(root: Path) -> int:
    """Bytes of the one upload that is under way."""
    return sum(path.stat().st_size for path in (root / "uploads").iterdir())


def go_on(address: str, location: str) -> int:
    """Send the rest; 409 while the registry has not seen the end of the broken request."""
    fields = {"content_range": "1000000-2999999"}
    return ask(address, "PATCH", location, DATA[1_000_000:], **fields)[0]


def accepts(address: str) -> bool:
    return real.is_listening(int(address.rpartition(":")[2]))


def test_a_server_gives_up_no_lock_of_another_part(tmp_path: Path) -> None:
    """To close any descriptor of a file ends the process's locks on it, as SQLite's (fcntl(2))."""
    look = "import fcntl, sys; fcntl.lockf(open(sys.argv[1], 'r+'), fcntl.LOCK_EX | fcntl.LOCK_NB)"
    with (tmp_path / "locked").open("w+") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        with running(tmp_path / "registry"):
            pass
        command = [sys.executable, "-c", look, str(tmp_path / "locked")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "BlockingIOError" in done.stderr
