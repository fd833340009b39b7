from __future__ import annotations

import pytest

from manyfest.cli.wait_display import Lines, Terminal
from tests.unit.test_cli_progress import look_at


def test_elsewhere_each_change_is_said_and_nothing_else() -> None:
    said: list[str] = []
    with Lines(said.append) as lines:
        lines.tell("one.example/app:v1: holds sha256:56bb4cc6dd91")
        lines.show(lambda _: "1 of 2 ready")
    assert said == ["one.example/app:v1: holds sha256:56bb4cc6dd91"]


def test_on_a_terminal_how_far_it_is_stands_below_the_changes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen = look_at(monkeypatch)
    with Terminal(pytest.fail) as terminal:
        terminal.show(lambda _: "1 of 2 ready")
        terminal.tell("complete everywhere")
    shown = screen.getvalue()
    assert shown.index("complete everywhere") < shown.rindex("1 of 2 ready")


def test_the_words_of_a_registry_are_shown_on_a_terminal_and_not_obeyed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen = look_at(monkeypatch)
    with Terminal(pytest.fail) as terminal:
        terminal.tell("[bold]a\x1b[2Jb")
        terminal.show(lambda _: "[/]c\x1b[2Jd")
    assert "[bold]a\\x1b[2Jb" in screen.getvalue()
    assert "[/]c\\x1b[2Jd" in screen.getvalue()


def test_outside_its_block_a_terminal_only_says() -> None:
    said: list[str] = []
    terminal = Terminal(said.append)
    terminal.show(lambda _: "1 of 2 ready")
    terminal.tell("complete everywhere")
    assert said == ["complete everywhere"]
