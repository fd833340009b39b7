"""``manyfest index``: indexes made of images from anywhere, and changes to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

import click

from manyfest.cli.platforms import parse_platforms, platforms_option
from manyfest.cli.session import Session, with_registries

if TYPE_CHECKING:
    from manyfest.images.gather import Part
    from manyfest.images.index import Held
    from manyfest.oci.manifest import Manifest

F = TypeVar("F", bound=Callable[..., object])

_dry_run = click.option(
    "--dry-run", is_flag=True, help="Print what the index would be; change nothing."
)


def _sources(function: F) -> F:
    """Where images come from, and whether what refers to them comes along."""
    names = click.argument("sources", nargs=-1, required=True, metavar="[P=]SOURCE...")
    leave = click.option(
        "--no-referrers", is_flag=True, help="Leave signatures and the like behind."
    )
    return names(leave(function))


@click.group(invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """Make an index of images that lie anywhere, and change what is in one."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), err=True)
        context.exit(2)


@command.command("create", short_help="Make an index of images.")
@click.argument("target")
@_sources
@click.option("--annotate", "annotations", metavar="K=V", multiple=True, help="Annotate the index.")
@_dry_run
@with_registries
def create(
    session: Session,
    target: str,
    sources: tuple[str, ...],
    annotations: tuple[str, ...],
    *,
    no_referrers: bool,
    dry_run: bool,
) -> None:
    """Make an index of the images at each SOURCE, and name it TARGET.

    A SOURCE is an image or an index in a registry, a layout, an archive or a daemon. What is not at
    TARGET yet is copied there; the tag is set at the end. Prints the digest.

    Of an index all platforms are taken, with their attestations, or only those that are named:
    linux/amd64,linux/arm64=SOURCE. A single image is for the platform that its configuration says;
    naming it adds a variant, or says what nothing else does: linux/arm/v6=SOURCE.

    The index is a manifest list of Docker's if nothing but images of Docker's is in it and it has
    no annotations, and else an index of OCI's.
    """
    from manyfest.cli.index_write import make, parse_annotations

    make(
        session,
        target,
        sources,
        parse_annotations(annotations),
        referrers=not no_referrers,
        dry_run=dry_run,
    )


@command.command("add", short_help="Add images to an index.")
@click.argument("reference")
@_sources
@click.option("--replace", is_flag=True, help="Put them in the place of the same platforms.")
@_dry_run
@with_registries
def add(
    session: Session,
    reference: str,
    sources: tuple[str, ...],
    *,
    no_referrers: bool,
    replace: bool,
    dry_run: bool,
) -> None:
    """Add the images at each SOURCE, which is as for create, to the index at REFERENCE.

    The tag moves to the new index at the end. Prints the new digest; the old one goes to stderr.
    """
    from manyfest.cli.index_write import edit
    from manyfest.images.index import added

    def decide(held: Held, parts: Sequence[Part]) -> Manifest:
        offers = [offer for part in parts for offer in part.offers]
        return added(held, offers, replace=replace)

    edit(session, reference, decide, sources, referrers=not no_referrers, dry_run=dry_run)


@command.command("remove", short_help="Remove platforms from an index.")
@click.argument("reference")
@platforms_option("Remove this platform")
@click.option(
    "--digest", "digests", multiple=True, metavar="D", help="Remove what has this digest."
)
@_dry_run
@with_registries
def remove(
    session: Session,
    reference: str,
    platforms: tuple[str, ...],
    digests: tuple[str, ...],
    *,
    dry_run: bool,
) -> None:
    """Remove platforms from the index at REFERENCE, and what attests to them.

    The tag moves to the new index. Prints the new digest; the old one goes to stderr, and the old
    index can still be pulled by it.
    """
    from manyfest.cli.index_write import edit
    from manyfest.errors import UsageError
    from manyfest.images.index import absent, removed
    from manyfest.oci.digest import Digest

    wanted, named = parse_platforms(platforms), tuple(map(Digest.parse, digests))
    if not (wanted or named):
        raise UsageError("nothing is named to be removed", mend="give --platform or --digest")

    def decide(held: Held, _: Sequence[Part]) -> Manifest:
        for name in absent(held, wanted, named):
            session.say(f"{reference}: it has no {name}")
        return removed(held, wanted, named)

    edit(session, reference, decide, dry_run=dry_run)


@command.command("annotate", short_help="Annotate an index, or its entries.")
@click.argument("reference")
@click.argument("annotations", nargs=-1, required=True, metavar="K=V...")
@platforms_option("Annotate this platform's entry instead")
@_dry_run
@with_registries
def annotate(
    session: Session,
    reference: str,
    annotations: tuple[str, ...],
    platforms: tuple[str, ...],
    *,
    dry_run: bool,
) -> None:
    """Annotate the index at REFERENCE; K= removes the annotation K.

    The images stay as they are. The tag moves to the new index. Prints the new digest; the old one
    goes to stderr.
    """
    from manyfest.cli.index_write import edit, parse_annotations
    from manyfest.images.index import annotated

    changes, wanted = parse_annotations(annotations), parse_platforms(platforms)
    edit(session, reference, lambda held, _: annotated(held, changes, wanted), dry_run=dry_run)
