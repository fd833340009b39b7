"""The command line's entry: finds the verb, and turns errors into one line and an exit code."""

from __future__ import annotations

import importlib
import io
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import NoReturn, cast

import click

from manyfest import __version__
from manyfest.cli.commands import COMMANDS
from manyfest.cli.text import tell
from manyfest.errors import ManyfestError

EXIT_USAGE = 2
EXIT_INTERRUPTED = 130


class _Verbs(click.Group):
    """A group whose commands are imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"manyfest.cli.{COMMANDS[cmd_name].module}")
        return cast(click.Command, module.command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            ctx.fail(_unknown(args[0]))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for group in dict.fromkeys(command.group for command in COMMANDS.values()):
            rows = [
                (name, command.summary)
                for name, command in COMMANDS.items()
                if command.group == group
            ]
            with formatter.section(group):
                formatter.write_dl(rows)


@click.group(
    cls=_Verbs,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    subcommand_metavar="VERB [ARGUMENTS]...",
    epilog="manyfest VERB --help tells more of each.",
)
@click.version_option(__version__, "-V", "--version", message="manyfest %(version)s")
@click.pass_context
def cli(context: click.Context) -> None:
    """Multi-architecture container images, released whole."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), err=True)
        context.exit(EXIT_USAGE)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run one command and exit: 0 done, 1 failed, 2 wrong usage, 3 no, 130 interrupted."""
    _fill_closed_streams()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # what the locale cannot write is shown
    # Whoever started us may ignore it, and then every program that we run seems to succeed.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    code = run(arguments)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # nobody may be there to read it any more
            stream.flush()
    # Python would clean up first, which takes a while, and after an interruption it would wait for
    # threads that wait for a network. All that is opened was closed where it was opened.
    os._exit(code)


def _fill_closed_streams() -> None:
    """Whoever started us may have closed them; a file that we open must not take their place."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = Path(os.devnull).open(mode, encoding="utf-8")  # noqa: SIM115 - for good
            setattr(sys, name, stream)


def run(arguments: list[str] | None = None) -> int:
    """Run one command; the exit code. Errors become one line on stderr, and below it the lines of
    the file that is wrong, if they are about one."""
    try:
        return cast(int | None, cli.main(arguments, "manyfest", standalone_mode=False)) or 0
    except ManyfestError as error:
        return _failed(str(error), error.exit_code, error.excerpt)
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        return _failed(_click_message(error), EXIT_USAGE)
    except (KeyboardInterrupt, click.Abort) as error:  # click raises its own from the first
        told = ("interrupted", *_notes(error), "run the same command again to go on")
        return _failed("; ".join(told), EXIT_INTERRUPTED)
    except SystemExit:
        return 0  # click's answer when our output is no longer read, by head for one: no fault
    except UnicodeEncodeError as error:
        return _failed(f"this cannot be written as {error.encoding}: {error.object!r}", 1)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _failed("; ".join((f"{where}{error.strerror or error}", *_notes(error))), 1)


def _failed(message: str, code: int, excerpt: str = "") -> int:
    tell(f"manyfest: {' '.join(message.split())}")
    for line in excerpt.splitlines():
        tell(line)
    return code


def _notes(error: BaseException) -> tuple[str, ...]:
    """What was added to it: where tags stand, for one."""
    both = (error, error.__cause__)
    return tuple(note for each in both for note in getattr(each, "__notes__", ()))


def _click_message(error: click.ClickException) -> str:
    if isinstance(error, click.NoSuchOption):
        near = error.possibilities or []
        message = f"no such option: {error.option_name}"
        message += f"; did you mean {near[0]}?" if near else ""
    else:
        message = error.format_message().rstrip(".")
        message = message[:1].lower() + message[1:]
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is None or message.endswith("?"):
        return message
    return f"{message}; see: {context.command_path} --help"


def _unknown(name: str) -> str:
    import difflib

    near = difflib.get_close_matches(name, COMMANDS, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(COMMANDS)}"
    return f"no such verb: {name!r}; {hint}"
