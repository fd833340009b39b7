"""Which service a message goes to, and what it is asked for."""

from __future__ import annotations

import logging

import pytest

from manyfest.notify import by_apprise
from manyfest.notify.address import Address, address, shown
from manyfest.notify.answer import Answer
from manyfest.notify.by_apprise import addressed
from manyfest.notify.message import Message
from manyfest.notify.send import obstacle, send
from manyfest.stores.registry.auth.secret import Secret

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr'")  # some service of Apprise's has it

WORDS = Message.of_lines("app 2.6.1 is complete", ["linux/amd64"])
URGENT = Message.of_lines("app 2.6.1 is late", ["no arm64"], priority=8, in_markdown=True)


def json_address() -> Address:
    return Address(url=Secret("json://host/s3cret"), label="json://host")


def test_a_variable_that_is_not_set_is_nobody() -> None:
    found = address("env:OPS_URL", {})
    assert (found.label, found.url.reveal()) == ("env:OPS_URL", "")
    assert obstacle(found) == "env:OPS_URL is not set, so nobody is told there"
    assert send(found, WORDS, limit=1) == Answer(fault="env:OPS_URL is not set")


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("gotify://push.example.org/s3cret", "gotify://push.example.org"),
        ("gotifys://push.example.org:8443/below/s3cret?priority=low", "gotifys://push.example.org"),
        ("json://user:s3cret@hooks.example.org/x", "json://hooks.example.org"),
        ("gotify://[::1]:80/s3cret", "gotify://::1"),
        ("gotify://s3cret%20/x", "gotify://…"),
        ("gotify://[s3cret/x", "gotify://…"),
        ("tgram://12:s3cret/34", "tgram://…"),
        ("slack://s3cret/s3cret", "slack://…"),
        ("sendgrid://SG.s3cret.s3cret:me@example.org", "sendgrid://…"),
        ("ntfy://s3cret-topic", "ntfy://…"),
    ],
)
def test_no_secret_is_shown(url: str, text: str) -> None:
    assert shown(url) == text


@pytest.mark.parametrize(
    ("url", "message", "asked"),
    [
        ("gotify://h/t?cto=1", WORDS, "gotify://h/t?cto=1&overflow=split&priority=5"),
        (
            "gotifys://h/t?cto=1",
            URGENT,
            "gotifys://h/t?cto=1&overflow=split&priority=8&format=markdown",
        ),
        (
            "gotify://h/t?priority=low&format=text&overflow=truncate",
            URGENT,
            "gotify://h/t?priority=low&format=text&overflow=truncate",
        ),
        ("ntfy://h/t", URGENT, "ntfy://h/t?overflow=split&priority=high"),
        ("ntfy://h/t", WORDS, "ntfy://h/t?overflow=split"),
        ("slack://a/b/c", URGENT, "slack://a/b/c?overflow=split"),
    ],
)
def test_apprise_is_asked_for_what_a_service_can_do(url: str, message: Message, asked: str) -> None:
    assert addressed(url, message) == asked


@pytest.mark.parametrize(("priority", "word"), [(10, "max"), (8, "high"), (3, "low")])
def test_ntfy_has_words_for_priorities(priority: int, word: str) -> None:
    message = Message.of_lines("", [], priority=priority)
    assert addressed("ntfy://h/t", message) == f"ntfy://h/t?overflow=split&priority={word}"


def test_a_link_is_what_ntfy_opens() -> None:
    message = Message.of_lines("", [], link="https://ghcr.io/a/b")
    assert addressed("ntfy://h/t?overflow=split", message) == (
        "ntfy://h/t?overflow=split&click=https%3A%2F%2Fghcr.io%2Fa%2Fb"
    )


def test_a_message_as_text_and_as_markdown() -> None:
    message = Message.of_lines("", ["a_b: *no*", "<img>"], link="https://example.org/runs/1")
    assert message.text == "a_b: *no*\n<img>\nhttps://example.org/runs/1"
    assert message.markdown == "a_b: \\*no\\*  \n\\<img\\>  \n<https://example.org/runs/1>"


def test_words_from_elsewhere_are_words_only() -> None:
    hostile = "![x](https://evil.example/x.png)\x1b[31m\u202e\nline"
    message = Message.of_lines(hostile, [hostile])
    text = "![x](https://evil.example/x.png)\\x1b[31m\\u202e line"
    assert (message.title, message.text) == (text, text)
    assert message.markdown == ("!\\[x\\](https://evil.example/x.png)\\\\x1b\\[31m\\\\u202e line")


@pytest.mark.parametrize(
    "link",
    [
        "javascript:alert(1)",
        "https://h/<b>",
        "https://h/a b",
        "https://h/\n",
        "https://h/`x`",
        "https://h/" + "x" * 2000,
        "",
    ],
)
def test_what_is_no_address_is_no_link(link: str) -> None:
    message = Message.of_lines("title", ["words"], link=link)
    assert (message.link, message.text, message.markdown) == ("", "words", "words")


def test_apprise_may_not_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "apprise", None)
    assert obstacle(json_address()) == (
        "json://host will not be told, as Apprise is not installed; pip install 'manyfest[notify]'"
    )
    assert send(json_address(), WORDS, limit=1) == Answer(
        fault="Apprise is not installed; pip install 'manyfest[notify]'"
    )


def test_gotify_needs_no_apprise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "apprise", None)
    assert obstacle(Address(url=Secret("gotify://host/token"), label="gotify://host")) == ""


def test_a_service_that_breaks_is_told_without_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("json://host/s3cret")

    monkeypatch.setattr("apprise.Apprise.instantiate", broken)
    assert obstacle(json_address()) == "Apprise does not understand the URL of json://host"
    assert send(json_address(), WORDS, limit=1) == Answer(fault="RuntimeError", unclear=True)


def test_apprise_s_own_words_are_kept_from_everybody(caplog: pytest.LogCaptureFixture) -> None:
    not_understood = Answer(fault="Apprise does not understand its URL")
    with caplog.at_level(logging.DEBUG):
        assert by_apprise.send("gotify://", WORDS) == not_understood
        assert by_apprise.send("tgram://s3cret", WORDS) == not_understood
        logging.getLogger("apprise").warning("of somebody else")
    assert [record.getMessage() for record in caplog.records] == ["of somebody else"]
