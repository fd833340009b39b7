from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyfest.build.dockerfile.expand import expand_content, expand_word, expand_words
from manyfest.errors import DockerfileError

ENV = {"PWD": "/home", "SHELL": "bash", "KOREAN": "한국어", "NULL": ""}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        # quotes and escapes
        ("hello", "hello"),
        ("he'll'o", "hello"),
        (r"he\'llo", "he'llo"),
        (r"abc\tdef", "abctdef"),
        (r'"abc\tdef"', r"abc\tdef"),
        (r'"abc\\tdef"', r"abc\tdef"),
        (r"'abc\tdef'", r"abc\tdef"),
        ("hello\\", "hello"),
        (r"hello\\", "hello\\"),
        (r"'hello\'there'", None),
        (r"'hello\\there'", r"hello\\there"),
        ("\"''\"", "''"),
        ('"hel\'lo"', "hel'lo"),
        ("\"he'$PWD'\"", "he'/home'"),
        ("안'녕'하세요", "안녕하세요"),
        # plain variables
        ("$.", "$."),
        ("he$1x", "hex"),
        ("he$pwd.", "he."),
        ("he$PWD", "he/home"),
        (r"he\$PWD", "he$PWD"),
        (r'"he\$PWD"', "he$PWD"),
        (r"'he\$PWD'", r"he\$PWD"),
        (r"he\\$PWD", r"he\/home"),
        (r"\${}aaa", "${}aaa"),
        ("he${PWD}xx", "he/homexx"),
        ("안녕$KOREAN", "안녕한국어"),
        ("$001aaa", "aaa"),
        ("$@@@", "@@"),
        ("${aaa}}", "}"),
        # defaults and alternatives
        ("he${XXX:-000}xx", "he000xx"),
        ("he${PWD:-000}xx", "he/homexx"),
        ("he${XXX:-${YYY:-yyy}}xx", "heyyyxx"),
        (r"he${XXX:-\$PWD:}xx", "he$PWD:xx"),
        (r"he${XXX:-\${PWD}z}xx", "he${PWDz}xx"),
        ("${NULL-w}.${NULL:-w}.${XXX-w}", ".w.w"),
        ("${NULL+w}.${NULL:+w}.${XXX+w}", "w.."),
        ("he${PWD:+${PWD}:}xx", "he/home:xx"),
        ("he${NULL?}he${PWD:?}", "hehe/home"),
        ("${aaa:-bbb {foo}", "bbb {foo"),
        ("${@:-bbb}aaa", "bbbaaa"),
        ("${-:-bbb}", "bbb"),
    ],
)
def test_words_of_buildkits_own_table(text: str, value: str | None) -> None:
    if value is None:
        with pytest.raises(DockerfileError):
            expand_word(text, ENV)
    else:
        assert expand_word(text, ENV) == value


@pytest.mark.parametrize(
    ("text", "env", "value"),
    [
        (r"${FOO#()[]{\}^$.\*\?|\\}", {"FOO": r"()[]{}^$.*?|\x"}, "x"),
        (r"${FOO%%\**}", {"FOO": "xx**"}, "xx"),
        ("${FOO#*x*y}", {"FOO": "xxyy"}, "y"),
        ("${FOO##*x*y}", {"FOO": "xxyy"}, ""),
        ("${FOO#*}", {"FOO": "xxyy"}, "xxyy"),
        ("${FOO##*x}", {"FOO": "xxyy"}, "yy"),
        ("${FOO#$BAR}", {"FOO": "xxyy", "BAR": "x"}, "xyy"),
        (r"${FOO#?\?}", {"FOO": "???y"}, "?y"),
        (r"${FOO%%\**\*}", {"FOO": "a***yy*"}, "a"),
        ("${FOO%.*}", {"FOO": "a.tar.gz"}, "a.tar"),
        ("${FOO%%.*}", {"FOO": "a.tar.gz"}, "a"),
        ("${FOO#*}|${FOO##*}", {"FOO": "one\ntwo"}, "one\ntwo|\ntwo"),
        (
            "${FOO/$N/.} - ${FOO//$N/.}",
            {"FOO": "/foo*/*/*.txt", "N": r"\*/"},
            "/foo.*/*.txt - /foo..*.txt",
        ),
        ("${FOO/$N/} - ${FOO//$N/}", {"FOO": "/t/t/b.txt", "N": "/t"}, "/t/b.txt - /b.txt"),
        ("${FOO//$N/$R}", {"FOO": "/a/foo/b/c.txt", "N": "/?/", "R": "/"}, "/foo/c.txt"),
        (r"${FOO//\//\/}", {"FOO": "/tmp/foo.txt"}, r"\/tmp\/foo.txt"),
        ("${FOO/$BAR/ww}", {"FOO": "xxyy", "BAR": ""}, "wwxxyy"),
        ("${FOO//$BAR/-}", {"FOO": "ab", "BAR": ""}, "-a-b-"),
        ("${FOO//*/w}", {"FOO": "abc"}, "w"),
        ("${FOO///}", {"FOO": "xxyy"}, "xxyy"),
        (r"${TARGETPLATFORM/\//-}", {"TARGETPLATFORM": "linux/arm/v7"}, "linux-arm/v7"),
        (r"${P/arm\/v7/arm-7}", {"P": "linux-arm/v7"}, "linux-arm-7"),
        (
            "s-${V}${TARGETVARIANT:+-${TARGETVARIANT}}.gz",
            {"V": "1", "TARGETVARIANT": "v7"},
            "s-1-v7.gz",
        ),
    ],
)
def test_patterns(text: str, env: dict[str, str], value: str) -> None:
    assert expand_word(text, env) == value


MALFORMED = r"""
he'llo he\\'llo "hello "hello\" ${} he${.} ${XXX:YYY} ${PWD ${:} ${XXX?} ${XXX:?} ${NULL:?}
he${PWD:=000}xx ${{aaa} ${aaa:-bbb ${:-bbb} ${PWD=a} ${PWD:#a} ${PWD:%%a} ${PWD//ww} ${PWD//}
${PWD#\a} ${PWD:
"""


@pytest.mark.parametrize("text", MALFORMED.split())
def test_malformed_words_are_errors(text: str) -> None:
    with pytest.raises(DockerfileError):
        expand_word(text, ENV)


def test_a_required_variable_names_itself_and_the_reason() -> None:
    with pytest.raises(DockerfileError, match=r"^variable FOO is required: foo missing; set it"):
        expand_word('${FOO:?"foo missing"}', {})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("hello${hi}bye", ["hellobye"]),
        ("hello${space}bye", ["helloabc", "defbye"]),
        ('hello"${space}"bye', ["helloabc  defbye"]),
        ("hello${leading}def", ["hello", "ab", "cdef"]),
        ('hello"${leading}"', ["hello  ab c"]),
        ("hello${trailing}d", ["helloab", "c", "d"]),
        ('hello" there  "', ["hello there  "]),
        ("hello there     ", ["hello", "there"]),
        (r"hello\ there", ["hello there"]),
        (r"hello\" there", ['hello"', "there"]),
        ("80${x:-81} ''", ["8081"]),
    ],
)
def test_splitting_happens_after_expansion_and_respects_quotes(text: str, words: list[str]) -> None:
    env = {"space": "abc  def", "leading": "  ab c", "trailing": "ab c   "}
    assert expand_words(text, env) == words


def test_the_escape_character_can_be_a_backtick() -> None:
    assert expand_word(r"C:\dir`$x$x", {"x": "y"}, escape="`") == r"C:\dir$xy"


def test_quotes_in_a_heredocs_content_are_kept() -> None:
    assert (
        expand_content("\"$a\" 'it''s' \\$a ${b:-\"c\"}\n", {"a": "1"})
        == "\"1\" 'it''s' $a \"c\"\n"
    )


def test_nesting_is_bounded() -> None:
    with pytest.raises(DockerfileError, match="nested more than 50 deep"):
        expand_word("${a:-" * 5000 + "}" * 5000, {})


def test_doubling_is_bounded() -> None:
    with pytest.raises(DockerfileError, match="more than 4 MiB"):
        expand_word("$a$a$a$a$a", {"a": "x" * (1 << 20)})


@pytest.mark.parametrize("form", ["${v#%s}", "${v%%%%%s}", "${v//%s/x}"])
def test_patterns_that_make_regular_expressions_explode_do_not(form: str) -> None:
    begin = time.monotonic()
    expand_word(form % ("*a" * 40 + "b"), {"v": "a" * 5000})
    assert time.monotonic() - begin < 5


def test_an_enormous_pattern_is_refused() -> None:
    with pytest.raises(DockerfileError, match="too much work"):
        expand_word("${v#$p}", {"v": "a" * 10_000, "p": "*a" * 10_000})


pieces = "$ ${ } A ${A :- :+ :? # ## % / // * ? \\ ' \" << - + : = é 1".split()


@given(
    st.lists(st.sampled_from([*pieces, " ", "\n"])).map("".join) | st.text(),
    st.dictionaries(st.sampled_from(["A", "B"]), st.text()),
)
def test_any_text_expands_or_is_refused_on_one_line(text: str, env: dict[str, str]) -> None:
    refusals: list[str] = []
    for escape in "\\`":
        try:
            expand_words(text, env, escape=escape)
            expand_content(text, env)
        except DockerfileError as error:
            refusals.append(str(error))
    assert "\n" not in "".join(refusals)
