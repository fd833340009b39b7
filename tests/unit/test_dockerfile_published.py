"""Whole Dockerfiles, written for these tests, with every construct that those of two real projects
use.

- ``push-server`` stands for gotify/server: ARG chains before the first FROM that rewrite
  ``TARGETPLATFORM`` by ``${v/pattern/replacement}`` with escaped slashes, ARG names with leading
  underscores, the switch for SBOM scanners, a comment after an ARG's value, an empty default,
  ``FROM --platform=${BUILDPLATFORM}`` with expansions in the tag, comments and conditions inside a
  continued RUN, several FROM and ``COPY --from``, an argument that becomes ENV and EXPOSE, and
  HEALTHCHECK with flags.
- ``status-page`` stands for statping-ng: ``ENV NAME value`` in the old form, ADD with several
  files, comments between instructions, quotes inside RUN and HEALTHCHECK that only the shell may
  touch, VOLUME, ``EXPOSE $PORT``, an empty ENV, and CMD in shell form.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from manyfest.build.dockerfile.evaluate import Evaluated, evaluate
from manyfest.build.dockerfile.instructions import (
    Copy,
    Entrypoint,
    Env,
    Expose,
    FromImage,
    FromStage,
    Healthcheck,
    Volume,
)
from manyfest.build.dockerfile.parse import Dockerfile, parse_dockerfile
from manyfest.build.dockerfile.plan import Plan, plan_build
from manyfest.build.dockerfile.warnings import check_dockerfile
from manyfest.oci.platform import Platform

FOLDER = Path(__file__).parents[1] / "dockerfiles/published"
PLATFORMS = ["linux/amd64", "linux/386", "linux/arm64", "linux/arm/v6", "linux/arm/v7",
             "linux/riscv64"]  # fmt: skip


def read(name: str) -> Dockerfile:
    return parse_dockerfile((FOLDER / f"{name}.Dockerfile").read_text())


def plan(name: str, platform: str) -> Plan:
    return plan_build(
        read(name),
        platform=Platform.parse(platform),
        build_platform=Platform.parse("linux/amd64"),
        build_args={"TOOLCHAIN": "1.23"},
    )


def evaluate_target(planned: Plan) -> Evaluated:
    return evaluate(planned, planned.target, {})


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("name", ["push-server", "status-page"])
def test_all_stages_expand_for_every_platform(name: str, platform: str) -> None:
    planned = plan(name, platform)
    assert [stage.index for stage in planned.needed] == [0, 1, 2]
    for stage in planned.needed:
        assert evaluate(planned, stage, {}).instructions


@pytest.mark.parametrize(
    ("platform", "toolchain"),
    [
        ("linux/amd64", "example/toolchain:1.23-linux-amd64"),
        ("linux/386", "example/toolchain:1.23-linux-386"),
        ("linux/arm64", "example/toolchain:1.23-linux-arm64"),
        ("linux/arm/v7", "example/toolchain:1.23-linux-arm-7"),
        ("linux/riscv64", "example/toolchain:1.23-linux-riscv64"),
    ],
)
def test_a_push_server_picks_its_toolchain_by_platform(platform: str, toolchain: str) -> None:
    assert [stage.base for stage in plan("push-server", platform).needed] == [
        FromImage(reference="node:22", platform=Platform.parse("linux/amd64")),
        FromImage(reference=toolchain, platform=Platform.parse("linux/amd64")),
        FromImage(reference="debian:sid-slim", platform=Platform.parse(platform)),
    ]


def test_a_push_servers_last_stage() -> None:
    instructions = evaluate_target(plan("push-server", "linux/arm64")).instructions
    _, _, _, env, _, health, expose, copy, entrypoint, _ = instructions
    assert isinstance(env, Env)
    assert env.pairs[0].value == "80"
    assert isinstance(health, Healthcheck)
    assert health.command is not None
    assert health.command.words[0].startswith("curl --fail http://localhost:$SERVER_PORT/")
    assert health.start_period == 5_000_000_000
    assert isinstance(expose, Expose)
    assert expose.ports == ("80/tcp",)
    assert isinstance(copy, Copy)
    assert (copy.origin, copy.chmod) == (FromStage(index=1), "755")
    assert isinstance(entrypoint, Entrypoint)
    assert entrypoint.command.words == ("./server",)


def test_a_status_pages_last_stage() -> None:
    instructions = evaluate_target(plan("status-page", "linux/arm/v7")).instructions
    assert [i.paths for i in instructions if isinstance(i, Volume)] == [("/app",)]
    assert [i.ports for i in instructions if isinstance(i, Expose)] == [("8080/tcp",)]
    (health,) = [i for i in instructions if isinstance(i, Healthcheck)]
    assert health.command is not None
    assert health.command.words[0].endswith('"http://localhost:${PORT}$HEALTH" | jq -r -e '
                                            '".online==true"')  # fmt: skip


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("push-server", [(13, "StageNameCasing"), (23, "NoEmptyContinuation")]),
        (
            "status-page",
            [
                (29, "LegacyKeyValueFormat"),
                (30, "LegacyKeyValueFormat"),
                (54, "JSONArgsRecommended"),
            ],
        ),
    ],
)
def test_what_is_suspicious_in_them(name: str, found: list[tuple[int, str]]) -> None:
    warnings = check_dockerfile(read(name))
    assert [(warning.place.line, warning.rule) for warning in warnings] == found
