"""The native builder: a Dockerfile without RUN and a context become one index for all platforms.

It needs no daemon, no root and no processor but this one's. Platforms are built at the same time;
what is the same for several is made once. Layers of base images are carried over by descriptor and
read only if something in them must be known (:mod:`manyfest.build.ground`). The same input gives
the same bytes on any machine, in any folder, at any time and under any user.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from manyfest.build.assemble import PlatformImage, write_image, write_index
from manyfest.build.bases import Bases
from manyfest.build.dockerfile.instructions import Run
from manyfest.build.dockerfile.plan import Plan
from manyfest.build.layer import LayerMaker
from manyfest.build.outline import Outline, outline
from manyfest.build.remotes import Remotes
from manyfest.build.request import BuildRequest, open_context, plan_platforms, read_dockerfile
from manyfest.build.stage import StageBuilder, needs_a_builder
from manyfest.build.workshop import Workshop
from manyfest.graph import Graph, read_graph
from manyfest.oci.config import ImageConfig
from manyfest.oci.manifest import Manifest
from manyfest.oci.platform import Platform
from manyfest.oci.reference import Name
from manyfest.progress import Progress
from manyfest.stores.base import Source
from manyfest.stores.layout import LayoutStore
from manyfest.stores.overlay import Overlay
from manyfest.stores.registry.http import Transport
from manyfest.stores.registry.web import download_transport
from manyfest.threads import together, workers

__all__ = ["BuildRequest", "Built", "BuiltPlatform", "build", "plan"]

JOBS = 4
"""Platforms built at the same time. Each compresses on all processors, so more would only need
more memory."""


@dataclass(frozen=True, slots=True)
class BuiltPlatform:
    """One platform's image, and how long it took."""

    platform: Platform
    manifest: Manifest
    config: ImageConfig
    seconds: float


@dataclass(frozen=True, slots=True)
class Built:
    """An index and what is below it. ``source`` has all of it as long as the workspace and the
    stores of the base images are there."""

    source: Source
    graph: Graph
    platforms: tuple[BuiltPlatform, ...]
    warnings: tuple[str, ...]


def build(
    request: BuildRequest,
    *,
    workspace: LayoutStore,
    open_image: Callable[[Name], Source],
    progress: Progress,
    open_web: Callable[[], Transport] = download_transport,
) -> Built:
    """Build for every platform. What is made goes into ``workspace``, under no name. ``open_web``
    gives what ADD fetches files with.

    Raises :class:`~manyfest.errors.UsageError` for what is asked wrongly, before anything is
    made; :class:`~manyfest.errors.BuildError` for what cannot be built; and what the stores of
    base images raise.
    """
    plans = plan_platforms(request, read_dockerfile(request))
    _refuse_programs(plans)
    context, bases = open_context(request), Bases(open_image)
    workspace.path.mkdir(parents=True, exist_ok=True)
    with (
        TemporaryDirectory(
            prefix="scratch-", dir=workspace.path, ignore_cleanup_errors=True
        ) as scratch,
        closing(
            Remotes(Path(scratch), progress, mtime=request.epoch, open_web=open_web)
        ) as remotes,
    ):
        layers = LayerMaker(
            workspace.blobs, request.compression, mtime=request.epoch, progress=progress
        )
        workshop = Workshop(
            context=context,
            bases=bases,
            remotes=remotes,
            layers=layers,
            room=workspace,
            scratch=Path(scratch),
            progress=progress,
            epoch=request.epoch,
        )
        built = _build_all(plans, workshop, request)
    images = [image for image, _ in built]
    index = write_index(images, workspace)
    return Built(
        source=Overlay([workspace, *bases.sources]),
        graph=read_graph(workspace, index.descriptor),
        platforms=tuple(
            BuiltPlatform(image.platform, image.manifest, image.config, seconds)
            for image, seconds in built
        ),
        warnings=tuple(_warnings(plans)),
    )


def plan(request: BuildRequest) -> Outline:
    """What :func:`build` would do, as far as it can be told without the base images: ``str``
    makes text of it. Nothing is written, and no registry is asked. Raises as ``build`` does."""
    plans = plan_platforms(request, read_dockerfile(request))
    _refuse_programs(plans)
    return outline(plans, open_context(request), epoch=request.epoch)


def _refuse_programs(plans: Sequence[Plan]) -> None:
    """Before anything is fetched or made."""
    for each in plans:
        for planned in each.needed:
            for instruction in planned.stage.instructions:
                if isinstance(instruction, Run):
                    raise needs_a_builder(instruction)


def _build_all(
    plans: Sequence[Plan], workshop: Workshop, request: BuildRequest
) -> list[tuple[PlatformImage, float]]:
    """Every platform's image and the seconds it took; the first failure ends the others."""
    with workers(min(len(plans), JOBS), "build") as pool:
        return together(
            pool,
            lambda each: _build_one(each, workshop, request),
            plans,
            stop=workshop.stop.set,
        )


def _build_one(
    plan: Plan, workshop: Workshop, request: BuildRequest
) -> tuple[PlatformImage, float]:
    start = time.monotonic()
    stages = StageBuilder(plan, workshop)
    image = [stages.build(planned) for planned in plan.needed][-1]
    written = write_image(
        image,
        plan.platform,
        workshop.room,
        metadata=request.metadata,
    )
    return written, time.monotonic() - start


def _warnings(plans: Sequence[Plan]) -> list[str]:
    return [
        f"{plans[0].dockerfile.file}: build argument {name} has no effect: no ARG declares it"
        for name in plans[0].unused_build_args()
    ]
