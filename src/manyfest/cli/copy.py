"""``manyfest copy``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from manyfest.cli.session import Session, with_registries
from manyfest.cli.text import size

if TYPE_CHECKING:
    from manyfest.copy import Copied


@click.command()
@click.argument("source")
@click.argument("target")
@click.option("--dry-run", is_flag=True, help="Print what would be copied; change nothing.")
@with_registries
def command(session: Session, source: str, target: str, *, dry_run: bool) -> None:
    """Copy SOURCE, with all its platforms, to TARGET; the digest stays the same.

    Both are references: docker://HOST/REPO:TAG (docker:// may be left out), oci:DIR:TAG or
    oci-archive:FILE:TAG. Prints the digest.
    """
    from manyfest.copy import copy_graph
    from manyfest.graph import read_graph
    from manyfest.oci.reference import Reference
    from manyfest.stores.open import tags_of

    from_, to = Reference.parse(source), Reference.parse(target)
    tags = tags_of(to)
    with session.stores() as stores, stores.source(from_) as here:
        graph = read_graph(here, here.resolve(from_.target))
        if dry_run:
            count = len(graph.descriptors)
            session.out(f"would copy {count} parts, {size(graph.size)} at most, to {to}")
        else:
            with session.progress() as progress, stores.target(to) as there:
                copied = copy_graph(here, graph, there, tags, progress=progress)
            session.say(f"{to}: {_told(copied)}")
    session.out(str(graph.root.descriptor.digest))


def _told(copied: Copied) -> str:
    parts = [f"{size(copied.sent)} sent"]
    if copied.present:
        parts.append(f"parts already there: {copied.present}")
    if copied.mounted:
        parts.append(f"parts taken from another repository: {copied.mounted}")
    return ", ".join(parts)
