from __future__ import annotations

import pytest

from manyfest.attempts import Attempts, network


def test_the_tenth_failure_of_an_address_is_its_last_for_a_quarter_of_an_hour() -> None:
    attempts = Attempts()
    for number in range(10):
        assert attempts.wait("ada", "192.0.2.1", 100.0 + number) == 0
        attempts.failed(f"name{number}", "192.0.2.1", 100.0 + number)
    assert attempts.wait("ada", "192.0.2.1", 110.0) == 890.0
    assert attempts.wait("ada", "192.0.2.2", 110.0) == 0
    assert attempts.wait("ada", "192.0.2.1", 1000.0) == 0


def test_a_name_has_thirty_from_everywhere() -> None:
    attempts = Attempts()
    for number in range(30):
        attempts.failed("ada", f"198.51.100.{number}", 100.0)
    assert attempts.wait("ada", "203.0.113.1", 100.0) == 900.0
    assert attempts.wait("bob", "203.0.113.1", 100.0) == 0


def test_who_gets_in_starts_anew_and_the_address_does_not() -> None:
    attempts = Attempts()
    for number in range(29):
        attempts.failed("ada", f"198.51.100.{number % 3}", 100.0)
    attempts.succeeded("ada")
    attempts.failed("ada", "203.0.113.1", 100.0)
    assert attempts.wait("ada", "203.0.113.1", 100.0) == 0
    assert attempts.wait("ada", "198.51.100.0", 100.0) == 900.0


def test_a_clock_that_is_set_back_locks_nobody_out() -> None:
    attempts = Attempts()
    for _ in range(10):
        attempts.failed("ada", "192.0.2.1", 5000.0)
    assert attempts.wait("ada", "192.0.2.1", 100.0) == 0


def test_many_names_fill_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("manyfest.attempts._MOST_KEYS", 10)
    attempts = Attempts()
    for number in range(100):
        attempts.failed(f"name{number}", f"198.51.100.{number}", 100.0)
    assert len(attempts._failures) == 10


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("", ""),
        ("x" * 100, "x" * 64),
    ],
)
def test_who_has_a_network_is_one_client(address: str, client: str) -> None:
    assert network(address) == client
