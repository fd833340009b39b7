"""A watch, a registry that tells it of pushes, and a Gotify: what people get, and when it is not
taken at first."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from manyfest.stores.layout import LayoutStore
from tests import real
from tests.gotify import Gotify, running_gotify
from tests.images import content_of, platforms
from tests.integration.conftest import MANYFEST

WATCH = """\
url: https://releases.example.org
every: 1h
images:
- in: [{registry}/app]
  platforms: [linux/amd64, linux/arm64]
notify:
  phone: env:GOTIFY_URL
  nobody: env:NOT_SET
webhooks:
  own: {{from: distribution, secret: env:HOOK}}
"""

TOKEN = "t0ken-of-sixteen-characters"


class Place:
    """A folder with a registry in it, which tells a watch that need not run yet."""

    def __init__(self, folder: Path, gotify: Gotify) -> None:
        self.folder = folder
        self.gotify = gotify
        self.registry = f"127.0.0.1:{real.free_port()}"
        self.watch = f"127.0.0.1:{real.free_port()}"
        (folder / "watch.yaml").write_text(WATCH.format(registry=self.registry))

    @contextmanager
    def serving(self) -> Iterator[None]:
        """The registry."""
        notify = f"http://{self.watch}/hooks/own,env:HOOK"
        arguments = ["serve", "registry", "--listen", self.registry, "--notify", notify]
        with self._running(self.registry, *arguments):
            yield

    @contextmanager
    def watching(self) -> Iterator[subprocess.Popen[bytes]]:
        """The watch, whose log goes to a file."""
        with self._running(self.watch, "watch", "run", "-v", "--listen", self.watch) as process:
            yield process

    def wait_for_the_first_look(self) -> None:
        """What comes from then on is news."""
        real.wait_until(lambda: "/v2/app/tags/list " in self.log, "the list of tags")

    def push(self, *tags: str) -> None:
        """Another image under each of these tags."""
        for tag in tags:
            layout = LayoutStore(self.folder / tag)
            root = platforms(layout, ("linux/amd64", "linux/arm64"), text=tag)
            layout.tag(tag, content_of(root))
            source = f"oci:{self.folder / tag}:{tag}"
            self._manyfest("copy", source, f"{self.registry}/app:{tag}")

    @property
    def titles(self) -> list[str]:
        """Those of all messages so far."""
        return [message["title"] for message in self.gotify.messages]

    @property
    def log(self) -> str:
        """What the watch said."""
        return (self.folder / "watch.log").read_text()

    def _manyfest(self, *arguments: str) -> None:
        subprocess.run([MANYFEST, *arguments], check=True, capture_output=True)

    @contextmanager
    def _running(self, address: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        port = int(address.rpartition(":")[2])
        environ = {**os.environ, "GOTIFY_URL": self.gotify.url(), "HOOK": TOKEN}
        with (self.folder / f"{arguments[0]}.log").open("ab") as log:
            process = subprocess.Popen(
                [MANYFEST, *arguments],
                cwd=self.folder,
                env=environ,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            real.wait_until(lambda: real.is_listening(port), arguments[0])
            yield process
        finally:
            real.stop(process)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with running_gotify() as gotify:
        yield Place(tmp_path, gotify)


def test_a_version_that_was_pushed_is_told_with_its_page(place: Place) -> None:
    with place.serving():
        place.push("1.0.0")
        with place.watching():
            place.wait_for_the_first_look()
            place.push("1.1.0")
            real.wait_until(lambda: len(place.titles) == 1, "the message")
    (message,) = place.gotify.messages
    assert message["title"] == "app 1.1.0 is complete everywhere"
    assert message["message"].startswith("Is complete everywhere, ")
    assert message["priority"] == 5
    assert message["extras"] == {
        "client::display": {"contentType": "text/plain"},
        "client::notification": {"click": {"url": "https://releases.example.org/images/app/1.1.0"}},
    }
    assert "env:NOT_SET is not set, so nobody is told there" in place.log
    assert "AbCdEf" not in place.log
    assert TOKEN not in place.log


def test_what_gotify_does_not_take_at_first_is_told_later(place: Place) -> None:
    place.gotify.fails = [500]
    with place.serving(), place.watching():
        place.wait_for_the_first_look()
        place.push("1.0.0")
        real.wait_until(lambda: len(place.titles) == 1, "the message")
    assert len(place.gotify.asked) == 2
    assert "Is complete everywhere" in place.gotify.messages[0]["message"]
    assert "may have been told before" not in place.gotify.messages[0]["message"]


def test_a_watch_that_is_killed_while_it_tells_tells_again(place: Place) -> None:
    with place.serving():
        place.gotify.busy.clear()
        with place.watching() as process:
            place.wait_for_the_first_look()
            place.push("1.0.0")
            real.wait_until(lambda: len(place.gotify.asked) == 1, "the attempt")
            process.send_signal(signal.SIGKILL)
            process.wait()
        place.gotify.busy.set()
        with place.watching():
            real.wait_until(lambda: len(place.titles) == 2, "the second message")
    assert [each["message"].split("\n")[0][:27] for each in place.gotify.messages] == [
        "Is complete everywhere, 0 s",
        "This may have been told bef",
    ]


def test_who_cannot_be_told_is_said_beforehand(place: Place) -> None:
    done = subprocess.run(
        [MANYFEST, "watch", "check-config"],
        cwd=place.folder,
        env={**os.environ, "GOTIFY_URL": place.gotify.url(), "HOOK": TOKEN},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == (
        "warning: watch.yaml:8: env:NOT_SET is not set, so nobody is told there\n"
        "watch.yaml is right: 1 image, 2 recipients, 1 webhook\n"
    )
    assert done.returncode == 0


def test_messages_can_be_tried_out(place: Place) -> None:
    done = subprocess.run(
        [MANYFEST, "watch", "notify-test", "phone", "nobody"],
        cwd=place.folder,
        env={**os.environ, "GOTIFY_URL": place.gotify.url(), "HOOK": TOKEN},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "phone: told\nnobody: env:NOT_SET is not set\n"
    assert done.returncode == 3
    assert place.titles == ["A test of manyfest watch"]
