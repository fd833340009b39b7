"""Programs of any output are run, looked through, and ended."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from manyfest.release.smoke.program import Program


def shell(
    script: str, *, expect: str = "", timeout: float = 60, end: Callable[[], None] = lambda: None
) -> Program:
    return Program(
        ["/bin/sh", "-c", script], environment={}, expect=expect, timeout=timeout, end=end
    )


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ("echo version 2.6.1", True),
        ("echo version 2.6.1 >&2", True),
        ("printf 'version 2.'; sleep 0.3; echo 6.1", True),
        ("head -c 300000 /dev/zero; echo version 2.6.1; head -c 300000 /dev/zero", True),
        ("echo version 2.; echo 6.1", False),
        ("echo version 2.6.", False),
    ],
)
def test_a_text_is_found_wherever_it_is(script: str, found: bool) -> None:
    program = shell(script, expect="version 2.6.1")
    program.run()
    assert program.found is found


def test_one_stream_does_not_go_on_in_the_other() -> None:
    program = shell("printf 2.; sleep 0.3; printf 6 >&2", expect="2.6")
    program.run()
    assert not program.found


def test_no_text_is_always_found() -> None:
    program = shell("exit 3")
    program.run()
    assert (program.found, program.status) == (True, 3)


def test_the_last_lines_are_kept() -> None:
    program = shell("for i in $(seq 20000); do echo $i; done; printf '\\033[1mred\\n\\n'")
    program.run()
    assert program.lines() == (*map(str, range(19992, 20001)), "\\x1b[1mred")


def test_what_is_hidden_is_in_no_line() -> None:
    program = shell("echo 'the token is hunter2!'")
    program.run()
    assert program.lines([b"hunter2"]) == ("the token is ***!",)


def test_half_of_what_is_hidden_is_not_shown_either() -> None:
    """Only the end of a long output is kept, and it may begin in the middle of a secret."""
    program = shell("printf hunter2hunter2; head -c 65530 /dev/zero | tr '\\0' x")
    program.run()
    [line] = program.lines([b"hunter2"])
    assert set(line) == {"x"}


def test_it_is_ended_when_its_time_is_over() -> None:
    ended = threading.Event()
    program = shell("exec sleep 100", timeout=0.2, end=ended.set)
    program.run()
    assert (program.timed_out, ended.is_set(), program.status) == (True, True, -9)


def test_it_is_ended_when_it_is_stopped() -> None:
    program = shell("echo begun; exec sleep 100")
    threading.Timer(0.3, program.stop).start()
    program.run()
    assert (program.timed_out, program.status) == (False, -9)


def test_what_it_leaves_behind_is_not_waited_for() -> None:
    program = shell("sleep 100 & echo done", expect="done")
    program.run()
    assert (program.found, program.status) == (True, 0)
