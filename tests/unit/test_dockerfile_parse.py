from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyfest.build.dockerfile.instructions import (
    Add,
    Arg,
    ArgItem,
    Cmd,
    CommandLine,
    Copy,
    Entrypoint,
    Env,
    Expose,
    Healthcheck,
    InlineFile,
    Instruction,
    Label,
    Maintainer,
    OnBuild,
    Pair,
    Run,
    Shell,
    StopSignal,
    User,
    Volume,
    Workdir,
)
from manyfest.build.dockerfile.parse import parse_dockerfile, parse_trigger
from manyfest.errors import DockerfileError


def parse_one(text: str) -> Instruction:
    return parse_dockerfile(f"FROM a\n{text}").stages[0].instructions[0]


def refusal(text: str) -> str:
    with pytest.raises(DockerfileError) as caught:
        parse_dockerfile(text)
    return str(caught.value)


def test_stages_have_an_index_a_name_in_lower_case_and_their_instructions() -> None:
    dockerfile = parse_dockerfile(
        "ARG V=1\nFROM --platform=$BUILDPLATFORM golang:$V AS Build\nRUN make\n"
        "FROM scratch\nUSER 1\n"
    )
    assert [(s.index, s.name, s.base.base, s.base.platform) for s in dockerfile.stages] == [
        (0, "build", "golang:$V", "$BUILDPLATFORM"),
        (1, "", "scratch", ""),
    ]
    assert [i.keyword for s in dockerfile.stages for i in s.instructions] == ["RUN", "USER"]
    assert [arg.items for arg in dockerfile.global_args] == [(ArgItem(key="V", value="1"),)]


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("ENV name value", [("name", "value", True)]),
        ("ENV SCUBA 1 DUBA=3", [("SCUBA", "1 DUBA=3", True)]),
        (
            'ENV a=1 b="2 3" c=4\\ 5',
            [("a", "1", False), ("b", '"2 3"', False), ("c", "4\\ 5", False)],
        ),
        ("ENV name='value\"q\"x'", [("name", "'value\"q\"x'", False)]),
        ("ENV a= b=x=y", [("a", "", False), ("b", "x=y", False)]),
    ],
)
def test_env_pairs(text: str, pairs: list[tuple[str, str, bool]]) -> None:
    env = parse_one(text)
    assert isinstance(env, Env)
    assert [(pair.key, pair.value, pair.legacy) for pair in env.pairs] == pairs


def test_label_pairs() -> None:
    label = parse_one('LABEL "a b"=c d=')
    assert isinstance(label, Label)
    assert label.pairs == (Pair(key='"a b"', value="c"), Pair(key="d", value=""))


def test_arg_takes_several_and_what_looks_like_a_comment() -> None:
    arg = parse_one("ARG TESTS=0 # 0=never")
    assert isinstance(arg, Arg)
    assert [(item.key, item.value) for item in arg.items] == [
        ("TESTS", "0"),
        ("#", None),
        ("0", "never"),
    ]


def test_copy_with_every_flag() -> None:
    copy = parse_one(
        "COPY --from=x --chown=1:2 --chmod=755 --link --parents --exclude=*.md --exclude=t a b /c/"
    )
    assert isinstance(copy, Copy)
    assert (copy.from_name, copy.chown, copy.chmod) == ("x", "1:2", "755")
    assert (copy.link, copy.parents, copy.exclude) == (True, True, ("*.md", "t"))
    assert (copy.sources, copy.destination) == (("a", "b"), "/c/")


def test_add_with_every_flag() -> None:
    add = parse_one("ADD --checksum=sha256:0 --keep-git-dir=true --unpack=FALSE --link=false u /d")
    assert isinstance(add, Add)
    assert (add.checksum, add.keep_git_dir, add.unpack, add.link) == (
        "sha256:0",
        True,
        False,
        False,
    )


def test_copy_in_exec_form_takes_names_with_blanks() -> None:
    copy = parse_one('COPY ["a file", "/a dir/"]')
    assert isinstance(copy, Copy)
    assert (copy.sources, copy.destination) == (("a file",), "/a dir/")


def test_copy_of_heredocs_and_files() -> None:
    copy = parse_one("COPY <<A real <<-'B' /d\n$x\nA\n\t$y\nB\n")
    assert isinstance(copy, Copy)
    assert copy.sources == ("real",)
    assert copy.inline == (
        InlineFile(name="A", content="$x\n", expand=True),
        InlineFile(name="B", content="$y\n", expand=False),
    )


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ('CMD ["a", "b c"]', CommandLine(words=("a", "b c"), in_shell=False)),
        ("CMD []", CommandLine(words=(), in_shell=False)),
        ("CMD a  'b'", CommandLine(words=("a  'b'",), in_shell=True)),
        ("CMD ['a']", CommandLine(words=("['a']",), in_shell=True)),
    ],
)
def test_commands_have_two_forms(text: str, command: CommandLine) -> None:
    cmd = parse_one(text)
    entrypoint = parse_one(text.replace("CMD", "ENTRYPOINT"))
    assert isinstance(cmd, Cmd)
    assert isinstance(entrypoint, Entrypoint)
    assert (cmd.command, entrypoint.command) == (command, command)


def test_run_keeps_its_flags_as_text_and_knows_what_it_mounts() -> None:
    run = parse_one(
        'RUN --mount=type=bind,from=build,target=/b --mount="type=cache,target=/c" --network=none x'
    )
    assert isinstance(run, Run)
    assert run.mounts == ("type=bind,from=build,target=/b", "type=cache,target=/c")
    assert (run.mount_sources, run.network, run.security) == (("build",), "none", "sandbox")
    assert run.command == CommandLine(words=("x",), in_shell=True)


def test_healthcheck() -> None:
    check = parse_one("HEALTHCHECK --interval=1m30s --timeout=1.5s --retries=3 CMD curl  -f x")
    assert isinstance(check, Healthcheck)
    assert check.command == CommandLine(words=("curl  -f x",), in_shell=True)
    assert (check.interval, check.timeout, check.retries) == (90_000_000_000, 1_500_000_000, 3)
    assert (check.start_period, check.start_interval) == (0, 0)


def test_healthcheck_none_and_exec_form() -> None:
    none, exec_form = parse_one("HEALTHCHECK none"), parse_one('HEALTHCHECK cmd ["a"]')
    assert isinstance(none, Healthcheck)
    assert isinstance(exec_form, Healthcheck)
    assert none.command is None
    assert exec_form.command == CommandLine(words=("a",), in_shell=False)


def test_simple_instructions() -> None:
    dockerfile = parse_dockerfile(
        'from a\nworkdir /a b\nuser u:g\nexpose 443 80/tcp\nvolume /a /b\nVOLUME ["/c d"]\n'
        'stopsignal SIGINT\nshell ["sh", "-c"]\nmaintainer me <m@e>\n'
    )
    workdir, user, expose, volume, exec_volume, signal, shell, maintainer = dockerfile.stages[
        0
    ].instructions
    assert isinstance(workdir, Workdir)
    assert workdir.path == "/a b"
    assert isinstance(user, User)
    assert user.user == "u:g"
    assert isinstance(expose, Expose)
    assert expose.ports == ("443", "80/tcp")
    assert isinstance(volume, Volume)
    assert volume.paths == ("/a", "/b")
    assert isinstance(exec_volume, Volume)
    assert exec_volume.paths == ("/c d",)
    assert isinstance(signal, StopSignal)
    assert signal.signal == "SIGINT"
    assert isinstance(shell, Shell)
    assert shell.words == ("sh", "-c")
    assert isinstance(maintainer, Maintainer)
    assert maintainer.name == "me <m@e>"


def test_onbuild_keeps_its_text_and_parses_it() -> None:
    onbuild = parse_one("OnBuild COPY --link <<E a /d\nx\nE\n")
    assert isinstance(onbuild, OnBuild)
    assert onbuild.expression == "COPY --link <<E a /d\nx\nE"
    assert isinstance(onbuild.trigger, Copy)
    assert onbuild.trigger.inline == (InlineFile(name="E", content="x\n", expand=True),)


def test_a_trigger_from_a_base_image_is_blamed_on_from() -> None:
    stage = parse_dockerfile("\nFROM a\n", "d/Dockerfile").stages[0]
    assert str(parse_trigger("RUN x", stage).place) == "d/Dockerfile:2"
    with pytest.raises(
        DockerfileError, match=r"^d/Dockerfile:2: ONBUILD: FROM cannot be a trigger"
    ):
        parse_trigger("FROM x", stage)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Dockerfile: the file has no instructions; start it with FROM"),
        ("# only a comment\n", "Dockerfile: the file has no instructions; start it with FROM"),
        (
            "ARG A",
            "Dockerfile:1: ARG: the file has no FROM; add FROM and the image to start from",
        ),
        (
            "RUN x\nFROM a",
            "Dockerfile:1: RUN: it stands before the first FROM; only ARG may stand there",
        ),
        (
            "FROM a\nCOPPY a b",
            "Dockerfile:2: unknown instruction: 'COPPY'; did you mean COPY?",
        ),
        (
            "FROM a\n\nCOPY --chwon=1 a b",
            "Dockerfile:3: COPY: unknown flag '--chwon'; did you mean --chown?",
        ),
        (
            "FROM a\nENV --x=1 a=b",
            "Dockerfile:2: ENV: unknown flag '--x'; ENV has no flags",
        ),
        (
            "FROM a\nCOPY --link=maybe a b",
            "Dockerfile:2: COPY: flag --link is 'maybe'; write --link or --link=false",
        ),
        (
            "FROM a\nCOPY --chown a b",
            "Dockerfile:2: COPY: flag --chown has no value; write --chown=VALUE",
        ),
        (
            "FROM a\nCOPY --chown=1 --chown=2 a b",
            "Dockerfile:2: COPY: flag --chown is given twice; keep one of them",
        ),
        (
            "FROM a b",
            "Dockerfile:1: FROM: 'a b' is not a base; write FROM IMAGE, or FROM IMAGE AS NAME",
        ),
        (
            "FROM a AS 1x",
            "Dockerfile:1: FROM: '1x' cannot name a stage; "
            "start with a letter and go on with letters, digits, '-', '_' and '.'",
        ),
        ("FROM a\nENV PATH", "Dockerfile:2: ENV: 'PATH' has no value; write NAME=VALUE"),
        (
            "FROM a\nENV a=b c",
            "Dockerfile:2: ENV: 'c' is not NAME=VALUE; "
            "quote values that hold blanks: NAME='two words'",
        ),
        (
            "FROM a\nCOPY onlyone",
            "Dockerfile:2: COPY: it needs at least one source and a destination; "
            "write COPY SOURCE… DESTINATION",
        ),
        (
            "FROM a\nCOPY a <<E\nE",
            "Dockerfile:2: COPY: a heredoc cannot be the destination; put a path at the end",
        ),
        (
            "FROM a\nCOPY << E /d\nE",
            "Dockerfile:2: COPY: a heredoc's delimiter holds a blank; write <<EOF in one word",
        ),
        (
            "FROM a\nSHELL sh -c",
            'Dockerfile:2: SHELL: it needs the exec form; write SHELL ["/bin/sh", "-c"]',
        ),
        (
            'FROM a\nVOLUME [""]',
            "Dockerfile:2: VOLUME: a path is missing or empty; write VOLUME and one path or more",
        ),
        (
            "FROM a\nHEALTHCHECK CDM x",
            "Dockerfile:2: HEALTHCHECK: 'CDM' is neither CMD nor NONE; did you mean CMD?",
        ),
        (
            "FROM a\nHEALTHCHECK --interval=5 CMD x",
            "Dockerfile:2: HEALTHCHECK: '5' is not a duration; write it as 30s or 1m30s",
        ),
        (
            "FROM a\nRUN --network=nope x",
            "Dockerfile:2: RUN: --network cannot be 'nope'; did you mean none?",
        ),
        (
            "FROM a\nONBUILD ONBUILD RUN x",
            "Dockerfile:2: ONBUILD: ONBUILD cannot be a trigger; use another instruction",
        ),
        (
            "FROM a\nUSER",
            "Dockerfile:2: USER: a user is missing; write USER and a user",
        ),
    ],
)
def test_an_error_says_where_what_and_how_to_mend_it(text: str, message: str) -> None:
    assert refusal(text) == message


pieces = (
    "FROM ARG ENV COPY ADD LABEL RUN CMD ENTRYPOINT USER EXPOSE VOLUME SHELL HEALTHCHECK ONBUILD"
    " WORKDIR STOPSIGNAL MAINTAINER NONE AS a b=c --from=a --mount=from=b --link --interval=5s"
    ' ["a"] [ "] <<E <<-E \' $A ${A:-b} 80/tcp \\ = -- #'
).split()


@given(
    st.lists(st.sampled_from([*pieces, " ", " ", "\n", "\n", "\\\n", "\nE\n"])).map(
        lambda parts: "FROM a\n" + " ".join(parts)
    )
    | st.tuples(st.sampled_from(pieces[:18]), st.text()).map(
        lambda parts: f"FROM a\n{parts[0]} {parts[1]}"
    )
    | st.text()
)
def test_any_text_parses_or_is_refused_on_one_line(text: str) -> None:
    message = ""
    try:
        parse_dockerfile(text)
    except DockerfileError as error:
        message = str(error)
    assert message.isprintable()
