"""Warnings about a Dockerfile: the rules and names of BuildKit's build checks."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyfest.build.dockerfile.parse import parse_dockerfile
from manyfest.build.dockerfile.warnings import check_dockerfile, refuse_warnings
from manyfest.build.dockerignore import Ignore
from manyfest.errors import DockerfileError


def warnings(
    text: str,
    *,
    ignore: str = "",
    base_variables: Mapping[int, Collection[str]] | None = None,
) -> list[str]:
    found = check_dockerfile(
        parse_dockerfile(text), ignore=Ignore.parse(ignore), base_variables=base_variables
    )
    return [str(warning).removeprefix("Dockerfile:") for warning in found]


def rules(text: str, *, ignore: str = "") -> list[tuple[int, str]]:
    """The line and name of each warning, if every base image sets nothing."""
    dockerfile = parse_dockerfile(text)
    found = check_dockerfile(
        dockerfile,
        ignore=Ignore.parse(ignore),
        base_variables={stage.index: () for stage in dockerfile.stages},
    )
    return [(warning.place.line, warning.rule) for warning in found]


MESSAGES = [
    (
        "FROM a AS Web",
        "1: StageNameCasing: the stage's name 'Web' has capital letters, which do not count;"
        " write web",
    ),
    (
        "FROM a as web",
        "1: FromAsCasing: 'FROM' and 'as' differ in their letters' case; write AS",
    ),
    (
        "FROM a AS x\nFROM b AS x",
        "2: DuplicateStageName: there is a stage 'x' already, and the later one counts;"
        " give this stage another name",
    ),
    (
        "FROM a AS context",
        "1: ReservedStageName: the name 'context' has another meaning;"
        " give this stage another name",
    ),
    (
        "ARG SUITE=1\nFROM a:${SUIT:-2}",
        "2: UndefinedArgInFrom: no ARG before the first FROM declares SUIT; did you mean SUITE?",
    ),
    (
        "FROM --platform=${WHERE:-linux/amd64} a",
        "1: UndefinedArgInFrom: no ARG before the first FROM declares WHERE; add ARG WHERE there",
    ),
    (
        "ARG V\nFROM a:$V",
        "2: InvalidDefaultArgInFrom: without build arguments 'a:$V' comes to 'a:', which is"
        " no image's name; give the ARG before the first FROM a default",
    ),
    (
        "FROM --platform=${TARGETPLATFORM} a",
        "1: RedundantTargetPlatform: a stage is for ${TARGETPLATFORM} anyway; leave --platform out",
    ),
    (
        "FROM --platform=linux/arm64 a AS x",
        "1: FromPlatformFlagConstDisallowed: the stage is for linux/arm64 whatever the image"
        " is built for; leave --platform out, write --platform=$BUILDPLATFORM,"
        " or let the stage's name say arm64",
    ),
    (
        "FROM a\nRUN b \\\n\n  c",
        "3: NoEmptyContinuation: an empty line within RUN will become an error; remove it",
    ),
    (
        "FROM a\nRUN b\nuser c",
        "3: ConsistentInstructionCasing: 'user' is not written like most keywords here; write USER",
    ),
    (
        "FROM a\nMAINTAINER b",
        "2: MaintainerDeprecated: MAINTAINER is a thing of the past;"
        " write LABEL org.opencontainers.image.authors=…",
    ),
    (
        "FROM a\nCMD b",
        "2: JSONArgsRecommended: the program is started by a shell, which passes no signals"
        ' on to it; write CMD ["program", "argument"]',
    ),
    (
        'FROM a\nENTRYPOINT ["b"]\nUSER c\nENTRYPOINT ["d"]',
        "2: MultipleInstructionsDisallowed: this has no effect: a later ENTRYPOINT of the"
        " stage counts; keep one of them",
    ),
    (
        "FROM a\nWORKDIR app",
        "2: WorkdirRelativePath: where 'app' leads depends on the base image;"
        " write an absolute path",
    ),
    (
        "FROM a\nLABEL key some value",
        "2: LegacyKeyValueFormat: LABEL key has its value behind a blank, the old form;"
        " write LABEL key=VALUE",
    ),
    (
        "FROM a\nENV A=1 API_TOKEN=x",
        "2: SecretsUsedInArgOrEnv: API_TOKEN looks like a secret, and everyone who has the"
        " image can read what ENV sets; use RUN --mount=type=secret",
    ),
    (
        "FROM a\nEXPOSE 80/TCP",
        "2: ExposeProtoCasing: the protocol of '80/TCP' has capital letters; write tcp",
    ),
    (
        "FROM a\nEXPOSE 127.0.0.1:80:8080",
        "2: ExposeInvalidFormat: the address or the host's port in '127.0.0.1:80:8080' has no"
        " effect; write 8080",
    ),
    (
        "ARG SHARED=1\nFROM a\nUSER $SHARED",
        "3: UndefinedVar: nothing sets $SHARED here; add ARG SHARED to this stage",
    ),
    (
        "FROM scratch\nENV PATH=$PAHT:/opt",
        "2: UndefinedVar: nothing sets $PAHT here; did you mean PATH?",
    ),
    (
        "# check=experimental=all\nFROM a\n# some other words\nARG V",
        "4: InvalidDefinitionDescription: the comment above does not describe V;"
        " write '# V DESCRIPTION', or put an empty line between them",
    ),
]


@pytest.mark.parametrize(("text", "message"), MESSAGES)
def test_a_warning_says_where_which_rule_what_and_how_to_mend_it(text: str, message: str) -> None:
    assert warnings(text) == [message]


def test_what_the_ignore_file_leaves_out_cannot_be_copied() -> None:
    assert warnings("FROM a\nCOPY docs/x b.log /", ignore="docs\n*.md") == [
        "2: CopyIgnoredFile: the ignore file leaves 'docs/x' out of the context;"
        " take it back there with !, or copy something else"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "FROM a AS web\nFROM b AS web-2",
        "from a as web\nuser b",
        "From a as web",  # only its keyword is wrong
        "ARG V=1\nFROM a:$V",
        "FROM a-$TARGETARCH$BUILDVARIANT$TARGETSTAGE",
        "ARG V\nFROM a:${V:?needed}",
        "ARG B=one\nFROM scratch AS one\nFROM $B",
        "FROM --platform=$BUILDPLATFORM a",
        "ARG P=linux/arm64\nFROM --platform=$P a",
        "FROM --platform=linux/arm64 a AS on-arm64",
        "FROM --platform=linux/arm64 a AS linux",
        "FROM a\nRUN b \\\n  # comment\n  c",
        "FROM a\nRUN <<E\n\n\nE",
        'FROM a\nSHELL ["/bin/bash", "-c"]\nCMD b',
        'FROM a AS x\nSHELL ["/bin/bash", "-c"]\nFROM x\nENTRYPOINT b',
        "FROM a\nHEALTHCHECK CMD b",
        'FROM a\nCMD ["b"]\nFROM a\nCMD ["b"]',
        "FROM a\nWORKDIR /app\nWORKDIR sub",
        "FROM a AS x\nWORKDIR /app\nFROM x\nWORKDIR sub",
        "FROM a\nARG H\nWORKDIR $H/app",
        "FROM a\nENV PUBLIC_KEY=x TOKEN_FILE=y KEYBOARD=z\nARG AUTH_VERSION MONKEY",
        "FROM a\nARG P\nEXPOSE 80 81/tcp 90-91 $P ${P:-80}/udp",
        "# anything\nFROM a AS b\n# anything\nARG C",
        "# check=experimental=all\n# b is the base\nFROM a AS b\n# C is a letter\nARG C",
        "# check=experimental=all\n# about the base\n\nFROM a AS b",
    ],
)
def test_nothing_is_said_of(text: str) -> None:
    assert [rule for _, rule in rules(text) if rule != "ConsistentInstructionCasing"] == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("from a\nUSER b\nUSER c", [1]),
        ("from a\nuser b\nUSER c", [3]),
        ("from a\nUSER b", [1]),  # a tie is for capitals
        ("FROM a\nUser b", [2]),
        ("arg A\nFROM a", []),  # before the first FROM any case will do
    ],
)
def test_the_case_of_most_keywords_is_that_of_all(text: str, found: list[int]) -> None:
    assert [line for line, rule in rules(text) if rule == "ConsistentInstructionCasing"] == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("FROM a\nCOPY $x .\nARG x", [2]),
        ("FROM a\nARG x\nCOPY $x .", []),
        ("FROM a\nENV x=1 y=$x", [2]),
        ("FROM a\nARG x=1 y=$x", []),
        ("FROM a\nCOPY ${x:-default} .", [2]),
        ("FROM a\nCOPY <<E .\n$x\nE", [2]),
        ("FROM a\nCOPY <<'E' .\n$x\nE", []),
        ('FROM a\nRUN echo $x\nCMD ["$x"]\nHEALTHCHECK CMD $x', []),
        ("FROM a AS b\nENV x=1\nFROM b\nUSER $x", []),
        ("FROM a AS b\nENV x=1\nFROM a\nUSER $x", [4]),
        (
            "FROM a\nADD --chown=$a --chmod=$b --checksum=$c http://$d/ /$e\nLABEL $f=$g\nUSER $h\n"
            "WORKDIR /$i\nVOLUME /$j\nEXPOSE $k\nSTOPSIGNAL $l",
            [2, 2, 2, 2, 2, 3, 3, 4, 5, 6, 7, 8],
        ),
    ],
)
def test_variables_must_be_set_above(text: str, found: list[int]) -> None:
    assert [line for line, rule in rules(text) if rule == "UndefinedVar"] == found


def test_a_base_image_that_is_not_known_may_set_any_variable_but_those_of_the_build() -> None:
    text = "ARG V\nFROM a\nUSER $JAVA_HOME\nCOPY $TARGETARCH-$V /"
    assert [line.split(";")[0] for line in warnings(text)] == [
        "4: UndefinedVar: nothing sets $TARGETARCH here",
        "4: UndefinedVar: nothing sets $V here",
    ]


def test_the_variables_of_a_known_base_image_are_set() -> None:
    text = "FROM a AS x\nUSER $JAVA_HOME\nFROM x\nUSER $JAVA_HOME$OTHER"
    assert warnings(text, base_variables={0: ["JAVA_HOME"]}) == [
        "4: UndefinedVar: nothing sets $OTHER here; add ARG OTHER to this stage"
    ]


@pytest.mark.parametrize(
    ("source", "ignore", "ignored"),
    [
        ("docs/x", "docs", True),
        ("./docs", "docs", True),
        ("/docs", "docs", True),
        ("../docs", "docs", True),
        ("*.log", "*.log", True),
        (".", "*", True),
        ("/", "**/*", True),
        (".", ".*", False),
        ("docs", "docs\n!docs/x", False),
        ("$DOCS", "*", False),
        ("https://example.org/docs", "*", False),
        ("src", "docs", False),
    ],
)
def test_ignored_sources(source: str, ignore: str, ignored: bool) -> None:
    text = f"FROM a\nARG DOCS\nADD {source} /"
    assert rules(text, ignore=ignore) == ([(3, "CopyIgnoredFile")] if ignored else [])


def test_the_ignore_file_is_about_the_context_alone() -> None:
    assert rules("FROM a AS x\nFROM b\nCOPY --from=x docs /", ignore="docs") == []


@pytest.mark.parametrize(
    ("check", "found"),
    [
        ("", ["FromAsCasing", "MaintainerDeprecated"]),
        ("# check=skip=FromAsCasing\n", ["MaintainerDeprecated"]),
        ("# check=skip=FromAsCasing,MaintainerDeprecated\n", []),
        ("# CHECK = skip=all;error=true\n", []),
        ("# check=error=true;skip=MaintainerDeprecated // why\n", ["FromAsCasing"]),
        ("# a comment\n# check=skip=all\n\n", ["FromAsCasing", "MaintainerDeprecated"]),
    ],
)
def test_a_directive_skips_rules(check: str, found: list[str]) -> None:
    assert [rule for _, rule in rules(f"{check}FROM a as b\nMAINTAINER c")] == found


def test_a_comment_above_an_instruction_skips_rules_for_it_alone() -> None:
    text = (
        "FROM a\n# check=skip=SecretsUsedInArgOrEnv\nARG TOKEN\nARG TOKEN\n"
        "# check=nonsense\nARG TOKEN"
    )
    assert rules(text) == [(4, "SecretsUsedInArgOrEnv"), (6, "SecretsUsedInArgOrEnv")]


@pytest.mark.parametrize("text", ["skip", "skp=all", "error=maybe", "skip=all;"])
def test_a_directive_that_is_none_is_an_error(text: str) -> None:
    with pytest.raises(DockerfileError, match=r"^Dockerfile:1: directive: check knows no option"):
        parse_dockerfile(f"# check={text}\nFROM a")


def test_warnings_can_be_errors() -> None:
    dockerfile = parse_dockerfile("# check=error=true\nFROM a as b")
    with pytest.raises(DockerfileError) as caught:
        refuse_warnings(dockerfile, check_dockerfile(dockerfile))
    assert str(caught.value) == (
        "Dockerfile:2: FromAsCasing: 'FROM' and 'as' differ in their letters' case"
        " (an error, because the file says check=error=true); write AS"
    )
    assert caught.value.excerpt == "  2 | FROM a as b\n    |        ^^"


@pytest.mark.parametrize("check", ["", "# check=error=false\n", "# check=error=true;skip=all\n"])
def test_otherwise_they_are_not(check: str) -> None:
    dockerfile = parse_dockerfile(f"{check}FROM a as b")
    refuse_warnings(dockerfile, check_dockerfile(dockerfile))


def test_a_warning_shows_its_line() -> None:
    (warning,) = check_dockerfile(parse_dockerfile("FROM a\nCOPY x-$TARGETARCH /"))
    assert warning.excerpt == "  2 | COPY x-$TARGETARCH /\n    |         ^^^^^^^^^^"


pieces = (
    "FROM from ARG ENV COPY ADD LABEL RUN CMD USER EXPOSE VOLUME ONBUILD WORKDIR MAINTAINER AS as"
    ' a b=c $A ${A:-b} ${B 80/TCP 1:2 --platform=$P ["a"] <<E \\ # check=skip=all'
).split()


def test_the_reference_lists_these_rules() -> None:
    page = (Path(__file__).parents[2] / "docs/reference/dockerfile.md").read_text()
    named = [message.split(": ")[1] for _, message in MESSAGES]
    assert sorted({*named, "CopyIgnoredFile"}) == re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)


@given(
    st.lists(st.sampled_from([*pieces, " ", "\n", "\n", "\\\n", "\nE\n"])).map(
        lambda parts: "FROM a AS b\n" + " ".join(parts)
    )
)
def test_whatever_parses_can_be_checked(text: str) -> None:
    try:
        dockerfile = parse_dockerfile(text)
    except DockerfileError:
        return
    for warning in check_dockerfile(dockerfile, ignore=Ignore.parse("*")):
        assert 1 <= warning.place.line <= text.count("\n") + 1
        assert "\n" not in str(warning)
