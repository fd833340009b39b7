"""Whether a moving tag moves, given what one repository holds."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyfest.release.project.template import TagTemplate
from manyfest.release.tags.forward import Decision, by_commit, by_version, versions_among
from manyfest.release.tags.rule import TagRule
from manyfest.release.versions.version import (
    Version,
    find_version,
    parse_version,
    snapshot,
    version_order,
)
from tests.unit.releases import VERSION


def released(text: str) -> Version:
    number = parse_version(text)
    assert number is not None
    return msgspec.structs.replace(
        VERSION,
        text=text,
        major=number.major,
        minor=number.minor,
        patch=number.patch,
        prerelease=number.prerelease is not None,
    )


def among(
    *tags: str, templates: tuple[str, ...] = ("{{version}}",), name: str = "app"
) -> list[str]:
    found = versions_among(tags, [TagTemplate.parse(each) for each in templates], name)
    return [str(version) for version in found]


def decided(rule: str | TagRule, text: str, *tags: str) -> Decision:
    """What is decided on a release of ``text`` where these tags are."""
    made = TagRule.parse(rule) if isinstance(rule, str) else rule
    held = versions_among(tags, [TagTemplate("{{version}}")], "app")
    return by_version(made, released(text), held)


BETA = TagRule(tag=TagTemplate("beta"), on=("prerelease",))
NEXT = TagRule(tag=TagTemplate("next"), on=("release", "prerelease"))


@pytest.mark.parametrize(
    ("rule", "version", "tags", "reason"),
    [
        ("latest", "2.6.1", (), "moves to 2.6.1, the highest final version"),
        ("latest", "2.6.1", ("2.6.0", "1.9.9"), "moves to 2.6.1, the highest final version"),
        ("latest", "2.6.1", ("2.6.1",), "moves to 2.6.1, the highest final version"),
        ("latest", "2.10.0", ("2.9.0",), "moves to 2.10.0, the highest final version"),
        ("latest", "2.6.1", ("2.7.0-rc.1",), "moves to 2.6.1, the highest final version"),
        ("{{major}}", "2.6.1", ("3.0.0", "2.6.0"), "moves to 2.6.1, the highest 2.x"),
        ("{{major}}.{{minor}}", "2.5.9", ("2.6.1",), "moves to 2.5.9, the highest 2.5.x"),
        (BETA, "2.7.0-rc.2", ("2.7.0-rc.1", "2.6.1"), "moves to 2.7.0-rc.2, the highest version"),
        (NEXT, "2.7.0", ("2.7.0-rc.2",), "moves to 2.7.0, the highest version"),
    ],
)
def test_a_tag_moves_to_what_is_highest(
    rule: str | TagRule, version: str, tags: tuple[str, ...], reason: str
) -> None:
    assert decided(rule, version, *tags) == Decision(moves=True, reason=reason)


@pytest.mark.parametrize(
    ("rule", "version", "tags", "reason"),
    [
        ("latest", "2.5.9", ("2.6.1",), "skipped: 2.6.1 is there, a higher final version"),
        ("{{major}}", "2.5.9", ("2.6.1", "3.0.0"), "skipped: 2.6.1 is there, a higher 2.x"),
        ("{{major}}.{{minor}}", "2.6.1", ("2.6.2",), "skipped: 2.6.2 is there, a higher 2.6.x"),
        (BETA, "2.7.0-rc.2", ("2.7.0",), "skipped: 2.7.0 is there, a higher version"),
        (BETA, "2.6.2-rc.1", ("2.7.0-rc.1",), "skipped: 2.7.0-rc.1 is there, a higher version"),
        (NEXT, "2.6.2", ("2.7.0-rc.1",), "skipped: 2.7.0-rc.1 is there, a higher version"),
    ],
)
def test_a_back_port_takes_no_tag_of_a_higher_version(
    rule: str | TagRule, version: str, tags: tuple[str, ...], reason: str
) -> None:
    assert decided(rule, version, *tags) == Decision(moves=False, reason=reason)


def test_a_tag_of_major_and_patch_is_for_versions_that_have_both() -> None:
    odd = TagRule.parse("{{major}}-{{patch}}")
    held = [each for each in map(parse_version, ("2.7.1", "2.9.2")) if each]
    decision = by_version(odd, released("2.6.1"), held)
    assert decision.reason == "skipped: 2.7.1 is there, a higher 2.x.1"


@pytest.mark.parametrize(
    "tag",
    [
        "latest",
        "2.6",
        "sha-abc1234",
        "v2.6.1",
        "2.6.1-amd64",
        "2.6.1-arm64",
        "2.6.1-armv7",
        "2.6.1-windows-amd64",
        "2.7.0-rc.1-arm64",
        "02.6.1",
        f"sha256-{'0' * 64}.sig",
        f"sha256-{'0' * 64}",
        "20261126",
    ],
)
def test_what_is_no_version(tag: str) -> None:
    assert among(tag) == []


def test_a_snapshot_is_no_version_that_was_released() -> None:
    for base in ("2.6.1", "2.7.0-rc.1"):
        number = parse_version(base)
        assert number is not None
        assert among(base, str(snapshot(number, 5, "abc1234" + "0" * 33))) == [base]


def test_what_one_version_s_tag_says_more_is_a_variant_of_it() -> None:
    assert among("2.7.0-rc.1", "2.7.0-rc.1-alpine", "2.7.0-rc.2") == ["2.7.0-rc.1", "2.7.0-rc.2"]


@pytest.mark.parametrize("tag", [f"{'9' * 125}.0.0", "3.0.0\n", "3.0.0-é", f"3.0.0-{'-' * 123}"])
def test_what_no_registry_takes_for_a_tag_is_no_version(tag: str) -> None:
    assert among(tag, "2.6.1") == ["2.6.1"]


@pytest.mark.parametrize(
    ("template", "tags", "versions"),
    [
        ("v{{version}}", ("v2.6.1", "2.6.0"), ["2.6.1"]),
        (
            "{{version}}-alpine",
            ("2.6.1-alpine", "2.7.0", "2.6.0-rc.1-alpine"),
            ["2.6.1", "2.6.0-rc.1"],
        ),
        ("{{name}}-{{version}}", ("app-2.6.1", "web-2.7.0"), ["2.6.1"]),
        ("{{major}}.{{minor}}.{{patch}}", ("2.6.1", "2.6.2-rc.1", "2.6"), ["2.6.1"]),
        ("{{ version }}-{{short_sha}}", ("2.6.1-abc1234", "2.6.2"), ["2.6.1"]),
        ("{{version}}-{{sha}}-{{date}}", (f"2.6.1-{'a' * 40}-20260131",), ["2.6.1"]),
        ("{{branch}}-{{version}}.{{major}}", ("main-2.6.1.2",), ["2.6.1"]),
        ("{{version}}_{{version}}", ("2.6.1_2.6.1", "2.6.1_2.6.2"), ["2.6.1"]),
    ],
)
def test_versions_are_read_as_the_configuration_writes_them(
    template: str, tags: tuple[str, ...], versions: list[str]
) -> None:
    assert among(*tags, templates=(template,)) == versions


def test_a_version_under_two_templates_is_one() -> None:
    assert among("2.6.1", "v2.6.1", templates=("{{version}}", "v{{version}}")) == ["2.6.1"]


def test_python_s_pre_releases_are_versions_too() -> None:
    version = find_version(Path("/"), "2.7.0rc1", {})
    held = versions_among(["2.7.0rc2"], [TagTemplate("{{version}}")], "app")
    assert by_version(BETA, version, held).reason == (
        "skipped: 2.7.0-rc.2 is there, a higher version"
    )


OURS, THEIRS = VERSION.revision, "f" * 40


@pytest.mark.parametrize(
    ("there", "is_before", "decision"),
    [
        (
            THEIRS,
            True,
            Decision(
                moves=False, reason="skipped: it is at commit fffffff, which is after 0123456"
            ),
        ),
        (THEIRS, False, Decision(moves=True, reason="moves to commit 0123456")),
        (OURS, True, Decision(moves=True, reason="moves to commit 0123456")),
        ("", True, Decision(moves=True, reason="moves to commit 0123456")),
    ],
)
def test_a_branch_s_tag_does_not_go_back_to_an_older_commit(
    there: str, is_before: bool, decision: Decision
) -> None:
    def asked(commit: str, later: str) -> bool:
        assert (commit, later) == (OURS, THEIRS)
        return is_before

    assert by_commit(VERSION, there, asked) == decision


def test_outside_git_there_is_no_commit_to_compare() -> None:
    version = msgspec.structs.replace(VERSION, revision="")
    assert by_commit(version, THEIRS, lambda *_: True) == Decision(
        moves=True, reason="moves to 2.6.1"
    )


NUMBERS = st.tuples(*[st.integers(0, 3)] * 3).map(lambda numbers: ".".join(map(str, numbers)))
VERSIONS = st.one_of(NUMBERS, st.builds("{}-rc.{}".format, NUMBERS, st.integers(0, 3)))


@given(st.lists(VERSIONS))
def test_whatever_the_order_of_releases_each_tag_ends_at_the_highest(order: list[str]) -> None:
    """Releases come in any order, back-ports and repetitions among them."""
    rules = {"latest": TagRule.parse("latest"), "2": TagRule.parse("{{major}}"), "next": NEXT}
    held: list[str] = []
    points: dict[str, str] = {}
    for text in order:
        version = released(text)
        for tag, rule in rules.items():
            is_for_it = tag != "2" or version.major == 2
            is_final_or_next = tag == "next" or not version.prerelease
            if is_for_it and is_final_or_next and decided(rule, text, *held).moves:
                points[tag] = text
        held.append(text)
    finals = [text for text in order if "-" not in text]
    assert points.get("latest", "") == highest_of(finals)
    assert points.get("2", "") == highest_of([text for text in finals if text[0] == "2"])
    assert points.get("next", "") == highest_of(order)


def highest_of(texts: list[str]) -> str:
    return max(texts, key=version_order, default="")


@given(st.lists(st.text("ab0.-", max_size=6).map("1.0.0-{}".format)))
def test_of_versions_those_stay_of_which_no_beginning_is_one(tags: list[str]) -> None:
    found = [tag for tag in dict.fromkeys(tags) if parse_version(tag)]
    parts = {tag: [tag[:end] for end in range(len(tag)) if tag[end] == "-"] for tag in found}
    assert among(*tags) == [tag for tag in found if not set(parts[tag]) & set(found)]


@given(st.text("0123456789.-abcrvx", max_size=40), st.sampled_from(["{{version}}", "v{{version}}"]))
def test_whatever_a_tag_is_a_version_in_it_is_one_that_makes_it(tag: str, template: str) -> None:
    for version in versions_among([tag], [TagTemplate(template)], "app"):
        assert parse_version(tag) == version
