"""Builds an image for all its platforms: natively where it only takes files, and by a real builder
where it runs programs. Who builds what, and what is the same everywhere then:
docs/decisions/0008-who-builds-what.md.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

from manyfest.build.assemble import write_index
from manyfest.build.backends.choose import assign, find_backend
from manyfest.build.backends.origins import images_of, run_on
from manyfest.build.bases import Bases
from manyfest.build.built import Built, BuiltPlatform
from manyfest.build.cache import BuildCache
from manyfest.build.dockerfile.instructions import FromImage, Instruction
from manyfest.build.dockerfile.parse import Dockerfile
from manyfest.build.dockerfile.plan import Plan, no_stage_either
from manyfest.build.dockerfile.warnings import check_dockerfile, refuse_warnings
from manyfest.build.dockerignore import Ignore
from manyfest.build.native import build_natively
from manyfest.build.request import (
    AUTO,
    BuildRequest,
    open_context,
    plan_platforms,
    read_dockerfile,
    read_ignore,
)
from manyfest.build.stage import blamed
from manyfest.errors import AccessDenied, NeedsBuilder, NotFound
from manyfest.graph import read_graph
from manyfest.oci.reference import Name
from manyfest.progress import Progress
from manyfest.stores.base import Source
from manyfest.stores.layout import LayoutStore
from manyfest.stores.overlay import Overlay
from manyfest.stores.registry.web import download_transport

if TYPE_CHECKING:
    from manyfest.build.backends.backend import Backend
    from manyfest.build.outline import Outline
    from manyfest.stores.registry.http import Transport

Build: TypeAlias = "Callable[[Sequence[Plan], Backend | None], list[BuiltPlatform]]"
"""Builds some of the platforms; natively if there is no back end."""


def build(
    request: BuildRequest,
    *,
    workspace: LayoutStore,
    open_image: Callable[[Name], Source],
    progress: Progress,
    open_web: Callable[[], Transport] = download_transport,
    cache: BuildCache | None = None,
) -> Built:
    """Build for every platform. What is made goes into ``workspace``, under no name. ``open_web``
    gives what ADD fetches files with; ``cache`` has layers of earlier builds.

    Raises :class:`~manyfest.errors.UsageError` for what is asked wrongly, before anything is
    made; :class:`~manyfest.errors.BuildError` for what cannot be built; and what the stores of
    base images raise.
    """
    dockerfile = read_dockerfile(request)
    plans = plan_platforms(request, dockerfile)
    open_context(request)  # whoever builds, a wrong one is refused here
    ignore = read_ignore(request)
    refuse_warnings(dockerfile, check_dockerfile(dockerfile, ignore=ignore))
    bases = Bases(open_image)
    workspace.path.mkdir(parents=True, exist_ok=True)

    def some(plans: Sequence[Plan], backend: Backend | None) -> list[BuiltPlatform]:
        if backend is None:
            return build_natively(
                plans,
                request,
                workspace=workspace,
                bases=bases,
                progress=progress,
                open_web=open_web,
                cache=cache,
            )
        from manyfest.build.backends.delegate import build_with

        return build_with(
            backend,
            plans,
            request,
            workspace=workspace,
            bases=bases,
            progress=progress,
        )

    images = _build_all(plans, request, some)
    index = write_index(images, workspace)
    return Built(
        source=Overlay([workspace, *bases.sources]),
        graph=read_graph(workspace, index.descriptor),
        platforms=tuple(images),
        warnings=tuple(_warnings(plans[0], ignore, bases)),
    )


def plan(request: BuildRequest, *, has_before: bool = False) -> Outline:
    """What :func:`build` would do as far as it can be told without the base images: ``str``
    makes text of it. Nothing is written, and no registry is asked. Raises as ``build`` does, but
    not for missing files if a command runs first that may make them."""
    from manyfest.build.outline import outline

    plans = plan_platforms(request, read_dockerfile(request))
    backends = assign(plans, request.backend, os.environ)
    return outline(
        plans,
        [backend.name if backend else "native" for backend in backends],
        open_context(request),
        epoch=request.epoch,
        has_before=has_before,
    )


class WantedImage(Struct, frozen=True):
    """An image that a build would start or copy from, and the instruction that names it. A builder
    that runs programs may have it itself; any other finds it in its registry only."""

    image: FromImage
    instruction: Instruction
    dockerfile: Dockerfile
    in_registry: bool

    def find(self, bases: Bases) -> None:
        """Ask the registry for it.

        Raises :class:`~manyfest.errors.BuildError`, with file and line, if it must be there and is
        not, or if the registry does not tell.
        """
        with blamed(
            self.instruction, no_stage_either(self.image, self.instruction, self.dockerfile)
        ):
            try:
                bases.get(self.image)
            except (NotFound, AccessDenied):
                if self.in_registry:
                    raise


def base_images(request: BuildRequest) -> list[WantedImage]:
    """Every image that a build would start or copy from, once.

    Raises :class:`~manyfest.errors.DockerfileError`, and :class:`~manyfest.errors.BuildError` if
    there is no such builder here.
    """
    plans = plan_platforms(request, read_dockerfile(request))
    found: dict[FromImage, WantedImage] = {}
    for each, backend in zip(plans, assign(plans, request.backend, os.environ), strict=True):
        for image, instruction in images_of(each).items():
            if image not in found or backend is None:
                found[image] = WantedImage(image, instruction, each.dockerfile, backend is None)
    return list(found.values())


def _build_all(plans: Sequence[Plan], request: BuildRequest, build: Build) -> list[BuiltPlatform]:
    """All platforms, in order. That a base image brings a RUN along, in an ONBUILD, is only seen
    when it is read; then a real builder begins anew."""
    try:
        return _build_shares(plans, assign(plans, request.backend, os.environ), build)
    except NeedsBuilder:
        if request.backend != AUTO:
            raise
        backend = find_backend(AUTO, os.environ, plans[0].dockerfile)
        return _build_shares(plans, [backend] * len(plans), build)


def _build_shares(
    plans: Sequence[Plan], backends: Sequence[Backend | None], build: Build
) -> list[BuiltPlatform]:
    shares: dict[Backend | None, list[Plan]] = {}
    for plan, backend in zip(plans, backends, strict=True):
        shares.setdefault(backend, []).append(plan)
    for backend, share in shares.items():
        if backend is not None:
            backend.require(list(dict.fromkeys(p for plan in share for p in run_on(plan))))
    built = {
        image.platform: image
        for backend, share in shares.items()
        for image in build(share, backend)
    }
    return [built[plan.platform] for plan in plans]


def _warnings(plan: Plan, ignore: Ignore, bases: Bases) -> list[str]:
    """Once for all platforms: they share the Dockerfile, and their bases set the same names. More
    is known now than before the build, and may be refused."""
    images = {s.index: bases.found(s.base) for s in plan.needed if isinstance(s.base, FromImage)}
    variables = {
        index: [pair.partition("=")[0] for pair in image.config.config.env]
        for index, image in images.items()
        if image
    }
    found = check_dockerfile(plan.dockerfile, ignore=ignore, base_variables=variables)
    refuse_warnings(plan.dockerfile, found)
    unused = [
        f"{plan.dockerfile.file}: build argument {name} has no effect: no ARG declares it"
        for name in plan.unused_build_args()
    ]
    return [*map(str, found), *unused]
