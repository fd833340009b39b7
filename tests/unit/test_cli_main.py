from __future__ import annotations

import errno
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from manyfest import errors
from manyfest.cli import ls
from manyfest.cli.commands import COMMANDS
from manyfest.cli.main import main
from tests.unit.cli import Manyfest, make_layout, runner


@pytest.fixture
def manyfest(capsys: pytest.CaptureFixture[str]) -> Manyfest:
    return runner(capsys)


@pytest.fixture
def raising(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Makes ``manyfest ls`` raise."""

    def prepare(error: BaseException) -> None:
        def fail(**_: object) -> None:
            raise error

        monkeypatch.setattr(ls.command, "callback", fail)

    return prepare


def test_the_version(manyfest: Manyfest) -> None:
    assert manyfest("--version") == (0, "manyfest 0.1.0\n", "")


def test_help_lists_every_verb_in_its_group(manyfest: Manyfest) -> None:
    shown = manyfest("--help")
    assert (shown.code, shown.err) == (0, "")
    for group in ("Releases:", "Images:", "Readiness:", "Registry:", "Shell:"):
        assert f"\n{group}\n" in shown.out
    for verb in COMMANDS:
        assert f"\n  {verb} " in shown.out


def test_without_a_verb_the_help_is_a_message(manyfest: Manyfest) -> None:
    shown = manyfest()
    assert (shown.code, shown.out) == (2, "")
    assert shown.err == manyfest("--help").out


@pytest.mark.parametrize("verb", COMMANDS)
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_every_verb_has_help(manyfest: Manyfest, verb: str, option: str) -> None:
    shown = manyfest(verb, option)
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.startswith(f"Usage: manyfest {verb} ")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["relase"], "no such verb: 'relase'; did you mean 'release'?"),
        (["insepct", "x"], "no such verb: 'insepct'; did you mean 'inspect'?"),
        (["--hepl"], "no such option: --hepl; did you mean --help?"),
        (["copy", "--dry-rum", "a", "b"], "no such option: --dry-rum; did you mean --dry-run?"),
        (["ls", "--xyzzy", "a"], "no such option: --xyzzy; see: manyfest ls --help"),
        (["ls"], "missing argument 'PLACE'; see: manyfest ls --help"),
        (["copy", "a"], "missing argument 'TARGET'; see: manyfest copy --help"),
        (["ls", "a", "b"], "got unexpected extra argument (b); see: manyfest ls --help"),
        (["build", "a", "b"], "got unexpected extra argument (b); see: manyfest build --help"),
        (
            ["completion", "tcsh"],
            "invalid value for 'SHELL': 'tcsh' is not one of 'bash', 'zsh', 'fish';"
            " see: manyfest completion --help",
        ),
    ],
)
def test_wrong_usage_is_one_line_and_exit_2(
    manyfest: Manyfest, arguments: list[str], line: str
) -> None:
    assert manyfest(*arguments) == (2, "", f"manyfest: {line}\n")


def test_a_verb_that_is_like_none_is_told_all(manyfest: Manyfest) -> None:
    shown = manyfest("xyzzy")
    assert shown.code == 2
    assert shown.err == (
        "manyfest: no such verb: 'xyzzy'; there are init, version, build, release, stage,"
        " publish, rollback, status, inspect, copy, save, load, index, tag, ls, rm, check, wait,"
        " watch, serve, login, logout, completion;"
        " see: manyfest --help\n"
    )


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.ManyfestError, 1),
        (errors.StoreError, 1),
        (errors.CheckFailed, 1),
        (errors.ReleaseError, 1),
        (errors.UsageError, 2),
        (errors.InvalidReference, 2),
        (errors.ConfigError, 2),
        (errors.DockerfileError, 2),
        (errors.AnswerIsNo, 3),
    ],
)
def test_an_error_is_one_line_and_its_exit_code(
    manyfest: Manyfest,
    raising: Callable[[BaseException], None],
    error: type[errors.ManyfestError],
    code: int,
) -> None:
    raising(error("what and why", where="where", mend="how to mend it"))
    assert manyfest("ls", "x") == (code, "", "manyfest: where: what and why; how to mend it\n")


@pytest.mark.parametrize("error", [OSError("no number"), KeyboardInterrupt()])
def test_what_was_noted_of_an_error_is_in_its_line(
    manyfest: Manyfest, raising: Callable[[BaseException], None], error: BaseException
) -> None:
    error.add_note("put back: latest")
    raising(error)
    assert "; put back: latest" in manyfest("ls", "x")[2].splitlines()[-1]


@pytest.mark.parametrize(
    ("error", "code", "err"),
    [
        (
            KeyboardInterrupt(),
            130,
            "\nmanyfest: interrupted; run the same command again to go on\n",
        ),
        (click.Abort(), 130, "manyfest: interrupted; run the same command again to go on\n"),
        (
            OSError(errno.ENOSPC, "No space left on device", "image.tar"),
            1,
            "manyfest: image.tar: No space left on device\n",
        ),
        (OSError(errno.EMFILE, "Too many open files"), 1, "manyfest: Too many open files\n"),
        (OSError("no number"), 1, "manyfest: no number\n"),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), 0, ""),
        (
            "\udcff".encode,
            1,
            "manyfest: this cannot be written as utf-8: '\\udcff'\n",
        ),
    ],
)
def test_what_is_not_our_error_is_one_line_too(
    manyfest: Manyfest,
    raising: Callable[[BaseException], None],
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException | Callable[[], bytes],
    code: int,
    err: str,
) -> None:
    if not isinstance(error, BaseException):
        with pytest.raises(UnicodeEncodeError) as raised:
            error()
        error = raised.value
    raising(error)
    monkeypatch.setattr("sys.stdout", __import__("sys").stdout)  # click replaces it
    monkeypatch.setattr("sys.stderr", __import__("sys").stderr)
    assert manyfest("ls", "x") == (code, "", err)


def test_control_characters_in_an_error_are_shown(
    manyfest: Manyfest, raising: Callable[[BaseException], None]
) -> None:
    raising(errors.StoreError("it says \x1b[2J\x07", where="host\nmanyfest: all is well"))
    assert manyfest("ls", "x").err == (
        "manyfest: host manyfest: all is well: it says \\x1b[2J\\x07\n"
    )


def test_a_faults_context_does_not_show(manyfest: Manyfest, tmp_path: Path) -> None:
    shown = manyfest("ls", f"oci:{tmp_path}/none")
    assert shown == (1, "", f"manyfest: oci:{tmp_path}/none: there is no OCI layout here\n")


def test_quiet_and_verbose_are_every_verbs(manyfest: Manyfest, tmp_path: Path) -> None:
    make_layout(tmp_path / "layout", "v1")
    for option in ("-q", "--quiet", "-v", "--verbose"):
        assert manyfest("ls", option, f"oci:{tmp_path}/layout") == (0, "v1\n", "")


def test_how_programs_end_is_seen_whatever_the_caller_ignores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("os._exit", sys.exit)
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        with pytest.raises(SystemExit):
            main(["--version"])
        assert signal.getsignal(signal.SIGCHLD) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGCHLD, before)
