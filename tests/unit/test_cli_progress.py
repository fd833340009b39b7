from __future__ import annotations

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyfest.cli.progress import Board, Lines, Quiet, Terminal, Titled
from manyfest.progress import Outcome, Progress

AMD64, ARM64 = "linux/amd64", "linux/arm64"


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("time.monotonic", clock)
    return clock


def figures(board: Board, label: str) -> tuple[int, int]:
    return board.groups[label].completed, board.groups[label].total


def test_items_with_one_label_are_one_group() -> None:
    board = Board()
    board.begin("a", AMD64, 100)
    board.begin("b", AMD64, 50)
    board.begin("c", ARM64, 70)
    board.advance("a", 30)
    board.advance("b", 50)
    assert figures(board, AMD64) == (80, 150)
    assert figures(board, ARM64) == (0, 70)


def test_an_item_that_starts_over_is_counted_once() -> None:
    board = Board()
    board.begin("a", AMD64, 100)
    board.advance("a", 60)
    board.begin("a", AMD64, 100)
    assert figures(board, AMD64) == (0, 100)
    board.advance("a", 100)
    assert figures(board, AMD64) == (100, 100)


def test_an_item_that_need_not_be_moved_is_complete() -> None:
    board = Board()
    board.begin("a", AMD64, 100)
    board.finish("a", "present")
    assert figures(board, AMD64) == (100, 100)
    assert board.groups[AMD64].moved == 0


def test_only_what_was_moved_counts_as_moved() -> None:
    board = Board()
    outcomes: dict[str, Outcome] = {"a": "done", "b": "present", "c": "mounted"}
    for item in outcomes:
        board.begin(item, AMD64, 100)
    for item, outcome in outcomes.items():
        board.finish(item, outcome)
    assert board.groups[AMD64].moved == 100


def test_what_was_never_begun_is_passed_over() -> None:
    board = Board()
    board.advance("a", 5)
    board.finish("a", "done")
    assert board.groups == {}


def test_the_same_items_again_are_a_new_round() -> None:
    board = Board()
    for item in ("a", "b"):
        board.begin(item, AMD64, 100)
    for item in ("a", "b"):
        board.finish(item, "done")
    board.begin("a", AMD64, 100)
    assert figures(board, AMD64) == (0, 100)
    assert not board.groups[AMD64].is_complete


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["begin", "advance", "finish"]))))
def test_no_order_of_events_makes_more_done_than_there_is(events: list[tuple[str, str]]) -> None:
    board = Board()
    begun: dict[str, int] = {}
    for item, event in events:
        if event == "begin":
            board.begin(item, AMD64, 10)
            begun[item] = 10
        elif event == "advance" and begun.get(item, 0):
            begun[item] -= 5
            board.advance(item, 5)
        elif event == "finish":
            board.finish(item, "done")
    assert all(group.completed <= group.total for group in board.groups.values())


def test_lines_tell_of_a_group_when_it_is_complete(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = Lines()
    lines.begin("a", AMD64, 1_500_000)
    lines.begin("b", AMD64, 500_000)
    clock.now += 2.5
    lines.finish("a", "done")
    assert capsys.readouterr().err == ""
    lines.finish("b", "done")
    assert capsys.readouterr() == ("", "linux/amd64: 2.0 MB in 2.50 s\n")


def test_a_group_is_told_of_once(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines()
    lines.begin("a", AMD64, 10)
    clock.now += 5
    for _ in range(3):  # as a copy does that sets three tags
        lines.finish("a", "done")
    assert capsys.readouterr().err == "linux/amd64: 10 B in 5.00 s\n"


def test_each_round_has_its_own_time(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines()
    for took in (5.0, 3.0):
        lines.begin("a", AMD64, 10)
        clock.now += took
        lines.finish("a", "done")
        clock.now += 60
    assert capsys.readouterr().err.splitlines() == [
        "linux/amd64: 10 B in 5.00 s",
        "linux/amd64: 10 B in 3.00 s",
    ]


@pytest.mark.parametrize(("seconds", "outcome"), [(0.9, "done"), (5.0, "present")])
def test_what_was_over_in_a_moment_or_there_already_has_no_line(
    clock: Clock, capsys: pytest.CaptureFixture[str], seconds: float, outcome: Outcome
) -> None:
    lines = Lines()
    lines.begin("a", AMD64, 10)
    clock.now += seconds
    lines.finish("a", outcome)
    assert capsys.readouterr().err == ""


def test_a_label_from_a_registry_cannot_recolour_a_log(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = Lines()
    lines.begin("a", "linux/\x1b[31m\n", 10)
    clock.now += 5
    lines.finish("a", "done")
    assert capsys.readouterr().err == "linux/\\x1b[31m\\n: 10 B in 5.00 s\n"


def test_in_several_steps_a_line_says_which(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = ["build", "check"]
    told = Titled(Lines(), lambda: steps[0])
    for _ in ("build", "check"):
        told.begin("a", AMD64, 10)
        told.advance("a", 10)
        clock.now += 5
        told.finish("a", "done")
        told.say(f"{steps.pop(0)} ended")
    assert capsys.readouterr().err.splitlines() == [
        "build: linux/amd64: 10 B in 5.00 s",
        "build ended",
        "check: linux/amd64: 10 B in 5.00 s",
        "check ended",
    ]


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with Quiet() as quiet:
        work(quiet)
    assert capsys.readouterr() == ("", "")


def work(progress: Progress) -> None:
    progress.begin("a", AMD64, 2_000_000)
    progress.advance("a", 1_000_000)
    progress.finish("a", "done")
    progress.say("done with [bold]:smile: that[/]")


class Screen(io.StringIO):
    """A terminal's stderr."""

    def isatty(self) -> bool:
        return True


def look_at(monkeypatch: pytest.MonkeyPatch) -> Screen:
    """Not a fixture: between fixtures and test, pytest puts stderr back."""
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    screen = Screen()
    monkeypatch.setattr("sys.stderr", screen)
    return screen


def test_a_terminal_shows_a_bar_with_bytes_for_each_group(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen = look_at(monkeypatch)
    with Terminal() as terminal:
        terminal.begin("a", AMD64, 2_000_000)
        terminal.advance("a", 1_000_000)
    assert "linux/amd64" in screen.getvalue()
    assert "1.0/2.0 MB" in screen.getvalue()


def test_what_is_over_leaves_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    look_at(monkeypatch)
    with Terminal() as terminal:
        work(terminal)
        terminal.begin("b", ARM64, 3_000_000)
        assert terminal._bars is not None
        assert [task.description for task in terminal._bars.tasks if task.visible] == [ARM64]
        work(terminal)
        terminal.begin("a", AMD64, 10)
        assert [task.description for task in terminal._bars.tasks if task.visible] == [AMD64, ARM64]
        assert terminal._bars.live.transient


def test_messages_are_printed_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = look_at(monkeypatch)
    with Terminal() as terminal:
        work(terminal)
    assert "done with [bold]:smile: that[/]" in screen.getvalue()


def test_a_long_message_stays_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = look_at(monkeypatch)
    with Terminal() as terminal:
        terminal.say("word " * 60 + "end")
    assert "word " * 60 + "end" in screen.getvalue()


def test_a_label_is_no_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = look_at(monkeypatch)
    with Terminal() as terminal:
        terminal.begin("a", "[/nonsense] \x1b[2J", 10)
    assert "[/nonsense] \\x1b[2J" in screen.getvalue()


def test_the_same_items_again_start_the_bar_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = look_at(monkeypatch)
    with Terminal() as terminal:
        work(terminal)
        terminal.begin("a", AMD64, 3_000_000)
    assert "0.0/3.0 MB" in screen.getvalue()


def test_no_color_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = look_at(monkeypatch)
    monkeypatch.setenv("NO_COLOR", "1")
    with Terminal() as terminal:
        work(terminal)
    colours = re.findall(r"\x1b\[[0-9;]*m", screen.getvalue())
    assert all(not re.search(r"\b(3[0-9]|4[0-9]|9[0-7])", colour) for colour in colours)


def test_outside_its_block_a_terminal_only_prints_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = look_at(monkeypatch)
    work(Terminal())
    assert screen.getvalue() == "done with [bold]:smile: that[/]\n"
