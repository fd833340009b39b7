"""Whatever a registry sends, what reads it gives an answer or one of our errors."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from manyfest.errors import ManyfestError
from manyfest.stores.registry.answers import Complaint, read_complaint
from manyfest.stores.registry.auth.challenge import parse_challenges
from manyfest.stores.registry.headers import Headers, is_field
from manyfest.stores.registry.http import Origin, Response, show_url
from manyfest.stores.registry.pages import Pages, names_in, next_page
from manyfest.stores.registry.redirects import resolve_location
from manyfest.stores.registry.retry import retry_delay
from manyfest.stores.registry.upload_sessions import received

URL = "https://registry.example/v2/app/tags/list"


def made_of(*pieces: str) -> st.SearchStrategy[str]:
    """Text of these pieces and of anything, in any order."""
    piece = st.one_of(st.sampled_from(pieces), st.text(max_size=3))
    return st.lists(piece, max_size=12).map("".join)


ADDRESSES = made_of(
    "https", "http", "file", ":", "//", "/", "[", "]", "::1", "@", "user", ":99999", ":80", "%25",
    "registry.example", "?", "#", "..", "\\", "127.0.0.1", "//[:1]/",
)  # fmt: skip


@given(ADDRESSES)
def test_any_address(text: str) -> None:
    with suppress(ManyfestError):
        assert Origin.of(text).scheme in ("http", "https")
    assert "\n" not in show_url(text)


@given(ADDRESSES)
def test_any_location(text: str) -> None:
    with suppress(ManyfestError):
        assert resolve_location(URL, text).startswith("https://")
    with suppress(ManyfestError):
        pages = Pages(URL, what="the list", where="here")
        pages.turn(text)
        assert not pages.goes_on or Origin.of(pages.url) == Origin.of(URL)


@given(made_of("<", ">", ";", ",", 'rel="next"', "rel=next", " ", "</v2/x>", "prev"))
def test_any_link(text: str) -> None:
    if is_field("Link", text):
        next_page(Response(200, headers=Headers({"Link": text})))


@given(made_of("Bearer", "Basic", " ", "realm=", '"', "\\", ",", "=", "https://a/", "scope"))
def test_any_challenge(text: str) -> None:
    parse_challenges((text,))


@given(made_of("Wed, ", "21 ", "Oct ", "2015 ", "07:28:00", " GMT", "99999", "-", "+0000", "1"))
def test_any_time_to_come_back(text: str) -> None:
    if is_field("Retry-After", text):
        answer = Response(429, headers=Headers({"Retry-After": text}))
        delay = retry_delay(1, answer, now=1e9, jitter=0.5)
        assert delay is None or 0 < delay <= 120


@given(made_of("bytes", "=", " ", "0-", "-", "0", "9", "/", "*"))
def test_any_range(text: str) -> None:
    if is_field("Range", text):
        count = received(Response(204, headers=Headers({"Range": text})))
        assert count is None or count >= 0


JSON = made_of(
    '{"tags":', '{"errors":[{"code":', '"message":', "[", "]", "{", "}", '"v1"', ",", "null", "1",
    "1e999", "NaN", "\\ud800", '"',
)  # fmt: skip


@given(JSON)
def test_any_list(text: str) -> None:
    names = names_in(text.encode("utf-8", "replace"), "tags")
    assert names is None or all(isinstance(name, str) for name in names)


@given(JSON)
def test_any_error(text: str) -> None:
    complaint = read_complaint(Response(400, text.encode("utf-8", "replace")))
    assert isinstance(complaint, Complaint)
    assert len(complaint.message) <= 200
    assert "\n" not in complaint.message
