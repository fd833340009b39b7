"""What pages may have a watch do: add, pause, resume and remove images; read its file again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import chain, repeat
from pathlib import Path

import pytest

from manyfest.errors import ConfigError, NotFound, UsageError
from manyfest.watch.config.load import load
from manyfest.watch.config.values import WatchConfig
from manyfest.watch.history.history import History
from manyfest.watch.service import Watch

FILE = """\
every: 10m
images:
  - in: [hub.example.org/server]
    platforms: [linux/amd64]
notify: {us: "json://a.example.org"}
"""
ADDED = {"in": ["hub.example.org/cli"], "platforms": ["linux/arm64"], "soak": "1h"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a ``watch.yaml``."""
    (tmp_path / "watch.yaml").write_text(FILE)
    return tmp_path


@pytest.fixture
def history(folder: Path) -> Iterator[History]:
    """A history in the folder."""
    with History.open(str(folder / "watch.db")) as history:
        yield history


def watch_of(folder: Path, history: History) -> Watch:
    """A watch of what the file says, which looks at nothing yet."""
    return Watch(load(folder / "watch.yaml"), history, clock=lambda: 7.0)


def shown(watch: Watch) -> list[tuple[str, str, float | None]]:
    """What is watched: its name, who asked for it, and since when it is paused."""
    return [(each.name, each.origin, each.paused_at) for each in watch.images()]


def test_an_image_is_added_and_removed(folder: Path, history: History) -> None:
    watch = watch_of(folder, history)

    image = watch.add(ADDED)

    assert (image.rule.soak, image.every, image.notify) == (3600.0, 600.0, ("us",))
    assert shown(watch) == [("server", "file", None), ("cli", "page", None)]
    watch.remove("cli")
    assert shown(watch) == [("server", "file", None)]


def test_images_are_paused_and_resumed(folder: Path, history: History) -> None:
    watch = watch_of(folder, history)
    watch.add(ADDED)

    watch.pause("server")
    watch.pause("cli")
    assert shown(watch) == [("server", "file", 7.0), ("cli", "page", 7.0)]
    watch.resume("server")
    watch.resume("cli")
    assert shown(watch) == [("server", "file", None), ("cli", "page", None)]


def test_a_watch_that_is_started_anew_knows_it_still(folder: Path, history: History) -> None:
    first = watch_of(folder, history)
    first.add(ADDED)
    first.pause("server")
    first.pause("cli")

    second = watch_of(folder, history)
    second.start()
    try:
        assert shown(second) == [("server", "file", 7.0), ("cli", "page", 7.0)]
        assert second.is_ready()
    finally:
        second.stop()
    assert not second.is_ready()


def test_what_cannot_be_done_is_said(folder: Path, history: History) -> None:
    watch = watch_of(folder, history)
    watch.add(ADDED)

    with pytest.raises(ConfigError, match="'name': cli is watched already"):
        watch.add(ADDED)
    with pytest.raises(ConfigError, match="no key 'platforms'"):
        watch.add({"in": ["hub.example.org/x"]})
    with pytest.raises(UsageError, match="server stands in watch"):
        watch.remove("server")
    with pytest.raises(NotFound):
        watch.remove("nothing")
    with pytest.raises(NotFound):
        watch.pause("nothing")
    assert [each.name for each in watch.images()] == ["server", "cli"]


def test_looking_on_tells_of_each_change(folder: Path, history: History) -> None:
    watch = watch_of(folder, history)
    with watch.live.subscribe() as reader:
        watch.add(ADDED)
        news = reader.wait(20)

    assert news is not None
    assert news.images == {"cli"}


def test_the_file_is_read_again(folder: Path, history: History) -> None:
    watch = watch_of(folder, history)
    (folder / "watch.yaml").write_text(FILE + "title: Another\n")

    watch.reload()

    assert watch.config.title == "Another"
    assert watch.troubles() == ()


def test_a_broken_file_is_a_trouble_until_it_is_mended(folder: Path, history: History) -> None:
    watch = watch_of(folder, history)
    (folder / "watch.yaml").write_text("images: 5\n")
    watch.reload()

    (trouble,) = watch.troubles()
    assert "watch.yaml:1: 'images' must be a list, not a number" in trouble
    assert shown(watch) == [("server", "file", None)]
    (folder / "watch.yaml").write_text(FILE)
    watch.reload()
    assert watch.troubles() == ()


def test_what_the_file_names_by_now_is_the_files(folder: Path, history: History) -> None:
    watch = watch_of(folder, history)
    watch.add(ADDED)
    (folder / "watch.yaml").write_text(FILE.replace("/server]", "/cli]"))

    watch.reload()

    assert shown(watch) == [("cli", "file", None)]


def test_what_was_added_and_is_not_understood_any_more_is_a_trouble(
    folder: Path, history: History
) -> None:
    watch = watch_of(folder, history)
    watch.add({**ADDED, "notify": ["us"]})
    (folder / "watch.yaml").write_text(FILE.partition("notify")[0])

    watch.reload()

    assert shown(watch) == [("server", "file", None)]
    assert watch.troubles() == (
        "cli is not watched: 'notify[0]': nobody is called 'us'; there is none",
    )


def test_what_is_not_understood_can_be_removed(folder: Path, history: History) -> None:
    watch = watch_of(folder, history)
    watch.add({**ADDED, "notify": ["us"]})
    (folder / "watch.yaml").write_text(FILE.partition("notify")[0])
    watch.reload()

    watch.remove("cli")

    assert watch.troubles() == ()
    assert history.images.all() == []


def test_of_two_who_have_the_file_read_again_the_later_one_counts(
    folder: Path, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = watch_of(folder, history)
    reads, goes_on = threading.Event(), threading.Event()

    def slow(path: Path) -> WatchConfig:
        config = load(path)
        reads.set()
        assert goes_on.wait(20)
        return config

    monkeypatch.setattr("manyfest.watch.service.load", slow)
    first, later = (threading.Thread(target=watch.reload) for _ in range(2))
    first.start()
    assert reads.wait(20)
    (folder / "watch.yaml").write_text(FILE + "title: Another\n")
    monkeypatch.setattr("manyfest.watch.service.load", load)
    later.start()
    later.join(0.2)
    goes_on.set()
    for each in (first, later):
        each.join(20)

    assert watch.config.title == "Another"


def test_by_a_clock_that_was_just_set_ahead_nothing_is_deleted_yet(
    folder: Path,
    history: History,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("manyfest.watch.service._FORGET_EVERY", 0.001)
    times = chain([0.0], repeat(40000 * 86400.0))
    watch = Watch(load(folder / "watch.yaml"), history, clock=lambda: next(times))
    deleted: list[float] = []

    def forget(before: float, **_: object) -> int:
        deleted.append(before)
        watch.stop()
        return 0

    monkeypatch.setattr(history, "forget", forget)
    watch._forget()

    assert deleted == [39600 * 86400.0]
    assert caplog.messages == ["the clock jumped ahead: what is too old is deleted later"]


def test_a_part_that_ends_early_is_a_failure_of_the_watch(
    folder: Path, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed: list[bool] = []
    watch = Watch(load(folder / "watch.yaml"), history, failed=lambda: failed.append(True))
    watch.pause("server")
    monkeypatch.setattr(watch._deliverer, "run", lambda: None)
    watch.start()
    watch.stop()

    assert failed == [True]
