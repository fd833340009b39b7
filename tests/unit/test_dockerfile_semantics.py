"""What a Dockerfile means where it is easy to get wrong, one sentence of the semantics a test."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyfest.build.dockerfile.evaluate import Evaluated, evaluate
from manyfest.build.dockerfile.instructions import (
    Add,
    Cmd,
    Copy,
    Env,
    Expose,
    FromStage,
    Instruction,
    OnBuild,
    Run,
    StopSignal,
)
from manyfest.build.dockerfile.parse import parse_dockerfile
from manyfest.build.dockerfile.plan import plan_build
from manyfest.build.request import read_dockerfile
from manyfest.errors import DockerfileError
from manyfest.oci.config import Healthcheck
from manyfest.oci.platform import Platform
from tests.unit.building import Bench

ARMV6 = Platform(os="linux", architecture="arm", variant="v6")
WINDOWS = Platform(os="windows", architecture="amd64", os_version="10.0.20348.1")


def evaluated(text: str, **build_args: str) -> Evaluated:
    plan = plan_build(
        parse_dockerfile(text), platform=ARMV6, build_platform=WINDOWS, build_args=build_args
    )
    results: dict[int, Evaluated] = {}
    for stage in plan.needed:
        base = stage.base
        inherited = results[base.index].variables if isinstance(base, FromStage) else {}
        results[stage.index] = evaluate(plan, stage, inherited)
    return results[plan.target.index]


def last(text: str) -> Instruction:
    return evaluated(text).instructions[-1]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TARGETPLATFORM", "linux/arm/v6"),
        ("TARGETOS", "linux"),
        ("TARGETARCH", "arm"),
        ("TARGETVARIANT", "v6"),
        ("TARGETOSVERSION", ""),
        ("TARGETSTAGE", "last"),
        ("BUILDPLATFORM", "windows/amd64"),
        ("BUILDOS", "windows"),
        ("BUILDARCH", "amd64"),
        ("BUILDVARIANT", ""),
        ("BUILDOSVERSION", "10.0.20348.1"),
    ],
)
def test_an_automatic_argument_is_there_after_arg(name: str, value: str) -> None:
    text = f"FROM a AS last\nENV before=${name}.\nARG {name}\nENV after=${name}."
    variables = evaluated(text).variables
    assert (variables["before"], variables["after"]) == (".", f"{value}.")


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("# escape=`\nFROM a\nENV v=`$x", "$x"),
        ("\ufeff# escape=`\nFROM a\nENV v=`$x", "$x"),
        ("# syntax=docker/dockerfile:1\n# escape=`\nFROM a\nENV v=`$x", "$x"),
        ("# a comment\n# escape=`\nFROM a\nENV v=`$x", "`"),
        ("FROM a\n# escape=`\nENV v=`$x", "`"),
    ],
)
def test_the_escape_directive_counts_at_the_top_only(text: str, escaped: str) -> None:
    assert evaluated(text).variables["v"] == escaped


def test_a_list_in_single_quotes_is_no_json_and_so_for_the_shell() -> None:
    cmd = last("FROM a\nCMD ['server', '--port=80']")
    assert isinstance(cmd, Cmd)
    assert (cmd.command.words, cmd.command.in_shell) == (("['server', '--port=80']",), True)


def test_of_several_heredocs_each_is_expanded_unless_its_delimiter_is_quoted() -> None:
    text = "FROM a\nARG v=1\nCOPY <<A <<'B' <<-\"C\" <<-D /\n$v\nA\n$v\nB\n\t$v\n\tC\n\t\t$v\nD\n"
    copy = last(text)
    assert isinstance(copy, Copy)
    assert [(file.name, file.content) for file in copy.inline] == [
        ("A", "1\n"),
        ("B", "$v\n"),
        ("C", "$v\n"),
        ("D", "1\n"),
    ]


def test_values_are_fixed_for_the_whole_instruction() -> None:
    env = last("FROM a\nENV A=old\nENV A=new B=$A C=${B:-none}")
    assert isinstance(env, Env)
    assert [pair.value for pair in env.pairs] == ["new", "old", "none"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("ARG V=global\nFROM a\nENV v=${V:-unset}", "unset"),
        ("ARG V=global\nFROM a\nARG V\nENV v=$V", "global"),
        ("ARG V=global\nFROM a\nARG V=own\nENV v=$V", "own"),
        ("ARG V=global\nFROM a AS x\nARG V\nFROM a\nENV v=${V:-unset}", "unset"),
        ("FROM a\nARG V=arg\nENV V=env\nENV v=$V", "env"),
        ("FROM a\nENV V=env\nARG V\nENV v=$V", "env"),
    ],
)
def test_scopes_of_arguments(text: str, value: str) -> None:
    assert evaluated(text).variables["v"] == value


def test_a_build_argument_reaches_the_global_scope_and_the_stages_that_declare_it() -> None:
    text = "ARG V=1\nFROM a\nENV before=$V\nARG V\nENV after=$V"
    variables = evaluated(text, V="given").variables
    assert (variables["before"], variables["after"]) == ("", "given")


def test_onbuild_is_expanded_where_it_runs() -> None:
    text = "FROM a AS base\nARG V=there\nONBUILD ADD --chown=$V <<E /$V/\n$V\nE\nFROM base\n"
    add = last(text)
    assert isinstance(add, Add)
    assert (add.chown, add.destination, add.inline[0].content) == ("there", "/there/", "there\n")
    (_, onbuild) = parse_dockerfile(text).stages[0].instructions
    assert isinstance(onbuild, OnBuild)
    assert onbuild.expression == "ADD --chown=$V <<E /$V/\n$V\nE"


@pytest.mark.parametrize("signal", ["9", "64", "TERM", "sigterm", "SIGRTMIN+3", "SIGRTMAX-1"])
def test_a_stop_signal_is_a_number_or_a_name(signal: str) -> None:
    stop = last(f"FROM a\nARG S={signal}\nSTOPSIGNAL $S")
    assert isinstance(stop, StopSignal)
    assert stop.signal == signal


@pytest.mark.parametrize("signal", ["0", "-9", "SIGRTMIN+16", "9x", "''"])
def test_and_nothing_else(signal: str) -> None:
    with pytest.raises(DockerfileError, match=r"^Dockerfile:3: STOPSIGNAL: unknown signal"):
        evaluated(f"FROM a\nARG S={signal}\nSTOPSIGNAL $S")


@pytest.mark.parametrize(
    ("ports", "exposed"),
    [
        ("53/udp 53", ("53/tcp", "53/udp")),
        ("8000-8002/Sctp", ("8000/sctp", "8001/sctp", "8002/sctp")),
        ("80:8080 0.0.0.0:81:8081", ("8081/tcp", "8080/tcp")),
        ("[::1]::90", ("90/tcp",)),
        ("10-12:20-22", ("20/tcp", "21/tcp", "22/tcp")),
    ],
)
def test_ports_are_ranges_with_a_protocol(ports: str, exposed: tuple[str, ...]) -> None:
    expose = last(f"FROM a\nEXPOSE {ports}")
    assert isinstance(expose, Expose)
    assert sorted(expose.ports) == sorted(exposed)


@pytest.mark.parametrize(
    ("port", "what"),
    [
        ("localhost:80:80", "'localhost' in port 'localhost:80:80' is not an IP address"),
        ("1-2:10-12", "the two ranges of '1-2:10-12' differ in length"),
        ("80:", "'80:' is not a port"),
        ("x:80", "'x:80' is not a port"),
        ("80/", None),
    ],
)
def test_what_stands_before_a_port_is_checked(port: str, what: str | None) -> None:
    try:
        evaluated(f"FROM a\nEXPOSE {port}")
        found = None
    except DockerfileError as error:
        found = error.what.removeprefix("EXPOSE: ")
    assert found == what


def test_run_has_flags_for_mounts_the_network_security_and_devices() -> None:
    run = last(
        "FROM a\nRUN --mount=type=secret,id=key --mount=type=cache,target=/c --network=host"
        " --security=insecure --device=vendor/gpu=all make"
    )
    assert isinstance(run, Run)
    assert run.mounts == ("type=secret,id=key", "type=cache,target=/c")
    assert (run.network, run.security, run.devices) == ("host", "insecure", ("vendor/gpu=all",))


@pytest.mark.parametrize(
    ("instructions", "cmd"),
    [
        ('CMD ["a"]\nENTRYPOINT ["b"]', ("a",)),
        ('ENTRYPOINT ["b"]\nCMD ["a"]', ("a",)),
        ('CMD ["a"]\nFROM base\nENTRYPOINT ["b"]', ()),
        ('CMD ["a"]\nFROM base\nCMD ["c"]\nENTRYPOINT ["b"]', ("c",)),
    ],
)
def test_an_entrypoint_clears_a_command_that_another_stage_set(
    tmp_path: Path, instructions: str, cmd: tuple[str, ...]
) -> None:
    config = Bench(tmp_path).config(f"FROM scratch AS base\n{instructions}\n")
    assert (config.config.entrypoint, config.config.cmd) == (("b",), cmd)


@pytest.mark.parametrize(
    ("instructions", "test"),
    [
        ("HEALTHCHECK CMD a\nHEALTHCHECK --retries=2 CMD b", ("CMD-SHELL", "b")),
        ("HEALTHCHECK CMD a\nHEALTHCHECK NONE", ("NONE",)),
        ('HEALTHCHECK NONE\nHEALTHCHECK CMD ["a"]', ("CMD", "a")),
    ],
)
def test_the_last_healthcheck_counts(
    tmp_path: Path, instructions: str, test: tuple[str, ...]
) -> None:
    healthcheck = Bench(tmp_path).config(f"FROM scratch\n{instructions}\n").config.healthcheck
    assert isinstance(healthcheck, Healthcheck)
    assert healthcheck.test == test


def test_shell_wraps_the_commands_below_it_also_in_later_stages(tmp_path: Path) -> None:
    config = Bench(tmp_path).config(
        'FROM scratch AS a\nCMD one\nSHELL ["/bin/bash", "-c"]\nFROM a\nENTRYPOINT two\nCMD three\n'
    )
    assert config.config.entrypoint == ("/bin/bash", "-c", "two")
    assert config.config.cmd == ("/bin/bash", "-c", "three")


def test_onbuild_leaves_no_history_and_no_layer(tmp_path: Path) -> None:
    config = Bench(tmp_path).config("FROM scratch\nUSER 1\nONBUILD COPY Dockerfile /\n")
    assert config.config.on_build == ("COPY Dockerfile /",)
    assert [(step.created_by, step.empty_layer) for step in config.history] == [("USER 1", True)]
    assert config.rootfs.diff_ids == ()


@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_are_a_dockerfile_or_an_error_about_one(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    request = Bench(tmp_path_factory.getbasetemp()).request("", args={})
    file = request.dockerfile
    file.write_bytes(content)
    where = str(file)
    try:
        read_dockerfile(request)
    except DockerfileError as error:
        where = error.where
    assert where.startswith(str(file))
