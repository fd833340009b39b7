"""``manyfest completion``: the script that makes a shell complete verbs and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", metavar="SHELL", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script for SHELL: bash, zsh or fish.

    \b
    bash  manyfest completion bash > ~/.local/share/bash-completion/completions/manyfest
    zsh   manyfest completion zsh > a file called _manyfest in a folder of $fpath
    fish  manyfest completion fish > ~/.config/fish/completions/manyfest.fish
    """
    from manyfest.cli.main import cli

    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"no completion for {shell}")
    click.echo(kind(cli, {}, "manyfest", "_MANYFEST_COMPLETE").source())
