"""What a build would do, told without doing it."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from manyfest.build.add.address import is_remote
from manyfest.build.context import Context
from manyfest.build.copying import copy
from manyfest.build.dockerfile import instructions as ins
from manyfest.build.dockerfile.evaluate import evaluate
from manyfest.build.dockerfile.plan import Plan, PlannedStage
from manyfest.build.files import File
from manyfest.build.filesystem import Empty, FileSystem
from manyfest.build.history import created_by
from manyfest.build.stage import blamed
from manyfest.errors import MissingSource
from manyfest.layers.entry import EntryType
from manyfest.oci.platform import Platform


class Step(Struct, frozen=True):
    """An instruction that makes a layer. ``files`` and ``size`` (in bytes) are what it takes from
    the context; ``None`` where it takes nothing from there."""

    text: str
    files: int | None = None
    size: int | None = None

    def __str__(self) -> str:
        if self.files is None or self.size is None:
            return self.text
        return f"{self.text}  ({self.files} files, {self.size} bytes)"


class StageOutline(Struct, frozen=True):
    """A stage, what it starts from, and its layers."""

    title: str
    base: str
    steps: tuple[Step, ...]


class PlatformOutline(Struct, frozen=True):
    """The stages of one platform's build, in order, and the back end that builds them."""

    platform: Platform
    backend: str
    stages: tuple[StageOutline, ...]


class Outline(Struct, frozen=True):
    """A build, for people: ``str`` gives a few lines for each platform."""

    platforms: tuple[PlatformOutline, ...]

    def __str__(self) -> str:
        lines: list[str] = []
        for each in self.platforms:
            lines.append(f"{each.platform} by {each.backend}")
            for stage in each.stages:
                lines.append(f"  stage {stage.title} from {stage.base}")
                lines.extend(f"    {step}" for step in stage.steps)
        return "\n".join(lines)


def outline(
    plans: Sequence[Plan],
    backends: Sequence[str],
    context: Context,
    *,
    epoch: int,
    has_before: bool = False,
) -> Outline:
    """The outline of a build for ``plans``, each by the back end of this name.

    Variables that only a base image sets are empty in it. Raises what a build would raise for
    the Dockerfile and for files that are missing from the context, unless a command that runs
    first, ``has_before``, may make them.
    """
    look = _Look(context, epoch, has_before)
    return Outline(
        tuple(
            PlatformOutline(
                plan.platform,
                backend,
                tuple(_stage(plan, planned, look) for planned in plan.needed),
            )
            for plan, backend in zip(plans, backends, strict=True)
        )
    )


class _Look(Struct, frozen=True):
    """Where files are looked for: the context, before the command that may make some of them."""

    context: Context
    epoch: int
    has_before: bool


def _stage(plan: Plan, planned: PlannedStage, look: _Look) -> StageOutline:
    evaluated = evaluate(plan, planned, {})
    steps = [
        _step(instruction, look)
        for instruction in evaluated.instructions
        if isinstance(instruction, ins.Copy | ins.Add | ins.Workdir | ins.Run)
    ]
    return StageOutline(planned.stage.title, _base(plan, planned), tuple(steps))


def _base(plan: Plan, planned: PlannedStage) -> str:
    if isinstance(planned.base, ins.FromStage):
        return f"stage {plan.stages[planned.base.index].stage.title}"
    if isinstance(planned.base, ins.Scratch):
        return "scratch"
    return f"{planned.base.reference} for {planned.base.platform}"


def _step(instruction: ins.Copy | ins.Add | ins.Workdir | ins.Run, look: _Look) -> Step:
    if isinstance(instruction, ins.Run):
        return Step(instruction.original)
    if isinstance(instruction, ins.Workdir):
        return Step(f"WORKDIR {instruction.path}")
    text = created_by(instruction).removesuffix(" # buildkit")
    if isinstance(instruction, ins.Copy) and instruction.from_name:
        return Step(f"{text}  (from {instruction.from_name})")
    if isinstance(instruction, ins.Add) and _is_fetched(instruction):
        return Step(f"{text}  (fetched)")
    try:
        with blamed(instruction):
            files = _files(instruction, look.context, look.epoch)
    except MissingSource:
        if not look.has_before:
            raise
        return Step(f"{text}  (not there yet: 'before' may make it)")
    return Step(text, len(files), sum(file.entry.size for file in files))


def _is_fetched(add: ins.Add) -> bool:
    return all(map(is_remote, add.sources)) and not add.inline


def _files(instruction: ins.Copy | ins.Add, context: Context, epoch: int) -> list[File]:
    """What is taken from the context, and not from elsewhere. Who owns it there takes the image to
    know, and an archive counts as the one file it is."""
    nobody = replace(instruction, chown="", link=False)
    change = copy(nobody, context, FileSystem(Empty(), {}), "/", None, mtime=epoch)
    return [file for file in change.layer() if file.entry.type is not EntryType.DIR]
