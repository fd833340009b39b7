"""The native builder: a Dockerfile without RUN and a context become an image for each platform.

It needs no daemon, no root and no processor but this one's. Platforms are built at the same time;
what is the same for several is made once. Layers of base images are carried over by descriptor and
read only if something in them must be known (:mod:`manyfest.build.ground`). The same input gives
the same bytes on any machine, in any folder, at any time and under any user.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from manyfest.build.add.fetch import Remotes
from manyfest.build.assemble import write_image
from manyfest.build.bases import Bases
from manyfest.build.built import BuiltPlatform
from manyfest.build.cache import BuildCache
from manyfest.build.dockerfile.instructions import Run
from manyfest.build.dockerfile.plan import Plan
from manyfest.build.layer import LayerMaker
from manyfest.build.request import BuildRequest, open_context
from manyfest.build.stage import StageBuilder, needs_a_builder
from manyfest.build.workshop import Workshop
from manyfest.progress import Progress
from manyfest.stores.layout import LayoutStore
from manyfest.threads import together, workers

if TYPE_CHECKING:
    from manyfest.stores.registry.http import Transport

JOBS = 4
"""Platforms built at the same time. Each compresses on all processors, so more would only need
more memory."""


def build_natively(
    plans: Sequence[Plan],
    request: BuildRequest,
    *,
    workspace: LayoutStore,
    bases: Bases,
    progress: Progress,
    open_web: Callable[[], Transport],
    cache: BuildCache | None,
) -> list[BuiltPlatform]:
    """The image for each of ``plans``. What is made goes into ``workspace``. ``open_web`` gives
    what ADD fetches files with; ``cache`` has layers of earlier builds.

    Raises :class:`~manyfest.errors.NeedsBuilder` for a RUN; where the Dockerfile has it, that is
    before anything is fetched or made. Raises :class:`~manyfest.errors.BuildError` for what
    cannot be built, and what the stores of base images raise.
    """
    _refuse_programs(plans)
    context, stop = open_context(request), threading.Event()
    with (
        TemporaryDirectory(
            prefix="scratch-", dir=workspace.path, ignore_cleanup_errors=True
        ) as scratch,
        closing(
            Remotes(Path(scratch), progress, mtime=request.epoch, open_web=open_web, stop=stop)
        ) as remotes,
    ):
        layers = LayerMaker(
            workspace.blobs,
            request.compression,
            mtime=request.epoch,
            progress=progress,
            cache=cache,
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
            cache=cache,
            stop=stop,
        )
        return _build_all(plans, workshop, request)


def _refuse_programs(plans: Sequence[Plan]) -> None:
    """Before anything is fetched or made."""
    for each in plans:
        for planned in each.needed:
            for instruction in planned.stage.instructions:
                if isinstance(instruction, Run):
                    raise needs_a_builder(instruction)


def _build_all(
    plans: Sequence[Plan], workshop: Workshop, request: BuildRequest
) -> list[BuiltPlatform]:
    """Every platform's image; the first failure ends the others."""
    with workers(min(len(plans), JOBS), "build") as pool:
        return together(
            pool,
            lambda each: _build_one(each, workshop, request),
            plans,
            stop=workshop.stop.set,
        )


def _build_one(plan: Plan, workshop: Workshop, request: BuildRequest) -> BuiltPlatform:
    start = time.monotonic()
    stages = StageBuilder(plan, workshop)
    image = [stages.build(planned) for planned in plan.needed][-1]
    written = write_image(
        image,
        plan.platform,
        workshop.room,
        metadata=request.metadata,
    )
    return BuiltPlatform(
        written.platform, written.manifest, written.config, time.monotonic() - start
    )
