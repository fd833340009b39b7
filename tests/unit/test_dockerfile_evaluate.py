from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyfest.build.dockerfile.evaluate import DEFAULT_PATH, Evaluated, evaluate
from manyfest.build.dockerfile.instructions import (
    Add,
    Cmd,
    Copy,
    Expose,
    FromImage,
    FromStage,
    Instruction,
    Label,
    StopSignal,
    User,
    Volume,
    Workdir,
)
from manyfest.build.dockerfile.parse import parse_dockerfile
from manyfest.build.dockerfile.plan import plan_build
from manyfest.errors import DockerfileError
from manyfest.oci.platform import Platform

ARMV7 = Platform(os="linux", architecture="arm", variant="v7")
AMD64 = Platform(os="linux", architecture="amd64")


def run(
    text: str,
    inherited: Mapping[str, str] | None = None,
    *,
    build_args: Mapping[str, str] | None = None,
    triggers: Sequence[str] = (),
) -> Evaluated:
    """Evaluate the last stage of ``text``."""
    plan = plan_build(
        parse_dockerfile(text), platform=ARMV7, build_platform=AMD64, build_args=build_args
    )
    return evaluate(plan, plan.target, inherited or {}, triggers=triggers)


def last(text: str) -> Instruction:
    return run(text).instructions[-1]


@pytest.mark.parametrize(
    ("lines", "value"),
    [
        # global arguments
        ("ARG X=1\nFROM a\nENV v=$X", ""),
        ("ARG X=1\nFROM a\nARG X\nENV v=$X", "1"),
        ("ARG X=1\nFROM a\nARG X=2\nENV v=$X", "2"),
        ("ARG X\nFROM a\nARG X\nENV v=${X-unset}", "unset"),
        # the last writer wins
        ("FROM a\nARG X=1\nENV X=2\nENV v=$X", "2"),
        ("FROM a\nENV X=1\nARG X\nENV v=$X", "1"),
        ("FROM a\nENV X=1\nARG X=2\nENV v=$X", "2"),
        # values are fixed per instruction
        ("FROM a\nENV abc=hello\nENV abc=bye v=$abc", "hello"),
        ("FROM a\nARG x=1 y=$x\nENV v=$y", "1"),
        # automatic arguments
        ("FROM a\nENV v=$TARGETARCH", ""),
        ("FROM a\nARG TARGETPLATFORM\nENV v=$TARGETPLATFORM", "linux/arm/v7"),
        (
            "FROM a\nARG TARGETOS TARGETARCH TARGETVARIANT\n"
            "ENV v=$TARGETOS$TARGETARCH$TARGETVARIANT",
            "linuxarmv7",
        ),
        ("FROM a\nARG BUILDPLATFORM\nENV v=$BUILDPLATFORM", "linux/amd64"),
        ("FROM a\nARG TARGETARCH=other\nENV v=$TARGETARCH", "other"),
        # proxies need ARG, like all
        ("FROM a\nENV v=$HTTP_PROXY", ""),
        # the base
        ("FROM a\nENV v=$PATH", DEFAULT_PATH),
        ("FROM a\nENV v=$FROM_BASE", "base"),
    ],
)
def test_what_a_variable_is(lines: str, value: str) -> None:
    assert run(lines, {"FROM_BASE": "base"}).variables["v"] == value


def test_a_build_argument_replaces_the_default_even_unexpanded() -> None:
    result = run("FROM a\nARG X=${Y:?never asked}\n", build_args={"X": "$given"})
    assert result.variables["X"] == "$given"


def test_scanner_switches_do_not_reach_the_environment() -> None:
    result = run("FROM a\nARG BUILDKIT_SBOM_SCAN_STAGE=true\n")
    assert "BUILDKIT_SBOM_SCAN_STAGE" not in result.variables


def test_a_stage_inherits_the_variables_of_its_base_stage() -> None:
    plan = plan_build(
        parse_dockerfile("FROM a AS one\nARG X=1\nENV Y=2\nFROM one\nLABEL l=$X$Y\n"),
        platform=ARMV7,
        build_platform=AMD64,
    )
    first = evaluate(plan, plan.needed[0], {})
    second = evaluate(plan, plan.target, first.variables)
    assert isinstance(label := second.instructions[0], Label)
    assert label.pairs[0].value == "12"


def test_windows_gets_no_path() -> None:
    plan = plan_build(
        parse_dockerfile("FROM a"),
        platform=Platform(os="windows", architecture="amd64"),
        build_platform=AMD64,
    )
    assert evaluate(plan, plan.target, {}).variables == {}


HEAD = "FROM first AS one\nFROM a\nARG v=x\n"


def test_copy_is_expanded() -> None:
    copy = last(HEAD + "COPY --chown=$v:1 --chmod=$v --exclude=$v a$v '$v' /$v/\n")
    assert isinstance(copy, Copy)
    assert (copy.chown, copy.chmod, copy.exclude) == ("x:1", "x", ("$v",))
    assert (copy.sources, copy.destination, copy.origin) == (("ax", "$v"), "/x/", None)


def test_copy_knows_where_it_copies_from() -> None:
    stage, image = last(HEAD + "COPY --from=ONE / /"), last(HEAD + "COPY --from=busybox:1 / /")
    assert isinstance(stage, Copy)
    assert isinstance(image, Copy)
    assert stage.origin == FromStage(index=0)
    assert image.origin == FromImage(reference="busybox:1", platform=ARMV7)


def test_add_is_expanded() -> None:
    add = last(HEAD + "ADD --checksum=sha256:$v https://h/$v /d")
    assert isinstance(add, Add)
    assert (add.checksum, add.sources) == ("sha256:x", ("https://h/x",))


def test_heredocs_are_expanded_unless_quoted() -> None:
    copy = last(HEAD + "COPY <<A <<'B' /d\n\"$v\"\nA\n$v\nB\n")
    assert isinstance(copy, Copy)
    assert [file.content for file in copy.inline] == ['"x"\n', "$v\n"]


def test_simple_instructions_are_expanded() -> None:
    result = run(
        HEAD + 'WORKDIR /$v\nUSER $v\nVOLUME /$v /y\nSTOPSIGNAL ${v/x/SIGINT}\nLABEL $v="$v y"\n'
    )
    _, workdir, user, volume, signal, label = result.instructions
    assert isinstance(workdir, Workdir)
    assert workdir.path == "/x"
    assert isinstance(user, User)
    assert user.user == "x"
    assert isinstance(volume, Volume)
    assert volume.paths == ("/x", "/y")
    assert isinstance(signal, StopSignal)
    assert signal.signal == "SIGINT"
    assert isinstance(label, Label)
    assert (label.pairs[0].key, label.pairs[0].value) == ("x", "x y")


def test_commands_are_left_to_the_shell() -> None:
    cmd = last(HEAD + "CMD echo $v")
    assert isinstance(cmd, Cmd)
    assert cmd.command.words == ("echo $v",)


@pytest.mark.parametrize(
    ("ports", "exposed"),
    [
        ("80", ("80/tcp",)),
        ("53/UDP 80/tcp", ("53/udp", "80/tcp")),
        ("8000-8002/udp", ("8000/udp", "8001/udp", "8002/udp")),
        ("$p", ("1/tcp", "2/tcp")),
        ("127.0.0.1:80:8080", ("8080/tcp",)),
    ],
)
def test_exposed_ports_are_written_out(ports: str, exposed: tuple[str, ...]) -> None:
    expose = last(f"FROM a\nARG p='1 2'\nEXPOSE {ports}")
    assert isinstance(expose, Expose)
    assert expose.ports == exposed


def test_triggers_run_first_those_of_the_image_and_those_of_the_base_stage() -> None:
    image = run("FROM a\nENV A=2\n", triggers=["ENV A=1", "WORKDIR /w"])
    assert [i.keyword for i in image.instructions] == ["ENV", "WORKDIR", "ENV"]
    stage = run("FROM a AS one\nONBUILD USER $U\nARG U=1\nFROM one\nUSER 2\n", {"U": "3"})
    assert [i.user for i in stage.instructions if isinstance(i, User)] == ["3", "2"]
    assert str(stage.instructions[0].place) == "Dockerfile:4"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("STOPSIGNAL SIGNOPE", "STOPSIGNAL: unknown signal 'SIGNOPE'; use a name such as SIGTERM"),
        ("VOLUME /a $none", "VOLUME: a path comes to nothing; set the variable it is made from"),
        ("ENV ${none}=1", "ENV: the name '${none}' comes to nothing"),
        (
            "EXPOSE 80/icmp",
            "EXPOSE: unknown protocol 'icmp' in port '80/icmp'; use tcp, udp or sctp",
        ),
        (
            "EXPOSE 70000",
            "EXPOSE: '70000' is not a port; write a number from 0 to 65535, or a range",
        ),
        ("EXPOSE 9-1", "EXPOSE: port range '9-1' runs backwards; swap its ends"),
        (
            "USER ${a",
            "USER: '${a' ends before the matching }; "
            "close it with }, or escape the character that opens it",
        ),
    ],
)
def test_errors_name_file_line_and_instruction(line: str, message: str) -> None:
    with pytest.raises(DockerfileError) as caught:
        run(f"FROM a\n\n{line}\n")
    assert str(caught.value) == f"Dockerfile:3: {message}"


pieces = (
    "FROM ARG ENV COPY ADD LABEL USER EXPOSE VOLUME ONBUILD WORKDIR STOPSIGNAL AS a b=c $b=$a"
    ' --from=a --from=0 --platform=$a scratch ${a:-${b}} ${TARGETARCH//a/$b} 80-90/tcp "$a" \''
).split()


@given(
    st.lists(st.sampled_from([*pieces, "\n", "\n", "\n"])).map(
        lambda parts: "ARG a\nFROM a AS a\n" + " ".join(parts)
    ),
    st.dictionaries(st.sampled_from(["a", "b"]), st.text()),
)
def test_any_dockerfile_is_expanded_or_refused_with_a_line(
    text: str, build_args: dict[str, str]
) -> None:
    where = "Dockerfile:"
    try:
        run(text, build_args=build_args)
    except DockerfileError as error:
        where = error.where
    assert where.startswith("Dockerfile:")
