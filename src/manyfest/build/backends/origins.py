"""The images that a build reads, and the platforms whose programs it runs."""

from __future__ import annotations

from collections.abc import Iterator

from manyfest.build.dockerfile.instructions import (
    Copy,
    FromImage,
    FromStage,
    Instruction,
    Origin,
    Run,
)
from manyfest.build.dockerfile.plan import Plan, PlannedStage, resolve_origin, stage_triggers
from manyfest.oci.platform import Platform


def root_of(plan: Plan) -> Origin:
    """What the image is built on in the end: no stage."""
    origin = plan.target.base
    while isinstance(origin, FromStage):
        origin = plan.stages[origin.index].base
    return origin


def images_of(plan: Plan) -> list[FromImage]:
    """Every image that is started from, copied from or mounted, once."""
    found = [origin for origin in _origins(plan) if isinstance(origin, FromImage)]
    return list(dict.fromkeys(found))


def run_on(plan: Plan) -> list[Platform]:
    """The platforms of the stages that run programs. A stage for the machine that builds, with a
    cross-compiler in it, needs no emulator. If none is known to run any, it is the target's."""
    found = [planned.platform for planned in plan.needed if _runs(planned, plan)]
    return list(dict.fromkeys(found)) or [plan.platform]


def _runs(planned: PlannedStage, plan: Plan) -> bool:
    instructions = list(planned.stage.instructions)
    if isinstance(planned.base, FromStage):
        instructions += stage_triggers(plan.dockerfile.stages[planned.base.index])
    return any(isinstance(instruction, Run) for instruction in instructions)


def _origins(plan: Plan) -> Iterator[Origin]:
    for planned in plan.needed:
        yield planned.base
        for instruction in planned.stage.instructions:
            for name in _source_names(instruction):
                yield resolve_origin(name, plan.dockerfile, planned.index, plan.platform)


def _source_names(instruction: Instruction) -> tuple[str, ...]:
    if isinstance(instruction, Run):
        # Mounts know no indexes: a number would be an image's name.
        return tuple(name for name in instruction.mount_sources if name and not name.isdigit())
    if isinstance(instruction, Copy) and instruction.from_name:
        return (instruction.from_name,)
    return ()
