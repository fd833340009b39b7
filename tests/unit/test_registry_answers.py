from __future__ import annotations

import json

import pytest

from manyfest.errors import (
    AccessDenied,
    ConnectionFailed,
    DigestMismatch,
    ManyfestError,
    NotFound,
    RateLimited,
    RegistryError,
)
from manyfest.stores.registry.answers import Complaint, expect, read_complaint
from manyfest.stores.registry.headers import Headers
from manyfest.stores.registry.http import Response
from manyfest.stores.registry.pages import names_in, next_page


def body(code: object, message: object) -> bytes:
    return json.dumps({"errors": [{"code": code, "message": message}]}).encode()


@pytest.mark.parametrize(
    ("status", "raw", "kind", "line"),
    [
        (
            401,
            body("UNAUTHORIZED", "authentication required"),
            AccessDenied,
            "ghcr.io/team/app: the registry refuses the manifest v1"
            " (401 UNAUTHORIZED authentication required); log in with: manyfest login ghcr.io",
        ),
        (
            403,
            b"",
            AccessDenied,
            "ghcr.io/team/app: the registry refuses the manifest v1 (403);"
            " log in as a user who may, with: manyfest login ghcr.io",
        ),
        (
            404,
            body("MANIFEST_UNKNOWN", "manifest unknown"),
            NotFound,
            "ghcr.io/team/app: the manifest v1: not found (404 MANIFEST_UNKNOWN manifest unknown)",
        ),
        (404, b"<html>", NotFound, "ghcr.io/team/app: the manifest v1: not found (404)"),
        (
            429,
            body("TOOMANYREQUESTS", "pull rate limit"),
            RateLimited,
            "ghcr.io/team/app: the registry limits how often it is asked"
            " (429 TOOMANYREQUESTS pull rate limit); wait, or log in for a higher limit",
        ),
        (
            400,
            body("MANIFEST_BLOB_UNKNOWN", "blob unknown to registry"),
            RegistryError,
            "ghcr.io/team/app: the manifest v1 failed"
            " (400 MANIFEST_BLOB_UNKNOWN blob unknown to registry)",
        ),
        (
            400,
            body("DIGEST_INVALID", "provided digest did not match"),
            DigestMismatch,
            "ghcr.io/team/app: the registry refuses the manifest v1"
            " (400 DIGEST_INVALID provided digest did not match)",
        ),
        (500, b"oops", RegistryError, "ghcr.io/team/app: the manifest v1 failed (500)"),
    ],
)
def test_an_answer_is_the_error_that_it_stands_for(
    status: int, raw: bytes, kind: type[ManyfestError], line: str
) -> None:
    with pytest.raises(kind) as caught:
        expect(Response(status, raw), 200, doing="the manifest v1", where="ghcr.io/team/app")
    assert type(caught.value) is kind
    assert str(caught.value) == line


def test_an_error_keeps_status_and_code_for_programs() -> None:
    with pytest.raises(RegistryError) as caught:
        expect(Response(400, body("NAME_INVALID", "")), 200, doing="it", where="here")
    assert (caught.value.status, caught.value.code) == (400, "NAME_INVALID")


def test_the_answer_that_was_hoped_for_passes_unread() -> None:
    response = Response(202, b"content")
    assert expect(response, 201, 202, doing="it", where="here") is response
    assert response.read(99) == b"content"


class Drops:
    """A body in pieces, which may break off."""

    def __init__(self, pieces: list[bytes], *, breaks: bool = False) -> None:
        self.pieces = pieces
        self.breaks = breaks
        self.given = 0
        self.closed = False

    def read(self, size: int, /) -> bytes:
        if not self.pieces and self.breaks:
            raise ConnectionFailed("it broke off")
        piece = self.pieces.pop(0) if self.pieces else b""
        self.given += len(piece)
        return piece

    def close(self) -> None:
        self.closed = True


def test_an_error_body_may_come_in_pieces() -> None:
    raw = body("DENIED", "no")
    pieces = Drops([raw[index : index + 5] for index in range(0, len(raw), 5)])
    assert read_complaint(Response(403, pieces)) == Complaint("DENIED", "no")
    assert pieces.closed


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff\xfe",
        b"not json",
        b"[]",
        b"{}",
        b'{"errors":null}',
        b'{"errors":[]}',
        b'{"errors":{}}',
        b'{"errors":[null]}',
        b'{"errors":["no"]}',
        b'{"errors":[{"code":[],"message":{}}]}',
        b'{"errors":[{"code":null,"message":null}]}',
        b"[" * 50_000,
        b'{"errors":[{"code":' + b"9" * 5000 + b"}]}",
    ],
)
def test_an_error_body_of_any_other_form_says_nothing(raw: bytes) -> None:
    assert read_complaint(Response(500, raw)) == Complaint()


def test_an_endless_error_body_is_left_alone() -> None:
    endless = Drops([b" " * 10_000] * 1000)
    assert read_complaint(Response(500, endless)) == Complaint()
    assert endless.given <= 70_000
    assert endless.closed


def test_an_error_body_that_breaks_off_does_not_hide_the_status() -> None:
    with pytest.raises(RegistryError, match=r"it failed \(503\)"):
        expect(Response(503, Drops([b'{"err'], breaks=True)), 200, doing="it", where="here")


def test_what_a_registry_says_is_cut_short_and_put_on_one_line() -> None:
    complaint = read_complaint(Response(400, body("A" * 999, "one\r\n\ttwo  three " + "x" * 999)))
    assert complaint.code == "A" * 40
    assert complaint.message.startswith("one two three xxx")
    assert len(complaint.message) == 200


@pytest.mark.parametrize(
    ("links", "following"),
    [
        ([], ""),
        (['</v2/app/tags/list?last=b&n=2>; rel="next"'], "/v2/app/tags/list?last=b&n=2"),
        (["</v2/x>; rel=next"], "/v2/x"),
        (['</v2/x>;rel="next"'], "/v2/x"),
        (['</v2/x>; type="a"; rel="next"'], "/v2/x"),
        (['</v2/old>; rel="prev", </v2/x>; rel="next"'], "/v2/x"),
        (['</v2/old>; rel="prev"', '</v2/x>; rel="next"'], "/v2/x"),
        (['</v2/old>; rel="prev"'], ""),
        (['</v2/x>; REL="next"'], "/v2/x"),
        (['</v2/x>; rel="nextish"'], ""),
        (["</v2/old>, </v2/x>; rel=next"], "/v2/x"),
        (["nonsense"], ""),
        (["<>;" * 21_000], ""),
        ([("<>;" + " " * 50) * 1200], ""),
    ],
)
def test_the_next_page_stands_in_the_link(links: list[str], following: str) -> None:
    headers = Headers([("Link", link) for link in links])
    assert next_page(Response(200, headers=headers)) == following


@pytest.mark.parametrize(
    ("raw", "tags"),
    [
        (b'{"name":"app","tags":["v1","v2"]}', ["v1", "v2"]),
        (b'{"name":"app","tags":null}', []),
        (b'{"name":"app","tags":[]}', []),
        (b'{"name":"app"}', None),
        (b'{"tags":"v1"}', None),
        (b'{"tags":[1]}', None),
        (b'{"tags":{"v1":1}}', None),
        (b"[]", None),
        (b"<html>", None),
        (b"\xff", None),
        (b"[" * 50_000, None),
    ],
)
def test_the_tags_in_a_page(raw: bytes, tags: list[str] | None) -> None:
    assert names_in(raw, "tags") == tags
