from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import pytest

from manyfest.errors import ConnectionFailed
from manyfest.serve import uploads
from manyfest.stores.registry.http import Body
from tests.unit.serve_client import Client, digest_of

DATA = b"0123456789"
DIGEST = digest_of(DATA)


@pytest.fixture
def client(tmp_path: Path) -> Client:
    return Client(tmp_path)


def stored(client: Client, repository: str = "app") -> bytes:
    return client.call("GET", f"{repository}/blobs/{DIGEST}").body


def test_a_blob_is_pushed_with_post_and_put(client: Client) -> None:
    answer = client.call("PUT", f"{client.begin('app')}?digest={DIGEST}", DATA)
    assert answer.status == 201
    assert answer.location == f"/v2/app/blobs/{DIGEST}"
    assert answer.headers.get("docker-content-digest") == DIGEST
    assert stored(client) == b"0123456789"


def test_a_blob_is_pushed_with_one_post(client: Client) -> None:
    answer = client.call("POST", f"app/blobs/uploads/?digest={DIGEST}", DATA)
    assert (answer.status, answer.location) == (201, f"/v2/app/blobs/{DIGEST}")
    assert stored(client) == b"0123456789"


def test_a_blob_is_streamed_without_its_size(client: Client) -> None:
    location = client.begin("app")
    answer = client.call("PATCH", location, Body(None, lambda: PiecesReader([b"01234", b"56789"])))
    assert (answer.status, answer.headers.get("range")) == (202, "0-9")
    assert client.call("PUT", f"{location}?digest={DIGEST}").status == 201
    assert stored(client) == b"0123456789"


def test_a_blob_is_pushed_in_chunks_the_last_with_the_put(client: Client) -> None:
    location = client.begin("app")
    first = client.call("PATCH", location, DATA[:4], content_range="0-3")
    assert (first.status, first.headers.get("range")) == (202, "0-3")
    second = client.call("PATCH", first.location, DATA[4:8], content_range="4-7")
    assert (second.status, second.headers.get("range")) == (202, "0-7")
    last = client.call("PUT", f"{location}?digest={DIGEST}", DATA[8:], content_range="8-9")
    assert last.status == 201
    assert stored(client) == b"0123456789"


@pytest.mark.parametrize("wrong", ["0-3", "5-8", "8-9"])
def test_a_chunk_out_of_order_is_a_416_and_changes_nothing(client: Client, wrong: str) -> None:
    location = client.begin("app")
    client.call("PATCH", location, DATA[:4], content_range="0-3")
    answer = client.call("PATCH", location, DATA[4:8], content_range=wrong)
    assert answer.status == 416
    assert answer.headers.get("range") == "0-3"
    assert answer.location == location
    client.call("PATCH", location, DATA[4:], content_range="4-9")
    assert client.call("PUT", f"{location}?digest={DIGEST}").status == 201


def test_a_chunk_of_another_length_than_it_says_changes_nothing(client: Client) -> None:
    location = client.begin("app")
    client.call("PATCH", location, DATA[:4], content_range="0-3")
    short = client.call("PATCH", location, DATA[4:6], content_range="4-9")
    streamed = Body(None, lambda: PiecesReader([b"x" * 600_000, b"y" * 600_000]))
    long = client.call("PATCH", location, streamed, content_range="4-9")
    assert [(short.status, short.code), (long.status, long.code)] == [(400, "SIZE_INVALID")] * 2
    assert client.call("GET", location).headers.get("range") == "0-3"
    client.call("PATCH", location, DATA[4:])
    assert client.call("PUT", f"{location}?digest={DIGEST}").status == 201


def test_a_broken_upload_goes_on_where_it_stopped(client: Client) -> None:
    location = client.begin("app")
    with pytest.raises(ConnectionFailed):
        client.call("PATCH", location, Body(10, lambda: PiecesReader([b"01234"], breaks=True)))
    status = client.call("GET", location)
    assert (status.status, status.headers.get("range")) == (204, "0-4")
    client.call("PATCH", location, DATA[5:], content_range="5-9")
    assert client.call("PUT", f"{location}?digest={DIGEST}").status == 201


def test_an_upload_goes_on_after_a_restart(client: Client) -> None:
    location = client.begin("app")
    client.call("PATCH", location, DATA[:7])
    restarted = Client(client.root)
    assert restarted.call("PUT", f"{location}?digest={DIGEST}", DATA[7:]).status == 201
    assert stored(restarted) == b"0123456789"


def test_an_upload_that_another_process_went_on_with_is_hashed_anew(client: Client) -> None:
    other = Client(client.root)
    location = client.begin("app")
    client.call("PATCH", location, DATA[:3])
    other.call("PATCH", location, DATA[3:6])
    assert client.call("PUT", f"{location}?digest={DIGEST}", DATA[6:]).status == 201


def test_a_large_body_is_written_in_parts(client: Client) -> None:
    pieces = [bytes([number]) * 300_000 for number in range(9)]
    digest = digest_of(b"".join(pieces))
    location = f"{client.begin('app')}?digest={digest}"
    assert client.call("PUT", location, Body(2_700_000, lambda: PiecesReader(pieces))).status == 201
    body = client.call("GET", f"app/blobs/{digest}").body
    assert hashlib.sha256(body).hexdigest() == digest.removeprefix("sha256:")


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_a_wrong_digest_is_refused_and_nothing_is_left(client: Client, method: str) -> None:
    path = client.begin("app") if method == "PUT" else "app/blobs/uploads/"
    answer = client.call(method, f"{path}?digest={digest_of(b'other')}", DATA)
    assert (answer.status, answer.code) == (400, "DIGEST_INVALID")
    assert client.files() == []


@pytest.mark.parametrize("digest", ["", "sha256:ab", "md5:abc", "sha256:../../x", f"{DIGEST}\n"])
def test_what_is_no_digest_is_refused(client: Client, digest: str) -> None:
    quoted = digest.replace("\n", "%0A")
    answer = client.call("PUT", f"{client.begin('app')}?digest={quoted}", DATA)
    assert (answer.status, answer.code) == (400, "DIGEST_INVALID")


def test_sha512_is_a_digest_too(client: Client) -> None:
    digest = digest_of(DATA, "sha512")
    assert client.call("PUT", f"{client.begin('app')}?digest={digest}", DATA).status == 201
    assert client.call("POST", f"two/blobs/uploads/?digest={digest}", DATA).status == 201
    begun = client.call("POST", "three/blobs/uploads/?digest-algorithm=sha512")
    assert client.call("PUT", f"{begun.location}?digest={digest}", DATA).status == 201
    assert client.call("GET", f"three/blobs/{digest}").body == b"0123456789"
    assert client.call("POST", "app/blobs/uploads/?digest-algorithm=md5").code == "DIGEST_INVALID"


def test_a_cancelled_upload_is_gone(client: Client) -> None:
    location = client.begin("app")
    assert client.call("DELETE", location).status == 204
    for method in ("GET", "PATCH", "DELETE"):
        answer = client.call(method, location)
        assert answer.status == 404
        assert method == "GET" or answer.code == "BLOB_UPLOAD_UNKNOWN"
    assert client.files() == []


def test_an_upload_belongs_to_its_repository(client: Client) -> None:
    location = client.begin("app").replace("/v2/app/", "/v2/other/")
    assert client.call("PATCH", location, DATA).code == "BLOB_UPLOAD_UNKNOWN"


@pytest.mark.parametrize("identity", ["..", "..%5Cx", "x", "0" * 31, "%00" * 32])
def test_an_upload_that_was_never_begun_is_a_404(client: Client, identity: str) -> None:
    assert client.call("PATCH", f"app/blobs/uploads/{identity}", DATA).status == 404


def test_a_finished_upload_takes_no_more(client: Client) -> None:
    location = client.begin("app")
    client.call("PUT", f"{location}?digest={DIGEST}", DATA)
    assert client.call("PATCH", location, b"more").status == 404
    assert stored(client) == b"0123456789"


def test_two_requests_cannot_write_to_one_upload(client: Client) -> None:
    location = client.begin("app")
    with_it = client.storage.uploads.open("app", location.rpartition("/")[2])
    try:
        assert client.call("PATCH", location, DATA).status == 409
    finally:
        with_it.close()
    assert client.call("PATCH", location, DATA).status == 202


def test_two_pushes_of_one_blob_at_once_both_succeed(client: Client) -> None:
    data = b"x" * 2_000_000
    digest = digest_of(data)
    statuses: list[int] = []

    def push(repository: str) -> None:
        answer = client.call("PUT", f"{client.begin(repository)}?digest={digest}", data)
        statuses.append(answer.status)

    threads = [threading.Thread(target=push, args=(f"app{n % 2}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [201] * 6
    assert client.call("GET", f"app0/blobs/{digest}").body == data
    hexadecimal = digest.removeprefix("sha256:")
    assert (client.root / "blobs/sha256" / hexadecimal).stat().st_nlink == 3


def test_head_tells_size_and_digest(client: Client) -> None:
    client.push_blob("app", DATA)
    answer = client.call("HEAD", f"app/blobs/{DIGEST}")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers.get("content-length") == "10"
    assert answer.headers.get("content-type") == "application/octet-stream"
    assert answer.headers.get("docker-content-digest") == DIGEST


def test_a_part_of_a_blob(client: Client) -> None:
    client.push_blob("app", DATA)
    answer = client.call("GET", f"app/blobs/{DIGEST}", range="bytes=2-4")
    assert (answer.status, answer.body) == (206, b"234")
    assert answer.headers.get("content-range") == "bytes 2-4/10"
    assert answer.headers.get("content-length") == "3"


def test_a_part_beyond_the_blob_is_a_416(client: Client) -> None:
    client.push_blob("app", DATA)
    answer = client.call("GET", f"app/blobs/{DIGEST}", range="bytes=999999999999999999999-")
    assert answer.status == 416
    assert answer.headers.get("content-range") == "bytes */10"


def test_a_part_of_another_content_is_the_whole(client: Client) -> None:
    client.push_blob("app", DATA)
    answer = client.call("GET", f"app/blobs/{DIGEST}", range="bytes=2-4", if_range='"other"')
    assert (answer.status, answer.body) == (200, b"0123456789")


def test_a_client_that_has_the_blob_is_told_so(client: Client) -> None:
    client.push_blob("app", DATA)
    etag = client.call("HEAD", f"app/blobs/{DIGEST}").headers.get("etag")
    answer = client.call("GET", f"app/blobs/{DIGEST}", if_none_match=etag)
    assert (answer.status, answer.body) == (304, b"")


def test_an_empty_blob(client: Client) -> None:
    empty = client.push_blob("app", b"")
    answer = client.call("GET", f"app/blobs/{empty.digest}")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers.get("content-length") == "0"


def test_a_repository_does_not_see_what_others_hold(client: Client) -> None:
    client.push_blob("secret", DATA)
    client.push_blob("app", b"something else")
    assert client.call("GET", f"app/blobs/{DIGEST}").code == "BLOB_UNKNOWN"
    assert client.call("HEAD", f"app/blobs/{DIGEST}").status == 404


def test_a_mount_takes_the_blob_from_a_named_repository(client: Client) -> None:
    client.push_blob("base", DATA)
    answer = client.call("POST", f"app/blobs/uploads/?mount={DIGEST}&from=base")
    assert (answer.status, answer.location) == (201, f"/v2/app/blobs/{DIGEST}")
    assert stored(client) == b"0123456789"


def test_a_mount_that_names_no_repository_takes_the_blob_from_any(client: Client) -> None:
    client.push_blob("base", DATA)
    answer = client.call("POST", f"app/blobs/uploads/?mount={DIGEST}")
    assert (answer.status, answer.location) == (201, f"/v2/app/blobs/{DIGEST}")
    assert stored(client) == b"0123456789"


def test_what_was_deleted_everywhere_is_mounted_from_nowhere(client: Client) -> None:
    client.push_blob("base", DATA)
    (client.root / "repositories/base/_oci/blobs/sha256" / DIGEST[7:]).unlink()
    answer = client.call("POST", f"app/blobs/uploads/?mount={DIGEST}")
    assert answer.status == 202
    assert client.call("HEAD", f"app/blobs/{DIGEST}").status == 404


@pytest.mark.parametrize("source", ["&from=", "&from=other", "&from=../base", "&from=BASE"])
def test_a_mount_that_cannot_be_becomes_an_upload(client: Client, source: str) -> None:
    client.push_blob("base", DATA)
    answer = client.call("POST", f"app/blobs/uploads/?mount={DIGEST}{source}")
    assert answer.status == 202
    assert client.call("HEAD", f"app/blobs/{DIGEST}").status == 404
    assert client.call("PUT", f"{answer.location}?digest={DIGEST}", DATA).status == 201


def test_a_blob_that_was_mounted_takes_no_more_room(client: Client) -> None:
    client.push_blob("base", DATA)
    client.call("POST", f"app/blobs/uploads/?mount={DIGEST}&from=base")
    client.push_blob("third", DATA)
    hexadecimal = DIGEST.removeprefix("sha256:")
    files = [path for path in client.root.rglob(hexadecimal) if path.is_file()]
    assert len(files) == 4
    assert len({path.stat().st_ino for path in files}) == 1


def test_a_deleted_blob_is_gone_from_its_repository_alone(client: Client) -> None:
    client.push_blob("app", DATA)
    client.push_blob("other", DATA)
    assert client.call("DELETE", f"app/blobs/{DIGEST}").status == 202
    assert client.call("DELETE", f"app/blobs/{DIGEST}").code == "BLOB_UNKNOWN"
    assert client.call("HEAD", f"app/blobs/{DIGEST}").status == 404
    assert stored(client, "other") == b"0123456789"


def test_the_last_deletion_gives_the_room_back(client: Client) -> None:
    client.push_blob("app", DATA)
    client.call("DELETE", f"app/blobs/{DIGEST}")
    left = [name for name in client.files() if DIGEST.removeprefix("sha256:") in name]
    assert left == []


class PiecesReader:
    """Gives one piece at a time; may break at the end as a connection does."""

    def __init__(self, pieces: list[bytes], *, breaks: bool = False) -> None:
        self._pieces = list(pieces)
        self._breaks = breaks

    def read(self, size: int, /) -> bytes:
        if self._pieces:
            return self._pieces.pop(0)
        if self._breaks:
            raise ConnectionFailed("broken")
        return b""

    def close(self) -> None:
        self._pieces.clear()


def test_what_arrives_is_sent_to_the_disk_before_the_end(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr(uploads, "_WRITTEN_OUT_AFTER", 4)
    monkeypatch.setattr(uploads, "write_out", lambda _, start, size: sent.append((start, size)))
    location = client.begin("app")
    assert client.call("PATCH", location, b"012").status == 202
    assert client.call("PATCH", location, b"3456789").status == 202
    assert sent == [(3, 7)]
