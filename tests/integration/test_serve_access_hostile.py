"""Who means harm to a registry with users, on a real socket."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from manyfest import listening
from manyfest.errors import UsageError
from manyfest.oci.digest import Digest
from manyfest.serve.access_log import AccessLog
from manyfest.serve.limits import Limits
from manyfest.serve.metrics import Metrics
from manyfest.serve.policy import Policy
from manyfest.serve.server import Certificate, running
from tests import real
from tests.gates import USERS, basic, gate
from tests.serving import ask


@pytest.fixture
def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(listening, "_HEAD_TAKES", 300)
    policy = Policy(
        gate=gate(tmp_path / "access"),
        limits=Limits(uploads=4, uploads_per_client=2),
        log=AccessLog(str(tmp_path / "log")),
    )
    with running(tmp_path / "registry", policy=policy) as address:
        yield address


def connect(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=20)


def begin(address: str, repository: str = "team/app", user: str = "bob") -> str:
    path = f"/v2/{repository}/blobs/uploads/"
    status, headers, _ = ask(address, "POST", path, authorization=basic(user))
    assert status == 202
    return headers["location"]


def test_who_sends_no_whole_head_is_cut_off(address: str) -> None:
    crowd = [connect(address) for _ in range(50)]
    for number, connection in enumerate(crowd):
        connection.sendall(b"GET /v2/ HTTP/1.1\r\nHost: x\r\nA: "[: number % 30])
    assert ask(address, "GET", "/v2/tools/tags/list")[0] == 404
    for connection in crowd:
        with connection:
            assert connection.recv(1000) == b""


def test_who_keeps_a_connection_and_says_nothing_more_is_cut_off(address: str) -> None:
    with connect(address) as connection:
        connection.sendall(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = b""
        while chunk := connection.recv(1000):
            answer += chunk
    assert answer.startswith(b"HTTP/1.1 401 ")


def test_who_takes_nothing_of_an_answer_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real.need("no TCP_USER_TIMEOUT here", met=hasattr(socket, "TCP_USER_TIMEOUT"))
    monkeypatch.setattr(listening, "_TAKES_NOTHING", 500)
    data = bytes(30_000_000)
    blob = Digest.of(data)
    with running(tmp_path / "registry") as address:
        ask(address, "POST", f"/v2/app/blobs/uploads/?digest={blob}", data)
        with connect(address) as connection:
            connection.sendall(f"GET /v2/app/blobs/{blob} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            number = connection.getsockname()[1]
            real.wait_until(lambda: is_established(number), "the answer")
            real.wait_until(lambda: not is_established(number), "the end of it")


def is_established(port: int) -> bool:
    """Whether the server still has a connection to this port of a client."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return any(
        line.split()[2].endswith(f":{port:04X}") and line.split()[3] == "01" for line in lines
    )


def test_uploads_without_an_end_do_not_keep_others_out(address: str) -> None:
    slow = []
    for _ in range(2):
        connection = connect(address)
        head = (
            f"PATCH {begin(address)} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n"
            f"Authorization: {basic('bob')}\r\n\r\n"
        )
        connection.sendall(head.encode() + b"x" * 1000)
        slow.append(connection)
    real.wait_until(lambda: refused(address, "bob"), "the two uploads")
    assert (
        ask(address, "PATCH", begin(address, user="ada"), b"x", authorization=basic("ada"))[0]
        == 202
    )
    for connection in slow:
        connection.close()
    real.wait_until(lambda: not refused(address, "bob"), "the end of the uploads")


def refused(address: str, user: str) -> bool:
    """Whether the user may send no more uploads just now. One is begun by asking."""
    path = "/v2/team/app/blobs/uploads/"
    status, headers, _ = ask(address, "POST", path, authorization=basic(user))
    assert status in (202, 429)
    assert status == 202 or headers["retry-after"] == "1"
    return status == 429


def test_who_is_refused_may_stop_sending(address: str) -> None:
    """A large body to where nobody may push is not waited for."""
    with connect(address) as connection:
        connection.sendall(
            b"PUT /v2/secret/app/manifests/v1 HTTP/1.1\r\nHost: x\r\nContent-Length: 4000000\r\n"
            b"Connection: close\r\n\r\n"
        )
        assert connection.recv(1000).startswith(b"HTTP/1.1 401 ")


def test_a_flood_of_passwords_is_stopped_and_who_is_known_goes_on(address: str) -> None:
    assert ask(address, "GET", "/v2/", authorization=basic("ada"))[0] == 200
    statuses = [
        ask(address, "GET", "/v2/", authorization=basic("ada", f"guess{number}"))[0]
        for number in range(15)
    ]
    assert statuses == [401] * 10 + [429] * 5
    assert ask(address, "GET", "/v2/", authorization=basic("ada"))[0] == 200


def test_users_that_change_count_without_a_restart(address: str, tmp_path: Path) -> None:
    assert ask(address, "GET", "/v2/", authorization=basic("eve"))[0] == 200
    (tmp_path / "access/htpasswd").write_text(USERS.replace("eve", "zoe"))

    def status(user: str) -> int:
        return ask(address, "GET", "/v2/", authorization=basic(user))[0]

    real.wait_until(lambda: status("eve") == 401, "the end of the old user")
    assert status("zoe") == 200


def test_the_log_says_who_did_what_and_no_secret(address: str, tmp_path: Path) -> None:
    begin(address)
    ask(address, "GET", "/v2/secret/app/tags/list", authorization=basic("bob"))
    ask(address, "GET", "/token?account=bob", authorization=basic("bob", "sawfish"))
    log = tmp_path / "log"
    real.wait_until(lambda: log.read_bytes().count(b"\n") == 3, "the log")
    lines = [msgspec.json.decode(line) for line in log.read_bytes().splitlines()]
    found = [(each["client"], each["user"], each["path"], each["status"]) for each in lines]
    assert found == [
        ("127.0.0.1", "bob", "/v2/team/app/blobs/uploads/", 202),
        ("127.0.0.1", "bob", "/v2/secret/app/tags/list", 403),
        ("127.0.0.1", "", "/token", 401),
    ]
    text = log.read_text()
    assert "swordfish" not in text
    assert "sawfish" not in text


def test_the_log_is_whole_when_it_stops(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with running(tmp_path / "registry", policy=Policy(log=AccessLog(str(log)))) as address:
        for _ in range(20):
            ask(address, "GET", "/v2/")
    assert log.read_bytes().count(b"\n") == 20


def test_prometheus_is_answered_elsewhere(tmp_path: Path) -> None:
    port = real.free_port()
    policy = Policy(metrics=Metrics(), metrics_at=("127.0.0.1", port))
    with running(tmp_path / "registry", policy=policy) as address:
        ask(address, "GET", "/v2/")
        status, _, body = ask(f"127.0.0.1:{port}", "GET", "/metrics")
        assert status == 200
        line = b'manyfest_registry_requests_total{endpoint="version",method="GET",status="200"} 1.0'
        assert line in body
        assert ask(address, "GET", "/metrics")[0] == 404
        assert ask(f"127.0.0.1:{port}", "GET", "/metrics", host="evil.example")[0] == 421
    assert not real.is_listening(port)


# Passwords and the network


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_passwords_are_not_taken_in_the_clear(tmp_path: Path, host: str) -> None:
    listen = f"[{host}]:0" if ":" in host else f"{host}:0"
    policy = Policy(gate=gate(tmp_path / "access"))
    with (
        pytest.raises(UsageError, match="passwords would come over plain http"),
        running(tmp_path / "registry", listen, policy=policy),
    ):
        pytest.fail("it listens")


def test_unless_that_is_told_or_there_is_tls(tmp_path: Path, certificates: Path) -> None:
    policy = Policy(gate=gate(tmp_path / "access"), plain_passwords=True)
    with running(tmp_path / "one", "0.0.0.0:0", policy=policy) as address:
        assert ask(f"127.0.0.1:{address.rpartition(':')[2]}", "GET", "/v2/")[0] == 401
    certificate = Certificate(certificates / "cert.pem", certificates / "key.pem")
    policy = Policy(gate=gate(tmp_path / "access"))
    with running(tmp_path / "two", "0.0.0.0:0", policy=policy, certificate=certificate) as address:
        assert address.startswith("0.0.0.0:")


def test_over_tls_the_token_service_is_too(tmp_path: Path, certificates: Path) -> None:
    certificate = Certificate(certificates / "cert.pem", certificates / "key.pem")
    policy = Policy(gate=gate(tmp_path / "access"))
    context = ssl.create_default_context(cafile=str(certificates / "ca.pem"))
    with running(tmp_path / "registry", policy=policy, certificate=certificate) as address:
        port = address.rpartition(":")[2]
        with (
            connect(address) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as connection,
        ):
            host = f"localhost:{port}"
            connection.sendall(f"GET /v2/ HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            answer = connection.recv(2000).decode()
    assert f'www-authenticate: Bearer realm="https://localhost:{port}/token"' in answer
