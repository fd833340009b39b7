from __future__ import annotations

import pytest

from manyfest.release.versions.ranges import Range
from manyfest.release.versions.tag_filter import TagFilter

SIGNED = f"sha256-{'0' * 64}"
TAGS = ["latest", "1.3.9", "v1.4.0", "1.5.0-rc.1", "1.5", "2.0.0", SIGNED, f"{SIGNED}.sig"]


def kept(globs: tuple[str, ...] = (), versions: str | None = None, **more: bool) -> str:
    in_range = Range.parse(versions) if versions is not None else None
    return " ".join(TagFilter(globs, in_range, **more).keep(TAGS))


def test_without_a_choice_it_is_everything_but_what_keeps_signatures() -> None:
    assert kept() == "latest 1.3.9 v1.4.0 1.5.0-rc.1 1.5 2.0.0"
    assert kept(companions=True).split() == TAGS


@pytest.mark.parametrize(
    ("globs", "expected"),
    [
        (("1.*",), "1.3.9 1.5.0-rc.1 1.5"),
        (("*.0",), "v1.4.0 2.0.0"),
        (("[12].?.?", "l*"), "latest 1.3.9 2.0.0"),
        (("LATEST",), ""),
        (("sha256-*",), ""),
    ],
)
def test_a_name_that_matches_one_pattern_is_kept(globs: tuple[str, ...], expected: str) -> None:
    assert kept(globs) == expected


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        ("^1.4", "v1.4.0"),
        (">=1.3 <3", "1.3.9 v1.4.0 2.0.0"),
        (">=1.5.0-0", "1.5.0-rc.1 2.0.0"),
        ("*", "1.3.9 v1.4.0 2.0.0"),
        ("<1", ""),
    ],
)
def test_a_version_in_the_range_is_kept_and_what_is_no_version_is_not(
    versions: str, expected: str
) -> None:
    assert kept(versions=versions) == expected


def test_both_must_hold() -> None:
    assert kept(("v*",), "1") == "v1.4.0"
