from __future__ import annotations

import subprocess

import pytest
from click.shell_completion import ShellComplete

from manyfest.cli.main import cli
from tests import real
from tests.unit.cli import runner


def completions(words: list[str], incomplete: str) -> list[str]:
    complete = ShellComplete(cli, {}, "manyfest", "_MANYFEST_COMPLETE")
    return [str(item.value) for item in complete.get_completions(words, incomplete)]


@pytest.mark.parametrize(
    ("shell", "registers"),
    [
        ("bash", "complete -o nosort -F _manyfest_completion manyfest"),
        ("zsh", "#compdef manyfest"),
        ("fish", "complete --no-files --command manyfest"),
    ],
)
def test_the_script_of_each_shell(
    capsys: pytest.CaptureFixture[str], shell: str, registers: str
) -> None:
    printed = runner(capsys)("completion", shell)
    assert (printed.code, printed.err) == (0, "")
    assert registers in printed.out
    assert f"_MANYFEST_COMPLETE={shell}_complete" in printed.out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_itself_can_read_its_script(
    capsys: pytest.CaptureFixture[str], shell: str
) -> None:
    real.need_programs(shell)
    script = runner(capsys)("completion", shell).out
    checked = subprocess.run(
        [shell, "-n"], input=script, capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize(
    ("words", "incomplete", "found"),
    [
        ([], "in", ["init", "inspect", "index"]),
        ([], "rel", ["release"]),
        (["release"], "--dry", ["--dry-run"]),
        (["check", "image"], "--pl", ["--platform", "--plain-http"]),
        (["completion"], "", ["bash", "zsh", "fish"]),
        (["index"], "a", ["add", "annotate"]),
        (["index", "add"], "--re", ["--replace"]),
        ([], "xyzzy", []),
    ],
)
def test_verbs_options_and_choices_are_completed(
    words: list[str], incomplete: str, found: list[str]
) -> None:
    assert completions(words, incomplete) == found
