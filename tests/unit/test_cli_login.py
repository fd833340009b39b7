from __future__ import annotations

import pytest

from tests.unit.cli import Manyfest


@pytest.mark.parametrize("who", [[], ["--username", "ada"]])
def test_where_nobody_can_be_asked_it_is_said_how_a_password_gets_in(
    manyfest: Manyfest, monkeypatch: pytest.MonkeyPatch, who: list[str]
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: False)
    assert manyfest("login", "one.example", *who) == (
        2,
        "",
        "manyfest: one.example: nobody can be asked for the password: standard input is no"
        " terminal; give --username, and send the password in with --password-stdin\n",
    )
