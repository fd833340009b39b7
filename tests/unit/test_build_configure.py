"""Instructions that only set metadata: the configuration they make, and their line of history."""

from __future__ import annotations

from pathlib import Path

import pytest

from manyfest.errors import DockerfileError
from manyfest.oci.config import Healthcheck, RunConfig
from tests.unit.building import Bench, bench_with_base

PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def run_of(tmp_path: Path, instructions: str) -> RunConfig:
    return Bench(tmp_path).config(f"FROM scratch\n{instructions}\n").config


def test_an_empty_image_has_a_path_and_a_working_directory(tmp_path: Path) -> None:
    assert run_of(tmp_path, "") == RunConfig(env=(PATH,), working_dir="/")


@pytest.mark.parametrize(
    ("instructions", "field", "expected"),
    [
        ("ENV A=1 B=$A\nENV A=2 C=${A}3", "env", (PATH, "A=2", "B=", "C=13")),
        ("ENV PATH=/x:$PATH", "env", (PATH.replace("=", "=/x:", 1),)),
        ("ENV old form", "env", (PATH, "old=form")),
        ("ARG X=1\nENV Y=$X", "env", (PATH, "Y=1")),
        ("LABEL b=2 a=1\nLABEL b=3", "labels", {"a": "1", "b": "3"}),
        ('CMD ["a", "b c"]', "cmd", ("a", "b c")),
        ("CMD echo $HOME", "cmd", ("/bin/sh", "-c", "echo $HOME")),
        ('SHELL ["/bin/bash", "-xc"]\nCMD foo', "cmd", ("/bin/bash", "-xc", "foo")),
        ('CMD ["a"]\nENTRYPOINT ["b"]', "cmd", ("a",)),
        ("ENTRYPOINT run it", "entrypoint", ("/bin/sh", "-c", "run it")),
        ('SHELL ["/bin/bash", "-c"]', "shell", ("/bin/bash", "-c")),
        ("USER 1:2\nUSER app", "user", "app"),
        ("EXPOSE 80 53/udp\nEXPOSE 79", "exposed_ports",
         {"53/udp": {}, "79/tcp": {}, "80/tcp": {}}),
        ('VOLUME /b\nVOLUME ["/a b"]', "volumes", {"/a b": {}, "/b": {}}),
        ("STOPSIGNAL SIGINT", "stop_signal", "SIGINT"),
        ("WORKDIR /a\nWORKDIR b", "working_dir", "/a/b"),
        ("WORKDIR a", "working_dir", "/a"),
        ("WORKDIR /a\nWORKDIR ../c", "working_dir", "/c"),
        ("ONBUILD COPY a b\nONBUILD RUN x", "on_build", ("COPY a b", "RUN x")),
        ("HEALTHCHECK NONE", "healthcheck", Healthcheck(test=("NONE",))),
        ("HEALTHCHECK CMD curl x", "healthcheck", Healthcheck(test=("CMD-SHELL", "curl x"))),
        ('HEALTHCHECK --interval=5m --retries=3 CMD ["a", "b"]', "healthcheck",
         Healthcheck(test=("CMD", "a", "b"), interval=300_000_000_000, retries=3)),
    ],
)  # fmt: skip
def test_configuration(tmp_path: Path, instructions: str, field: str, expected: object) -> None:
    assert getattr(run_of(tmp_path, instructions), field) == expected


def test_the_maintainer_is_the_author(tmp_path: Path) -> None:
    assert Bench(tmp_path).config("FROM scratch\nMAINTAINER me <a@b>\n").author == "me <a@b>"


@pytest.mark.parametrize(
    ("instruction", "expected"),
    [
        ("ENV A=1 B='two words'", "ENV A=1 B=two words"),
        ("ARG X=1 Y", "ARG X=1 Y"),
        ('LABEL "a b"=c', "LABEL a b=c"),
        ('CMD ["a", "\\"\\u00fc\\u0007"]', 'CMD ["a" "\\"ü\\a"]'),
        ("CMD run", 'CMD ["/bin/sh" "-c" "run"]'),
        ("ENTRYPOINT []", "ENTRYPOINT []"),
        ("EXPOSE 443 80", "EXPOSE [443/tcp 80/tcp]"),
        ("VOLUME /a /b", "VOLUME [/a /b]"),
        ("USER a:b", "USER a:b"),
        ("STOPSIGNAL 9", "STOPSIGNAL 9"),
        ('SHELL ["a", "b"]', "SHELL [a b]"),
        ("MAINTAINER me", "MAINTAINER me"),
        ("HEALTHCHECK --interval=90s --timeout=1h1.5s --start-period=20ms CMD x",
         "HEALTHCHECK {Test:[CMD-SHELL x] Interval:1m30s Timeout:1h0m1.5s StartPeriod:20ms"
         " StartInterval:0s Retries:0}"),
    ],
)  # fmt: skip
def test_history_of_metadata(tmp_path: Path, instruction: str, expected: str) -> None:
    (step,) = Bench(tmp_path).config(f"FROM scratch\n{instruction}\n").history

    assert (step.created_by, step.empty_layer) == (expected, True)
    assert (step.created, step.comment) == ("2023-11-14T22:13:20Z", "manyfest")


@pytest.mark.parametrize(
    ("instruction", "expected"),
    [
        ("WORKDIR x", "WORKDIR /x"),
        ("COPY --chown=1 --chmod=700 --exclude=z Dockerf* /a/",
         "COPY --chown=1 --chmod=700 Dockerf* /a/ # buildkit"),
        ("COPY --parents Dockerfile /a/", "COPY --parents Dockerfile /a/ # buildkit"),
        ("ADD Dockerfile <<EOF /a/\nEOF", "ADD Dockerfile <<EOF /a/ # buildkit"),
    ],
)  # fmt: skip
def test_history_of_layers(tmp_path: Path, instruction: str, expected: str) -> None:
    (step,) = Bench(tmp_path).config(f"FROM scratch\n{instruction}\n").history

    assert (step.created_by, step.empty_layer) == (expected, False)


def test_the_root_as_working_directory_makes_no_layer(tmp_path: Path) -> None:
    config = Bench(tmp_path).config("FROM scratch\nWORKDIR /\n")

    assert config.history[0].empty_layer
    assert config.rootfs.diff_ids == ()


BASE = """FROM scratch
ENV A=1 PATH=/only
LABEL a=base b=base
USER 5
WORKDIR /base
ENTRYPOINT ["base"]
CMD ["args"]
EXPOSE 1
VOLUME /v
STOPSIGNAL 9
SHELL ["/s"]
HEALTHCHECK CMD x
MAINTAINER base
"""


def test_everything_of_the_base_is_inherited(tmp_path: Path) -> None:
    bench = bench_with_base(tmp_path, BASE, {})
    config = bench.config("FROM base:1\nENV B=$A\nLABEL b=own\n")

    assert config.author == "base"
    assert config.config == RunConfig(
        user="5",
        exposed_ports={"1/tcp": {}},
        env=("PATH=/only", "A=1", "B=1"),
        entrypoint=("base",),
        cmd=("args",),
        healthcheck=Healthcheck(test=("CMD-SHELL", "x")),
        args_escaped=True,
        volumes={"/v": {}},
        working_dir="/base",
        labels={"a": "base", "b": "own"},
        stop_signal="9",
        shell=("/s",),
    )
    assert [step.created_by for step in config.history[-3:]] == [
        "MAINTAINER base",
        "ENV B=1",
        "LABEL b=own",
    ]


def test_an_entrypoint_clears_the_command_of_the_base(tmp_path: Path) -> None:
    config = bench_with_base(tmp_path, BASE, {}).config('FROM base:1\nENTRYPOINT ["own"]\n')

    assert (config.config.entrypoint, config.config.cmd) == (("own",), ())


def test_triggers_of_a_base_image_run_once(tmp_path: Path) -> None:
    bench = bench_with_base(tmp_path, "FROM scratch\nONBUILD ENV T=1\nONBUILD WORKDIR /t\n", {})
    config = bench.config("FROM base:1 AS one\nFROM one\nENV U=$T\n")

    assert config.config.env == (PATH, "T=1", "U=1")
    assert config.config.on_build == ()
    assert [step.created_by for step in config.history] == ["ENV T=1", "WORKDIR /t", "ENV U=1"]


def test_a_trigger_of_a_base_image_may_copy_from_a_stage(tmp_path: Path) -> None:
    bench = bench_with_base(tmp_path, "FROM scratch\nONBUILD COPY --from=files /x /y\n", {})
    text = "FROM scratch AS files\nCOPY <<E /x\nhi\nE\nFROM base:1\n"

    assert bench.files(text) == ["y 644 =hi\n"]


def test_but_not_from_a_later_one(tmp_path: Path) -> None:
    bench = bench_with_base(tmp_path, "FROM scratch\nONBUILD COPY --from=1 /x /y\n", {})

    with pytest.raises(DockerfileError, match=r"Dockerfile:1: COPY: stage '1' is not built before"):
        bench.build("FROM base:1 AS a\nFROM a\n")


def test_triggers_of_a_stage_run_in_those_that_start_from_it(tmp_path: Path) -> None:
    config = Bench(tmp_path).config("FROM scratch AS one\nONBUILD ENV T=1\nFROM one\nUSER 1\n")

    assert config.config.env == (PATH, "T=1")
    assert config.config.on_build == ()
