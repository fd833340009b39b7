"""Telling people, over a socket: Gotify's messages and its answers, and Apprise as it is."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from manyfest.notify.address import Address
from manyfest.notify.answer import TAKEN, Answer
from manyfest.notify.message import Message
from manyfest.notify.send import send as send_to
from manyfest.release.reporting.notify import Recipient, tell
from manyfest.serve.server import running
from manyfest.stores.registry.auth.secret import Secret
from tests import real
from tests.gotify import TOKEN, Gotify, running_gotify
from tests.integration.conftest import MANYFEST
from tests.unit.releases import make_project

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr'")  # some service of Apprise's has it

RELEASED = Message.of_lines(
    "app 2.6.1 is released",
    ["linux/arm/v7", "ghcr.io/us/my_app: 2.6.1, latest"],
    link="https://ghcr.io/us/my_app",
    in_markdown=True,
)
FAILED = Message.of_lines("app 2.6.1 was not released", ["no room"], priority=8)


@pytest.fixture
def gotify() -> Iterator[Gotify]:
    with running_gotify() as server:
        yield server


def send(url: str, message: Message, limit: float = 10) -> Answer:
    return send_to(Address(url=Secret(url), label="gotify://…"), message, limit=limit)


def test_a_message_in_gotify_s_form(gotify: Gotify) -> None:
    # The form is that of docs/spec.json in gotify/server (API 2.1.0): POST /message, the token of
    # an application in X-Gotify-Key, application/json of which "message" is required, "title" is
    # text, "priority" a number and "extras" an object, with keys as in "client::display".
    assert send(gotify.url(), RELEASED) == TAKEN
    assert gotify.asked == ["/message"]
    (headers,) = gotify.received
    assert headers["x-gotify-key"] == "AbCdEf.123456"
    assert headers["content-type"] == "application/json"
    assert "authorization" not in headers
    assert gotify.messages == [
        {
            "title": "app 2.6.1 is released",
            "message": "linux/arm/v7  \nghcr.io/us/my_app: 2.6.1, latest  \n"
            "<https://ghcr.io/us/my_app>",
            "priority": 5,
            "extras": {
                "client::display": {"contentType": "text/markdown"},
                "client::notification": {"click": {"url": "https://ghcr.io/us/my_app"}},
            },
        }
    ]


def test_plain_words_with_no_page(gotify: Gotify) -> None:
    assert send(gotify.url(), FAILED) == TAKEN
    assert gotify.messages == [
        {
            "title": "app 2.6.1 was not released",
            "message": "no room",
            "priority": 8,
            "extras": {"client::display": {"contentType": "text/plain"}},
        }
    ]


def test_a_url_that_asks_for_something_else_gets_it(gotify: Gotify) -> None:
    assert send(f"{gotify.url()}?priority=7&format=text", RELEASED) == TAKEN
    (message,) = gotify.messages
    assert message["priority"] == 7
    assert message["extras"]["client::display"] == {"contentType": "text/plain"}


def test_what_only_apprise_can_do_is_left_to_it(gotify: Gotify) -> None:
    assert send(f"{gotify.url()}?rto=5", RELEASED) == TAKEN
    assert gotify.messages == [
        {
            "title": "app 2.6.1 is released",
            "message": "linux/arm/v7  \nghcr.io/us/my_app: 2.6.1, latest  \n"
            "<https://ghcr.io/us/my_app>",
            "priority": 5,
            "extras": {"client::display": {"contentType": "text/markdown"}},
        }
    ]


def test_gotify_below_another_path() -> None:
    with running_gotify("/push/here") as gotify:
        assert send(gotify.url(), RELEASED) == TAKEN
        assert len(gotify.messages) == 1


def test_a_wrong_token_is_told_without_it(
    gotify: Gotify, capfd: pytest.CaptureFixture[str]
) -> None:
    assert send(gotify.url("s3cret"), RELEASED) == Answer(
        fault="it answered 401: you need to provide a valid access token or user credentials to"
        " access this api"
    )
    assert send(f"{gotify.url('s3cret')}?rto=5", RELEASED) == Answer(fault="it answered 401")
    assert capfd.readouterr() == ("", "")


def test_a_server_that_is_not_there() -> None:
    url = f"gotify://127.0.0.1:{real.free_port()}/{TOKEN}"
    assert send(url, RELEASED) == Answer(fault="nothing listens there")


def test_a_server_that_is_in_trouble_and_says_for_how_long(gotify: Gotify) -> None:
    gotify.fails = [500, 503]
    gotify.headers = {"Retry-After": "120"}
    assert send(gotify.url(), RELEASED) == Answer(
        fault="it answered 500: database is locked", again_after=120
    )
    assert send(gotify.url(), RELEASED).again_after == 120
    assert send(gotify.url(), RELEASED) == TAKEN


def test_a_server_that_does_not_answer_may_have_taken_the_message(gotify: Gotify) -> None:
    gotify.busy.clear()
    assert send(gotify.url(), RELEASED, limit=0.2) == Answer(
        fault="no answer within 0.2 seconds", unclear=True
    )


@pytest.mark.parametrize("more", ["", "?rto=5"])
def test_a_token_is_sent_to_nobody_else(gotify: Gotify, more: str) -> None:
    with running_gotify() as other:
        gotify.moved_to = other.address
        assert send(gotify.url() + more, RELEASED).fault.startswith("it answered 307")
        assert other.asked == []


def test_one_that_does_not_answer_keeps_nobody_from_being_told(gotify: Gotify) -> None:
    with running_gotify() as slow:
        slow.busy.clear()
        told = [
            Recipient(address=Address(label=label, url=Secret(server.url())), where="")
            for label, server in (("slow", slow), ("quick", gotify))
        ]
        warned: list[str] = []
        tell(told, RELEASED, warned.append, limit=1)
    assert warned == ["slow was not told: no answer within 1 seconds"]
    assert len(gotify.messages) == 1


def test_a_release_tells_from_a_variable_and_shows_no_secret(
    gotify: Gotify, tmp_path: Path
) -> None:
    make_project(tmp_path)
    with running(tmp_path / "registry") as address:
        (tmp_path / "manyfest.yaml").write_text(
            "name: app\nbuild: {platforms: [linux/amd64, linux/arm64]}\n"
            f"publish: [{address}/app]\n"
            f'notify: ["env:GOTIFY_URL", "gotify://{gotify.address}/s3cret"]\n'
        )
        done = subprocess.run(
            [MANYFEST, "release", "--version", "2.6.1", "-v"],
            cwd=tmp_path,
            env={**os.environ, "GOTIFY_URL": gotify.url()},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert "warning: gotify://127.0.0.1 was not told: it answered 401: you need" in done.stderr
    assert [message["title"] for message in gotify.messages] == ["app 2.6.1 is released"]
    said = done.stdout + done.stderr
    assert TOKEN not in said
    assert "s3cret" not in said


def test_what_gotify_is_told_of_a_project_s_life(gotify: Gotify, tmp_path: Path) -> None:
    make_project(tmp_path)
    with running(tmp_path / "registry") as address:
        (tmp_path / "manyfest.yaml").write_text(
            "name: app\nbuild: {platforms: [linux/amd64, linux/arm64]}\n"
            f'tags: ["{{{{version}}}}", latest]\npublish: [{address}/app]\n'
            'notify: ["env:GOTIFY_URL"]\n'
        )
        environment = {**os.environ, "GOTIFY_URL": gotify.url(), "CI_JOB_URL": "https://ci/7"}

        def manyfest(*arguments: str) -> int:
            done = subprocess.run(
                [MANYFEST, *arguments],
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                check=False,
            )
            return done.returncode

        assert manyfest("release", "--version", "1.0.0") == 0
        (tmp_path / "bin/linux/amd64/app").write_bytes(b"#!/nothing\n")
        assert manyfest("release", "--version", "1.1.0") == 1
        make_project(tmp_path)
        make_project(tmp_path, program="another")
        assert manyfest("release", "--version", "1.1.0") == 0
        assert manyfest("rollback") == 0
    assert [(each["title"], each["priority"]) for each in gotify.messages] == [
        ("app 1.0.0 is released", 5),
        ("app 1.1.0 was not released", 8),
        ("app 1.1.0 is released", 5),
        ("app is back from 1.1.0 to 1.0.0", 5),
    ]
    assert gotify.messages[1]["message"].endswith("\n<https://ci/7>")
    assert gotify.messages[1]["extras"]["client::notification"] == {
        "click": {"url": "https://ci/7"}
    }
    assert f"{address}/app:latest" in gotify.messages[3]["message"]
