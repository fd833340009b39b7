from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from manyfest.watch.history.batch import User
from manyfest.watch.history.history import History
from manyfest.watch.run import sends_passwords_in_the_clear


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    with History.open(str(tmp_path / "watch.db")) as opened:
        yield opened


@pytest.mark.parametrize(
    ("url", "host", "expected"),
    [
        ("", "0.0.0.0", True),
        ("http://watch.example.org", "192.0.2.7", True),
        ("https://watch.example.org", "0.0.0.0", False),
        ("", "127.0.0.1", False),
        ("", "::1", False),
    ],
)
def test_who_signs_in_over_a_network_without_tls_sends_a_password_in_the_clear(
    history: History, url: str, host: str, expected: bool
) -> None:
    history.people.keep_user(User(name="ada", password="x", made_at=1.0))
    assert sends_passwords_in_the_clear(url, host, history) is expected


def test_where_nobody_can_sign_in_there_are_no_passwords(history: History) -> None:
    assert not sends_passwords_in_the_clear("", "0.0.0.0", history)
