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
    from contextlib import suppress

    from manyfest.copy import point
    from manyfest.errors import NotFound, UsageError
    from manyfest.graph import read_manifest
    from manyfest.oci.reference import Reference

    where = Reference.parse(reference)
    for tag in tags:
        _require_tag(tag)
    if where.transport == "oci-archive":
        raise UsageError("an archive is written whole; copy it to add tags", where=str(where))
    with session.stores() as stores, stores.source(where) as source, stores.target(where) as target:
        manifest = read_manifest(source, source.resolve(where.target))
        for tag in tags:
            held = None
            with suppress(NotFound):
                held = target.resolve(tag).digest
            if held == manifest.descriptor.digest:
                session.say(f"{tag}: already there")
            elif dry_run:
                session.out(f"{tag}: would be set" + (f", and now is {held}" if held else ""))
            else:
                point(target, tag, manifest)
                session.say(f"{tag}: set" + (f"; it was {held}" if held else ""))
    session.out(str(manifest.descriptor.digest))


def _require_tag(tag: str) -> None:
    from manyfest.errors import InvalidReference
    from manyfest.oci.reference import is_tag

    if not is_tag(tag):
        raise InvalidReference(
            f"{tag[:140]!r} is not a tag",
            mend="use up to 128 letters, digits, '_', '.' and '-', no '.' or '-' in front",
        )
