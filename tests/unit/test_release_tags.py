from __future__ import annotations

import msgspec
import pytest

from manyfest.errors import ConfigError
from manyfest.oci.platform import Platform
from manyfest.release.project.config import Build, Config
from manyfest.release.project.template import TagTemplate
from manyfest.release.tags.plan import PlannedTag, plan_tags
from manyfest.release.tags.rule import TagRule
from manyfest.release.versions.occasion import Occasion
from manyfest.release.versions.version import Version

FINAL = Version(
    text="2.6.1",
    revision="abc1234" + "0" * 33,
    major=2,
    minor=6,
    patch=1,
    prerelease=False,
    commit_time=0,
    dirty=False,
    snapshot=False,
)
CANDIDATE = msgspec.structs.replace(
    FINAL, text="2.7.0-rc.1", minor=7, patch=0, prerelease=True, snapshot=False
)
SNAPSHOT = msgspec.structs.replace(
    FINAL, text="2.6.2-dev.5-gabc1234", patch=2, prerelease=True, snapshot=True
)


MAIN = Occasion(branch="main", default_branch="main")
DEV = Occasion(branch="dev", default_branch="main")
PULL_REQUEST = Occasion(pull_request="7")
NIGHTLY = Occasion(branch="main", scheduled=True)


def config(*tags: str | TagRule, arch_tags: bool = False) -> Config:
    platforms = tuple(Platform.parse(name) for name in ("linux/amd64", "linux/arm/v7"))
    return Config(
        name="server",
        build=Build(platforms=platforms),
        tags=tuple(TagRule.parse(tag) if isinstance(tag, str) else tag for tag in tags),
        arch_tags=arch_tags,
        lines={"tags[1]": 9, "arch_tags": 12},
    )


USUAL = config("latest", "{{version}}", "{{major}}.{{minor}}", "{{major}}", "sha-{{short_sha}}")


def names(tags: tuple[PlannedTag, ...]) -> list[str]:
    return [tag.tag for tag in tags]


def test_tags_that_name_one_release_come_first_and_latest_last() -> None:
    assert names(plan_tags(USUAL, FINAL)) == ["2.6.1", "sha-abc1234", "2.6", "2", "latest"]


def test_a_final_release_takes_the_moving_tags() -> None:
    moves = {tag.tag: tag.moves for tag in plan_tags(USUAL, FINAL)}
    assert moves == {
        "2.6.1": False,
        "sha-abc1234": False,
        "2.6": True,
        "2": True,
        "latest": True,
    }


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        (CANDIDATE, "skipped: 2.7.0-rc.1 is a pre-release"),
        (SNAPSHOT, "skipped: 2.6.2-dev.5-gabc1234 is a snapshot"),
    ],
)
def test_a_pre_release_or_snapshot_takes_no_moving_tag(version: Version, reason: str) -> None:
    first, second, *rest = plan_tags(USUAL, version)
    assert [(tag.tag, tag.skipped) for tag in (first, second)] == [
        (version.text, False),
        ("sha-abc1234", False),
    ]
    assert [(tag.moves, tag.skipped, tag.reason) for tag in rest] == [(False, True, reason)] * 3


@pytest.mark.parametrize(
    ("template", "tag"),
    [
        ("v{{version}}", "v2.6.1"),
        ("{{ version }}", "2.6.1"),
        ("{{major}}.{{minor}}.{{patch}}", "2.6.1"),
        ("{{sha}}", "abc1234" + "0" * 33),
        ("{{name}}-{{version}}-alpine", "server-2.6.1-alpine"),
    ],
)
def test_templates_that_name_one_release(template: str, tag: str) -> None:
    (planned,) = plan_tags(config(template), FINAL)
    assert (planned.tag, planned.moves) == (tag, False)


def test_three_numbers_do_not_name_a_pre_release() -> None:
    (planned,) = plan_tags(config("{{major}}.{{minor}}.{{patch}}"), CANDIDATE)
    assert (planned.tag, planned.skipped) == ("2.7.0", True)


def test_arch_tags_name_each_platform_of_this_release_alone() -> None:
    tags = plan_tags(config("{{version}}", "latest", arch_tags=True), FINAL)
    assert [(tag.tag, str(tag.platform), tag.moves) for tag in tags] == [
        ("2.6.1", "None", False),
        ("2.6.1-amd64", "linux/amd64", False),
        ("2.6.1-armv7", "linux/arm/v7", False),
        ("latest", "None", True),
    ]


@pytest.mark.parametrize(
    ("settings", "version", "message"),
    [
        (
            config("{{version}}", "{{major}}.{{minor}}.{{patch}}"),
            FINAL,
            "manyfest.yaml:9: '{{version}}' and '{{major}}.{{minor}}.{{patch}}'"
            " both make the tag 2.6.1; take one of them out",
        ),
        (
            config("{{version}}", "{{version}}-armv7", arch_tags=True),
            FINAL,
            "manyfest.yaml:12: 'arch_tags': 2.6.1-armv7 is made twice",
        ),
        (
            config("{{version}}", "{{version}}.{{sha}}.{{sha}}.{{sha}}.{{sha}}"),
            FINAL,
            "manyfest.yaml:9: '{{version}}.{{sha}}.{{sha}}.{{sha}}.{{sha}}' makes '2.6.1.abc1234",
        ),
        (
            config("{{version}}", "sha-{{sha}}"),
            msgspec.structs.replace(FINAL, revision=""),
            "manyfest.yaml:9: {{sha}} in 'sha-{{sha}}' is not known here; build in a git",
        ),
        (
            config("x" * 118 + "{{version}}", arch_tags=True),
            FINAL,
            "2.6.1-amd64 is too long for a tag",
        ),
    ],
)
def test_tags_that_cannot_be(settings: Config, version: Version, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        plan_tags(settings, version)
    assert message in str(caught.value)


def rule(tag: str, **keys: object) -> TagRule:
    return TagRule(tag=TagTemplate.parse(tag), **keys)  # type: ignore[arg-type]


def test_two_tags_for_different_builds_may_not_be_the_same_either() -> None:
    settings = config("{{major}}.{{minor}}", "{{branch}}")
    with pytest.raises(ConfigError) as caught:
        plan_tags(settings, SNAPSHOT, Occasion(branch="2.6"))
    assert str(caught.value) == (
        "manyfest.yaml:9: '{{major}}.{{minor}}' and '{{branch}}' both make the tag 2.6;"
        " put something before the branch, as in br-{{branch}}"
    )


def test_the_tags_that_are_not_set_now_are_planned_last_but_for_latest() -> None:
    settings = config("latest", rule("edge", branches=("main",)), "{{version}}", "pr-{{pr}}")
    assert names(plan_tags(settings, SNAPSHOT, MAIN)) == [
        "2.6.2-dev.5-gabc1234",
        "edge",
        "pr-{{pr}}",
        "latest",
    ]


@pytest.mark.parametrize(
    ("branch", "tag"),
    [
        ("main", "br-main"),
        ("feature/x", "br-feature-x"),
        ("fix/#12: é", "br-fix-12-"),
        ("a_b.c-d", "br-a_b.c-d"),
        ("日本", "br--"),
    ],
)
def test_what_cannot_stand_in_a_tag_is_replaced(branch: str, tag: str) -> None:
    (planned,) = plan_tags(config("br-{{branch}}"), SNAPSHOT, Occasion(branch=branch))
    assert (planned.tag, planned.moves) == (tag, True)


def test_a_tag_begins_with_what_a_tag_may_begin_with() -> None:
    (planned,) = plan_tags(config("{{branch}}"), SNAPSHOT, Occasion(branch="été"))
    assert planned.tag == "t-"


def test_a_branch_that_leaves_nothing_of_a_tag_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"'\{\{branch\}\}' makes '', which is no tag; put"):
        plan_tags(config("{{branch}}"), SNAPSHOT, Occasion(branch="日本"))


def test_the_date_is_the_commit_s_in_utc() -> None:
    version = msgspec.structs.replace(FINAL, commit_time=1_769_903_999)
    (planned,) = plan_tags(config("{{date}}"), version)
    assert (planned.tag, planned.moves) == ("20260131", True)


def test_outside_git_there_is_no_date() -> None:
    version = msgspec.structs.replace(FINAL, revision="")
    with pytest.raises(ConfigError, match=r"\{\{date\}\} in .* is not known here; build in a git"):
        plan_tags(config("{{date}}"), version)


def test_a_pull_request_has_its_number() -> None:
    (planned,) = plan_tags(config("pr-{{pr}}"), SNAPSHOT, PULL_REQUEST)
    assert planned == PlannedTag(
        tag="pr-7",
        moves=True,
        reason="moves to commit abc1234",
        rule=TagRule.parse("pr-{{pr}}"),
        goes_by="commit",
    )


EVERY_KIND = [
    (FINAL, Occasion()),
    (CANDIDATE, Occasion()),
    (SNAPSHOT, MAIN),
    (SNAPSHOT, PULL_REQUEST),
    (SNAPSHOT, NIGHTLY),
]


@pytest.mark.parametrize(
    ("tag", "is_set"),
    [
        (rule("latest"), "release"),
        (rule("{{major}}"), "release"),
        (rule("{{date}}"), "release"),
        (rule("{{version}}"), "release prerelease branch pull-request"),
        (rule("sha-{{short_sha}}"), "release prerelease branch pull-request"),
        (rule("br-{{branch}}"), "branch"),
        (rule("{{branch}}-{{short_sha}}"), "branch"),
        (rule("edge", branches=("main",)), "branch"),
        (rule("edge", branches=("dev", "ma*")), "branch"),
        (rule("edge", branches=("dev",)), ""),
        (rule("edge", on=("branch",)), "branch"),
        (rule("pr-{{pr}}"), "pull-request"),
        (rule("nightly", on=("schedule",)), "schedule"),
        (rule("nightly", on=("schedule",), branches=("dev",)), ""),
        (rule("beta", on=("prerelease",)), "prerelease"),
        (rule("next", on=("release", "prerelease", "branch")), "release prerelease branch"),
        (rule("{{branch}}", on=("release",)), ""),
        (rule("{{pr}}", on=("branch",)), ""),
        (rule("{{major}}", versions=">=3"), ""),
        (rule("{{major}}", versions="^2.6"), "release"),
        (rule("beta", on=("prerelease",), versions=">=2.7"), "prerelease"),
    ],
)
def test_what_a_tag_is_set_for(tag: TagRule, is_set: str) -> None:
    kinds = ("release", "prerelease", "branch", "pull-request", "schedule")
    plans = [plan_tags(config(tag), version, occasion)[0] for version, occasion in EVERY_KIND]
    found = [kind for kind, planned in zip(kinds, plans, strict=True) if not planned.skipped]
    assert found == is_set.split()


def test_on_a_branch_a_release_is_the_branch_s_newest_commit_too() -> None:
    settings = config("{{version}}", rule("edge", branches=("main",)), "br-{{branch}}", "latest")
    assert [(tag.tag, tag.goes_by) for tag in plan_tags(settings, FINAL, MAIN)] == [
        ("2.6.1", ""),
        ("edge", "commit"),
        ("br-main", "commit"),
        ("latest", "version"),
    ]


def test_a_tag_for_both_goes_by_versions_where_there_is_one() -> None:
    settings = config(rule("next", on=("release", "branch")))
    assert plan_tags(settings, FINAL, MAIN)[0].goes_by == "version"
    assert plan_tags(settings, SNAPSHOT, MAIN)[0].goes_by == "commit"


def test_branches_do_not_narrow_releases_down() -> None:
    settings = config(rule("next", on=("release", "branch"), branches=("dev",)))
    assert not plan_tags(settings, FINAL, MAIN)[0].skipped
    assert plan_tags(settings, SNAPSHOT, MAIN)[0].skipped


@pytest.mark.parametrize(
    ("tag", "version", "occasion", "reason"),
    [
        (rule("pr-{{pr}}"), FINAL, Occasion(), "2.6.1 is a final release"),
        (rule("latest"), SNAPSHOT, PULL_REQUEST, "this is pull request 7"),
        (rule("{{version}}"), FINAL, NIGHTLY, "a schedule started this"),
        (rule("edge", branches=("dev",)), SNAPSHOT, MAIN, "the branch is main"),
        (rule("edge", on=("branch",)), SNAPSHOT, Occasion(), "no branch is checked out"),
        (rule("edge", branches=("dev",)), SNAPSHOT, Occasion(), "no branch is checked out"),
        (rule("{{sha}}", branches=("dev",)), SNAPSHOT, Occasion(), "no branch is checked out"),
        (rule("edge", branches=("dev",)), FINAL, MAIN, "the branch is main"),
        (rule("edge", on=("branch",)), SNAPSHOT, DEV, "the branch is dev"),
        (
            rule("edge", on=("branch",)),
            SNAPSHOT,
            Occasion(branch="main"),
            "which branch is the main one is not known; 'branches' can say it",
        ),
        (rule("{{branch}}", on=("release",)), FINAL, Occasion(), "no branch is checked out"),
        (rule("{{pr}}", on=("release",)), FINAL, Occasion(), "this is no pull request"),
        (rule("{{major}}", versions=">=3"), FINAL, Occasion(), "2.6.1 is not in >=3"),
    ],
)
def test_a_tag_that_is_not_set_says_why(
    tag: TagRule, version: Version, occasion: Occasion, reason: str
) -> None:
    (planned,) = plan_tags(config(tag), version, occasion)
    assert (planned.skipped, planned.moves) == (True, False)
    assert planned.reason == f"skipped: {reason}"


def test_a_tag_that_is_not_made_now_is_shown_as_it_is_written() -> None:
    (planned,) = plan_tags(config("br-{{branch}}"), FINAL)
    assert planned.tag == "br-{{branch}}"


def test_a_schedule_makes_no_release_of_a_commit_that_was_released() -> None:
    tags = plan_tags(config("{{version}}", "latest", arch_tags=True), FINAL, NIGHTLY)
    assert [(tag.tag, tag.skipped) for tag in tags] == [("2.6.1", True), ("latest", True)]


@pytest.mark.parametrize(
    ("tag", "version", "occasion", "goes_by"),
    [
        (rule("latest"), FINAL, Occasion(), "version"),
        (rule("beta", on=("prerelease",)), CANDIDATE, Occasion(), "version"),
        (rule("edge", branches=("main",)), SNAPSHOT, MAIN, "commit"),
        (rule("{{date}}"), FINAL, Occasion(), "commit"),
        (rule("latest", forward=False), FINAL, Occasion(), ""),
        (rule("{{version}}"), FINAL, Occasion(), ""),
    ],
)
def test_what_decides_whether_a_tag_moves_back(
    tag: TagRule, version: Version, occasion: Occasion, goes_by: str
) -> None:
    assert plan_tags(config(tag), version, occasion)[0].goes_by == goes_by
