from __future__ import annotations

import msgspec
import pytest

from manyfest.errors import ConfigError
from manyfest.oci.platform import Platform
from manyfest.release.config import Build, Config
from manyfest.release.tag_rule import TagRule
from manyfest.release.tags import PlannedTag, plan_tags
from manyfest.release.version import Version

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


def config(*tags: str, arch_tags: bool = False) -> Config:
    platforms = tuple(Platform.parse(name) for name in ("linux/amd64", "linux/arm/v7"))
    return Config(
        name="server",
        build=Build(platforms=platforms),
        tags=tuple(map(TagRule.parse, tags)),
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
