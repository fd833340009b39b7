"""What a server logs is shown, and moves no cursor."""

from __future__ import annotations

import logging

import pytest

from manyfest.cli.log import shown_log

logger = logging.getLogger("manyfest.serve")


def test_what_a_registry_says_is_shown_and_not_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    with shown_log():
        logger.warning("upstream %s: %s", "docker.io", "no\x1b[2J\nmanyfest: all is well")
    assert capsys.readouterr().err == "upstream docker.io: no\\x1b[2J\\nmanyfest: all is well\n"


def test_a_fault_is_shown_with_its_trace(capsys: pytest.CaptureFixture[str]) -> None:
    with shown_log():
        logger.error("it failed", exc_info=ValueError("app\x1b[2J"))
    lines = capsys.readouterr().err.splitlines()
    assert (lines[0], lines[-1]) == ("it failed", "ValueError: app\\x1b[2J")


def test_afterwards_all_is_as_it_was() -> None:
    before = list(logging.getLogger().handlers)
    with shown_log():
        pass
    assert logging.getLogger().handlers == before
