"""One stage of one platform's build: its instructions, carried out one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from msgspec import Struct
from msgspec.structs import replace

from manyfest.build.bases import BaseImage
from manyfest.build.configure import Settings, begin, configure, from_scratch, moment
from manyfest.build.copying import copy
from manyfest.build.dockerfile import instructions as ins
from manyfest.build.dockerfile.evaluate import evaluate
from manyfest.build.dockerfile.plan import Plan, PlannedStage, no_stage_either
from manyfest.build.files import Tree, resolve, rooted
from manyfest.build.filesystem import Change, Empty, FileSystem
from manyfest.build.ground import BaseGround
from manyfest.build.layer import Layer
from manyfest.build.ownership import ROOT, parse_owner
from manyfest.build.workshop import Workshop
from manyfest.errors import (
    BuildError,
    DockerfileError,
    InvalidArchive,
    NeedsBuilder,
    NotFound,
    StoreError,
    UsageError,
)


class StageImage(Struct, frozen=True, kw_only=True):
    """An image as far as it is made. ``layers`` has the base's first; ``triggers`` are what
    ONBUILD in its base image asks for; ``variables`` are those that instructions see."""

    settings: Settings
    files: FileSystem
    layers: tuple[Layer, ...] = ()
    variables: Mapping[str, str]
    triggers: tuple[str, ...] = ()
    base: BaseImage | None = None


class StageBuilder:
    """Builds the stages of one platform; those that were built can be started or copied from."""

    def __init__(self, plan: Plan, workshop: Workshop) -> None:
        self._plan = plan
        self._shop = workshop
        self._built: dict[int, StageImage] = {}

    def build(self, planned: PlannedStage) -> StageImage:
        """Carry out a stage, once.

        Raises :class:`~manyfest.errors.DockerfileError` and
        :class:`~manyfest.errors.BuildError`, both with file and line, and what the stores raise.
        """
        if planned.index not in self._built:
            self._built[planned.index] = self._make(planned)
        return self._built[planned.index]

    def _stage(self, index: int) -> StageImage:
        """An earlier stage that another one uses. The plan has it built before, unless it is
        ONBUILD in a base image that asks for it."""
        return self.build(self._plan.stages[index])

    def _make(self, planned: PlannedStage) -> StageImage:
        with blamed(planned.stage.base):
            image = self._start(planned)
        evaluated = evaluate(self._plan, planned, image.variables, triggers=image.triggers)
        image = replace(image, settings=begin(image.settings, planned.platform))
        for instruction in evaluated.instructions:
            if self._shop.stop.is_set():
                raise BuildError("was given up", where=str(instruction.place))
            with blamed(instruction):
                image = self._carry_out(image, instruction)
        files = replace(image.files, label=f"stage {planned.stage.title}")
        return replace(image, files=files, variables=evaluated.variables, triggers=())

    def _start(self, planned: PlannedStage) -> StageImage:
        if isinstance(planned.base, ins.FromStage):
            return self._stage(planned.base.index)
        created = moment(self._shop.epoch)
        if isinstance(planned.base, ins.Scratch):
            settings = Settings(run=from_scratch(), created=created)
            return StageImage(settings=settings, files=FileSystem(Empty(), {}), variables={})
        return self._start_from(self._read(planned.base, planned.stage.base), created)

    def _start_from(self, base: BaseImage, created: str) -> StageImage:
        config, run = base.config, base.config.config
        ground = BaseGround(base, lambda: self._shop.names_of(base), mtime=self._shop.epoch)
        return StageImage(
            settings=Settings(
                run=run, created=created, author=config.author, history=config.history
            ),
            files=FileSystem(ground, {}),
            layers=tuple(map(Layer, base.layers, config.rootfs.diff_ids)),
            variables=dict(pair.partition("=")[::2] for pair in run.env),
            triggers=run.on_build,
            base=base,
        )

    def _carry_out(self, image: StageImage, instruction: ins.Instruction) -> StageImage:
        if isinstance(instruction, ins.Run):
            raise needs_a_builder(instruction)
        settings = configure(image.settings, instruction)
        change = self._change(image, settings, instruction)
        if change is None:
            return replace(image, settings=settings)
        layer = self._shop.layers.make(change.layer(), str(self._plan.platform))
        return replace(
            image, settings=settings, files=change.after(), layers=(*image.layers, layer)
        )

    def _change(
        self, image: StageImage, settings: Settings, instruction: ins.Instruction
    ) -> Change | None:
        """What an instruction does to the files; ``None`` if it makes no layer."""
        if isinstance(instruction, ins.Copy | ins.Add):
            return copy(
                instruction,
                self._tree(instruction),
                image.files,
                settings.workdir,
                self._shop,
                mtime=self._shop.epoch,
            )
        if isinstance(instruction, ins.Workdir) and settings.workdir != "/":
            return self._workdir(image.files, settings)
        return None

    def _workdir(self, files: FileSystem, settings: Settings) -> Change:
        """The directory is made with those above it, all for the current user."""
        change = Change(files, mtime=self._shop.epoch)
        name = resolve(change, rooted(settings.workdir))
        if change.find(name) is None:
            user = settings.run.user
            uid, gid = parse_owner(user, change) if user else ROOT
            change.make_directories(name, uid=uid, gid=gid)
        return change

    def _tree(self, instruction: ins.Copy | ins.Add) -> Tree:
        origin = instruction.origin if isinstance(instruction, ins.Copy) else None
        if origin is None:
            return self._shop.context
        if isinstance(origin, ins.FromStage):
            return self._to_copy_from(self._stage(origin.index))
        if isinstance(origin, ins.Scratch):
            return FileSystem(Empty(), {}, "an empty image")
        return self._shop.files_of(self._read(origin, instruction))

    def _read(self, image: ins.FromImage, instruction: ins.Instruction) -> BaseImage:
        with blamed(instruction, no_stage_either(image, instruction, self._plan.dockerfile)):
            return self._shop.bases.get(image)

    def _to_copy_from(self, image: StageImage) -> Tree:
        """A stage's files, with those that it has from its base image."""
        base = image.base
        if base is None:
            return image.files
        ground = BaseGround(
            base, lambda: self._shop.files_of(base), mtime=self._shop.epoch, copied_from=True
        )
        return replace(image.files, ground=ground)


def needs_a_builder(instruction: ins.Run) -> NeedsBuilder:
    """The refusal to run a program."""
    return NeedsBuilder(
        "RUN: running programs needs a real builder, and the native one only copies files",
        where=str(instruction.place),
        mend="leave out --backend native, or do it before the build and COPY what it makes",
        excerpt=instruction.place.excerpt(),
    )


@contextmanager
def blamed(instruction: ins.Instruction, mend: str = "") -> Iterator[None]:
    """Say of every error in an instruction at which line that stands, once; and how else to
    ``mend`` it."""
    here = str(instruction.place)
    try:
        yield
    except (BuildError, InvalidArchive, NotFound, StoreError, UsageError) as error:
        if error.where.startswith(instruction.place.file):
            raise
        what = f"{error.where}: {error.what}" if error.where else error.what
        kind = type(error) if isinstance(error, UsageError) else BuildError
        shown = instruction.place.excerpt(error.word if isinstance(error, DockerfileError) else "")
        raise kind(
            f"{instruction.keyword}: {what}",
            where=here,
            mend="; ".join(filter(None, (error.mend, mend))),
            excerpt=shown,
        ) from error
