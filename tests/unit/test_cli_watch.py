"""``manyfest watch``: what it is told on the command line."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from manyfest.notify.answer import Answer
from manyfest.watch.config.values import TagChoice, WatchConfig
from manyfest.watch.history.history import History
from tests.unit.cli import Manyfest

FILE = """\
images:
  - in: [hub.example.org/server]
    platforms: [linux/amd64]
"""


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[WatchConfig, str]]:
    """What a watch was started with; none is."""
    found: list[tuple[WatchConfig, str]] = []

    def run(config: WatchConfig, listen: str, **_: object) -> int:
        found.append((config, listen))
        return 0

    monkeypatch.setattr("manyfest.watch.run.run", run)
    monkeypatch.setattr("manyfest.watch.logs.set_up", lambda *_, **__: None)
    return found


def test_it_watches_what_the_file_here_says(
    manyfest: Manyfest, started: list[tuple[WatchConfig, str]], tmp_path: Path
) -> None:
    (tmp_path / "watch.yaml").write_text(FILE)

    assert manyfest("watch").code == 0
    assert manyfest("watch", "--listen", "0.0.0.0:9000").code == 0
    assert [(config.images[0].name, listen) for config, listen in started] == [
        ("server", "127.0.0.1:8080"),
        ("server", "0.0.0.0:9000"),
    ]


def test_it_watches_what_is_named_without_a_file(
    manyfest: Manyfest, started: list[tuple[WatchConfig, str]]
) -> None:
    done = manyfest(
        "watch", "gotify/server", "ghcr.io/a/b:edge", "--platform", "arm64", "--every", "1m"
    )

    assert done.code == 0
    ((config, _),) = started
    assert [(image.name, image.tags, image.every) for image in config.images] == [
        ("gotify/server", TagChoice(versions="*"), 60.0),
        ("a/b", TagChoice(names=("edge",)), 60.0),
    ]
    assert config.images[0].rule.platforms == ("linux/arm64",)


def test_of_tags_that_are_named_a_dry_run_asks_nobody(manyfest: Manyfest) -> None:
    done = manyfest("watch", "a.example.org/b:edge", "--platform", "arm64", "--dry-run")

    assert (done.code, done.out) == (0, "b edge a.example.org/b\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["gotify/server"], "nothing says which platforms a version must have"),
        (["--platform", "arm64"], "--platform is for REFs; watch.yaml has its own platforms"),
        (["a/b@sha256:" + "a" * 64, "--platform", "arm64"], "a digest never changes"),
        (["a/b", "c.example.org/a/b", "--platform", "arm64"], "two REFs are called a/b"),
        (["a/b", "-c", "x.yaml", "--platform", "arm64"], "either REFs are watched or"),
        ([], "no watch.yaml here"),
        (["notify-test", "-c", "missing.yaml"], "no missing.yaml here"),
        (["chek-config"], "no such command: 'chek-config'; did you mean 'check-config'? The image"),
    ],
)
def test_what_makes_no_sense_is_refused(
    manyfest: Manyfest, tmp_path: Path, arguments: list[str], said: str
) -> None:
    done = manyfest("watch", *arguments)

    assert done.code == 2
    assert said in done.err


@pytest.mark.parametrize("missing", ["starlette", "sqlalchemy", "granian.server.embed"])
def test_a_part_that_is_not_installed_is_named(
    manyfest: Manyfest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    (tmp_path / "watch.yaml").write_text(FILE)
    monkeypatch.setitem(sys.modules, missing, None)

    done = manyfest("watch")

    assert done.code == 2
    assert missing.partition(".")[0] in done.err
    assert done.err.endswith("; pip install 'manyfest[watch]'\n")


def test_the_file_is_checked(manyfest: Manyfest, tmp_path: Path) -> None:
    (tmp_path / "watch.yaml").write_text(FILE)
    done = manyfest("watch", "check-config")
    assert (done.code, done.err) == (
        0,
        "watch.yaml is right: 1 image, 0 recipients, 0 webhooks\n",
    )

    (tmp_path / "watch.yaml").write_text(FILE + "tittle: x\n")
    done = manyfest("watch", "check-config")
    assert done.code == 2
    assert "watch.yaml:4: unknown key 'tittle'; did you mean 'title'?" in done.err


def test_a_database_that_no_watch_could_use_is_named_by_the_check(
    manyfest: Manyfest, tmp_path: Path
) -> None:
    (tmp_path / "watch.yaml").write_text(FILE + "history: {database: 'mysql://x'}\n")
    done = manyfest("watch", "check-config")
    assert done.code == 2
    assert "write sqlite:///FILE or postgresql://USER@HOST/DATABASE" in done.err


def test_a_test_message_goes_to_those_who_are_named(
    manyfest: Manyfest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = {"us": "", "them": "no such token"}
    monkeypatch.setattr(
        "manyfest.watch.notify.trial.notify_test",
        lambda recipient, _: Answer(fault=faults[recipient.name]),
    )
    (tmp_path / "watch.yaml").write_text(
        FILE + "notify: {us: 'json://a.example.org', them: 'json://b.example.org'}\n"
    )

    done = manyfest("watch", "notify-test", "us")
    assert (done.code, done.out) == (0, "us: told\n")
    done = manyfest("watch", "notify-test")
    assert (done.code, done.out) == (3, "us: told\nthem: no such token\n")
    done = manyfest("watch", "notify-test", "nobody")
    assert "nobody is called 'nobody'; there is us, them" in done.err


def test_somebody_may_sign_in(
    manyfest: Manyfest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("correct horse battery\n"))
    done = manyfest("watch", "user", "ada", "--password-stdin")

    assert (done.code, done.err) == (
        0,
        f"ada may sign in; this is kept in {tmp_path}/watch.db\n",
    )
    with History.open(str(tmp_path / "watch.db"), alone=False) as history:
        assert [user.name for user in history.people.users()] == ["ada"]


def test_somebody_may_sign_in_no_more(
    manyfest: Manyfest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("correct horse battery\n"))
    manyfest("watch", "user", "ada", "--password-stdin")

    done = manyfest("watch", "user", "ada", "--remove")
    assert (done.code, done.err) == (0, "ada may not sign in any more\n")
    with History.open(str(tmp_path / "watch.db"), alone=False) as history:
        assert history.people.users() == []
    done = manyfest("watch", "user", "ada", "--remove")
    assert (done.code, done.err) == (
        1,
        f"manyfest: {tmp_path}/watch.db: nobody is called 'ada'\n",
    )
