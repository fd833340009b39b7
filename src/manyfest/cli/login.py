"""``manyfest login``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from manyfest.cli.session import Session, with_registries


@click.command()
@click.argument("registry", default="docker.io")
@click.option("-u", "--username", help="Asked for if left out.")
@click.option("--password-stdin", is_flag=True, help="Read the password or token from stdin.")
@with_registries
def command(session: Session, registry: str, username: str | None, *, password_stdin: bool) -> None:
    """Store credentials for REGISTRY where docker and podman look for them, once they are tried.

    A password is never taken from the command line, where other users could see it.
    """
    from manyfest.errors import UsageError
    from manyfest.oci.reference import check_registry
    from manyfest.stores.registry.auth.credentials import default_credential_store
    from manyfest.stores.registry.auth.login import try_login
    from manyfest.stores.registry.auth.secret import Secret

    host = check_registry(registry)
    if password_stdin:
        if not username:
            raise UsageError("--password-stdin needs --username")
        password = sys.stdin.read().rstrip("\r\n")
    else:
        if not sys.stdin.isatty():
            raise UsageError(
                "nobody can be asked for the password: standard input is no terminal",
                where=host,
                mend="give --username, and send the password in with --password-stdin",
            )
        username = username or click.prompt("Username", err=True)
        password = click.prompt("Password", hide_input=True, err=True)
    if not password:
        raise UsageError("the password is empty")
    secret = Secret(password)
    try_login(host, username, secret, plain_http=session.plain_http, ca_file=session.ca_file)
    where = default_credential_store(os.environ, Path.home()).login(host, username, secret)
    session.say(f"logged in to {host}; the credentials are kept in {where}")
