"""Log lines: for people, and for programs."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from manyfest.watch.logs import set_up
from manyfest.watch.values import Event


@pytest.fixture(autouse=True)
def _loggers() -> Iterator[None]:
    """What the rest of the tests log to stays as it is."""
    root, ours = logging.getLogger(), logging.getLogger("manyfest")
    before = list(root.handlers), root.level, ours.level
    yield
    root.handlers[:], root.level, ours.level = before


def record(message: str, **extra: object) -> logging.LogRecord:
    """A line that is logged at a known moment."""
    made = logging.LogRecord("manyfest.watch", logging.INFO, "", 0, message, (), None)
    made.created = 1795723207.5
    vars(made).update(extra)
    return made


def test_a_line_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    set_up("text")
    logging.getLogger("manyfest.watch").handle(record("app 1 is complete\x1b[2J"))

    assert capsys.readouterr().err == "2026-11-26T20:00:07.500Z info app 1 is complete\\x1b[2J\n"


def test_a_line_for_programs_says_what_happened(capsys: pytest.CaptureFixture[str]) -> None:
    set_up("json")
    event = Event(kind="complete", at=5.0, image="app", tag="1", lag=0.0)
    logging.getLogger("manyfest.watch").handle(record("app 1 is complete", event=event))

    assert json.loads(capsys.readouterr().err) == {
        "at": "2026-11-26T20:00:07.500Z",
        "level": "info",
        "from": "manyfest.watch",
        "message": "app 1 is complete",
        "event": {"kind": "complete", "at": 5.0, "image": "app", "tag": "1", "lag": 0.0},
    }


def test_a_fault_comes_with_its_trace_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    set_up("json")
    try:
        1 // 0  # noqa: B018
    except ZeroDivisionError:
        logging.getLogger("manyfest.watch").exception("it failed")

    (line,) = capsys.readouterr().err.splitlines()
    trace = json.loads(line)["trace"]
    assert trace.endswith("ZeroDivisionError: integer division or modulo by zero")


def test_others_are_heard_when_they_warn(capsys: pytest.CaptureFixture[str]) -> None:
    set_up("text", level=logging.WARNING)
    logging.getLogger("alembic").info("a step")
    logging.getLogger("manyfest.watch").info("a step")
    logging.getLogger("alembic").warning("a warning")

    assert capsys.readouterr().err.endswith(" warning a warning\n")


def test_a_trace_is_harmless_too(capsys: pytest.CaptureFixture[str]) -> None:
    set_up("text")
    fault = ValueError("app\x1b[2J")
    logging.getLogger("manyfest.watch").error("it failed", exc_info=fault)

    assert capsys.readouterr().err.splitlines()[-1] == "ValueError: app\\x1b[2J"
