from __future__ import annotations

import io
from collections.abc import Iterable

import pytest

import manyfest.stores.registry.uploads
from manyfest.errors import (
    AccessDenied,
    ConnectionFailed,
    DigestMismatch,
    ManyfestError,
    NotFound,
    RateLimited,
    RegistryError,
)
from manyfest.stores.base import Content, VerifyingReader
from manyfest.stores.registry.addresses import Place
from manyfest.stores.registry.headers import Headers
from manyfest.stores.registry.http import Body, LastingFailure, Response
from manyfest.stores.registry.upload_sessions import Session
from tests.uploading import BLOB, DATA, DIGEST, GONE, SCOPES, Script, Step, begun, content


def test_an_upload_is_a_post_and_a_put() -> None:
    script = Script(begun(), Response(201))
    script.uploader.upload(content())
    assert script.asked == ["POST /uploads/", f"PUT /uploads/1?digest={DIGEST}"]
    assert script.received == [DATA]
    post, put = script.transport.requests
    assert (post.repeatable, put.repeatable) == (True, False)
    assert post.scopes == put.scopes == SCOPES
    assert not post.follow
    assert not put.follow
    assert put.headers.get("Content-Type") == "application/octet-stream"
    assert put.places is None


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("/v2/x/1", "https://ghcr.io/v2/x/1?digest="),
        ("2", "https://ghcr.io/v2/team/app/blobs/uploads/2?digest="),
        ("https://ghcr.io/v2/x/1", "https://ghcr.io/v2/x/1?digest="),
        ("https://GHCR.IO:443/v2/x/1", "https://GHCR.IO:443/v2/x/1?digest="),
        ("/v2/x/1?_state=a%2Fb%3D&n=1", "https://ghcr.io/v2/x/1?_state=a%2Fb%3D&n=1&digest="),
        ("/v2/x/1#fragment", "https://ghcr.io/v2/x/1?digest="),
    ],
)
def test_the_upload_goes_on_where_the_registry_says(location: str, url: str) -> None:
    script = Script(begun(location), Response(201))
    script.uploader.upload(content())
    assert script.transport.requests[1].url == url + DIGEST
    assert script.transport.requests[1].scopes == SCOPES


def test_an_upload_at_another_host_carries_no_credentials() -> None:
    script = Script(begun("https://storage.example.com/bucket?sig=x"), Response(201))
    script.uploader.upload(content())
    put = script.transport.requests[1]
    assert put.url == f"https://storage.example.com/bucket?sig=x&digest={DIGEST}"
    assert put.scopes == ()
    assert "Authorization" not in put.headers
    assert put.places == frozenset({Place.PUBLIC, Place.PRIVATE})


@pytest.mark.parametrize(
    "location",
    [
        "",
        "http://ghcr.io/v2/x/1",
        "http://storage.example.com/x",
        "ftp://ghcr.io/x",
        "https://user@ghcr.io/x",
        "https://127.0.0.1/x",
        "https://169.254.169.254/latest/meta-data",
        "https://localhost/x",
    ],
)
def test_an_upload_that_leads_where_it_may_not_is_refused(location: str) -> None:
    script = Script(begun(location))
    with pytest.raises((RegistryError, LastingFailure)):
        script.uploader.upload(content())
    assert script.received == []


@pytest.mark.parametrize("status", [404, 416])
def test_an_upload_that_the_registry_forgot_is_begun_again(status: int) -> None:
    script = Script(begun("1"), Response(status), begun("2"), Response(201))
    script.uploader.upload(content())
    assert script.asked == [
        "POST /uploads/",
        f"PUT /uploads/1?digest={DIGEST}",
        "POST /uploads/",
        f"PUT /uploads/2?digest={DIGEST}",
    ]
    assert script.received == [DATA, DATA]
    assert script.pauses == [0.5]


@pytest.mark.parametrize(
    "failure",
    [*(Response(status) for status in (408, 429, 500, 502, 503, 504)), ConnectionFailed("broke")],
)
def test_what_may_pass_is_begun_again_where_the_registry_cannot_tell_how_far_it_came(
    failure: Step,
) -> None:
    script = Script(begun("1"), failure, GONE, begun("2"), Response(201))
    script.uploader.upload(content())
    assert script.asked == [
        "POST /uploads/",
        f"PUT /uploads/1?digest={DIGEST}",
        "GET /uploads/1",
        "POST /uploads/",
        f"PUT /uploads/2?digest={DIGEST}",
    ]
    assert script.received == [DATA, DATA]
    assert script.pauses == [0.5]


def test_an_upload_is_begun_three_times_at_most() -> None:
    script = Script(*[begun(), Response(503), GONE] * 3)
    with pytest.raises(RegistryError, match=f"the upload of {DIGEST} failed \\(503\\)"):
        script.uploader.upload(content())
    assert len(script.received) == 3
    assert script.pauses == [0.5, 1.0]
    broken: list[Step] = [begun(), ConnectionFailed("it broke off"), GONE]
    script = Script(*broken * 3)
    with pytest.raises(ConnectionFailed, match="it broke off"):
        script.uploader.upload(content())
    assert len(script.received) == 3


def test_the_registry_may_say_when_to_come_back() -> None:
    later = Response(429, headers=Headers({"Retry-After": "7"}))
    script = Script(begun(), later, GONE, begun(), Response(201))
    script.uploader.upload(content())
    assert script.pauses == [7.0]
    script = Script(begun(), Response(429, headers=Headers({"Retry-After": "3600"})))
    with pytest.raises(RateLimited):
        script.uploader.upload(content())
    assert script.pauses == []


@pytest.mark.parametrize(
    ("step", "error"),
    [
        (Response(400, b'{"errors":[{"code":"DIGEST_INVALID"}]}'), DigestMismatch),
        (Response(400), RegistryError),
        (Response(401), AccessDenied),
        (Response(403), AccessDenied),
        (Response(413), RegistryError),
        (Response(301), RegistryError),
        (LastingFailure("its certificate is not trusted"), LastingFailure),
        (DigestMismatch("the source is damaged"), DigestMismatch),
    ],
)
def test_what_will_not_pass_is_not_tried_again(step: Step, error: type[ManyfestError]) -> None:
    script = Script(begun(), step)
    with pytest.raises(error):
        script.uploader.upload(content())
    assert len(script.asked) == 2
    assert script.pauses == []


def test_a_repository_that_must_be_made_first_is_told() -> None:
    body = b'{"errors":[{"code":"NAME_UNKNOWN","message":"does not exist"}]}'
    script = Script(Response(404, body))
    with pytest.raises(RegistryError) as caught:
        script.uploader.upload(content())
    assert not isinstance(caught.value, NotFound)
    assert str(caught.value) == (
        "ghcr.io/team/app: the registry has no such repository;"
        " make it first, or check its name: this registry does not make it by itself"
    )


def chunked(monkeypatch: pytest.MonkeyPatch, *steps: Step, size: int = 4) -> Script:
    monkeypatch.setattr(manyfest.stores.registry.uploads, "CHUNK_BYTES", size)
    return Script(begun("whole"), Response(413), begun("chunks"), *steps)


@pytest.mark.parametrize("status", [201, 202, 204])
def test_a_body_that_is_too_large_goes_in_chunks(
    monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    steps = [begun("c1?s=1", status), begun("c2?s=2", status), begun("c3?s=3", status)]
    script = chunked(monkeypatch, *steps, Response(201))
    script.uploader.upload(content())
    assert script.asked == [
        "POST /uploads/",
        f"PUT /uploads/whole?digest={DIGEST}",
        "POST /uploads/",
        "PATCH /uploads/chunks",
        "PATCH /uploads/c1?s=1",
        "PATCH /uploads/c2?s=2",
        f"PUT /uploads/c3?s=3&digest={DIGEST}",
    ]
    assert script.received == [DATA, b"0123", b"4567", b"89"]
    patches = script.transport.requests[3:6]
    assert [each.headers.get("Content-Range") for each in patches] == ["0-3", "4-7", "8-9"]
    assert [each.body.size for each in patches if isinstance(each.body, Body)] == [4, 4, 2]
    assert not any(each.repeatable for each in patches)
    assert script.transport.requests[-1].body == b""


def test_chunks_are_cut_from_a_source_that_is_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    script = chunked(monkeypatch, begun("1"), begun("2"), Response(201), size=5)
    opened = Content(BLOB, lambda: VerifyingReader(io.BytesIO(DATA), BLOB, where="source"))
    script.uploader.upload(opened)
    assert script.received == [DATA, b"01234", b"56789"]


def test_a_chunk_that_fails_begins_the_upload_again(monkeypatch: pytest.MonkeyPatch) -> None:
    script = chunked(
        monkeypatch,
        begun("1"),
        Response(503),
        GONE,
        begun("chunks"),
        *(begun(str(number)) for number in range(3)),
        Response(201),
    )
    script.uploader.upload(content())
    assert script.received[-3:] == [b"0123", b"4567", b"89"]


def test_a_chunk_that_is_refused_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    script = chunked(monkeypatch, Response(400, b'{"errors":[{"code":"UNSUPPORTED"}]}'))
    with pytest.raises(RegistryError, match=r"the upload of sha256:\w+ failed \(400 UNSUPPORTED\)"):
        script.uploader.upload(content())


def test_chunks_follow_the_upload_to_another_host(monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = [begun(f"https://storage.example.com/{number}") for number in range(3)]
    script = chunked(monkeypatch, *elsewhere, Response(201))
    script.uploader.upload(content())
    assert [each.scopes for each in script.transport.requests[3:]] == [SCOPES, (), (), ()]
    assert script.transport.requests[-1].url == f"https://storage.example.com/2?digest={DIGEST}"


def test_an_upload_that_was_begun_elsewhere_is_used_once() -> None:
    script = Script(Response(503), GONE, begun("2"), Response(201))
    script.uploader.upload(content(), Session("https://ghcr.io/v2/x/1", SCOPES))
    assert script.asked == [
        f"PUT https://ghcr.io/v2/x/1?digest={DIGEST}",
        "GET https://ghcr.io/v2/x/1",
        "POST /uploads/",
        f"PUT /uploads/2?digest={DIGEST}",
    ]


def mounts() -> Iterable[tuple[Step, object]]:
    at = "https://ghcr.io/v2/team/app/blobs/uploads/1"
    return [
        (Response(201), True),
        (begun(), Session(at, SCOPES)),
        (Response(202), RegistryError),
        (Response(400), False),
        (Response(403), False),
        (Response(404), False),
        (AccessDenied("no token"), False),
        (ConnectionFailed("no answer"), ConnectionFailed),
    ]


@pytest.mark.parametrize(("step", "result"), mounts())
def test_a_mount_is_asked_for(step: Step, result: object) -> None:
    script = Script(step)
    scope = "repository:base/image:pull"
    if isinstance(result, type):
        with pytest.raises(result):
            script.uploader.mount(BLOB, "base/image", scope)
    else:
        assert script.uploader.mount(BLOB, "base/image", scope) == result
    assert script.asked == [f"POST /uploads/?mount={DIGEST}&from=base/image"]
    assert script.transport.requests[0].scopes == (*SCOPES, scope)
