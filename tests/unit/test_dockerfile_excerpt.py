"""The lines of a Dockerfile that an error shows, with a caret under the word that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyfest.build.dockerfile.evaluate import Evaluated, evaluate
from manyfest.build.dockerfile.excerpt import MOST_LINES, WIDEST, excerpt
from manyfest.build.dockerfile.parse import parse_dockerfile
from manyfest.build.dockerfile.plan import plan_build
from manyfest.errors import DockerfileError
from manyfest.oci.platform import Platform
from tests.unit.cli import runner

AMD64 = Platform(os="linux", architecture="amd64")


def expanded(text: str) -> Evaluated:
    plan = plan_build(parse_dockerfile(text), platform=AMD64, build_platform=AMD64)
    return evaluate(plan, plan.target, {})


def fault_in(text: str) -> DockerfileError:
    with pytest.raises(DockerfileError) as caught:
        expanded(text)
    return caught.value


def drawn(*lines: str) -> str:
    return "\n".join(f"  {line}" for line in lines)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "FROM a\nCOPY --chwn=1:2 a b",
            drawn("2 | COPY --chwn=1:2 a b", "  |      ^^^^^^"),
        ),
        ("FRM a", drawn("1 | FRM a", "  | ^^^")),
        ("FROM a AS 1x", drawn("1 | FROM a AS 1x", "  |           ^^")),
        ("# escape=/\nFROM a", drawn("1 | # escape=/", "  |          ^")),
        ("# check=skp=all\nFROM a", drawn("1 | # check=skp=all", "  |         ^^^^^^^")),
        ("FROM a\nENV A=1 B C=2", drawn("2 | ENV A=1 B C=2", "  |         ^")),
        ("FROM a\nENV A=${B!c}", drawn("2 | ENV A=${B!c}", "  |       ^^^^^^")),
        ("FROM a\nENV A=b$V${B#\\x}", drawn("2 | ENV A=b$V${B#\\x}", "  |       ^^^^^^^^^^")),
        (
            "FROM a\nHEALTHCHECK --interval=5x CMD b",
            drawn("2 | HEALTHCHECK --interval=5x CMD b", "  |                        ^^"),
        ),
        ("FROM a\nONBUILD FROM b", drawn("2 | ONBUILD FROM b", "  |         ^^^^")),
        ("FROM a\nRUN <<EOF\nb", drawn("2 | RUN <<EOF", "  |       ^^^")),
        ("FROM a\nCOPY --from=7 b c", drawn("2 | COPY --from=7 b c", "  |             ^")),
        ("FROM $X", drawn("1 | FROM $X", "  |      ^^")),
        ("FROM --platform=x a", drawn("1 | FROM --platform=x a", "  |                 ^")),
    ],
)
def test_the_caret_is_under_the_word_that_is_wrong(text: str, shown: str) -> None:
    assert fault_in(text).excerpt == shown


def test_a_value_is_shown_by_the_variable_that_it_comes_from() -> None:
    fault = fault_in("FROM a\nARG PORT=http\nEXPOSE 80 $PORT/tcp")
    assert fault.word == "$PORT/tcp"
    assert fault.excerpt == drawn("3 | EXPOSE 80 $PORT/tcp", "  |           ^^^^^^^^^")


def test_an_instruction_that_is_wrong_as_a_whole_has_the_caret_under_its_keyword() -> None:
    assert fault_in("FROM a\n  COPY a").excerpt == drawn("2 |   COPY a", "  |   ^^^^")


def test_the_word_may_stand_on_a_continued_line() -> None:
    text = "FROM a\nCOPY --link \\\n  # --chwn is wrong\n\t--chwn=1 a \\\n  b\nUSER c"
    assert fault_in(text).excerpt == drawn(
        "2 | COPY --link \\",
        "3 |   # --chwn is wrong",
        "4 |     --chwn=1 a \\",
        "  |     ^^^^^^",
        "5 |   b",
    )


def test_heredocs_are_not_shown() -> None:
    text = "FROM a\nCOPY --chown=${x:?no} <<E /b\nline\nE\n"
    assert fault_in(text).excerpt == drawn(
        "2 | COPY --chown=${x:?no} <<E /b", "  |              ^^^^^^^^"
    )


def test_of_many_lines_those_around_the_word_are_left() -> None:
    lines = ["RUN a \\", *[f"  {n} \\" for n in range(20)], "  wrong"]
    shown = excerpt(lines, 90, "12").splitlines()
    assert len(shown) == MOST_LINES + 1
    assert shown[1:4] == ["  102 |   11 \\", "  103 |   12 \\", "      |   ^^"]


def test_of_a_long_line_the_part_around_the_word_is_left() -> None:
    line = f"RUN {'a' * 500} wrong {'b' * 500}"
    text, carets = excerpt([line], 1, "wrong").splitlines()
    assert text.startswith("  1 | …aaa")
    assert text.endswith("bbb…")
    assert len(text) == len("  1 | ") + WIDEST + 2
    assert text[carets.index("^") : carets.rindex("^") + 1] == "wrong"


def test_tabs_are_blanks_and_wide_characters_count_twice() -> None:
    assert excerpt(["ENV\t日本=1 e\u0301 x y=2"], 3, "x") == drawn(
        "3 | ENV 日本=1 e\u0301 x y=2", "  |              ^"
    )
    assert excerpt(["ENV a=1 日本 b=2"], 3, "日本") == drawn(
        "3 | ENV a=1 日本 b=2", "  |         ^^^^"
    )


def test_control_characters_are_shown_and_not_obeyed() -> None:
    assert excerpt(["USER \x1b[31m ${x"], 1, "${x") == drawn(
        r"1 | USER \x1b[31m ${x", "  |               ^^^"
    )


def test_a_word_is_not_found_in_the_middle_of_another() -> None:
    assert excerpt(["ENV bat=1 a"], 1, "a") == drawn("1 | ENV bat=1 a", "  |           ^")
    assert excerpt(["FROM debian"], 1, "an") == drawn("1 | FROM debian", "  | ^^^^")


def test_no_lines_give_nothing() -> None:
    assert excerpt([], 1, "a") == ""


@given(st.lists(st.text(), max_size=9), st.text(max_size=5))
def test_any_lines_are_drawn_with_one_caret(lines: list[str], word: str) -> None:
    shown = excerpt([line.replace("\n", "") for line in lines], 1, word)
    carets = [line for line in shown.split("\n") if line.lstrip().startswith("|")]
    assert len(carets) == bool(lines)
    assert all(set(line) <= set(" |^") and "^" in line for line in carets)
    assert all(char.isprintable() or char == "\n" for char in shown)


def test_the_command_line_shows_the_excerpt_below_the_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "Dockerfile"
    file.write_text("FROM scratch\nCOPY --chwn=1 a b\n")
    ran = runner(capsys)("build", tmp_path, "-o", f"oci:{tmp_path / 'out'}:1")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == (
        f"manyfest: {file}:2: COPY: unknown flag '--chwn'; did you mean --chown?\n"
        "  2 | COPY --chwn=1 a b\n"
        "    |      ^^^^^^\n"
    )
