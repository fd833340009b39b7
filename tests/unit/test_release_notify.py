from __future__ import annotations

import logging
import threading
from pathlib import Path

import pytest

from manyfest.oci.reference import Name
from manyfest.release.reporting.links import page_of, run_page
from manyfest.release.reporting.notify import (
    Message,
    Recipient,
    addressed,
    as_markdown,
    as_text,
    by_apprise,
    obstacles,
    recipients,
    shown,
    tell,
)
from manyfest.stores.registry.auth.secret import Secret
from tests.unit.releases import make_config

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr'")  # some service of Apprise's has it

RELEASED = Message(event="released", title="app 2.6.1 is released", lines=("linux/amd64",))
FAILED = Message(event="failed", title="app 2.6.1 was not released", lines=("no room",))


def recipient(url: str = "json://host/s3cret", label: str = "json://host") -> Recipient:
    return Recipient(label=label, url=Secret(url), where="manyfest.yaml:9")


def found(folder: Path, *urls: str, **environ: str) -> list[tuple[str, str, str]]:
    config = make_config(folder, notify=urls, lines={"notify[1]": 7})
    return [
        (each.label, each.url.reveal(), each.where.removeprefix(f"{folder}/"))
        for each in recipients(config, environ)
    ]


def test_whom_the_configuration_names(tmp_path: Path) -> None:
    assert found(
        tmp_path,
        "gotify://push.example.org/s3cret",
        "env:OPS_URL",
        OPS_URL="tgram://s3cret/12\n",
    ) == [
        ("gotify://push.example.org", "gotify://push.example.org/s3cret", "manyfest.yaml"),
        ("env:OPS_URL", "tgram://s3cret/12", "manyfest.yaml:7"),
    ]


def test_a_variable_that_is_not_set_is_nobody(tmp_path: Path) -> None:
    assert found(tmp_path, "env:OPS_URL") == [("env:OPS_URL", "", "manyfest.yaml")]


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
        ("gotify://h/t", RELEASED, "gotify://h/t?format=markdown"),
        ("gotify://h/t", FAILED, "gotify://h/t?priority=high&format=markdown"),
        ("gotifys://h/t?cto=1", FAILED, "gotifys://h/t?cto=1&priority=high&format=markdown"),
        ("gotify://h/t?priority=low&format=text", FAILED, "gotify://h/t?priority=low&format=text"),
        ("ntfy://h/t", FAILED, "ntfy://h/t?priority=high"),
        ("ntfy://h/t", RELEASED, "ntfy://h/t"),
        ("slack://a/b/c", FAILED, "slack://a/b/c"),
    ],
)
def test_a_service_is_asked_for_what_it_can_do(url: str, message: Message, asked: str) -> None:
    assert addressed(url, message) == asked


def test_a_link_is_what_ntfy_opens() -> None:
    message = Message(event="released", title="", lines=(), link="https://ghcr.io/a/b")
    assert addressed("ntfy://h/t", message) == "ntfy://h/t?click=https%3A%2F%2Fghcr.io%2Fa%2Fb"


def test_a_message_as_text_and_as_markdown() -> None:
    message = Message(
        event="failed", title="", lines=("a_b: *no*", "<img>"), link="https://example.org/runs/1"
    )
    assert as_text(message) == "a_b: *no*\n<img>\nhttps://example.org/runs/1"
    assert as_markdown(message) == ("a_b: \\*no\\*  \n\\<img\\>  \n<https://example.org/runs/1>")
    assert as_markdown(FAILED) == "no room"


def test_everybody_is_told_with_what_the_service_needs() -> None:
    sent: list[tuple[str, str]] = []

    def send(url: str, message: Message) -> str:
        sent.append((url, message.title))
        return ""

    warned: list[str] = []
    told = [recipient("json://one"), recipient("gotify://two/t"), recipient("")]
    tell(told, RELEASED, warned.append, send=send)
    assert sorted(sent) == [
        ("gotify://two/t?format=markdown", "app 2.6.1 is released"),
        ("json://one", "app 2.6.1 is released"),
    ]
    assert warned == []


def test_a_service_that_fails_is_one_line_and_the_others_are_told() -> None:
    sent: list[str] = []

    def send(url: str, _: Message) -> str:
        sent.append(url)
        if url == "json://two/s3cret":
            raise RuntimeError("json://two/s3cret is broken")
        return "it answered 401" if url == "json://one" else ""

    warned: list[str] = []
    told = [recipient("json://one"), recipient("json://two/s3cret"), recipient("json://three")]
    tell(told, RELEASED, warned.append, send=send)
    assert sorted(sent) == ["json://one", "json://three", "json://two/s3cret"]
    assert warned == [
        "json://host was not told: it answered 401",
        "json://host was not told: RuntimeError",
    ]


def test_nobody_waits_for_a_service_that_does_not_answer() -> None:
    released = threading.Event()
    warned: list[str] = []

    def send(_url: str, _: Message) -> str:
        released.wait(60)
        return ""

    tell([recipient(), recipient()], RELEASED, warned.append, send=send, limit=0.05)
    released.set()
    assert warned == ["json://host was not told: no answer within 0.05 seconds"] * 2


def test_what_stands_in_the_way_is_said_beforehand(tmp_path: Path) -> None:
    config = make_config(
        tmp_path, notify=("env:OPS_URL", "gotify://push.example.org/s3cret", "nothing://s3cret")
    )
    where = f"{tmp_path}/manyfest.yaml"
    assert list(obstacles(recipients(config, {}))) == [
        f"{where}: env:OPS_URL is not set, so nobody is told there",
        f"{where}: Apprise does not understand the URL of nothing://…",
    ]


def test_a_service_that_cannot_even_be_asked_holds_up_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("json://host/s3cret")

    monkeypatch.setattr("apprise.Apprise.instantiate", broken)
    assert list(obstacles([recipient()])) == [
        "manyfest.yaml:9: Apprise does not understand the URL of json://host"
    ]


def test_apprise_may_not_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "apprise", None)
    assert list(obstacles([recipient(), recipient(label="env:OPS_URL")])) == [
        "json://host, env:OPS_URL will not be told, as Apprise is not installed;"
        " pip install 'manyfest[notify]'"
    ]
    warned: list[str] = []
    tell([recipient()], RELEASED, warned.append)
    assert warned == [
        "json://host was not told: Apprise is not installed; pip install 'manyfest[notify]'"
    ]


def test_apprise_s_own_words_are_kept_from_everybody(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        assert by_apprise("gotify://", RELEASED) == "Apprise does not understand its URL"
        assert by_apprise("tgram://s3cret", RELEASED) == "Apprise does not understand its URL"
        logging.getLogger("apprise").warning("of somebody else")
    assert [record.getMessage() for record in caplog.records] == ["of somebody else"]


@pytest.mark.parametrize(
    ("place", "page"),
    [
        ("ghcr.io/gotify/server", "https://ghcr.io/gotify/server"),
        ("gotify/server", "https://hub.docker.com/r/gotify/server"),
        ("quay.io/gotify/server", "https://quay.io/repository/gotify/server"),
        ("registry.example.org/server", ""),
    ],
)
def test_the_page_of_a_repository(place: str, page: str) -> None:
    assert page_of(Name.parse(place)) == page


@pytest.mark.parametrize(
    ("environ", "page"),
    [
        (
            {
                "GITHUB_SERVER_URL": "https://codeberg.org",
                "GITHUB_REPOSITORY": "me/app",
                "GITHUB_RUN_ID": "12",
            },
            "https://codeberg.org/me/app/actions/runs/12",
        ),
        (
            {"CI_JOB_URL": "https://gitlab.com/me/app/-/jobs/3"},
            "https://gitlab.com/me/app/-/jobs/3",
        ),
        ({"CI_PIPELINE_URL": "https://ci.example.org/7"}, "https://ci.example.org/7"),
        ({"GITHUB_REPOSITORY": "me/app"}, ""),
        ({}, ""),
    ],
)
def test_the_page_of_a_run(environ: dict[str, str], page: str) -> None:
    assert run_page(environ) == page
