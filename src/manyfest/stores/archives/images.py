"""Images of an archive that no name in ``index.json`` leads to: by their configuration, which is
what Docker's image ids and ``manifest.json`` know them by.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from manyfest.errors import InvalidArchive, InvalidManifest, NotFound
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.limits import MAX_GRAPH_NODES
from manyfest.oci.manifest import Image, Manifest
from manyfest.oci.parse import parse_manifest
from manyfest.oci.reference import image_number
from manyfest.stores.archives.docker_archive import LIST, DockerImage, read_list
from manyfest.stores.archives.docker_names import familiar
from manyfest.stores.archives.tar_files import TarFiles
from manyfest.stores.base import Source, read_all


def find_by_config(source: Source, top: Manifest, config: Digest) -> Descriptor | None:
    """The first image that ``top`` leads to and that has this configuration; ``None`` if there is
    none.

    Raises :class:`~manyfest.errors.InvalidArchive` if there is no end to what it leads to.
    """
    for manifest in _manifests(source, top):
        if isinstance(manifest.body, Image) and manifest.body.config.digest == config:
            return manifest.descriptor
    return None


def find_by_list(source: Source, top: Manifest, files: TarFiles, name: str) -> Descriptor | None:
    """The image that ``manifest.json`` lists as ``name``: as its users know it, or ``@N`` for the
    Nth, counted from 0; ``None`` if there is none, or no list.

    Raises :class:`~manyfest.errors.InvalidArchive` if ``index.json`` leads to no such image.
    """
    if not name or files.stretch(LIST) is None:
        return None
    image = _listed(read_list(files), name)
    if image is None:
        return None
    config = Digest.of(files.small(image.config))
    found = find_by_config(source, top, config)
    if found is None:
        raise InvalidArchive(
            f"{LIST} has {name!r} with the configuration {config}, which no image in it has",
            where=source.label,
        )
    return found


def _listed(images: Sequence[DockerImage], name: str) -> DockerImage | None:
    number = image_number(name)
    if number is not None:
        return images[number] if number < len(images) else None
    wanted = familiar(name)
    for image in images:
        if wanted and wanted in {each.familiar for each in image.names}:
            return image
    return None


def _manifests(source: Source, top: Manifest) -> Iterator[Manifest]:
    """Every manifest that ``top`` leads to, each once. What is not here is passed over, as an index
    may have fewer platforms here than it names."""
    seen: set[Digest] = set()
    pending = list(reversed(top.index.manifests))
    while pending:
        entry = pending.pop()
        if entry.digest in seen or not entry.is_manifest:
            continue
        seen.add(entry.digest)
        if len(seen) > MAX_GRAPH_NODES:
            raise InvalidArchive(
                f"it leads to more than {MAX_GRAPH_NODES} manifests", where=source.label
            )
        try:
            manifest = _read(source, entry)
        except (NotFound, InvalidManifest):
            continue
        yield manifest
        if manifest.is_index:
            pending += reversed(manifest.index.manifests)


def _read(source: Source, entry: Descriptor) -> Manifest:
    return parse_manifest(
        read_all(source, entry), media_type=entry.media_type, algorithm=entry.digest.algorithm
    )
