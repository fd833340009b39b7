"""Telling people, over a socket, by Apprise as it is: Gotify's messages and its answers."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from manyfest.release.reporting.notify import Message, Recipient, addressed, by_apprise, tell
from manyfest.serve.server import running
from manyfest.stores.registry.auth.secret import Secret
from tests import real
from tests.gotify import TOKEN, Gotify, running_gotify
from tests.integration.conftest import MANYFEST
from tests.unit.releases import make_project

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr'")  # some service of Apprise's has it

RELEASED = Message(
    event="released",
    title="app 2.6.1 is released",
    lines=("linux/arm/v7", "ghcr.io/us/my_app: 2.6.1, latest"),
    link="https://ghcr.io/us/my_app",
)
FAILED = Message(event="failed", title="app 2.6.1 was not released", lines=("no room",))


@pytest.fixture
def gotify() -> Iterator[Gotify]:
    with running_gotify() as server:
        yield server


def send(url: str, message: Message) -> str:
    return by_apprise(addressed(url, message), message)


def test_a_release_is_a_normal_message_with_a_link(gotify: Gotify) -> None:
    assert send(gotify.url(), RELEASED) == ""
    assert gotify.messages == [
        {
            "title": "app 2.6.1 is released",
            "message": "linux/arm/v7  \nghcr.io/us/my_app: 2.6.1, latest  \n"
            "<https://ghcr.io/us/my_app>",
            "priority": 5,
            "extras": {"client::display": {"contentType": "text/markdown"}},
        }
    ]


def test_a_failure_has_a_high_priority(gotify: Gotify) -> None:
    assert send(gotify.url(), FAILED) == ""
    assert gotify.messages[0]["priority"] == 8


def test_a_url_that_asks_for_something_else_gets_it(gotify: Gotify) -> None:
    assert send(f"{gotify.url()}?priority=low&format=text", FAILED) == ""
    assert gotify.messages == [
        {"title": "app 2.6.1 was not released", "message": "no room", "priority": 0}
    ]


def test_gotify_below_another_path() -> None:
    with running_gotify("/push/here") as gotify:
        assert send(gotify.url(), RELEASED) == ""
        assert len(gotify.messages) == 1


def test_a_wrong_token_is_told_without_it(
    gotify: Gotify, capfd: pytest.CaptureFixture[str]
) -> None:
    assert send(gotify.url("s3cret"), RELEASED) == "it answered 401"
    assert capfd.readouterr() == ("", "")


def test_a_server_that_is_not_there() -> None:
    url = f"gotify://127.0.0.1:{real.free_port()}/{TOKEN}"
    assert send(url, RELEASED) == "it did not take the message"


def test_a_token_is_sent_to_nobody_else(gotify: Gotify) -> None:
    with running_gotify() as other:
        gotify.moved_to = other.address
        assert send(gotify.url(), RELEASED) == "it answered 307"
        assert other.asked == []


def test_one_that_does_not_answer_keeps_nobody_from_being_told(gotify: Gotify) -> None:
    with running_gotify() as slow:
        slow.busy.clear()
        told = [
            Recipient(label=label, url=Secret(server.url()), where="")
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
    assert "warning: gotify://127.0.0.1 was not told: it answered 401\n" in done.stderr
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
        ("app is back at 1.0.0", 5),
    ]
    assert gotify.messages[1]["message"].endswith("\n<https://ci/7>")
    assert f"{address}/app:latest" in gotify.messages[3]["message"]
