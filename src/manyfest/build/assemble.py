"""From stages to manifests: each platform's configuration and manifest, and the index over them."""

from __future__ import annotations

import io
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from manyfest.build.metadata import Metadata, index_annotations
from manyfest.build.stage import StageImage
from manyfest.copy import manifest_content
from manyfest.oci import json
from manyfest.oci.config import ImageConfig, RootFS
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.manifest import Image, Index, Manifest
from manyfest.oci.mediatypes import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST
from manyfest.oci.platform import Platform
from manyfest.stores.base import Content, Target


class PlatformImage(Struct, frozen=True):
    """One platform's image, written."""

    platform: Platform
    manifest: Manifest
    config: ImageConfig


def write_image(
    stage: StageImage,
    platform: Platform,
    target: Target,
    *,
    metadata: Metadata,
) -> PlatformImage:
    """Write the configuration and the manifest of ``stage``; its layers are there or elsewhere."""
    config = _image_config(stage, platform, metadata)
    raw = json.dumps(config)
    descriptor = Descriptor.of(raw, OCI_CONFIG)
    manifest = Manifest.of_image(
        Image(
            schema_version=2,
            media_type=OCI_MANIFEST,
            config=descriptor,
            layers=tuple(layer.descriptor for layer in stage.layers),
            annotations=metadata.image_annotations(stage.settings.run.labels, stage.base),
        )
    )
    target.put(Content(descriptor, lambda: io.BytesIO(raw)))
    target.put(manifest_content(manifest))
    return PlatformImage(platform, manifest, config)


def _image_config(stage: StageImage, platform: Platform, metadata: Metadata) -> ImageConfig:
    """The configuration: the stage's, with the labels of ``metadata``, for ``platform``.

    Maps are sorted by their keys, as Go writes them.
    """
    platform = platform.normalised()
    run = stage.settings.run
    base = stage.base.config if stage.base else None
    same = base is not None and base.platform.same_as(platform)
    return ImageConfig(
        created=stage.settings.created,
        author=stage.settings.author,
        architecture=platform.architecture,
        os=platform.os,
        variant=platform.variant,
        os_version=platform.os_version or (base.os_version if base and same else ""),
        os_features=platform.os_features or (base.os_features if base and same else ()),
        config=replace(
            run,
            labels=metadata.image_labels(run.labels, base.config.labels if base else {}),
            exposed_ports=dict(sorted(run.exposed_ports.items())),
            volumes=dict(sorted(run.volumes.items())),
        ),
        rootfs=RootFS(diff_ids=tuple(layer.diff_id for layer in stage.layers)),
        history=stage.settings.history,
    )


def write_index(images: Sequence[PlatformImage], target: Target) -> Manifest:
    """Write the index over ``images``, in their order."""
    entries = tuple(
        replace(image.manifest.descriptor, platform=image.platform.normalised()) for image in images
    )
    index = Manifest.of_index(
        Index(
            schema_version=2,
            media_type=OCI_INDEX,
            manifests=entries,
            annotations=index_annotations([each.manifest.image.annotations for each in images]),
        )
    )
    target.put(manifest_content(index))
    return index
