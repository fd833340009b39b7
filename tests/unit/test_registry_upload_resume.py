"""Uploads that break off and go on, that are sent twice at once, that come in smaller chunks."""

from __future__ import annotations

import io
import threading

import pytest

import manyfest.stores.registry.uploads
from manyfest.errors import ConnectionFailed, DigestMismatch, ManyfestError, RegistryError
from manyfest.oci.descriptor import Descriptor
from manyfest.stores.base import Content, VerifyingReader
from manyfest.stores.registry.auth.authenticator import Authenticator, AuthTransport
from manyfest.stores.registry.headers import Headers
from manyfest.stores.registry.http import Body, FunctionTransport, Request, Response
from manyfest.stores.registry.uploads import Uploader
from tests.uploading import (
    BLOB,
    DATA,
    DIGEST,
    GONE,
    URL,
    Script,
    Step,
    begun,
    content,
    holding,
    read,
)

BROKEN = ConnectionFailed("the connection broke off", where="ghcr.io")


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manyfest.stores.registry.uploads, "CHUNK_BYTES", 4)


@pytest.mark.parametrize("failure", [BROKEN, Response(502), Response(429)])
def test_an_upload_that_breaks_off_goes_on_in_chunks_where_the_registry_wants_it(
    failure: Step,
) -> None:
    script = Script(begun("1"), failure, holding(3, "2?s=3"), begun("3"), begun("4"), Response(201))
    script.uploader.upload(content())
    assert script.asked == [
        "POST /uploads/",
        f"PUT /uploads/1?digest={DIGEST}",
        "GET /uploads/1",
        "PATCH /uploads/2?s=3",
        "PATCH /uploads/3",
        f"PUT /uploads/4?digest={DIGEST}",
    ]
    assert script.ranges == ["3-6", "7-9"]
    assert script.received == [DATA, b"3456", b"789"]
    assert script.pauses == [0.5]
    assert not script.transport.requests[2].follow


def test_what_the_registry_has_whole_only_needs_its_end() -> None:
    script = Script(begun("1"), BROKEN, holding(10), Response(201))
    script.uploader.upload(content())
    assert script.asked[2:] == ["GET /uploads/1", f"PUT /uploads/1?digest={DIGEST}"]
    assert script.received == [DATA]


def test_what_the_registry_has_nothing_of_is_sent_whole_in_the_same_upload() -> None:
    script = Script(begun("1"), BROKEN, holding(0), Response(201))
    script.uploader.upload(content())
    assert script.asked[2:] == ["GET /uploads/1", f"PUT /uploads/1?digest={DIGEST}"]
    assert script.received == [DATA, DATA]


class Skipping(io.BytesIO):
    """A reader that can pass over bytes, and tells how many."""

    skipped = 0

    def skip(self, count: int, /) -> None:
        self.skipped += count
        self.seek(count, io.SEEK_CUR)


def test_what_the_registry_has_is_not_read_again_where_that_can_be_skipped() -> None:
    readers = [Skipping(DATA), Skipping(DATA)]
    opened = iter(readers)
    script = Script(begun("1"), BROKEN, holding(7), begun("2"), Response(201))
    script.uploader.upload(Content(BLOB, lambda: next(opened)))
    assert script.received == [DATA, b"789"]
    assert [reader.skipped for reader in readers] == [0, 7]


def test_a_source_that_must_be_read_from_its_start_is_verified_to_its_end() -> None:
    """What it gave the second time is not what it gave the first time."""
    readers = iter((DATA, DATA[:5] + b"other"))
    opened = Content(BLOB, lambda: VerifyingReader(io.BytesIO(next(readers)), BLOB, where="source"))
    script = Script(begun("1"), BROKEN, holding(7))
    with pytest.raises(DigestMismatch, match=f"^source: {DIGEST} has the digest"):
        script.uploader.upload(opened)
    assert script.received == [DATA]


def test_a_chunk_that_breaks_off_goes_on_where_the_registry_has_it() -> None:
    script = Script(begun("1"), begun("2"), BROKEN, holding(6, "3"), begun("4"), Response(201))
    script.uploader.largest_body = 4
    script.uploader.upload(content())
    assert script.ranges == ["0-3", "4-7", "6-9"]
    assert script.received == [b"0123", b"4567", b"6789"]


@pytest.mark.parametrize(
    "answer",
    [
        GONE,
        Response(405),
        Response(500),
        Response(204),
        holding(11),
        holding(3, status=400),
        Response(204, headers=Headers({"Range": "bytes=3-9"})),
        Response(204, headers=Headers({"Range": "nonsense"})),
    ],
)
def test_a_registry_that_cannot_tell_how_far_it_came_gets_a_new_upload(answer: Response) -> None:
    script = Script(begun("1"), BROKEN, answer, begun("2"), Response(201))
    script.uploader.upload(content())
    assert script.asked[3:] == ["POST /uploads/", f"PUT /uploads/2?digest={DIGEST}"]


def test_a_registry_that_nobody_can_ask_gets_a_new_upload_or_the_error() -> None:
    script = Script(begun("1"), BROKEN, BROKEN, begun("2"), Response(201))
    script.uploader.upload(content())
    assert script.looks == 0
    gone = ConnectionFailed("nobody is there")
    script = Script(begun("1"), BROKEN, BROKEN, gone)
    with pytest.raises(ConnectionFailed, match="nobody is there"):
        script.uploader.upload(content())


@pytest.mark.parametrize("status", [400, 404, 405, 416])
def test_a_registry_that_will_not_go_on_with_an_upload_gets_a_new_one_and_is_not_asked_again(
    monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setattr(manyfest.stores.registry.uploads, "PROGRESS", 2)
    script = Script(
        begun("1"), BROKEN, holding(3), Response(status), begun("2"), BROKEN, begun("3"),
        Response(201),
    )  # fmt: skip
    script.uploader.upload(content())
    assert script.asked == [
        "POST /uploads/",
        f"PUT /uploads/1?digest={DIGEST}",
        "GET /uploads/1",
        "PATCH /uploads/1",
        "POST /uploads/",
        f"PUT /uploads/2?digest={DIGEST}",
        "POST /uploads/",
        f"PUT /uploads/3?digest={DIGEST}",
    ]


def test_failures_count_anew_after_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manyfest.stores.registry.uploads, "PROGRESS", 2)
    goes_on: list[Step] = []
    for count in (2, 4, 6, 8):
        goes_on += [BROKEN, holding(count)]
    script = Script(begun("1"), *goes_on, begun("1"), Response(201))
    script.uploader.upload(content())
    assert script.pauses == [0.5, 0.5, 0.5, 0.5]
    assert script.ranges == ["2-5", "4-7", "6-9", "8-9"]


def test_failures_without_progress_come_to_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manyfest.stores.registry.uploads, "PROGRESS", 2)
    stuck: list[Step] = [BROKEN, holding(3)] * 9
    script = Script(begun("1"), *stuck)
    with pytest.raises(ConnectionFailed, match="broke off"):
        script.uploader.upload(content())
    assert script.pauses == [0.5, 0.5, 1.0]


def test_a_blob_that_somebody_else_sent_meanwhile_is_not_sent_again() -> None:
    script = Script(begun("1"), BROKEN, GONE, there=[True])
    script.uploader.upload(content())
    assert script.asked == ["POST /uploads/", f"PUT /uploads/1?digest={DIGEST}", "GET /uploads/1"]


@pytest.mark.parametrize("status", [400, 409])
def test_the_slower_of_two_that_send_one_blob_has_it_there_too(status: int) -> None:
    script = Script(begun("1"), Response(status), there=[True])
    script.uploader.upload(content())
    assert script.looks == 1
    script = Script(begun("1"), Response(status), there=[False])
    with pytest.raises(RegistryError, match=rf"the upload of {DIGEST} failed \({status}\)"):
        script.uploader.upload(content())


@pytest.mark.parametrize("status", [401, 403, 429, 301])
def test_a_refusal_is_never_taken_for_a_race(status: int) -> None:
    refused = Response(status, headers=Headers({"Retry-After": "3600"}))
    script = Script(begun("1"), refused, there=[True])
    with pytest.raises(RegistryError):
        script.uploader.upload(content())
    assert script.looks == 0


def test_an_upload_that_is_forgotten_each_time_is_not_told_as_something_missing() -> None:
    script = Script(*[begun("1"), Response(404)] * 3)
    with pytest.raises(RegistryError, match=f"the registry lost the upload of {DIGEST} each time"):
        script.uploader.upload(content())


def test_an_upload_that_was_gone_on_with_says_nothing_of_the_blobs_digest() -> None:
    invalid = Response(400, b'{"errors":[{"code":"DIGEST_INVALID"}]}')
    script = Script(begun("1"), BROKEN, holding(9), BROKEN, holding(10), invalid)
    with pytest.raises(RegistryError, match="the registry lost the upload"):
        script.uploader.upload(content())


def test_a_look_that_fails_is_no_reason_not_to_send() -> None:
    def has(_: Descriptor) -> bool:
        raise RegistryError("the look failed")

    steps: list[Step] = [begun("1"), Response(404), begun("2"), Response(201)]
    sent: list[str] = []

    def answer(request: Request) -> Response:
        sent.append(request.method)
        step = steps.pop(0)
        assert isinstance(step, Response)
        return step

    uploader = Uploader(answer, URL, scopes=(), where="here", has=has, sleep=lambda _: None)
    uploader.upload(content())
    assert sent == ["POST", "PUT", "POST", "PUT"]


def test_a_chunk_that_is_sent_a_second_time_with_a_new_token_has_all_its_bytes() -> None:
    tokens = iter((b"t1", b"t2"))
    received: list[tuple[str, bytes]] = []

    def registry(request: Request) -> Response:
        if "/token" in request.url:
            return Response(200, b'{"token":"%s"}' % next(tokens))
        body = read(request.body.open()) if isinstance(request.body, Body) else b""
        received.append((request.headers.get("Authorization"), body))
        # The first token is good for the beginning and the first chunk.
        good = "Bearer t1" if len(received) < 4 else "Bearer t2"
        if request.headers.get("Authorization") != good:
            challenge = f'Bearer realm="https://ghcr.io/token",scope="x:{len(received)}:pull"'
            return Response(401, headers=Headers({"WWW-Authenticate": challenge}), url=request.url)
        if request.method == "PUT":
            return Response(201, url=request.url)
        return begun("1")

    transport = AuthTransport(FunctionTransport(registry), Authenticator())
    uploader = Uploader(
        transport.send, URL, scopes=("repository:team/app:pull,push",), where="ghcr.io/team/app",
        has=lambda _: False, sleep=lambda _: None,
    )  # fmt: skip
    uploader.largest_body = 4
    uploader.upload(content())
    assert received[3:] == [
        ("Bearer t1", b"4567"),
        ("Bearer t2", b"4567"),
        ("Bearer t2", b"89"),
        ("Bearer t2", b""),
    ]


def test_chunks_shrink_until_they_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manyfest.stores.registry.uploads, "CHUNK_BYTES", 8)
    taken = [begun("c"), begun("d"), begun("e"), begun("f"), begun("g"), Response(201)]
    script = Script(begun("1"), Response(413), begun("2"), Response(413), begun("3"), *taken)
    script.uploader.upload(content())
    assert script.ranges == ["0-7", "0-1", "2-3", "4-5", "6-7", "8-9"]
    assert script.uploader.largest_body == 2


def test_what_one_upload_learns_of_the_limit_the_next_one_keeps_to() -> None:
    script = Script(begun("1"), Response(413), begun("2"), *[begun("c")] * 3, Response(201))
    script.uploader.upload(content())
    script.steps = [begun("3"), *[begun("c")] * 3, Response(201)]
    script.uploader.upload(content())
    assert script.ranges[3:] == ["0-3", "4-7", "8-9"]


def test_uploads_that_are_refused_at_the_same_time_shrink_only_once() -> None:
    """Eight whole bodies are under way when the first refusal comes."""
    all_sent = threading.Barrier(8)

    def answer(request: Request) -> Response:
        if request.method == "PUT" and isinstance(request.body, Body):
            all_sent.wait(10)
            return Response(413)
        return Response(201) if request.method == "PUT" else begun("1")

    uploader = Uploader(answer, URL, scopes=(), where="here", has=lambda _: False)
    failures: list[ManyfestError] = []

    def upload() -> None:
        try:
            uploader.upload(content())
        except ManyfestError as error:
            failures.append(error)

    threads = [threading.Thread(target=upload) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert uploader.largest_body == 4


def test_a_registry_that_refuses_every_size_is_told() -> None:
    script = Script(begun("1"), Response(413), begun("2"), Response(413), begun("3"), Response(413))
    with pytest.raises(RegistryError, match=rf"the upload of {DIGEST} failed \(413\)"):
        script.uploader.upload(content())
    assert script.ranges == ["0-3", "0-0"]


def least(count: str) -> Response:
    fields = {"Location": "/v2/x/1", "OCI-Chunk-Min-Length": count}
    return Response(202, headers=Headers(fields))


def test_no_chunk_is_smaller_than_the_registry_wants() -> None:
    script = Script(least("7"), begun("2"), begun("3"), Response(201))
    script.uploader.largest_body = 4
    script.uploader.upload(content())
    assert script.ranges == ["0-6", "7-9"]


def test_a_registry_that_refuses_the_smallest_chunk_that_it_allows_is_told() -> None:
    script = Script(least("7"), Response(413))
    script.uploader.largest_body = 4
    with pytest.raises(RegistryError, match=r"failed \(413\)"):
        script.uploader.upload(content())


@pytest.mark.parametrize("said", ["", "-1", "many", "9" * 40])
def test_a_smallest_chunk_that_is_none_is_left_alone(said: str) -> None:
    script = Script(least(said), begun("2"), begun("3"), begun("4"), Response(201))
    script.uploader.largest_body = 4
    script.uploader.upload(content())
    assert script.ranges == ["0-3", "4-7", "8-9"]


def test_a_repository_that_was_denied_is_not_asked_for_the_next_blob() -> None:
    script = Script(Response(403))
    assert script.uploader.mount(BLOB, "secret/base", "repository:secret/base:pull") is False
    assert script.uploader.mount(BLOB, "secret/base", "repository:secret/base:pull") is False
    assert len(script.asked) == 1
    script.steps = [Response(201)]
    assert script.uploader.mount(BLOB, "open/base", "repository:open/base:pull") is True
