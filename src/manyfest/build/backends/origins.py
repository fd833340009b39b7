"""The images that a build reads, and the platforms whose programs it runs."""

from __future__ import annotations

from collections.abc import Iterator

from manyfest.build.dockerfile.instructions import (
    FromImage,
    FromStage,
    Instruction,
    Origin,
    Run,
)
from manyfest.build.dockerfile.plan import (
    Plan,
    PlannedStage,
    instructions_of,
    resolve_origin,
    source_names,
)
from manyfest.oci.platform import Platform


def root_of(plan: Plan) -> Origin:
    """What the image is built on in the end: no stage."""
    origin = plan.target.base
    while isinstance(origin, FromStage):
        origin = plan.stages[origin.index].base
    return origin


def images_of(plan: Plan) -> dict[FromImage, Instruction]:
    """Every image that is started from, copied from or mounted, with the first instruction that
    names it."""
    found: dict[FromImage, Instruction] = {}
    for instruction, origin in _origins(plan):
        if isinstance(origin, FromImage):
            found.setdefault(origin, instruction)
    return found


def run_on(plan: Plan) -> list[Platform]:
    """The platforms of the stages that run programs. A stage for the machine that builds, with a
    cross-compiler in it, needs no emulator. If none is known to run any, it is the target's."""
    found = [planned.platform for planned in plan.needed if _runs(planned, plan)]
    return list(dict.fromkeys(found)) or [plan.platform]


def _runs(planned: PlannedStage, plan: Plan) -> bool:
    return any(isinstance(each, Run) for each in instructions_of(planned, plan.dockerfile))


def _origins(plan: Plan) -> Iterator[tuple[Instruction, Origin]]:
    for planned in plan.needed:
        yield planned.stage.base, planned.base
        for instruction in instructions_of(planned, plan.dockerfile):
            for name in source_names(instruction, plan.dockerfile.directives.escape):
                origin = resolve_origin(name, plan.dockerfile, planned.index, plan.platform)
                yield instruction, origin
