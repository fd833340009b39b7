"""The command line's reference page, from the command line itself.

``python -m manyfest.cli.reference > docs/reference/command-line.md`` writes it; a test compares.
"""

from __future__ import annotations

import click

from manyfest.cli.commands import COMMANDS
from manyfest.cli.main import cli

_HEAD = """\
# The command line

stdout carries data, stderr carries progress and messages. Exit codes: **0** done, or yes;
**1** failed; **2** wrong usage or configuration; **3** the answer is no; **130** interrupted.
`serve` and `watch` run until they are interrupted, and exit with 0 then.

This page is made by `python -m manyfest.cli.reference`.
"""


def page() -> str:
    """The page, in Markdown: each verb with its help."""
    context = click.Context(cli, info_name="manyfest", **cli.context_settings)
    return "\n".join([_HEAD, *(_section(context, cli, name, "##") for name in COMMANDS)])


def _section(context: click.Context, group: click.Group, name: str, mark: str) -> str:
    """A command with its help, and below it, if it is a group, the commands in it."""
    command = group.get_command(context, name)
    if command is None:
        raise LookupError(name)
    inner = click.Context(command, info_name=name, parent=context, terminal_width=90)
    title = inner.command_path.partition(" ")[2]
    parts = [f"{mark} {title}\n\n```\n{command.get_help(inner)}\n```\n"]
    if isinstance(command, click.Group):
        names = command.list_commands(inner)
        parts += (_section(inner, command, each, f"{mark}#") for each in names)
    return "\n".join(parts)


if __name__ == "__main__":
    click.echo(page(), nl=False)
