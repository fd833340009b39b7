"""``manyfest logout``."""

from __future__ import annotations

import os
from pathlib import Path

import click

from manyfest.cli.session import Session, with_session


@click.command()
@click.argument("registry", default="docker.io")
@with_session
def command(session: Session, registry: str) -> None:
    """Remove the credentials for REGISTRY from where docker and podman look for them."""
    from manyfest.oci.reference import check_registry
    from manyfest.stores.registry.auth.credentials import default_credential_store

    host = check_registry(registry)
    known = default_credential_store(os.environ, Path.home()).logout(host)
    session.say(f"logged out of {host}" if known else f"there were no credentials for {host}")
