"""What an image is called where it comes from, and so in an archive that it goes to."""

from __future__ import annotations

from manyfest.oci.digest import Digest
from manyfest.oci.platform import Platform
from manyfest.oci.reference import DEFAULT_TAG, Name, Reference, is_tag
from manyfest.stores.archives.docker_names import familiar
from manyfest.stores.archives.names import Naming
from manyfest.stores.base import Names, Source
from manyfest.stores.names import as_digest


def known_names(reference: Reference, source: Source, root: Digest) -> tuple[str, ...]:
    """What the image ``root`` is called, to which ``reference`` led in ``source``.

    Names are those that Docker would know, ``team/app:v1``, or tags where no repository is told.
    There are none for what has only a digest or a number.
    """
    image = reference.image
    if image is not None:
        has_name = image.tag or image.digest is None
        return (image.with_tag(image.tag or DEFAULT_TAG).familiar,) if has_name else ()
    asked = reference.name
    if reference.transport == "docker-daemon":
        return () if as_digest(asked) else (asked,)
    if is_whole(asked):
        return (familiar(asked),)
    names = source.names_of(root) if isinstance(source, Names) else ()
    if is_tag(asked):
        return tuple(name for name in names if _tag(name) == asked) or (asked,)
    return names


def naming_by(known: tuple[str, ...], platform: Platform | None) -> Naming:
    """How Docker is to know what an archive calls by a tag only: as an image of the repository
    that it is known in. ``platform`` gets the plain name."""
    whole = next(filter(is_whole, known), "")
    return Naming(Name.parse(whole).place if whole else "", platform)


def is_whole(name: str) -> bool:
    """Whether it is a name as Docker knows them, and not a tag alone."""
    return ("/" in name or ":" in name) and as_digest(name) is None and bool(familiar(name))


def _tag(name: str) -> str:
    return name.rpartition(":")[2]
