"""Where an image should be: at the references that were named, and in other registries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from manyfest.errors import UsageError
from manyfest.oci.reference import Name, Reference, registry_of

_Image = tuple[str, ...]
"""What references to one image have in common."""


class Places(Struct, frozen=True):
    """Each reference once, in the order in which they are told of. Those of one group should hold
    the same image; what they are held against comes first in it."""

    references: tuple[Reference, ...]
    groups: tuple[tuple[Reference, ...], ...]


def find_places(references: Iterable[Reference], elsewhere: Sequence[str]) -> Places:
    """The references, each followed by the same image in the places of ``--in``.

    References with the same repository and tag in different registries are one image too. Raises
    :class:`~manyfest.errors.InvalidReference` or :class:`~manyfest.errors.UsageError` for a place
    that cannot be one.
    """
    image_of: dict[Reference, _Image] = {}
    for reference in references:
        image = _image(reference)
        image_of.setdefault(reference, image)
        for place in elsewhere:
            image_of.setdefault(_same_in(place, reference), image)
    groups: dict[_Image, list[Reference]] = {}
    for reference, image in image_of.items():
        groups.setdefault(image, []).append(reference)
    return Places(tuple(image_of), tuple(map(tuple, groups.values())))


def _image(reference: Reference) -> _Image:
    if reference.image is None:
        return (str(reference),)
    return (reference.image.repository, reference.target)


def _same_in(place: str, reference: Reference) -> Reference:
    """The same tag or digest in another place: ``HOST`` has the same repository, ``HOST/PREFIX/``
    has it below that, and ``HOST/REPOSITORY`` is the repository itself."""
    if reference.image is None:
        raise UsageError(
            "it lies in no registry, so it is in no other one",
            where=str(reference),
            mend="leave out --in, or name the image in a registry",
        )
    registry = registry_of(place)
    if registry is not None:
        return replace(reference, image=replace(reference.image, registry=registry))
    text = place.removeprefix("docker://")
    if text.endswith("/"):
        text += reference.image.repository
    name = Name.parse(text)
    if not name.is_repository:
        raise UsageError(
            f"--in {place[:300]!r} names one image", mend=f"write {name.place}; REF has the tag"
        )
    image = replace(reference.image, registry=name.registry, repository=name.repository)
    return replace(reference, image=image)
