"""What is said to Gotify, and what its answers mean."""

from __future__ import annotations

import json
from typing import Any

import pytest

from manyfest.errors import ConnectionFailed
from manyfest.notify.answer import TAKEN, Answer
from manyfest.notify.gotify import Target, post, target
from manyfest.notify.message import Message
from manyfest.stores.registry.auth.secret import Secret
from manyfest.stores.registry.headers import Headers
from manyfest.stores.registry.http import (
    AnswersPlainHttp,
    FunctionTransport,
    LastingFailure,
    Request,
    Response,
    Unreachable,
)

WORDS = Message.of_lines("title", ["words *and* more"], link="https://page.example/v/1")
HERE = Target(endpoint="https://push.example.org/message", token=Secret("t0ken"))


def answered(
    status: int, document: object, headers: dict[str, str] | None = None, to: Target = HERE
) -> Answer:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    transport = FunctionTransport(lambda _: Response(status, body, headers=Headers(headers or {})))
    return post(to, WORDS, transport, limit=10)


def refused_by(error: ConnectionFailed) -> Answer:
    def fail(_: Request) -> Response:
        raise error

    return post(HERE, WORDS, FunctionTransport(fail), limit=10)


def sent(to: Target, message: Message = WORDS) -> tuple[Request, Any]:
    transport = FunctionTransport(lambda _: Response(200, b'{"id": 1}'))
    assert post(to, message, transport, limit=10) == TAKEN
    (request,) = transport.requests
    assert isinstance(request.body, bytes)
    return request, json.loads(request.body)


@pytest.mark.parametrize(
    ("url", "endpoint", "token"),
    [
        ("gotify://push.example.org/t", "http://push.example.org/message", "t"),
        ("gotifys://push.example.org:8443/t/", "https://push.example.org:8443/message", "t"),
        ("gotifys://h/below/here/a%2Fb", "https://h/below/here/message", "a/b"),
        ("gotify://[::1]:80/t", "http://[::1]:80/message", "t"),
    ],
)
def test_where_messages_for_an_application_go(url: str, endpoint: str, token: str) -> None:
    found = target(url)
    assert found is not None
    assert (found.endpoint, found.token.reveal()) == (endpoint, token)


@pytest.mark.parametrize(
    ("asked", "priority"),
    [
        ("", None),
        ("?priority=", None),
        ("?priority=0", 0),
        ("?priority=7", 7),
        ("?priority=10", 10),
        ("?PRIORITY=high", 8),
        ("?priority=Low", 0),
        ("?priority=moderate", 3),
        ("?priority=normal", 5),
        ("?priority=emergency", 10),
    ],
)
def test_the_priority_that_a_url_asks_for(asked: str, priority: int | None) -> None:
    found = target(f"gotify://h/t{asked}")
    assert found is not None
    assert found.priority == priority


@pytest.mark.parametrize(
    "url",
    [
        "json://h/t",
        "gotify://",
        "gotify://h",
        "gotify://h/",
        "gotify://user:word@h/t",
        "gotify://h/t?verify=no",
        "gotify://h/t?format=html",
        "gotify://h/t?priority=11",
        "gotify://h/t?priority=urgent",
        "gotify://h/t#part",
        "gotify://h/a%0d%0ab",
        "gotify://[h/t",
        "gotify://h:port/t",
    ],
)
def test_what_is_left_to_apprise(url: str) -> None:
    assert target(url) is None


def test_the_request() -> None:
    request, document = sent(HERE)
    assert (request.method, request.url) == ("POST", "https://push.example.org/message")
    assert list(request.headers) == [
        ("X-Gotify-Key", "t0ken"),
        ("Content-Type", "application/json"),
    ]
    assert (request.follow, request.repeatable) == (False, False)
    assert document == {
        "title": "title",
        "message": "words *and* more\nhttps://page.example/v/1",
        "priority": 5,
        "extras": {
            "client::display": {"contentType": "text/plain"},
            "client::notification": {"click": {"url": "https://page.example/v/1"}},
        },
    }


def test_markdown_is_sent_where_the_url_asks_for_it() -> None:
    found = target("gotify://h/t?format=markdown")
    assert found is not None
    _, document = sent(found)
    assert document["message"] == "words \\*and\\* more  \n<https://page.example/v/1>"
    assert document["extras"]["client::display"] == {"contentType": "text/markdown"}


def test_a_message_is_never_empty() -> None:
    _, document = sent(HERE, Message.of_lines("only a title", []))
    assert document["message"] == "only a title"


def test_an_error_is_told_in_its_words() -> None:
    words = {"error": "Bad Request", "errorCode": 400, "errorDescription": "too\x1b[2J long"}
    assert answered(400, words) == Answer(fault="it answered 400: too\\x1b[2J long", this_one=True)


def test_a_token_that_is_repeated_is_not_told() -> None:
    assert answered(401, {"errorDescription": "t0ken is wrong"}) == Answer(fault="it answered 401")


@pytest.mark.parametrize("document", [b"", b"<html>", [], {"errorDescription": 3}, b"[" * 100_000])
def test_an_error_in_another_form_is_a_status(document: object) -> None:
    assert answered(403, document) == Answer(fault="it answered 403")


@pytest.mark.parametrize("document", [b"<html>welcome</html>", {}, {"id": "1"}, []])
def test_what_says_ok_and_names_no_message_is_not_gotify(document: object) -> None:
    assert answered(200, document) == Answer(
        fault="what answers there is not Gotify: it names no message"
    )


def test_what_never_ends_is_not_gotify() -> None:
    assert answered(200, b"x" * 300_000) == Answer(
        fault="what answers there is not Gotify: it says too much", unclear=True
    )


def test_it_says_when_to_come_again() -> None:
    assert answered(429, {}, {"Retry-After": "90"}) == Answer(
        fault="it answered 429", again_after=90
    )


@pytest.mark.parametrize(("status", "unclear"), [(500, False), (502, True), (504, True)])
def test_one_between_may_have_lost_sight_of_it(status: int, unclear: bool) -> None:
    assert answered(status, {}).unclear is unclear


def test_a_redirect_is_not_followed() -> None:
    assert answered(302, b"", {"Location": "https://other.example/"}) == Answer(
        fault="it answered 302, and a redirect is not followed with a token"
    )


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (Unreachable("no such host"), Answer(fault="no such host")),
        (
            AnswersPlainHttp("it answers in plain http where https is needed"),
            Answer(
                fault="it answers in plain http where https is needed; write gotify:// if that is"
                " meant to be"
            ),
        ),
        (
            LastingFailure("its certificate is not trusted"),
            Answer(fault="its certificate is not trusted; SSL_CERT_FILE may name whom to trust"),
        ),
        (
            ConnectionFailed("the connection broke off"),
            Answer(fault="the connection broke off", unclear=True),
        ),
    ],
)
def test_no_answer(error: ConnectionFailed, answer: Answer) -> None:
    assert refused_by(error) == answer


def test_one_that_is_stopped_may_have_been_taken() -> None:
    def stop(request: Request) -> Response:
        assert request.given_up is not None
        assert request.given_up()
        raise ConnectionFailed("it was given up")

    assert post(HERE, WORDS, FunctionTransport(stop), limit=30, stopped=lambda: True) == Answer(
        fault="no answer within 30 seconds", unclear=True
    )
