from __future__ import annotations

import threading
from pathlib import Path

import pytest

from manyfest.notify.address import Address
from manyfest.notify.answer import TAKEN, Answer
from manyfest.notify.message import Message
from manyfest.oci.reference import Name
from manyfest.release.reporting.links import page_of, run_page
from manyfest.release.reporting.notify import Recipient, obstacles, recipients, tell
from manyfest.stores.registry.auth.secret import Secret
from tests.unit.releases import make_config

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr'")  # some service of Apprise's has it

RELEASED = Message.of_lines("app 2.6.1 is released", ["linux/amd64"])


def recipient(url: str = "json://host/s3cret", label: str = "json://host") -> Recipient:
    return Recipient(address=Address(url=Secret(url), label=label), where="manyfest.yaml:9")


def found(folder: Path, *urls: str, **environ: str) -> list[tuple[str, str, str]]:
    config = make_config(folder, notify=urls, lines={"notify[1]": 7})
    return [
        (each.address.label, each.address.url.reveal(), each.where.removeprefix(f"{folder}/"))
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


def test_everybody_is_told() -> None:
    sent: list[tuple[str, str]] = []

    def send(to: Address, message: Message) -> Answer:
        sent.append((to.url.reveal(), message.title))
        return TAKEN

    warned: list[str] = []
    told = [recipient("json://one"), recipient("gotify://two/t"), recipient("")]
    tell(told, RELEASED, warned.append, send=send)
    assert sorted(sent) == [
        ("gotify://two/t", "app 2.6.1 is released"),
        ("json://one", "app 2.6.1 is released"),
    ]
    assert warned == []


def test_a_service_that_fails_is_one_line_and_the_others_are_told() -> None:
    sent: list[str] = []

    def send(to: Address, _: Message) -> Answer:
        sent.append(to.url.reveal())
        if to.url == Secret("json://two/s3cret"):
            raise RuntimeError("json://two/s3cret is broken")
        return Answer(fault="it answered 401" if to.url == Secret("json://one") else "")

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

    def send(_to: Address, _message: Message) -> Answer:
        released.wait(60)
        return TAKEN

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


def test_without_apprise_others_than_gotify_are_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "apprise", None)
    assert list(obstacles([recipient("gotify://host/t"), recipient()])) == [
        "manyfest.yaml:9: json://host will not be told, as Apprise is not installed;"
        " pip install 'manyfest[notify]'"
    ]
    warned: list[str] = []
    tell([recipient()], RELEASED, warned.append)
    assert warned == [
        "json://host was not told: Apprise is not installed; pip install 'manyfest[notify]'"
    ]


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
