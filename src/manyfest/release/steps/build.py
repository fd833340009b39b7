"""All platforms are built and joined into one index, which goes into an archive.

The archive gets its own name once it has been checked, in the next step; until then, and if the
check finds a fault, whatever had that name stays.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from manyfest.amounts import counted
from manyfest.copy import copy_graph
from manyfest.errors import ManyfestError
from manyfest.graph import read_graph
from manyfest.release.resume.reuse import find_image, inputs_of
from manyfest.release.steps.step import Image, Release, Step
from manyfest.stores.archives.store import ArchiveStore

if TYPE_CHECKING:
    from manyfest.build.built import Built


def _check(release: Release) -> str:
    return find_image(release)


def _run(release: Release) -> str:
    # Loaded when something is built: many releases take an image that is there.
    from manyfest.build.builder import build
    from manyfest.build.cache import user_cache
    from manyfest.build.workspace import workspace
    from manyfest.release.project.building import make_output_folder, project_request

    folder = release.archive.parent
    make_output_folder(folder)
    release.inputs = inputs_of(release)
    request = project_request(release.config, release.version)
    with workspace(folder, named_by="'archive'") as room:
        built = build(
            replace(request, ca_file=release.stores.ca_file),
            workspace=room,
            open_image=release.stores.registry,
            open_web=release.stores.web,
            progress=release.progress,
            cache=user_cache(),
        )
        for warning in built.warnings:
            release.progress.say(f"warning: {warning}")
        path = _archive(release, built)
    archive = ArchiveStore(path)
    release.image = Image(archive, read_graph(archive, built.graph.root.descriptor))
    release.build_seconds = {str(each.platform): each.seconds for each in built.platforms}
    held = f"; {path} holds the same already" if path == release.archive else ""
    return f"{counted(len(built.platforms), 'platform')}{held}"


def _archive(release: Release, built: Built) -> Path:
    """Where the image is: the archive that is there, if it holds the same, or else a new one."""
    from manyfest.stores.archives.names import Naming
    from manyfest.stores.archives.writer import ArchiveWriter

    name = release.config.place.with_tag(release.version.text)
    if _holds(release.archive, name.familiar, built):
        release.candidate.unlink(missing_ok=True)  # of a release that was killed
        return release.archive
    naming = Naming(name.place, release.config.build.platforms[0])
    with ArchiveWriter(release.candidate, naming=naming) as target:
        copy_graph(built.source, built.graph, target, [name.tag], progress=release.progress)
    return release.candidate


def _holds(path: Path, name: str, built: Built) -> bool:
    """Whether the archive at ``path`` is this image. One that cannot be read is written anew;
    its content is checked in the next step in any case."""
    with suppress(ManyfestError), ArchiveStore(path) as archive:
        same = archive.resolve(name).digest == built.graph.root.descriptor.digest
        return same and all(archive.has(part) for part in built.graph.descriptors)
    return False


BUILD = Step("build", _check, _run)
