"""Which image a release takes as it is, without building: one that was named, or one that an
earlier run made of this very commit (docs/decisions/0011-what-is-taken-as-it-is.md).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from manyfest import __version__
from manyfest.check.entrypoint import command
from manyfest.check.report import PlatformSummary
from manyfest.copy import missing
from manyfest.errors import ContentError, ManyfestError, NotFound, ReleaseError
from manyfest.graph import read_config, read_graph
from manyfest.images.selection import entries_of
from manyfest.oci.reference import Reference
from manyfest.release.project.config import Config, ConfigFile
from manyfest.release.resume.journal import SUFFIX, Made, journal_path, read_journal
from manyfest.release.steps.moves import moves
from manyfest.release.steps.step import Image, Release
from manyfest.release.versions import git
from manyfest.stores.archives.store import ArchiveStore

_NOT_OF_THE_IMAGE = frozenset({"notify", "sign"})
"""Keys that say nothing of the image, and may hold what is nobody's business."""


def find_image(release: Release) -> str:
    """Take the image that need not be built into ``release``, and say why it is taken; the empty
    string if there is none. Nothing is done if ``release`` has an image already.

    Raises what the store raises if an image was named and cannot be read.
    """
    if release.taken_from is not None:
        if release.image is None:
            release.image = _taken(release, release.taken_from)
        return f"{release.image.digest} is taken from {release.taken_from}"
    if release.image is None:
        release.image = _made_before(release)
    if release.image is None:
        return ""
    return f"{release.archive} holds the image of this commit"


def find_settled(release: Release) -> bool:
    """Whether every tag of the release points at its image already. Then nothing will be changed,
    and ``release`` knows its platforms, though nobody read their layers. Of each image the
    registries are asked once.

    Raises what the registries raise when they cannot answer.
    """
    if release.image is None or release.settled or release.looked == release.image.digest:
        return release.settled
    checked = release.checked
    # Of an image with faults the check tells more.
    with suppress(ContentError, NotFound, ReleaseError):
        release.checked = _summaries(release.image)
        planned = moves(release)
        release.planned = planned
        release.settled = bool(planned) and all(move.is_done for move in planned)
        release.looked = release.image.digest
    if not release.settled:
        release.checked = checked
    return release.settled


def inputs_of(release: Release) -> str:
    """A digest of all that the image is made of besides the commit; the empty string if the commit
    does not say what the files are.

    Files that git does not watch are known by their size and times, as in the build's cache.
    """
    config, version = release.config, release.version
    if not version.revision or version.dirty or not _in_repository(config):
        return ""
    keys = [key for key in ConfigFile.__struct_fields__ if key not in _NOT_OF_THE_IMAGE]
    told: dict[str, object] = {key: getattr(config, key) for key in keys}
    told |= {
        "version": version,
        "files": list(_unwatched(release)),
        "dockerfile": [_digest_of(path) for path in _dockerfiles(config)],
        "manyfest": __version__,
    }
    raw = msgspec.json.encode(told, enc_hook=str, order="deterministic")
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


def note_made(release: Release) -> None:
    """Write down what the image in the archive was made of, so that it is not built again. If it
    is another thing now than when the build began, nobody can tell."""
    if release.inputs and release.inputs == inputs_of(release):
        made = Made(revision=release.version.revision, inputs=release.inputs)
        release.open_journal().note(made)


def _taken(release: Release, reference: Reference) -> Image:
    source = release.stores.source(reference)
    return Image(source, read_graph(source, source.resolve(reference.target)))


def _made_before(release: Release) -> Image | None:
    """The image in the archive, if the journal says that it was made of what is here now. What
    cannot be read is built."""
    path = journal_path(release.archive, release.version)
    journal = read_journal(path, lambda _: None)
    if journal is None or journal.made is None or release.version.dirty:
        return None
    now = Made(revision=release.version.revision, inputs=inputs_of(release))
    if journal.made != now:
        return None
    archive = ArchiveStore(release.archive)
    with suppress(ManyfestError):
        graph = read_graph(archive, archive.resolve(str(journal.began.digest)))
        if not missing(archive, graph):
            return Image(archive, graph)
    archive.close()
    return None


def _dockerfiles(config: Config) -> tuple[Path, Path]:
    """What a command before the build may write outside the context."""
    return config.dockerfile, config.dockerfile.with_name(f"{config.dockerfile.name}.dockerignore")


def _digest_of(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""  # the build tells what is wrong with it


def _unwatched(release: Release) -> Iterator[tuple[bytes, int, int, int, int]]:
    """What can get into the image and is not the commit's: each file, and what tells its content.
    What this release writes itself is not among them."""
    own = {release.archive.resolve(), release.candidate.resolve()}
    folder, context = release.archive.parent.resolve(), release.config.context
    for name in git.unwatched_files(context):
        path = (context / name).resolve()
        if path in own or (path.suffix == SUFFIX and path.parent == folder):
            continue
        with suppress(FileNotFoundError):
            found = (context / name).lstat()
            times = (found.st_mtime_ns, found.st_ctime_ns)
            yield os.fsencode(name), found.st_size, found.st_ino, *times


def _in_repository(config: Config) -> bool:
    """Whether git watches the context and the Dockerfile along with the configuration."""
    top = _repository_of(config.root)
    return (
        top is not None
        and config.context.is_dir()
        and all(_repository_of(path) == top for path in (config.context, config.dockerfile.parent))
    )


def _repository_of(folder: Path) -> Path | None:
    folder = folder.resolve()
    return next((each for each in (folder, *folder.parents) if (each / ".git").exists()), None)


def _summaries(image: Image) -> tuple[PlatformSummary, ...]:
    """The platforms, as manifests and configurations tell of them."""
    manifests = {each.descriptor.digest: each for each in image.graph.manifests}
    found: list[PlatformSummary] = []
    root = image.graph.root.descriptor
    for platform, entry in entries_of(image.source, root, known=image.graph.manifests):
        manifest = manifests[entry.digest]
        config = read_config(image.source, manifest.image)
        found.append(
            PlatformSummary(
                platform=str(platform.normalised()),
                descriptor=manifest.descriptor,
                size=manifest.descriptor.size + sum(part.size for part in manifest.children),
                layers=len(manifest.image.layers),
                command=command(config.config),
            )
        )
    return tuple(found)
