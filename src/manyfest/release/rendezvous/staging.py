"""One platform is built or taken, checked, and put where the job that publishes will find it.

It is in the registries by its digest and by tags with the platform's suffix, ``2.6.1-arm64``. Of
two jobs that stage one platform with different bytes the first of these tags lets one go on, as it
does of two releases (see :mod:`manyfest.release.tags.pointing`).
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from manyfest.copy import copy_graphs
from manyfest.errors import ConfigError, UsageError
from manyfest.graph import read_config
from manyfest.images.selection import narrowed_image
from manyfest.oci.manifest import Manifest
from manyfest.oci.platform import Platform
from manyfest.oci.reference import Name, Reference, is_tag
from manyfest.progress import NoProgress
from manyfest.release.destinations import destinations
from manyfest.release.origin import Origin, record_of, recorded, said_by
from manyfest.release.project.config import Config
from manyfest.release.steps.build import BUILD
from manyfest.release.steps.check import CHECK
from manyfest.release.steps.hook import HOOK
from manyfest.release.steps.origin import ORIGIN_OF_PART
from manyfest.release.steps.preflight import PREFLIGHT
from manyfest.release.steps.publish import PUBLISH
from manyfest.release.steps.smoke import SMOKE
from manyfest.release.steps.step import Image, Release, Step
from manyfest.release.steps.tags import TAGS
from manyfest.release.tags.plan import PlannedTag, plan_tags
from manyfest.release.versions.occasion import Occasion
from manyfest.release.versions.version import Version
from manyfest.stores.open import Stores

_UNKNOWN = Occasion()


def one_platform(
    config: Config,
    version: Version,
    platform: Platform,
    *,
    repositories: Iterable[Name],
    stores: Stores,
    occasion: Occasion = _UNKNOWN,
    taken_from: Reference | None = None,
) -> Release:
    """What the steps that stage ``platform`` work on.

    Raises :class:`~manyfest.errors.UsageError` for a platform that is not the project's, and
    :class:`~manyfest.errors.ConfigError` for a tag that cannot be.
    """
    narrowed = replace(with_platforms(config, (platform,)), arch_repositories={})
    archive = config.archive_path(version)
    return Release(
        config=narrowed,
        version=version,
        tags=_tags(narrowed, version, occasion, platform),
        destinations=destinations(narrowed, repositories),
        archive=archive.with_name(f"{archive.name.removesuffix('.tar')}-{platform.suffix}.tar"),
        stores=stores,
        progress=NoProgress(),
        taken_from=taken_from,
    )


def with_platforms(config: Config, platforms: tuple[Platform, ...]) -> Config:
    """The configuration with these of its platforms alone, in its own order.

    Raises :class:`~manyfest.errors.UsageError` for one that it does not have.
    """
    for platform in platforms:
        if platform not in config.build.platforms:
            raise UsageError(
                f"{platform} is not among 'build.platforms'",
                where=config.where("build.platforms"),
                mend=f"name one of {', '.join(map(str, config.build.platforms))}, or add it there",
            )
    kept = tuple(each for each in config.build.platforms if each in platforms)
    repositories = config.arch_repositories.items()
    return replace(
        config,
        build=replace(config.build, platforms=kept),
        arch_repositories={k: end for k, end in repositories if Platform.parse(k) in kept},
    )


def staging_tag(version: Version, platform: Platform) -> str:
    """Where a platform's image is looked for: ``2.6.1-arm64``."""
    return f"{version}-{platform.suffix}"


def _tags(
    config: Config, version: Version, occasion: Occasion, platform: Platform
) -> tuple[PlannedTag, ...]:
    """The tag of the rendezvous, then what ``arch_tags`` asks for besides."""
    tag = staging_tag(version, platform)
    planned = plan_tags(config, version, occasion)
    if not is_tag(tag) or any(each.tag == tag and not each.platform for each in planned):
        fault = "is a tag of the whole image too" if is_tag(tag) else "is too long for a tag"
        raise ConfigError(f"{tag[:140]!r}, the tag to stage, {fault}", where=config.where("tags"))
    rendezvous = PlannedTag(
        tag=tag, moves=False, reason=f"is where {platform} is staged", platform=platform
    )
    others = (each for each in planned if each.platform and each.tag != tag)
    return (rendezvous, *others)


def _narrow(release: Release) -> str:
    """Leave the one platform's image, without an index around it."""
    image, platform = release.built, release.config.build.platforms[0]
    graph = narrowed_image(image.source, image.graph.root.descriptor, platform)
    if _is_attested(image.graph.root, graph.root):
        release.progress.say(
            f"warning: what BuildKit attests of {platform} is left behind: an index is joined of"
            " images alone"
        )
    release.image = Image(image.source, graph)
    release.checked = tuple(each for each in release.checked if each.platform == str(platform))
    return f"{platform} is {release.image.digest}"


def _is_attested(root: Manifest, image: Manifest) -> bool:
    entries = root.index.manifests if root.is_index else ()
    return any(entry.attests_to == str(image.descriptor.digest) for entry in entries)


def _check_vouch(release: Release) -> str:
    """Builders that are told so say in the image what it was made from."""
    image = release.built
    root, wanted = image.graph.root, Origin.of(release.version)
    if wanted.revision and said_by(root, read_config(image.source, root.image)) == wanted:
        return "the image itself says of which version and commit it is"
    stores = map(release.stores.registry, release.destinations)
    if all(wanted in recorded(store, root) for store in stores):
        return "a record says of which version and commit it is already"
    return ""


def _vouch(release: Release) -> str:
    store, item = record_of(release.built.graph.root, Origin.of(release.version))
    for name in release.destinations:
        copy_graphs(store, [item], release.stores.registry(name, writing=True))
    return "a record of its version and commit is attached to it"


_NARROW = Step("platform", lambda _: "", _narrow)
_VOUCH = Step("vouch", _check_vouch, _vouch)

STAGE_STEPS = (PREFLIGHT, HOOK, BUILD, ORIGIN_OF_PART, _NARROW, CHECK, SMOKE, PUBLISH, _VOUCH, TAGS)
"""The steps that stage one platform, in order."""
