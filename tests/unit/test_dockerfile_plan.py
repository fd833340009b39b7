from __future__ import annotations

import pytest

from manyfest.build.dockerfile.instructions import FromImage, FromStage, Scratch
from manyfest.build.dockerfile.parse import parse_dockerfile
from manyfest.build.dockerfile.plan import Plan, plan_build
from manyfest.errors import DockerfileError
from manyfest.oci.platform import Platform

AMD64 = Platform(os="linux", architecture="amd64")
ARM64 = Platform(os="linux", architecture="arm64")
ARMV7 = Platform(os="linux", architecture="arm", variant="v7")


def plan(text: str, target: str = "", platform: Platform = ARM64, **build_args: str) -> Plan:
    dockerfile = parse_dockerfile(text)
    return plan_build(
        dockerfile, platform=platform, build_platform=AMD64, build_args=build_args, target=target
    )


def refusal(text: str, target: str = "") -> str:
    with pytest.raises(DockerfileError) as caught:
        plan(text, target)
    return str(caught.value)


def test_bases_are_images_stages_or_nothing() -> None:
    planned = plan("FROM alpine AS A\nFROM a AS b\nFROM scratch\nFROM --platform=linux/arm/v7 x\n")
    assert [stage.base for stage in planned.stages] == [
        FromImage(reference="alpine", platform=ARM64),
        FromStage(index=0),
        Scratch(),
        FromImage(reference="x", platform=ARMV7),
    ]


def test_a_stage_has_the_platform_of_its_base() -> None:
    planned = plan("FROM --platform=$BUILDPLATFORM go AS b\nFROM b AS c\nFROM x\n")
    assert [str(stage.platform) for stage in planned.stages] == [
        "linux/amd64",
        "linux/amd64",
        "linux/arm64",
    ]


def test_from_sees_automatic_and_global_arguments_without_declaration() -> None:
    text = "ARG V=1\nARG W=$V-$TARGETARCH\nFROM app-${TARGETOS}-${TARGETVARIANT:-none}:$W\n"
    assert plan(text).target.base == FromImage(reference="app-linux-none:1-arm64", platform=ARM64)
    assert plan(text, platform=ARMV7, V="2").target.base == FromImage(
        reference="app-linux-v7:2-arm", platform=ARMV7
    )


def test_build_arguments_override_automatic_ones() -> None:
    assert plan("FROM a:$TARGETARCH", TARGETARCH="x").target.base == FromImage(
        reference="a:x", platform=ARM64
    )


@pytest.mark.parametrize(
    ("target", "values"),
    [("", "last"), ("Mid", "Mid"), ("0", "0")],
)
def test_targetstage_is_the_target(target: str, values: str) -> None:
    planned = plan("FROM a AS first\nFROM a AS mid\nFROM a AS last", target)
    assert planned.global_values["TARGETSTAGE"] == values


def test_an_unnamed_last_stage_is_called_default() -> None:
    assert plan("FROM a").global_values["TARGETSTAGE"] == "default"


DIAMOND = """
FROM a AS base
FROM base AS left
FROM base AS right
FROM b AS unused
FROM c AS tools
FROM scratch AS out
COPY --from=left /l /l
COPY --from=2 /r /r
COPY --from=docker.io/library/busybox /b /b
RUN --mount=type=bind,from=tools,target=/t make
FROM out
"""


@pytest.mark.parametrize(
    ("target", "needed"),
    [
        ("", [0, 1, 2, 4, 5, 6]),
        ("OUT", [0, 1, 2, 4, 5]),
        ("right", [0, 2]),
        ("unused", [3]),
        ("1", [0, 1]),
    ],
)
def test_needed_stages_come_before_those_that_use_them(target: str, needed: list[int]) -> None:
    assert [stage.index for stage in plan(DIAMOND, target).needed] == needed


def test_triggers_of_a_base_stage_count_as_uses() -> None:
    text = "FROM a AS files\nFROM b AS base\nONBUILD COPY --from=files / /\nFROM base\n"
    assert [stage.index for stage in plan(text).needed] == [0, 1, 2]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("FROM a AS unused\nRUN x\nFROM b\nCOPY . .", []),
        ("FROM a AS used\nRUN x\nFROM b\nCOPY --from=used . .\nRUN y", [2, 5]),
        ("FROM a AS base\nONBUILD RUN x\nFROM base", [2]),
        ("FROM a\nONBUILD RUN x", []),
    ],
)
def test_only_runs_on_the_way_to_the_target_count(text: str, lines: list[int]) -> None:
    assert [run.place.line for run in plan(text).runs] == lines


def test_a_stage_may_be_named_like_its_image() -> None:
    assert plan("FROM alpine AS alpine").target.base == FromImage(
        reference="alpine", platform=ARM64
    )


def test_unused_build_arguments_are_listed() -> None:
    planned = plan("ARG A\nFROM a\nARG B\n", A="", B="", HTTP_PROXY="", TARGETOS="", VERSOIN="1")
    assert planned.unused_build_args() == ["VERSOIN"]


@pytest.mark.parametrize(
    ("text", "target", "message"),
    [
        (
            "FROM a AS build",
            "biuld",
            "Dockerfile: there is no stage 'biuld' to build; did you mean build?",
        ),
        (
            "FROM a",
            "build",
            "Dockerfile: there is no stage 'build' to build;"
            " none has a name: give it one with FROM IMAGE AS NAME",
        ),
        (
            "FROM $BASE",
            "",
            "Dockerfile:1: FROM: '$BASE' comes to nothing; "
            "give the ARG before the first FROM a default, or pass --build-arg",
        ),
        (
            "FROM a\nCOPY --from=0 / /",
            "",
            "Dockerfile:2: COPY: stage '0' is not built before this one; "
            "move it up, or copy from another stage",
        ),
        (
            "FROM a\nCOPY --from=later / /\nFROM b AS later",
            "",
            "Dockerfile:2: COPY: stage 'later' is not built before this one; "
            "move it up, or copy from another stage",
        ),
        (
            "FROM a\nCOPY --from=7 / /",
            "",
            "Dockerfile:2: COPY: there is no stage '7'; stages count from 0",
        ),
        (
            "FROM a\nCOPY --from=$X / /",
            "",
            "Dockerfile:2: COPY: variables cannot be used in '--from=$X'; "
            "name a stage with FROM $IMAGE AS NAME and copy from that",
        ),
        (
            "ARG A=${B:?please}\nFROM a",
            "",
            "Dockerfile:1: ARG: variable B is required: please; set it, or pass --build-arg B=…",
        ),
    ],
)
def test_errors(text: str, target: str, message: str) -> None:
    assert refusal(text, target) == message


def test_an_unknown_platform_is_blamed_on_its_from() -> None:
    assert refusal("FROM --platform=linux/bogus a").startswith(
        "Dockerfile:1: FROM: '--platform=linux/bogus': unknown architecture"
    )
