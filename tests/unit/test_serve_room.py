"""Limits: of the disk, of a quota, of uploads at a time, and of patience."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections import namedtuple
from pathlib import Path

import pytest
from click.testing import CliRunner

from manyfest.cli.main import cli
from manyfest.serve.asgi import Message
from manyfest.serve.storage import Storage
from manyfest.stores.registry.http import Body
from tests.gates import basic, guarded
from tests.unit.serve_client import Client, digest_of
from tests.unit.test_serve_blobs import PiecesReader

Usage = namedtuple("Usage", ["total", "used", "free"])


@pytest.fixture
def client(tmp_path: Path) -> Client:
    return limited(tmp_path, 1000)


def limited(root: Path, quota: int) -> Client:
    client = Client(root, content=Storage(root, quota=quota))
    client.registry.prepare()
    return client


def push(client: Client, data: bytes, repository: str = "app") -> int:
    digest = digest_of(data)
    location = client.begin(repository)
    answer = client.call("PUT", f"{location}?digest={digest}", data)
    if answer.status >= 400:
        assert answer.code == "DENIED"
        client.call("DELETE", location)
    return answer.status


def test_what_goes_beyond_the_quota_is_refused_and_the_rest_is_served(client: Client) -> None:
    assert push(client, b"a" * 600) == 201
    assert push(client, b"b" * 600) == 403
    assert client.call("GET", f"app/blobs/{digest_of(b'a' * 600)}").status == 200
    assert push(client, b"c" * 100) == 201


def test_the_quota_counts_what_was_there_before(client: Client) -> None:
    push(client, b"a" * 600)
    assert push(limited(client.root, 1000), b"b" * 600) == 403


def test_a_blob_in_several_repositories_counts_once(client: Client) -> None:
    push(client, b"a" * 600)
    digest = digest_of(b"a" * 600)
    for name in ("one", "two", "three"):
        client.call("POST", f"{name}/blobs/uploads/?mount={digest}&from=app")
    assert push(limited(client.root, 1000), b"b" * 100) == 201


def test_what_was_deleted_gives_room(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("manyfest.serve.room._COUNTED_AGAIN", -1.0)
    push(client, b"a" * 600)
    assert push(client, b"b" * 600) == 403
    client.call("DELETE", f"app/blobs/{digest_of(b'a' * 600)}")
    assert push(client, b"b" * 600) == 201


def test_a_manifest_beyond_the_quota_is_refused(tmp_path: Path) -> None:
    image = Client(tmp_path).push_image("app", "v1")
    other = Client(tmp_path).image("app", text="x" * 1000)
    client = limited(tmp_path, 1000)
    answer = client.push_manifest("app", "v1", other)
    assert (answer.status, answer.code) == (403, "DENIED")
    assert client.call("GET", "app/manifests/v1").body == image.raw


def test_an_upload_without_an_end_is_cut_off_and_what_it_wrote_is_gone(client: Client) -> None:
    location = client.begin("app")
    client.call("PATCH", location, b"0123")
    endless = Body(None, lambda: PiecesReader([b"x" * 600_000] * 50))
    answer = client.call("PATCH", location, endless)
    assert (answer.status, answer.code) == (403, "DENIED")
    assert client.call("GET", location).headers.get("range") == "0-3"
    assert sum(path.stat().st_size for path in client.root.glob("uploads/*")) == 4


def test_the_last_of_the_disk_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(tmp_path)
    client.push_image("app", "v1")
    location = client.begin("app")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 10**9, 10**7))
    answer = client.call("PATCH", location, b"0123")
    assert (answer.status, answer.code) == (507, "DENIED")
    assert client.call("GET", "app/manifests/v1").status == 200


def test_too_many_unfinished_uploads(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("manyfest.serve.uploads._MOST", 2)
    first, second = client.begin("app"), client.begin("app")
    answer = client.call("POST", "app/blobs/uploads/")
    assert (answer.status, answer.code) == (429, "TOOMANYREQUESTS")
    assert answer.headers.get("retry-after") == "60"
    client.call("DELETE", first)
    assert client.call("PATCH", client.begin("app"), b"0").status == 202
    assert client.call("PATCH", second, b"0").status == 202


def test_no_user_keeps_others_from_pushing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("manyfest.serve.uploads._MOST_OF_ONE", 2)
    client = Client(tmp_path / "root", policy=guarded(tmp_path / "access"))
    answers = [
        client.call("POST", "team/app/blobs/uploads/", b"", authorization=basic(user)).status
        for user in ("ada", "ada", "ada", "bob")
    ]
    assert answers == [202, 202, 429, 202]


def test_the_oldest_uploads_make_room_for_new_ones(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("manyfest.serve.uploads._MOST", 2)
    old, new = client.begin("app"), client.begin("app")
    [path] = client.root.glob(f"uploads/{old.rpartition('/')[2]}-*")
    os.utime(path, (0, 0))
    client.begin("app")
    assert [client.call("GET", location).status for location in (old, new)] == [404, 204]


def test_a_body_that_comes_too_slowly_is_cut_off_and_what_came_is_kept(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("manyfest.serve.asgi.PART_SECONDS", 0.02)
    location = client.begin("app")
    sent: list[Message] = []

    async def receive() -> Message:
        await asyncio.sleep(0.001)
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "PATCH", "path": location, "raw_path": location.encode(),
        "query_string": b"", "headers": [],
    }  # fmt: skip
    asyncio.run(client.registry(scope, receive, send))
    assert sent[0]["status"] == 408
    assert client.call("GET", location).status == 204
    assert sum(path.stat().st_size for path in client.root.glob("uploads/*")) > 0


@pytest.mark.parametrize("size", ["", "20", "20 GB", "1.5GB", "GB", "-1", "20XB"])
def test_what_is_no_size_is_refused(tmp_path: Path, size: str) -> None:
    arguments = ["serve", str(tmp_path), "--gc", "--quota", size]
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == (0 if size == "20" else 2)
