"""What a builder gives is made into an image as the native builder makes it.

The base's layers are those of the registry, by descriptor. The layers on top of them are written
anew: compressed as asked for, with no time later than the build's, and with owners by number
alone. Configuration, labels and annotations are ours.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import closing
from functools import partial

from msgspec.structs import replace

from manyfest.build.assemble import PlatformImage, write_image
from manyfest.build.backends.backend import Given
from manyfest.build.bases import BaseImage
from manyfest.build.configure import Settings, moment
from manyfest.build.filesystem import Empty, FileSystem
from manyfest.build.layer import Layer
from manyfest.build.request import BuildRequest
from manyfest.build.stage import StageImage
from manyfest.errors import BuildError
from manyfest.graph import read_config, read_manifest
from manyfest.images.selection import entry_for
from manyfest.layers.compress import LayerWriter
from manyfest.layers.decompress import decompress
from manyfest.layers.entry import Entry
from manyfest.layers.read import Content, read_entries
from manyfest.layers.write import TarWriter
from manyfest.oci.config import History, ImageConfig
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.mediatypes import INDEXES
from manyfest.oci.platform import Platform
from manyfest.stores.base import Source, VerifyingReader
from manyfest.stores.files import unnamed_file
from manyfest.stores.layout import LayoutStore

_COPIED = re.compile(r"^(/bin/sh -c #\(nop\) (?:COPY|ADD) (?:file|dir|multi)):[0-9a-f]{64} in ")
"""How buildah tells of copied files: by a digest of what differs between machines, too."""


def take_in(
    given: Given,
    platform: Platform,
    base: BaseImage | None,
    request: BuildRequest,
    workspace: LayoutStore,
) -> PlatformImage:
    """Write to ``workspace`` what a builder made for ``platform`` on top of ``base``, which is
    ``None`` if no registry has it.

    Raises :class:`~manyfest.errors.BuildError` if another base was built upon, and
    :class:`~manyfest.errors.ContentError` for an image that is damaged.
    """
    manifest = read_manifest(given.source, _image(given, platform))
    config = read_config(given.source, manifest.image)
    _check_platform(config, platform)
    below = _layers_of(base, config)
    own = manifest.image.layers[len(below) :]
    layers = (*below, *(_taken(given.source, layer, workspace, request) for layer in own))
    settings = Settings(
        run=config.config,
        created=moment(request.epoch),
        author=config.author,
        history=_history(config, base, moment(request.epoch)),
    )
    stage = StageImage(
        settings=settings,
        files=FileSystem(Empty(), {}),
        layers=layers,
        variables={},
        base=base,
    )
    return write_image(stage, platform, workspace, metadata=request.metadata)


def _image(given: Given, platform: Platform) -> Descriptor:
    """The image itself; some builders put an index around it."""
    if given.manifest.media_type not in INDEXES:
        return given.manifest
    return entry_for(given.source, given.manifest, platform)


def _check_platform(config: ImageConfig, platform: Platform) -> None:
    """The variant is ours to tell: builders leave it out."""
    its = config.platform.normalised()
    if (its.os, its.architecture) != (platform.os, platform.architecture):
        raise BuildError(f"the builder was asked for {platform}, and gave an image for {its}")


def _layers_of(base: BaseImage | None, config: ImageConfig) -> Sequence[Layer]:
    if base is None:
        return ()
    diff_ids = base.config.rootfs.diff_ids
    if config.rootfs.diff_ids[: len(diff_ids)] != diff_ids:
        raise BuildError(
            f"{base.name} for {base.config.platform} is not what the builder started from",
            mend="it was changed meanwhile; build once more",
        )
    return tuple(map(Layer, base.layers, diff_ids))


def _history(config: ImageConfig, base: BaseImage | None, created: str) -> tuple[History, ...]:
    """The base's as it is; the builder's own steps happened at the time of the build."""
    count = len(base.config.history) if base else 0
    own = (
        replace(step, created=created, created_by=_COPIED.sub(r"\1 in ", step.created_by))
        for step in config.history[count:]
    )
    return (*config.history[:count], *own)


def _taken(
    source: Source, layer: Descriptor, workspace: LayoutStore, request: BuildRequest
) -> Layer:
    where = f"the builder's layer {layer.digest}"
    with (
        closing(VerifyingReader(source.open(layer), layer, where=where)) as blob,
        unnamed_file(workspace.blobs.root / "sha256") as unnamed,
        LayerWriter(unnamed.file, request.compression) as writer,
    ):
        tar = TarWriter(writer)
        for entry, content in read_entries(decompress(blob, where=where), where=where):
            tar.add(_settled(entry, request.epoch), partial(_itself, content))
        tar.close()
        digests = writer.close()
        unnamed.name(workspace.blobs.path(digests.digest))
    descriptor = Descriptor(
        media_type=request.compression.media_type, digest=digests.digest, size=digests.size
    )
    return Layer(descriptor, digests.diff_id)


def _itself(content: Content) -> Content:
    return content


def _settled(entry: Entry, epoch: int) -> Entry:
    """The same on any machine at any time: no names of its users, and not the time of this run."""
    entry = replace(entry, uname="", gname="")
    if entry.mtime >= epoch:
        return replace(entry, mtime=epoch, nanoseconds=0)
    return entry
