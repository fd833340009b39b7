"""What the tests of the ``before`` hook do not show of running programs."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from manyfest.processes import MAX_LINE, Ending, Process, run_aloud


def test_each_line_is_said_after_the_prefix(tmp_path: Path) -> None:
    said: list[str] = []
    process = Process(["sh", "-c", "echo $A; pwd >&2"], folder=tmp_path, environment={"A": "one"})
    assert run_aloud(process, said.append, "linux/arm64 | ") == Ending(0, str(tmp_path))
    assert said == ["linux/arm64 | one", f"linux/arm64 | {tmp_path}"]


def test_the_last_line_of_a_failure_is_its_reason(tmp_path: Path) -> None:
    said: list[str] = []
    process = Process(["sh", "-c", "echo a; echo b; exit 4"], folder=tmp_path, environment={})
    assert run_aloud(process, said.append, "").why == "exit status 4: b"
    assert said == ["a"]


def test_a_program_that_hangs_is_stopped_when_its_time_is_over(tmp_path: Path) -> None:
    process = Process(["sleep", "600"], folder=tmp_path, environment={}, timeout=0.2)
    assert process.run(lambda _line: None) is None
    assert process.timed_out


def test_a_program_that_ends_in_time_has_not_timed_out(tmp_path: Path) -> None:
    process = Process(["true"], folder=tmp_path, environment={}, timeout=600)
    assert process.run(lambda _line: None) == 0
    assert not process.timed_out


def test_a_program_that_was_stopped_before_never_starts(tmp_path: Path) -> None:
    process = Process(["touch", "started"], folder=tmp_path, environment={})
    process.stop()
    assert process.run(lambda _line: None) is None
    assert list(tmp_path.iterdir()) == []


def test_a_program_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Process(["no-such-program"], folder=tmp_path, environment={}).run(lambda _line: None)


def test_it_is_an_error_if_nobody_can_tell_how_a_program_ended(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        with pytest.raises(ChildProcessError):
            Process(["false"], folder=tmp_path, environment={}).run(lambda _line: None)
    finally:
        signal.signal(signal.SIGCHLD, before)


@pytest.mark.parametrize("length", [7, MAX_LINE + 7, 3 * MAX_LINE])
@pytest.mark.parametrize("start", [0, 1, MAX_LINE - 3, MAX_LINE, 2 * MAX_LINE - 1])
def test_what_is_hidden_is_not_shown_where_a_long_line_is_cut(
    tmp_path: Path, start: int, length: int
) -> None:
    hidden = "s" * length
    (tmp_path / "output").write_text("a" * start + hidden + "b" * 9 * MAX_LINE)
    process = Process(
        ["dd", "if=output", "bs=997", "status=none"],
        folder=tmp_path,
        environment={},
        hidden=[hidden.encode()],
    )
    lines: list[str] = []
    assert process.run(lines.append) == 0
    assert "".join(lines) == "a" * start + "***" + "b" * 9 * MAX_LINE
