from __future__ import annotations

import pytest

from manyfest.build.permissions import parse_permissions
from manyfest.errors import DockerfileError


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        ("755", 0o600, 0o755),
        ("0", 0o600, 0),
        ("04755", 0o600, 0o4755),
        ("u+x", 0o644, 0o744),
        ("+x", 0o644, 0o755),
        ("a-w", 0o666, 0o444),
        ("go=", 0o777, 0o700),
        ("u=rwx,go=rx", 0o600, 0o755),
        ("u=rw,go=u-w", 0o777, 0o644),
        ("g=u", 0o740, 0o770),
        ("o+g", 0o640, 0o644),
        ("u-g", 0o770, 0o070),
        ("+X", 0o644, 0o644),
        ("+X", 0o744, 0o755),
        ("-X", 0o755, 0o644),
        ("a=rX", 0o711, 0o555),
        ("u+s,g+s", 0o755, 0o6755),
        ("o+s", 0o755, 0o755),
        ("+t", 0o755, 0o1755),
        ("=r", 0o6777, 0o444),
        ("u+r-w+x", 0o200, 0o500),
        ("u+", 0o640, 0o640),
    ],
)
def test_files(text: str, before: int, after: int) -> None:
    assert oct(parse_permissions(text).of(before, is_directory=False)) == oct(after)


def test_a_capital_x_is_for_directories_in_any_case() -> None:
    assert parse_permissions("u=rwX,go=rX").of(0o600, is_directory=True) == 0o755


def test_directories_on_the_way_get_an_octal_mode_too() -> None:
    assert parse_permissions("4711").of_made_directories == 0o711
    assert parse_permissions("u+x").of_made_directories == 0o755


@pytest.mark.parametrize(
    "text", ["10000", "7" + "0" * 30, "8", "64a", "x", "u", "u~r", "u+rq", ",", "u+r,", "-1", ""]
)
def test_no_mode(text: str) -> None:
    with pytest.raises(DockerfileError, match="is no mode"):
        parse_permissions(text)
