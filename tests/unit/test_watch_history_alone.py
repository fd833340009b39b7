"""One watch has a history to itself."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from manyfest.errors import HistoryInUse
from manyfest.watch.history.batch import User
from manyfest.watch.history.history import History

_HOLD = """
import sys, time
from manyfest.watch.history.history import History
History.open(sys.argv[1])
print("open", flush=True)
time.sleep(600)
"""


def test_a_second_watch_is_refused(tmp_path: Path) -> None:
    path = str(tmp_path / "history.db")
    with History.open(path), pytest.raises(HistoryInUse) as caught:
        History.open(path)
    assert str(caught.value) == (
        f"{path}: another process has it open;"
        " stop that one, or give each watch a database of its own"
    )


def test_after_it_is_closed_another_may_have_it(tmp_path: Path) -> None:
    path = str(tmp_path / "history.db")
    History.open(path).close()
    History.open(path).close()


def test_one_that_was_refused_leaves_the_first_its_lock(tmp_path: Path) -> None:
    path = str(tmp_path / "history.db")
    with History.open(path):
        for _ in range(2):
            with pytest.raises(HistoryInUse):
                History.open(path)


def test_a_watch_that_was_killed_holds_nothing(tmp_path: Path) -> None:
    path = str(tmp_path / "history.db")
    command = [sys.executable, "-c", _HOLD, path]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as watch:
        assert watch.stdout is not None
        assert watch.stdout.readline() == b"open\n"
        with pytest.raises(HistoryInUse):
            History.open(path)
        watch.send_signal(signal.SIGKILL)
        watch.wait()
    History.open(path).close()


def test_a_command_adds_a_user_beside_the_watch(tmp_path: Path) -> None:
    path = str(tmp_path / "history.db")
    ada = User(name="ada", password="hash", made_at=1.0)
    with History.open(path) as watch:
        with History.open(path, alone=False) as command:
            command.people.keep_user(ada)
        assert watch.people.user("ada") == ada


def test_a_command_may_come_first_and_does_not_keep_the_watch_out(tmp_path: Path) -> None:
    path = str(tmp_path / "history.db")
    with History.open(path, alone=False) as command:
        command.people.keep_user(User(name="ada", password="hash", made_at=1.0))
        History.open(path).close()
