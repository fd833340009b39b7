"""What an index has, as lines for people, and what becomes of it."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from manyfest.cli.text import one_line

if TYPE_CHECKING:
    from manyfest.oci.descriptor import Descriptor
    from manyfest.oci.manifest import Index

_Line = tuple[str, str]


def differences(old: Index | None, new: Index) -> list[str]:
    """The new index, a line for each thing in it; what was not in the old one has a ``+``, what
    was and is no more a ``-``."""
    before, after = list(_lines(old)) if old else [], list(_lines(new))
    width = max((len(name) for name, _ in (*before, *after)), default=0)
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    marked: list[tuple[str, _Line]] = []
    for kind, start, end, new_start, new_end in matcher.get_opcodes():
        if kind == "equal":
            marked += ((" ", line) for line in after[new_start:new_end])
        else:
            marked += (("-", line) for line in before[start:end])
            marked += (("+", line) for line in after[new_start:new_end])
    return [f"{mark} {name:{width}}  {what}" for mark, (name, what) in marked]


def _lines(index: Index) -> Iterator[_Line]:
    yield "index", one_line(index.media_type)
    yield from (("index", pair) for pair in _pairs(index.annotations))
    for entry in index.manifests:
        name = _name(entry)
        yield name, str(entry.digest)
        if not entry.is_attestation:
            yield from ((name, pair) for pair in _pairs(entry.annotations))


def _pairs(annotations: dict[str, str]) -> list[str]:
    return [one_line(f"{key}={value}") for key, value in sorted(annotations.items())]


def _name(entry: Descriptor) -> str:
    if entry.is_attestation:
        return "attestation"
    if entry.platform is None or not entry.platform.is_known:
        return one_line(entry.artifact_type) or "(none)"
    return one_line(" ".join(filter(None, (str(entry.platform), entry.platform.os_version))))
