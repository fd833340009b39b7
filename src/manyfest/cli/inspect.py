"""``manyfest inspect``."""

from __future__ import annotations

import platform as this
from typing import TYPE_CHECKING

import click

from manyfest.cli.session import Session, with_registries
from manyfest.cli.text import escaped, size, table

if TYPE_CHECKING:
    from manyfest.inspection import ImageFacts, Inspection
    from manyfest.oci.platform import Platform


@click.command()
@click.argument("reference")
@click.option("--platform", metavar="P", help="Only this platform.")
@click.option("--raw", is_flag=True, help="Print the manifest's own bytes.")
@click.option("--config", "as_config", is_flag=True, help="Print the configuration's own bytes.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_registries
def command(
    session: Session,
    reference: str,
    platform: str | None,
    *,
    raw: bool,
    as_config: bool,
    as_json: bool,
) -> None:
    """Show the image at REFERENCE: its platforms, sizes and how it runs."""
    from manyfest.errors import UsageError
    from manyfest.inspection import inspect, narrow
    from manyfest.oci.platform import Platform
    from manyfest.oci.reference import Reference
    from manyfest.stores.base import read_all

    where = Reference.parse(reference)
    wanted = Platform.parse(platform) if platform else None
    with session.stores() as stores, stores.source(where) as source:
        manifest = narrow(source, source.resolve(where.target), wanted)
        if raw:
            click.echo(manifest.raw, nl=False)
        elif as_config:
            if manifest.is_index:
                raise UsageError(
                    "it has a configuration for each platform",
                    where=str(where),
                    mend="add --platform",
                )
            click.echo(read_all(source, manifest.image.config), nl=False)
        else:
            found = inspect(source, manifest)
            if as_json:
                session.out_json(found)
            else:
                session.out(_text(str(where), found))


def _text(reference: str, found: Inspection) -> str:
    from manyfest.oci.machine import platform_of_machine

    here = platform_of_machine(this.machine())
    rows: list[tuple[str, ...]] = [("PLATFORM", "DIGEST", "SIZE", "LAYERS", "CREATED", "RUNS")]
    rows += [_row(image) for image in found.images]
    lines = [f"{reference}", f"{found.digest}  {found.media_type}", ""]
    lines.append(table(rows, right=frozenset({2, 3})))
    if found.attestations:
        lines.append(f"\nand {found.attestations} attestations, which are not platforms")
    if here is not None:
        fits = any(_names(image.platform, here) for image in found.images)
        lines.append(f"\n{here}, this machine's platform, is {'there' if fits else 'NOT there'}")
    return escaped("\n".join(lines))


def _names(text: str, platform: Platform) -> bool:
    """Whether an image's platform is this one. Images are shipped for platforms that nobody has
    heard of, and are none the worse for it."""
    os, architecture, variant = (*text.split("/"), "", "")[:3]
    return type(platform)(os=os, architecture=architecture, variant=variant).same_as(platform)


def _row(image: ImageFacts) -> tuple[str, ...]:
    return (
        image.platform or "(none)",
        image.digest[: len("sha256:") + 12],
        size(image.size),
        str(image.layers),
        image.created[:10],
        " ".join(image.command) or image.artifact_type,
    )
