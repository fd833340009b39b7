"""``manyfest inspect``."""

from __future__ import annotations

import platform as this
from typing import TYPE_CHECKING

import click

from manyfest.cli.session import Session, with_registries

if TYPE_CHECKING:
    from collections.abc import Iterable

    from manyfest.images.facts import ImageFacts, Inspection
    from manyfest.oci.descriptor import Descriptor
    from manyfest.oci.platform import Platform
    from manyfest.oci.reference import Reference
    from manyfest.stores.base import Source

_FORMS = ("raw", "config", "json", "layers", "format")


@click.command()
@click.argument("reference")
@click.option("--platform", metavar="P", help="Only this platform.")
@click.option("--raw", is_flag=True, help="Print the manifest's own bytes.")
@click.option("--config", is_flag=True, help="Print the configuration's own bytes.")
@click.option("--json", is_flag=True, help="Print JSON.")
@click.option("--layers", is_flag=True, help="Show each layer, and what made it.")
@click.option(
    "--format",
    metavar="TEMPLATE",
    help="Print this text with values of --json in it: '{{digest}}'. A '*' is a line for each:"
    " '{{images.*.platform}} {{images.*.digest}}'.",
)
@click.option("--unpacked", is_flag=True, help="Read every layer, for its size when unpacked.")
@click.option("--no-referrers", is_flag=True, help="Do not look for signatures and the like.")
@with_registries
def command(
    session: Session,
    reference: str,
    platform: str | None,
    *,
    unpacked: bool,
    no_referrers: bool,
    **forms: str | bool | None,
) -> None:
    """Show the image at REFERENCE: its platforms, their sizes, how they run, what is attached.

    Images seldom say what a compressed layer unpacks to: the column has a '?' then, and --unpacked
    finds out. Signatures and attestations are named, not verified.
    """
    from manyfest.images.inspection import inspect
    from manyfest.oci.platform import Platform
    from manyfest.oci.reference import Reference

    form = _form(forms)
    where = Reference.parse(reference)
    wanted = Platform.parse(platform) if platform else None
    with session.stores() as stores, stores.source(where) as source:
        root = source.resolve(where.target)
        if form in ("raw", "config"):
            session.out(_bytes(source, root, wanted, form, where))
            return
        with session.progress() as progress:
            found = inspect(
                source,
                root,
                wanted,
                referrers=not no_referrers and form != "layers",
                unpack=unpacked,
                progress=progress,
            )
    if form == "text":
        from manyfest.cli.inspect_text import overview

        verdict = "" if wanted else _verdict(found)
        session.out(overview(str(where), found) + verdict)
    else:
        _print(session, found, form, forms["format"])


def _form(given: dict[str, str | bool | None]) -> str:
    """How the image is to be shown: one way at a time."""
    from manyfest.errors import UsageError

    forms = [form for form in _FORMS if given[form] not in (None, False)]
    if len(forms) > 1:
        raise UsageError(f"--{forms[0]} and --{forms[1]} do not go together")
    return forms[0] if forms else "text"


def _bytes(
    source: Source, root: Descriptor, wanted: Platform | None, form: str, where: Reference
) -> bytes:
    """The bytes of a manifest, or of its configuration, as they are stored."""
    from manyfest.errors import UsageError
    from manyfest.graph import read_manifest
    from manyfest.images.selection import entry_for
    from manyfest.stores.base import read_all

    manifest = read_manifest(source, entry_for(source, root, wanted) if wanted else root)
    if form == "raw":
        return manifest.raw
    if manifest.is_index:
        raise UsageError(
            "it has a configuration for each platform", where=str(where), mend="add --platform"
        )
    return read_all(source, manifest.image.config)


def _print(session: Session, found: Inspection, form: str, template: object) -> None:
    from manyfest.cli.format import rendered
    from manyfest.cli.inspect_text import layers

    if form == "json":
        session.out_json(_document(found))
    elif form == "format":
        session.out(rendered(str(template), _document(found)))
    else:
        session.out(layers(found, session.width()))


def _document(found: Inspection) -> object:
    import msgspec

    here, fits = _here(found.images)
    return {**msgspec.to_builtins(found), "here": {"platform": here, "there": fits}}


def _verdict(found: Inspection) -> str:
    """Whether this machine's platform is there, of what has platforms."""
    images = [image for image in found.images if image.platform]
    here, fits = _here(images)
    if not here or (found.images and not images):
        return ""
    return f"\n\n{here}, this machine's platform, is {'there' if fits else 'NOT there'}."


def _here(images: Iterable[ImageFacts]) -> tuple[str, bool]:
    """This machine's platform, empty if it has no name, and whether one of the images is for it."""
    from manyfest.oci.machine import platform_of_machine

    here = platform_of_machine(this.machine())
    if here is None:
        return "", False
    there = (image.platform for image in images if not image.missing)
    return str(here), any(_names(text, here) for text in there)


def _names(text: str, platform: Platform) -> bool:
    """Whether an image's platform is this one. Images are shipped for platforms that nobody has
    heard of, and are none the worse for it."""
    os, architecture, variant = (*text.split("/"), "", "")[:3]
    return type(platform)(os=os, architecture=architecture, variant=variant).same_as(platform)
