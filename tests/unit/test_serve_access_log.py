from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from manyfest.errors import UsageError
from manyfest.serve.access_log import AccessLog
from manyfest.serve.policy import Policy
from tests.gates import basic, gate
from tests.unit.serve_client import Client


@pytest.fixture
def log(tmp_path: Path) -> Iterator[AccessLog]:
    log = AccessLog(str(tmp_path / "access.log"), clock=lambda: 1_767_225_600.5)
    log.open()
    yield log
    log.close()


@pytest.fixture
def client(tmp_path: Path, log: AccessLog) -> Client:
    client = Client(tmp_path / "root", policy=Policy(log=log))
    client.registry.prepare()
    return client


def lines(log: AccessLog, tmp_path: Path) -> list[dict[str, object]]:
    log.flush()
    text = (tmp_path / "access.log").read_bytes()
    return [msgspec.json.decode(line) for line in text.splitlines()]


def test_each_request_is_a_line(client: Client, log: AccessLog, tmp_path: Path) -> None:
    answer = client.call("POST", "app/blobs/uploads/?digest=sha256:x", b"data", user_agent="test")
    (line,) = lines(log, tmp_path)
    assert line.pop("seconds") != 0
    assert line == {
        "time": "2026-01-01T00:00:00.500+00:00",
        "id": answer.headers.get("x-request-id"),
        "client": "",
        "user": "",
        "method": "POST",
        "path": "/v2/app/blobs/uploads/",
        "status": 400,
        "received": 0,
        "sent": len(answer.body),
        "agent": "test",
    }


def test_bytes_are_counted_both_ways(client: Client, log: AccessLog, tmp_path: Path) -> None:
    blob = client.push_blob("app", b"0123456789")
    client.call("GET", f"app/blobs/{blob.digest}")
    client.call("HEAD", f"app/blobs/{blob.digest}")
    client.call("GET", f"app/blobs/{blob.digest}", range="bytes=0-3")
    found = [(line["received"], line["sent"], line["status"]) for line in lines(log, tmp_path)]
    assert found == [(0, 0, 202), (10, 0, 201), (0, 10, 200), (0, 0, 200), (0, 4, 206)]


def test_each_request_has_a_name_of_its_own(client: Client, log: AccessLog, tmp_path: Path) -> None:
    for _ in range(3):
        client.call("GET", "/v2/")
    names = [str(line["id"]) for line in lines(log, tmp_path)]
    assert len(set(names)) == 3
    assert all(re.fullmatch("[0-9a-f]{16}", name) for name in names)


def test_no_secret_is_in_it(tmp_path: Path, log: AccessLog) -> None:
    policy = Policy(gate=gate(tmp_path / "access"), log=log)
    client = Client(tmp_path / "root", policy=policy)
    client.registry.prepare()
    document = client.call("GET", "/token?scope=repository:tools:pull", authorization=basic("ada"))
    token = msgspec.json.decode(document.body)["token"]
    client.call("GET", "tools/tags/list?secret=hidden", authorization=f"Bearer {token}")
    client.call("GET", "tools/tags/list", authorization=basic("ada", "sawfish"))
    client.call("POST", "/token", b"grant_type=password&username=ada&password=swordfish")
    assert [line["user"] for line in lines(log, tmp_path)] == ["ada", "ada", "", "ada"]
    text = (tmp_path / "access.log").read_text()
    for secret in (token, "swordfish", "sawfish", "hidden", basic("ada")[6:]):
        assert secret not in text


def test_what_a_client_sends_makes_no_line_of_its_own(
    client: Client, log: AccessLog, tmp_path: Path
) -> None:
    client.call("GET", '/v2/x%0a{"status":200}', user_agent="é" * 9000)
    (line,) = lines(log, tmp_path)
    assert line["path"] == '/v2/x\n{"status":200}'
    assert line["agent"] == "é" * 500


def test_a_file_that_was_renamed_is_made_anew(
    client: Client, log: AccessLog, tmp_path: Path
) -> None:
    client.call("GET", "/v2/")
    assert len(lines(log, tmp_path)) == 1
    (tmp_path / "access.log").rename(tmp_path / "access.log.1")
    client.call("GET", "/v2/")
    client.call("GET", "/v2/")
    assert len(lines(log, tmp_path)) == 2


def test_what_comes_faster_than_it_is_written_is_counted(
    client: Client, log: AccessLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("manyfest.serve.access_log._MOST_WAITING", 2)
    for _ in range(5):
        client.call("GET", "/v2/")
    found = lines(log, tmp_path)
    assert len(found) == 3
    assert found[-1] == {"lost": 3}


def test_a_file_that_cannot_be_written_is_told_at_the_start(tmp_path: Path) -> None:
    path = str(tmp_path / "none" / "access.log")
    with pytest.raises(UsageError, match="the access log cannot be written: No such file"):
        AccessLog(path).open()


def test_without_a_log_no_request_is_named(tmp_path: Path) -> None:
    assert Client(tmp_path / "root").call("GET", "/v2/").headers.get("x-request-id") == ""
