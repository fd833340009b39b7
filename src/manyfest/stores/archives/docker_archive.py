"""What ``docker save`` wrote before Docker 25, and what skopeo, podman, crane, ko and Bazel write
in its form: images listed in ``manifest.json``, with configurations and layers but no manifests.

Source: moby, ``image/spec/v1.2.md``, "Combined Image JSON + Filesystem Changeset Format". Layers
lie plain under any name, as links to one another too, or compressed. An image's manifest is made
here, always the same one for the same archive; the configuration's bytes are kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Struct

from manyfest.errors import InvalidArchive, InvalidManifest, InvalidReference
from manyfest.layers.entry import clean_name
from manyfest.oci import json
from manyfest.oci.limits import MAX_DESCRIPTORS
from manyfest.oci.reference import Name
from manyfest.stores.archives.tar_files import TarFiles

LIST = "manifest.json"

MAX_LAYERS = 100_000
"""Layers that all images of one archive name together."""

_KEYS = {key.casefold(): key for key in ("Config", "RepoTags", "Layers")}


class _Listed(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """An entry of ``manifest.json``."""

    config: str
    repo_tags: tuple[str, ...] = ()
    layers: Annotated[tuple[str, ...], msgspec.Meta(max_length=MAX_DESCRIPTORS)] = ()


json.prepare(_Listed)


class DockerImage(Struct, frozen=True):
    """An image of the list: its names, and the files its parts are in."""

    config: str
    names: tuple[Name, ...]
    layers: tuple[str, ...]


def read_list(files: TarFiles) -> tuple[DockerImage, ...]:
    """The images that ``manifest.json`` names.

    Raises :class:`~manyfest.errors.InvalidArchive` for a list that is not as specified, names too
    much, or has names that are no references or lead out of the archive.
    """
    where = f"{files.where}, {LIST}"
    try:
        value = json.decode(files.small(LIST), "the list of images", _object)
        listed = json.convert(value, tuple[_Listed, ...], "the list of images")
    except InvalidManifest as error:
        raise InvalidArchive(error.what, where=where) from None
    _check_counts(listed, where)
    return tuple(
        DockerImage(
            config=_member(each.config, where),
            names=tuple(_name(text, where) for text in each.repo_tags),
            layers=tuple(_member(layer, where) for layer in each.layers),
        )
        for each in listed
    )


def _check_counts(listed: Sequence[_Listed], where: str) -> None:
    """As many entries as an index may have, and as many layers as fit into memory."""
    entries = sum(max(1, len(each.repo_tags)) for each in listed)
    if entries > MAX_DESCRIPTORS:
        raise InvalidArchive(
            f"it has {entries} names, more than the {MAX_DESCRIPTORS} allowed", where=where
        )
    layers = sum(len(each.layers) for each in listed)
    if layers > MAX_LAYERS:
        raise InvalidArchive(
            f"it names {layers} layers, more than the {MAX_LAYERS} allowed", where=where
        )


def _object(pairs: json.Members) -> dict[str, Any]:
    """Go's decoder, Docker's, takes keys of any case, and the last of several."""
    folded = Counter(key.casefold() for key, _ in pairs)
    for key, _ in pairs:
        if folded[key.casefold()] > 1:
            raise ValueError(f"key {key[:80]!r} appears twice")
        meant = _KEYS.get(key.casefold(), key)
        if key != meant:
            raise ValueError(f"it has the key {key!r} where it means {meant!r}")
    return {key: value for key, value in pairs if value is not None}


def _member(name: str, where: str) -> str:
    """A file's name in the form that the archive's names have."""
    try:
        return clean_name(name)
    except InvalidArchive as error:
        raise InvalidArchive(error.what[:400], where=where) from None


def _name(text: str, where: str) -> Name:
    try:
        name = Name.parse(text)
    except InvalidReference as error:
        raise InvalidArchive(
            f"it names an image {text[:300]!r}: {error.what}", where=where
        ) from None
    if not name.tag or name.digest:
        raise InvalidArchive(f"it names an image {text[:300]!r}, which has no tag", where=where)
    return name
