"""A release's report is held against what the registries have: lies are found."""

from __future__ import annotations

import pytest

from tests.chaos.scene import Ended
from tests.chaos.verdict import Run, Wrong

PLACES = ("127.0.0.1:5001/app", "127.0.0.1:5002/app")
FORMER = {"1": "old", "latest": "old"}
GOAL = {"1.1.0": "new", "1": "new", "latest": "new"}
RELEASED = {**FORMER, **GOAL}


def failed(
    one: dict[str, str],
    standing: dict[str, str],
    *,
    said: str | None = None,
    may_stay: bool = False,
) -> str:
    """The verdict on a release that failed and left this in the first registry."""
    report = [{"reference": f"{PLACES[0]}:{tag}", "standing": how} for tag, how in standing.items()]
    told = ", ".join(each["reference"] for each in report) if said is None else said
    ended = Ended(1, "", {"standing": report}, told)
    return Run(ended, PLACES, (FORMER, FORMER), (one, FORMER), GOAL, may_stay).judge()


def released(two: dict[str, str], changed: list[str], *, digest: str = "new") -> str:
    """The verdict on a release that ended well and left this in the second registry."""
    ended = Ended(0, "new", {"digest": digest, "changed": changed}, "")
    return Run(ended, PLACES, (FORMER, FORMER), (RELEASED, two), GOAL, may_stay=False).judge()


EVERYTHING = [f"{place}:{tag}" for place in PLACES for tag in GOAL]


def test_a_release_that_is_whole_and_says_so_is_right() -> None:
    assert released(RELEASED, EVERYTHING) == ""


@pytest.mark.parametrize("missing", ["1.1.0", "1", "latest"])
def test_a_release_that_left_a_tag_out_is_wrong(missing: str) -> None:
    held = {**RELEASED, missing: "old"}
    with pytest.raises(Wrong, match=r"released, and 127\.0\.0\.1:5002/app holds"):
        released(held, EVERYTHING)


def test_changes_that_are_not_named_are_wrong() -> None:
    with pytest.raises(Wrong, match="says that it changed"):
        released(RELEASED, EVERYTHING[1:])


def test_another_digest_in_the_report_than_on_stdout_is_wrong() -> None:
    with pytest.raises(Wrong, match="printed new, reported other"):
        released(RELEASED, EVERYTHING, digest="other")


@pytest.mark.parametrize(
    ("held", "standing", "how"),
    [
        (FORMER, {}, "with no public tag changed"),
        (FORMER, {"latest": "as before"}, "with no public tag changed"),
        (
            {**FORMER, "1.1.0": "new"},
            {"1.1.0": "set and left"},
            "with tags set that were not there before",
        ),
        (
            {**FORMER, "1.1.0": "new"},
            {"1.1.0": "set and left", "latest": "put back"},
            "with moving tags put back",
        ),
    ],
)
def test_a_failure_that_is_told_as_it_is_is_right(
    held: dict[str, str], standing: dict[str, str], how: str
) -> None:
    assert failed(held, standing) == how


@pytest.mark.parametrize(
    ("held", "standing"),
    [
        ({**FORMER, "latest": "new"}, {}),
        ({**FORMER, "latest": "new"}, {"latest": "as before"}),
        ({**FORMER, "latest": "new"}, {"latest": "put back"}),
        (FORMER, {"latest": "set and left"}),
        ({**FORMER, "latest": "other"}, {"latest": "not known"}),
        ({**FORMER, "1.1.0": "new"}, {"1.1.0": "taken away"}),
        (FORMER, {"latest": "changed by others"}),
    ],
)
def test_a_tag_that_stands_elsewhere_than_is_said_is_wrong(
    held: dict[str, str], standing: dict[str, str]
) -> None:
    with pytest.raises(Wrong, match="and is said"):
        failed(held, standing)


def test_a_moving_tag_may_stay_only_where_it_could_not_be_put_back() -> None:
    held, standing = {**FORMER, "latest": "new"}, {"latest": "set and left"}

    assert failed(held, standing, may_stay=True) == (
        "with moving tags that could not be put back, and named"
    )
    with pytest.raises(Wrong, match="was not put back"):
        failed(held, standing)


def test_what_the_report_says_and_stderr_does_not_is_wrong() -> None:
    with pytest.raises(Wrong, match="stderr does not say so"):
        failed(FORMER, {"latest": "put back"}, said="it failed")


def test_a_traceback_is_wrong() -> None:
    with pytest.raises(Wrong, match="a traceback"):
        failed(FORMER, {}, said="Traceback (most recent call last):")
