"""``manyfest tag``."""

from __future__ import annotations

import click

from manyfest.cli.session import Session, with_registries


@click.command()
@click.argument("reference")
@click.argument("tags", nargs=-1, required=True)
@click.option("--dry-run", is_flag=True, help="Print which tags would change; change nothing.")
@with_registries
def command(session: Session, reference: str, tags: tuple[str, ...], *, dry_run: bool) -> None:
    """Give the image at REFERENCE more TAGS, in the same repository or layout.

    Nothing but its manifest is sent. Prints the digest.
    """
    from manyfest.copy import meaning, point
    from manyfest.graph import read_manifest
    from manyfest.oci.reference import Reference, check_tag

    where = Reference.parse(reference)
    wanted = dict.fromkeys(map(check_tag, tags))
    with session.stores() as stores, stores.kept(where) as store:
        manifest = read_manifest(store, store.resolve(where.target))
        for tag in wanted:
            held = meaning(store, tag)
            if held == manifest.descriptor.digest:
                session.say(f"{tag}: already there")
            elif dry_run:
                session.out(f"{tag}: would be set" + (f", and now is {held}" if held else ""))
            else:
                point(store, tag, manifest)
                session.say(f"{tag}: set" + (f"; it was {held}" if held else ""))
    session.out(str(manifest.descriptor.digest))
