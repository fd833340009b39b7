from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyfest.cli.text import escaped, one_line, seconds, size, table, tell


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1, "1 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (1049, "1.0 kB"),
        (9_800_000, "9.8 MB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (999_999_999, "1.0 GB"),
        (188_000_000_000, "188.0 GB"),
        (5 * 10**15, "5000 TB"),
    ],
)
def test_sizes(count: int, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.00 s"),
        (0.004, "0.00 s"),
        (0.42, "0.42 s"),
        (59.99, "59.99 s"),
        (59.996, "1 min 0 s"),
        (60.0, "1 min 0 s"),
        (185.9, "3 min 5 s"),
        (3600.0, "60 min 0 s"),
    ],
)
def test_durations(value: float, text: str) -> None:
    assert seconds(value) == text


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("plain text, with ümlauts", "plain text, with ümlauts"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\x9b31m", "\\x9b31m"),
        ("back\x08space", "back\\x08space"),
        ("return\rover", "return\\rover"),
        ("tab\there", "tab\\there"),
        ("\x00", "\\x00"),
        ("\x7f", "\\x7f"),
        ("turn\u202eback", "turn\\u202eback"),
        ("\udcff", "\\udcff"),
        ("two\nlines", "two\nlines"),
    ],
)
def test_control_characters_are_shown_and_not_obeyed(hostile: str, shown: str) -> None:
    assert escaped(hostile) == shown


def test_nothing_can_pass_for_a_line_of_ours() -> None:
    assert one_line("v1\nmanyfest: all is well") == "v1\\nmanyfest: all is well"


@given(st.text())
def test_whatever_comes_is_one_printable_line(text: str) -> None:
    assert one_line(text).isprintable()


def test_a_tables_columns_are_aligned() -> None:
    rows = [("NAME", "SIZE"), ("a", "5 B"), ("longer", "12.5 MB")]
    assert table(rows, right=frozenset({1})).split("\n") == [
        "NAME       SIZE",
        "a           5 B",
        "longer  12.5 MB",
    ]


def test_a_table_has_no_blanks_at_the_ends_of_lines() -> None:
    assert table([("A", "B"), ("long", "")]) == "A     B\nlong"


def test_a_tables_cells_are_escaped_before_they_are_measured() -> None:
    assert table([("A", "B"), ("\x1b[2J\n", "x")]).split("\n") == [
        "A          B",
        "\\x1b[2J\\n  x",
    ]


def test_a_message_is_one_line_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    tell("one\ntwo")
    assert capsys.readouterr() == ("", "one\\ntwo\n")


def test_a_message_that_nobody_reads_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed(io.StringIO):
        def write(self, _: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr("sys.stderr", Closed())
    tell("nobody is there")
