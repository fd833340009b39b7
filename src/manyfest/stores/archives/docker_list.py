"""``manifest.json``: the list by which ``docker load`` finds the images in an archive.

Source: moby, ``image/spec/v1.2.md``, "Combined Image JSON + Filesystem Changeset Format". An
image is listed by the files in which its configuration and its layers lie. Here those are the
blobs of the OCI layout in the same archive, as in what Docker 25 saves, so nothing lies there
twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec
from msgspec import Struct

from manyfest.errors import InvalidManifest
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Image, Manifest
from manyfest.oci.mediatypes import CONFIGS, LAYERS, OCI_LAYER_ZSTD
from manyfest.oci.parse import parse_config
from manyfest.oci.platform import Platform
from manyfest.oci.reference import Name, is_tag


class Listed(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """An entry of ``manifest.json``."""

    config: str
    repo_tags: tuple[str, ...]
    layers: tuple[str, ...]


class Configured(Struct, frozen=True):
    """What a configuration says that the list depends on: the platform, and how many layers."""

    platform: Platform
    layers: int

    @classmethod
    def read(cls, raw: bytes) -> Configured | None:
        """``None`` for what is no image's configuration."""
        try:
            config = parse_config(raw)
        except InvalidManifest:
            return None
        return cls(config.platform.normalised(), len(config.rootfs.diff_ids))


class _Loadable(Struct, frozen=True):
    """An image that Docker can load. A ``lone`` one is in no index."""

    digest: Digest
    image: Image
    platform: Platform
    lone: bool


def blob_name(digest: Digest) -> str:
    """The file in which a layout has a blob (OCI image specification, "Image Layout")."""
    return f"blobs/{digest.algorithm}/{digest.hex}"


def docker_list(
    roots: Iterable[tuple[Name | None, Digest]],
    manifests: Mapping[Digest, Manifest],
    configs: Mapping[Digest, Configured],
    platform: Platform | None,
) -> tuple[Listed, ...]:
    """What ``manifest.json`` says of an archive that holds ``manifests`` and ``configs``.

    ``roots`` are its images and indexes with the names they have in Docker. Each image for a
    platform is listed once, with ``NAME-<arch>`` for every name of its index, and with the plain
    name if it is the one for ``platform``, or the only one. What Docker could never load is left
    out: attestations, artifacts, images of which a layer lies elsewhere or is no file system. So
    are images for another operating system than the rest, since Docker refuses the whole archive
    for one of those, and all but one of an index's images for a platform.
    """
    found = [(name, _loadable(root, manifests, configs)) for name, root in roots]
    system = _system([each for _, images in found for each in images], platform)
    found = [(name, [i for i in images if i.platform.os == system]) for name, images in found]
    tags = _tags(found, platform)
    listed = {each.digest: each.image for _, images in found for each in images}
    return tuple(
        Listed(
            config=blob_name(image.config.digest),
            repo_tags=tuple(tags[digest]),
            layers=tuple(blob_name(layer.digest) for layer in image.layers),
        )
        for digest, image in listed.items()
    )


def _tags(
    found: Sequence[tuple[Name | None, Sequence[_Loadable]]], platform: Platform | None
) -> dict[Digest, list[str]]:
    """The names of each image, whole: Podman would take ``team/app`` for ``localhost/team/app``.
    A name that was given goes before the same one made here."""
    taken: dict[str, Digest] = {}
    named = [(name, images) for name, images in found if name is not None]
    for name, images in named:
        plain = _plain(images, platform)
        if plain is not None:
            taken.setdefault(str(name), plain.digest)
    for name, images in named:
        for each in images:
            tag = f"{name.tag}-{each.platform.suffix}"
            if each.platform.architecture and not each.lone and is_tag(tag):
                taken.setdefault(str(name.with_tag(tag)), each.digest)
    tags: dict[Digest, list[str]] = defaultdict(list)
    for tag, digest in taken.items():
        tags[digest].append(tag)
    return tags


def _plain(images: Sequence[_Loadable], platform: Platform | None) -> _Loadable | None:
    """The image that the name alone stands for."""
    if len(images) == 1:
        return images[0]
    asked = (each for each in images if platform and each.platform.same_as(platform))
    return next(asked, None)


def _system(images: Sequence[_Loadable], platform: Platform | None) -> str:
    """The operating system whose images are listed: the one asked for, else Linux, else any."""
    there = dict.fromkeys(each.platform.os for each in images)
    wanted = (platform.normalised().os if platform else "", "linux", *there)
    return next((os for os in wanted if os in there), "")


def _loadable(
    root: Digest, manifests: Mapping[Digest, Manifest], configs: Mapping[Digest, Configured]
) -> list[_Loadable]:
    """The images that ``root`` leads to and Docker can load, one for each platform: the first,
    but rather one without zstd, which Docker 20.10 cannot unpack."""
    found = []
    for platform, manifest in _images(root, manifests):
        image = manifest.image
        config = configs.get(image.config.digest)
        if config is not None and _has_layers(image, config):
            digest = manifest.descriptor.digest
            each = _Loadable(digest, image, platform or config.platform, lone=digest == root)
            found.append(each)
    kept: dict[str, _Loadable] = {}
    for each in sorted(found, key=lambda each: _has_zstd(each.image)):
        kept.setdefault(str(each.platform), each)
    return list(kept.values())


def _has_layers(image: Image, config: Configured) -> bool:
    return (
        image.config.media_type in CONFIGS
        and len(image.layers) == config.layers
        and all(layer.media_type in LAYERS for layer in image.layers)
    )


def _has_zstd(image: Image) -> bool:
    return any(layer.media_type == OCI_LAYER_ZSTD for layer in image.layers)


def _images(
    root: Digest, manifests: Mapping[Digest, Manifest]
) -> Iterator[tuple[Platform | None, Manifest]]:
    """Images with the platform that an index says they are for, outer ones first."""
    seen: set[Digest] = set()
    pending: list[tuple[Platform | None, Digest]] = [(None, root)]
    for platform, digest in pending:
        manifest = manifests.get(digest)
        if manifest is None or digest in seen:
            continue
        seen.add(digest)
        if isinstance(manifest.body, Image):
            yield platform, manifest
        else:
            pending += (
                (entry.platform.normalised() if entry.platform else None, entry.digest)
                for entry in manifest.body.images
            )
