from __future__ import annotations

import pytest

from manyfest.check.report import Finding, Report
from manyfest.errors import CheckFailed

WRONG = Finding("linux/arm64", "/app", "is built for linux/amd64", "ship the other")
MISSING = Finding("linux/386", "/run", "does not exist")


@pytest.mark.parametrize(
    ("finding", "line"),
    [
        (WRONG, "linux/arm64 /app: is built for linux/amd64; ship the other"),
        (MISSING, "linux/386 /run: does not exist"),
        (Finding("", "index", "is empty"), "index: is empty"),
        (Finding("", "", "is empty"), "is empty"),
    ],
)
def test_a_finding_is_one_line(finding: Finding, line: str) -> None:
    assert str(finding) == line


def test_control_characters_are_shown() -> None:
    finding = Finding.of("a\n", "b\x1b[31m", "c\u202e", "d\ud800")
    assert str(finding) == r"a\n b\x1b[31m: c\u202e; d\ud800"


def test_no_findings_raise_nothing() -> None:
    Report((), ()).raise_for_findings()


@pytest.mark.parametrize(
    ("findings", "line"),
    [
        ((WRONG,), "linux/arm64 /app: is built for linux/amd64; ship the other"),
        ((MISSING, WRONG), "linux/386 /run: does not exist (and 1 more fault)"),
        (
            (WRONG, MISSING, MISSING),
            "linux/arm64 /app: is built for linux/amd64 (and 2 more faults); ship the other",
        ),
    ],
)
def test_findings_raise_with_the_first_and_how_many_more(
    findings: tuple[Finding, ...], line: str
) -> None:
    with pytest.raises(CheckFailed) as caught:
        Report(findings, ()).raise_for_findings()
    assert str(caught.value) == line


def test_where_the_image_was_read_from_comes_first_if_it_is_told() -> None:
    with pytest.raises(CheckFailed) as caught:
        Report((WRONG,), ()).raise_for_findings("oci-archive:image.tar")
    assert str(caught.value).startswith("oci-archive:image.tar: linux/arm64 /app: is built for")
