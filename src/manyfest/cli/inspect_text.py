"""What ``manyfest inspect`` shows to people. The figures are a table that fits 80 columns; what
is mostly the same for all platforms is said once, below it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from manyfest.cli.text import one_line, size, table

if TYPE_CHECKING:
    from manyfest.images.attached import Attachment
    from manyfest.images.facts import ImageFacts, Inspection, LayerFacts

_UNKNOWN = "?"

_LAYER_TYPES = (
    "application/vnd.oci.image.layer.v1.",
    "application/vnd.oci.image.layer.",
    "application/vnd.docker.image.rootfs.",
)


def overview(reference: str, found: Inspection) -> str:
    """The platforms with their figures, how they run, and what is attached to them."""
    head = _aligned([("digest", found.digest), ("type", found.media_type)])
    if not found.images:
        return f"{one_line(reference)}\n{head}\n\nIt is empty: it has no image for any platform."
    facts = [
        *_facts("runs", found.images, lambda image: [_shell(image.command)]),
        *_facts("user", found.images, lambda image: [image.user]),
        *_facts("label", found.images, lambda image: _pairs(image.labels)),
        *([("refers to", found.subject)] if found.subject else []),
        *(("annotation", pair) for pair in _pairs(found.annotations)),
        *(("attached", f"{kinds}  (the index)") for kinds in _kinds(found.attached)),
        *_facts("attached", found.images, lambda image: _kinds(image.attached), of_all=True),
    ]
    blocks = [head, "\n".join(_figures(found.images)), _aligned(facts), _notes(found)]
    return f"{one_line(reference)}\n" + "\n\n".join(filter(None, blocks))


def layers(found: Inspection, width: int | None) -> str:
    """Each platform's layers. What made them is cut at ``width`` columns, if there is a width."""
    return "\n\n".join(_layers(image, width) for image in found.images)


def _figures(images: Sequence[ImageFacts]) -> Iterator[str]:
    rows = [("PLATFORM", "DIGEST", "SIZE", "UNPACKED", "LAYERS", "CREATED")]
    head, *lines = table([*rows, *map(_figure, images)], right=frozenset({2, 3, 4})).splitlines()
    yield head
    for image, line in zip(images, lines, strict=True):
        yield line
        if beneath := image.os_version or _artifact(image):
            yield f"  {one_line(beneath)}"


def _figure(image: ImageFacts) -> tuple[str, str, str, str, str, str]:
    name, digest = image.platform or "(none)", _short(image.digest)
    if image.missing:
        return (name, digest, "", "", "", "missing")
    figures = (name, digest, size(image.size))
    if image.artifact_type:
        return (*figures, "", str(image.layers), "")
    return (*figures, _amount(image.unpacked), str(image.layers), image.created[:10])


def _artifact(image: ImageFacts) -> str:
    """What it is, if it is no image."""
    return ", ".join(image.kinds) or image.artifact_type


def _short(digest: str) -> str:
    return digest.partition(":")[2][:12]


def _amount(count: int | None) -> str:
    return _UNKNOWN if count is None else size(count)


_Fact = tuple[str, str]


def _facts(
    name: str,
    images: Iterable[ImageFacts],
    of: Callable[[ImageFacts], list[str]],
    *,
    of_all: bool = False,
) -> list[_Fact]:
    """What is the same for all images once, what is not with the platforms that it holds for;
    artifacts have no such facts unless it is ``of_all``."""
    shown = [each for each in images if not each.missing and (of_all or not each.artifact_type)]
    holders: dict[str, list[str]] = {}
    for image in shown:
        for value in filter(None, of(image)):
            holders.setdefault(value, []).append(_name(image))
    return [
        (name, value if len(names) == len(shown) else f"{value}  ({', '.join(names)})")
        for value, names in holders.items()
    ]


def _name(image: ImageFacts) -> str:
    """As it is named to people; Windows has an image for each version of the system."""
    return " ".join(filter(None, (image.platform or _short(image.digest), image.os_version)))


def _shell(words: Sequence[str]) -> str:
    """A command as it would be typed."""
    import shlex

    return shlex.join(words)


def _pairs(values: dict[str, str]) -> list[str]:
    return [f"{key}={value}" for key, value in sorted(values.items())]


def _kinds(attached: Sequence[Attachment]) -> list[str]:
    counted = Counter(kind for each in attached for kind in each.kinds or (_untold(each),))
    return [kind if count == 1 else f"{count}x {kind}" for kind, count in sorted(counted.items())]


def _untold(attachment: Attachment) -> str:
    return attachment.artifact_type or "of an unknown kind"


def _aligned(facts: Sequence[_Fact]) -> str:
    """Each fact on its line; a name that repeats is written once."""
    width = max((len(name) for name, _ in facts), default=0)
    lines, before = [], ""
    for name, value in facts:
        lines.append(f"{'' if name == before else name:{width}}  {one_line(value)}".rstrip())
        before = name
    return "\n".join(lines)


def _notes(found: Inspection) -> str:
    notes = []
    if any(image.unpacked is None and image.contents for image in found.images):
        notes.append("?: images do not say it. --unpacked reads the layers that lie here.")
    if found.attached or any(image.attached for image in found.images):
        notes.append("What is attached was found, not verified.")
    if any(image.missing for image in found.images):
        notes.append("missing: the index names it, and it is not there.")
    return "\n".join(notes)


def _layers(image: ImageFacts, width: int | None) -> str:
    head = f"{one_line(_name(image))}\n{image.digest}"
    if not image.contents:
        what = "missing" if image.missing else _artifact(image) or "it has no layers"
        return f"{head}\n{one_line(what)}"
    rows = [("LAYER", "SIZE", "UNPACKED", "TYPE", "CREATED BY"), *map(_layer, image.contents)]
    lines = table(rows, right=frozenset({1, 2})).splitlines()
    return "\n".join([head, *(_cut(line, width) for line in lines)])


def _layer(layer: LayerFacts) -> tuple[str, str, str, str, str]:
    return (
        _short(layer.digest),
        size(layer.size),
        _amount(layer.unpacked),
        _type(layer.media_type),
        " ".join(layer.created_by.removesuffix("# buildkit").split()),
    )


def _type(media_type: str) -> str:
    """The end of a layer's media type, which tells one from another: ``tar+gzip``."""
    start = next((start for start in _LAYER_TYPES if media_type.startswith(start)), "")
    return media_type.removeprefix(start)


def _cut(line: str, width: int | None) -> str:
    return line if width is None or len(line) <= width else f"{line[: width - 1]}…"
