from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyfest.build.dockerfile.lex import Directives, Statement, lex
from manyfest.errors import DockerfileError


def statements(text: str) -> list[Statement]:
    return lex(text)[1]


def originals(text: str) -> list[str]:
    return [statement.original for statement in statements(text)]


@pytest.mark.parametrize(
    ("text", "directives"),
    [
        ("FROM a", Directives()),
        ("# syntax=docker/dockerfile:1\nFROM a", Directives(syntax="docker/dockerfile:1")),
        ("#  EsCaPe = ` \n# check=skip=all\nFROM a", Directives(escape="`", check="skip=all")),
        ("\ufeff# escape=`\nFROM a", Directives(escape="`")),
        ("# a comment\n# escape=`\nFROM a", Directives()),
        ("\n# escape=`\nFROM a", Directives()),
        ("# unknown=1\n# escape=`\nFROM a", Directives()),
        ("# escape=`\r\nFROM a\r\n", Directives(escape="`")),
    ],
)
def test_directives_stand_at_the_very_top(text: str, directives: Directives) -> None:
    assert lex(text)[0] == directives


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "# escape=`\n# escape=`\nFROM a",
            "Dockerfile:2: directive: escape is given twice; keep one of them",
        ),
        (
            "# escape=/\nFROM a",
            "Dockerfile:1: directive: escape cannot be '/'; use a backslash or a backtick",
        ),
    ],
)
def test_wrong_directives_are_errors(text: str, message: str) -> None:
    with pytest.raises(DockerfileError) as caught:
        lex(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "original"),
    [
        ("RUN echo hello\\\n  world", "RUN echo hello  world"),
        ("RUN echo hello \\ \t\n world", "RUN echo hello  world"),
        ("RUN a \\\n# comment\n  # another\n\n \t\nb", "RUN a b"),
        ("RUN good\\\nbye\\\nfrog", "RUN goodbyefrog"),
        ("RUN something \\", "RUN something"),
        ("ENV A two\\\\", "ENV A two\\\\"),
        ("# escape=`\nENV A `\n\\go", "ENV A \\go"),
        ("\\\nRUN a", "RUN a"),
        ("   RUN a   ", "RUN a"),
        ("RUN a \\\r\n b\r\n", "RUN a  b"),
        ("RUN a # not a comment", "RUN a # not a comment"),
    ],
)
def test_continued_lines_join(text: str, original: str) -> None:
    assert originals(text) == [original]


def test_statements_know_their_lines() -> None:
    text = "# c\nFROM a\n\nRUN b \\\n\n  c\nCOPY <<E /d\nx\nE\nUSER u\n"
    places = [(s.keyword, s.place.line, s.place.end_line) for s in statements(text)]
    assert places == [("FROM", 2, 2), ("RUN", 4, 6), ("COPY", 7, 9), ("USER", 10, 10)]


@pytest.mark.parametrize(
    ("line", "flags", "args"),
    [
        ("COPY --chown=1:2 --link a b", ("--chown=1:2", "--link"), "a b"),
        ("COPY --chown='a b' -- --odd b", ("--chown=a b",), "--odd b"),
        ('COPY --chown="$U" a b', ("--chown=$U",), "a b"),
        ("COPY --chown=a\\ b c d", ("--chown=a b",), "c d"),
        ("COPY -x b", (), "-x b"),
        ("COPY --link", ("--link",), ""),
        ("HEALTHCHECK --interval=5s\tCMD a", ("--interval=5s",), "CMD a"),
    ],
)
def test_flags_come_before_the_arguments(line: str, flags: tuple[str, ...], args: str) -> None:
    statement = statements(line)[0]
    assert (statement.flags, statement.args) == (flags, args)


@pytest.mark.parametrize(
    ("args", "json"),
    [
        ("[]", ()),
        ('["a b", "♥", "\\" \\\\ \\/ \\n \\u0000"]', ("a b", "♥", '" \\ / \n \x00')),
        ('\t[ "a",\t"b" ]  ', ("a", "b")),
        ('["\\ud83d\\ude00 \\ud83d"]', ("\U0001f600 \ufffd",)),
        ("['single']", None),
        ('["open"', None),
        ('["a"] && b', None),
        ("[NaN]", None),
        ("echo", None),
    ],
)
def test_exec_form_is_json_and_anything_else_is_shell_form(
    args: str, json: tuple[str, ...] | None
) -> None:
    assert statements(f"CMD {args}")[0].json == json


@pytest.mark.parametrize("args", ['["a", ["b"]]', "[1]", "[null]", "[" * 5000 + "]" * 5000])
def test_a_list_of_anything_but_strings_is_an_error(args: str) -> None:
    with pytest.raises(DockerfileError, match=r"^Dockerfile:1: CMD: the JSON list holds"):
        lex(f"CMD {args}")


Doc = tuple[str, str, bool]


@pytest.mark.parametrize(
    ("text", "heredocs"),
    [
        ("RUN <<EOF\nEOF", [("EOF", "", True)]),
        ("RUN 3<<EOF\nEOF", [("EOF", "", True)]),
        ("RUN <<E\n\tfoo\n# x\nE", [("E", "\tfoo\n# x\n", True)]),
        ("RUN <<-E\n\tfoo\n\t\tbar\n\tE", [("E", "foo\nbar\n", True)]),
        ("COPY <<'E' /d\n$a\nE", [("E", "$a\n", False)]),
        ("COPY <<A <<B /d\n1\nA\n2\nB", [("A", "1\n", True), ("B", "2\n", True)]),
        ("COPY <<X <<Y /d\nY\nX\nX\nY", [("X", "Y\n", True), ("Y", "X\n", True)]),
        ("RUN <<eo'f'\nx\neof", [("eof", "x\n", False)]),
        ("RUN <<eo\\'f\nx\neo'f", [("eo'f", "x\n", True)]),
        ("RUN <<'one two'\nx\none two", [("one two", "x\n", False)]),
        ("RUN <<$EOF\n$EOF", [("$EOF", "", True)]),
        ("RUN <<  EOF > f\nEOF", [("EOF", "", True)]),
        ("RUN <<E python3\r\nx\r\nE\r\n", [("E", "x\r\n", True)]),
        ("ONBUILD COPY <<E /d\nx\nE", [("E", "x\n", True)]),
        ("RUN --mount=type=cache,target=/c <<E\nx\nE", [("E", "x\n", True)]),
        ('RUN "<<E"', []),
        ("RUN cat <<<E", []),
        ('RUN ["<<E"]', []),
        ("USER <<E", []),
        ("RUN echo it's <<E", []),
    ],
)
def test_heredocs(text: str, heredocs: list[Doc]) -> None:
    found = statements(text)[0].heredocs
    assert [(doc.name, doc.text, doc.expand) for doc in found] == heredocs


def test_a_heredoc_must_end() -> None:
    with pytest.raises(DockerfileError) as caught:
        lex("FROM a\nRUN <<EOF\n EOF\n", "docker/Dockerfile")
    assert str(caught.value) == (
        "docker/Dockerfile:2: heredoc: <<'EOF' is never closed; "
        "end it with a line that holds only this word"
    )


pieces = [
    "\n",
    "\\\n",
    " ",
    "\t",
    "\r",
    "\x00",
    "# escape=`\n",
    "RUN ",
    "COPY ",
    "ONBUILD ",
    "\nE\n",
]
marks = '\\ # <<E <<- \' " [ ] ["a"] --x é ` $'.split()


@given(st.lists(st.sampled_from([*pieces, *marks])).map("".join) | st.text())
def test_any_text_is_lexed_or_refused_with_its_line(text: str) -> None:
    try:
        places = [str(statement.place) for statement in statements(text)]
    except DockerfileError as error:
        places = [error.where]
    for place in places:
        file, _, line = place.partition(":")
        assert file == "Dockerfile"
        assert 1 <= int(line) <= text.count("\n") + 1
