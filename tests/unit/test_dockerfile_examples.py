"""Whole Dockerfiles of the kinds that real projects use."""

from __future__ import annotations

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
from manyfest.build.dockerfile.parse import parse_dockerfile
from manyfest.build.dockerfile.plan import Plan, plan_build
from manyfest.oci.platform import Platform

PUSH_SERVER = r"""# syntax=docker/dockerfile:1
ARG TOOLCHAIN=unset
ARG SUITE=sid-slim

# A tag cannot hold a slash, and the toolchain's tags write arm-7
ARG DASHED=${TARGETPLATFORM/\//-}
ARG TOOLCHAIN_TAG=${DASHED/arm\/v7/arm-7}

FROM --platform=${BUILDPLATFORM} node:22 AS Web
COPY ui /src/ui
RUN cd /src/ui && \
    # caches are not wanted here
    yarn install && \

    yarn build

FROM --platform=${BUILDPLATFORM} example/toolchain:${TOOLCHAIN}-${TOOLCHAIN_TAG} AS compile
ARG BUILDPLATFORM
ARG TARGETPLATFORM
ARG RUN_TESTS=0 # 1=native only
COPY . /src
COPY --from=web /src/ui/build /src/ui/build
RUN if [ "$BUILDPLATFORM" = "$TARGETPLATFORM" ]; then make test; fi && make server

FROM debian:${SUITE}
ARG LISTEN=80
ENV SERVER_PORT=$LISTEN
WORKDIR /app
HEALTHCHECK --interval=30s --timeout=5s --start-period=5s \
    CMD curl --fail http://localhost:$SERVER_PORT/health || exit 1
EXPOSE $LISTEN
COPY --from=compile --chmod=755 /target /
ENTRYPOINT ["./server"]
"""

STATUS_PAGE = """FROM --platform=$BUILDPLATFORM tonistiigi/xx:1.6.1 AS xx


FROM --platform=$BUILDPLATFORM node:16-alpine AS frontend
WORKDIR /page
COPY ./frontend/package.json .
RUN yarn build && yarn cache clean

FROM --platform=$BUILDPLATFORM golang:1.20-alpine AS backend
COPY --from=xx / /
ARG TARGETPLATFORM
ADD go.mod go.sum ./
COPY --from=frontend /page/dist/ ./source/dist/
ARG VERSION
RUN xx-go build -ldflags "-X main.VERSION=$VERSION" -o page ./cmd

FROM alpine:latest
LABEL maintainer="Status page (https://example.org)"
COPY --from=backend /go/bin/page /usr/local/bin/
WORKDIR /app
VOLUME /app
ENV SASS=/usr/bin/sassc
ENV PORT=8080
ENV BASE_PATH=""
EXPOSE $PORT
HEALTHCHECK --interval=60s --retries=3 CMD if [ -z "$BASE_PATH" ]; then exit 0; fi
CMD page --port $PORT
"""


def plan(text: str, platform: str) -> Plan:
    return plan_build(
        parse_dockerfile(text),
        platform=Platform.parse(platform),
        build_platform=Platform.parse("linux/amd64"),
        build_args={"TOOLCHAIN": "1.23"},
    )


def evaluate_target(planned: Plan) -> Evaluated:
    return evaluate(planned, planned.target, {})


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
    planned = plan(PUSH_SERVER, platform)
    assert [stage.base for stage in planned.needed] == [
        FromImage(reference="node:22", platform=Platform.parse("linux/amd64")),
        FromImage(reference=toolchain, platform=Platform.parse("linux/amd64")),
        FromImage(reference="debian:sid-slim", platform=Platform.parse(platform)),
    ]


def test_a_push_servers_last_stage() -> None:
    _, env, _, health, expose, copy, entrypoint = evaluate_target(
        plan(PUSH_SERVER, "linux/arm64")
    ).instructions
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


@pytest.mark.parametrize("platform", ["linux/amd64", "linux/arm64", "linux/arm/v7", "linux/386"])
def test_a_status_page_plans_and_expands_for_all_platforms(platform: str) -> None:
    planned = plan(STATUS_PAGE, platform)
    assert [stage.index for stage in planned.needed] == [0, 1, 2, 3]
    for stage in planned.needed:
        evaluate(planned, stage, {"PATH": "/bin"})
    result = evaluate_target(planned)
    assert [i.paths for i in result.instructions if isinstance(i, Volume)] == [("/app",)]
    assert [i.ports for i in result.instructions if isinstance(i, Expose)] == [("8080/tcp",)]
