"""``manyfest ls``."""

from __future__ import annotations

import click

from manyfest.cli.session import Session, with_registries
from manyfest.cli.text import one_line


@click.command()
@click.argument("reference")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_registries
def command(session: Session, reference: str, *, as_json: bool) -> None:
    """List the tags of a repository, a layout or an archive, one a line, versions in order."""
    from manyfest.errors import StoreError
    from manyfest.oci.reference import Reference
    from manyfest.release.version import version_order
    from manyfest.stores.base import Lists

    where = Reference.parse(reference)
    with session.stores() as stores, stores.source(where) as source:
        if not isinstance(source, Lists):
            raise StoreError("cannot list its tags", where=source.label)
        tags = sorted(source.tags(), key=version_order)
    if as_json:
        session.out_json({"reference": where.location, "tags": tags})
    else:
        for tag in tags:
            session.out(one_line(tag))
