"""A Dockerfile for one target platform: which stages are needed, and what they start from.

::

    plan = plan_build(dockerfile, platform=arm64, build_platform=amd64, build_args={"V": "1"})
    for stage in plan.needed:            # bases and copied-from stages first, the target last
        match stage.base:
            case FromImage(reference=..., platform=...): ...
            case FromStage(index=...): ...
            case Scratch(): ...
        result = evaluate(plan, stage, variables_of_its_base)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress

from msgspec import Struct
from msgspec.structs import replace

from manyfest.build.dockerfile.expand import expand_word
from manyfest.build.dockerfile.instructions import (
    Arg,
    Copy,
    From,
    FromImage,
    FromStage,
    Instruction,
    OnBuild,
    Origin,
    Run,
    Scratch,
)
from manyfest.build.dockerfile.parse import Dockerfile, Stage
from manyfest.build.dockerfile.place import blamed_on, nearest, shown
from manyfest.errors import DockerfileError, InvalidPlatform
from manyfest.oci.platform import Platform

PREDEFINED_ARGS = frozenset(
    name
    for upper in ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")
    for name in (upper, upper.lower())
)
"""Build arguments that RUN sees without ARG. They expand in other instructions only after ARG."""


class PlannedStage(Struct, frozen=True, kw_only=True):
    """A stage whose base is known. ``platform`` is the one its base is for, and it itself."""

    stage: Stage
    base: Origin
    platform: Platform

    @property
    def index(self) -> int:
        return self.stage.index


class Plan(Struct, frozen=True, kw_only=True):
    """A build for one platform.

    ``stages`` are all stages, by index. ``needed`` are those the target is made from, each after
    the stages that it uses itself; the target is the last of them. ``global_values`` are the
    automatic arguments and those before the first FROM.
    """

    dockerfile: Dockerfile
    platform: Platform
    build_args: Mapping[str, str]
    global_values: Mapping[str, str]
    stages: tuple[PlannedStage, ...]
    needed: tuple[PlannedStage, ...]

    @property
    def target(self) -> PlannedStage:
        return self.needed[-1]

    @property
    def runs(self) -> list[Run]:
        """The RUN instructions on the way to the target; without any, no shell is needed.

        Triggers that a base image brings along are not known yet and not among them.
        """
        stages = (instructions_of(planned, self.dockerfile) for planned in self.needed)
        return [i for instructions in stages for i in instructions if isinstance(i, Run)]

    def unused_build_args(self) -> list[str]:
        """Build arguments that no ARG declares: most likely misspelt."""
        instructions = [i for stage in self.dockerfile.stages for i in stage.instructions]
        args = [i for i in (*self.dockerfile.global_args, *instructions) if isinstance(i, Arg)]
        declared = {item.key for arg in args for item in arg.items}
        automatic = _automatic_values(self.platform, self.platform, "").keys()
        return sorted(self.build_args.keys() - declared - automatic - PREDEFINED_ARGS)


def plan_build(
    dockerfile: Dockerfile,
    *,
    platform: Platform,
    build_platform: Platform,
    build_args: Mapping[str, str] | None = None,
    target: str = "",
    target_at: str = "",
) -> Plan:
    """Plan the build of ``target`` (a stage's name or index; empty: the last) for ``platform``.
    ``target_at`` is where it was asked for, if that was in a file.

    ``build_platform`` is the machine that builds. Raises
    :class:`~manyfest.errors.DockerfileError`, for faults in stages that are not needed too.
    """
    build_args = dict(build_args or {})
    wanted = _target(dockerfile, target, target_at)
    values = _automatic_values(platform, build_platform, target or wanted.name)
    values.update({name: build_args[name] for name in values.keys() & build_args.keys()})
    values = _global_values(dockerfile, values, build_args)
    stages: list[PlannedStage] = []
    for stage in dockerfile.stages:
        stages.append(_plan_stage(stage, stages, dockerfile, values, platform))
    needed = _needed(wanted.index, dockerfile, stages, platform)
    return Plan(
        dockerfile=dockerfile,
        platform=platform,
        build_args=build_args,
        global_values=values,
        stages=tuple(stages),
        needed=tuple(stages[index] for index in sorted(needed)),
    )


def _automatic_values(platform: Platform, build_platform: Platform, target: str) -> dict[str, str]:
    """The arguments that are there without being given: TARGETARCH, BUILDPLATFORM and so on."""
    values = {"TARGETSTAGE": target or "default"}
    for side, its in (("BUILD", build_platform), ("TARGET", platform)):
        values[f"{side}PLATFORM"] = str(its)
        values[f"{side}OS"] = its.os
        values[f"{side}OSVERSION"] = its.os_version
        values[f"{side}ARCH"] = its.architecture
        values[f"{side}VARIANT"] = its.variant
    return values


def default_values(dockerfile: Dockerfile) -> dict[str, str]:
    """The automatic arguments, for some platform, and those before the first FROM, without any
    build argument: what is there whatever is asked for. An ARG whose default cannot be expanded,
    or that has none, is left out."""
    some = Platform(os="linux", architecture="amd64")
    values = _automatic_values(some, some, "")
    for arg in dockerfile.global_args:
        with suppress(DockerfileError):
            values = _global_values(replace(dockerfile, global_args=(arg,)), values, {})
    return values


def resolve_origin(
    name: str, dockerfile: Dockerfile, before: int, platform: Platform
) -> FromStage | FromImage | Scratch:
    """What ``COPY --from=NAME`` in stage ``before`` means: an earlier stage by name or index, or
    an image. Raises :class:`~manyfest.errors.DockerfileError` without a place."""
    found = [stage.index for stage in dockerfile.stages if stage.name == name.lower()]
    if name.isascii() and name.isdigit():
        if len(name) > 9 or int(name) >= len(dockerfile.stages):
            raise DockerfileError(
                f"there is no stage {shown(name)}", mend="stages count from 0", word=name
            )
        found = [int(name)]
    if found:
        # Two stages of one name: the later one counts, as in BuildKit.
        if found[-1] >= before:
            raise DockerfileError(
                f"stage {shown(name)} is not built before this one",
                mend="move it up, or copy from another stage",
                word=name,
            )
        return FromStage(index=found[-1])
    if name == "scratch":
        return Scratch()
    return FromImage(reference=name, platform=platform)


def no_stage_either(image: FromImage, instruction: Instruction, dockerfile: Dockerfile) -> str:
    """What to say besides where ``instruction`` names an image that there is not, and may have
    meant an earlier stage; nothing if it can only mean an image."""
    if set(image.reference) & set("/:@."):
        return ""
    line = instruction.place.line
    earlier = [stage.name for stage in dockerfile.stages if stage.base.place.line < line]
    if not isinstance(instruction, From):
        earlier.pop()  # its own
    told = nearest(image.reference, filter(None, earlier))
    if isinstance(instruction, From) and not told.startswith("did you mean"):
        return ""  # most likely it does mean an image
    return "; ".join(filter(None, (f"there is no stage {shown(image.reference)} either", told)))


def _global_values(
    dockerfile: Dockerfile, automatic: Mapping[str, str], build_args: Mapping[str, str]
) -> dict[str, str]:
    values = dict(automatic)
    for arg in dockerfile.global_args:
        for item in arg.items:
            if item.key in build_args:
                values[item.key] = build_args[item.key]
            elif item.value is not None:
                with blamed_on(arg.place, arg.keyword):
                    values[item.key] = expand_word(
                        item.value, values, escape=dockerfile.directives.escape
                    )
    return values


def _target(dockerfile: Dockerfile, target: str, asked_at: str) -> Stage:
    stages = dockerfile.stages
    if not target:
        return stages[-1]
    for stage in reversed(stages):
        if target.lower() == stage.name or target == str(stage.index):
            return stage
    raise DockerfileError(
        f"there is no stage {shown(target)} to build"
        + (f" in {dockerfile.file}" if asked_at else ""),
        where=asked_at or dockerfile.file,
        mend=nearest(target, [stage.title for stage in stages])
        if any(stage.name for stage in stages)
        else "none has a name: give it one with FROM IMAGE AS NAME",
    )


def _plan_stage(
    stage: Stage,
    earlier: list[PlannedStage],
    dockerfile: Dockerfile,
    values: Mapping[str, str],
    target: Platform,
) -> PlannedStage:
    written = stage.base
    escape = dockerfile.directives.escape
    with blamed_on(written.place, written.keyword):
        base = expand_word(written.base, values, escape=escape)
        if not base:
            raise DockerfileError(
                f"{shown(written.base)} comes to nothing",
                mend="give the ARG before the first FROM a default, or pass --build-arg",
                word=written.base,
            )
        platform = target
        if written.platform:
            platform = _platform(
                expand_word(written.platform, values, escape=escape), written.platform
            )
    for planned in reversed(earlier):
        if planned.stage.name == base.lower():
            return PlannedStage(
                stage=stage, base=FromStage(index=planned.index), platform=planned.platform
            )
    if base == "scratch":
        return PlannedStage(stage=stage, base=Scratch(), platform=target)
    image = FromImage(reference=base, platform=platform)
    return PlannedStage(stage=stage, base=image, platform=platform)


def _platform(text: str, written: str) -> Platform:
    try:
        return Platform.parse(text)
    except InvalidPlatform as error:
        raise DockerfileError(
            f"{shown(f'--platform={written}')}: {error.what}", mend=error.mend, word=written
        ) from None


def _needed(
    target: int, dockerfile: Dockerfile, stages: list[PlannedStage], platform: Platform
) -> set[int]:
    """The target and what it is made from. Stages only use earlier ones, so sorting orders them."""
    uses = [set(_uses(planned, dockerfile, platform)) for planned in stages]
    needed: set[int] = set()
    waiting = [target]
    while waiting:
        index = waiting.pop()
        if index not in needed:
            needed.add(index)
            waiting.extend(uses[index])
    return needed


def _uses(planned: PlannedStage, dockerfile: Dockerfile, platform: Platform) -> Iterator[int]:
    if isinstance(planned.base, FromStage):
        yield planned.base.index
    for instruction in instructions_of(planned, dockerfile):
        for name in source_names(instruction, dockerfile.directives.escape):
            with blamed_on(instruction.place, instruction.keyword):
                origin = resolve_origin(name, dockerfile, planned.index, platform)
            if isinstance(origin, FromStage):
                yield origin.index


def instructions_of(planned: PlannedStage, dockerfile: Dockerfile) -> list[Instruction]:
    """What a stage carries out: its own instructions, and what the stage that it starts from asks
    for by ONBUILD."""
    own = planned.stage.instructions
    if not isinstance(planned.base, FromStage):
        return list(own)
    return [*stage_triggers(dockerfile.stages[planned.base.index]), *own]


def stage_triggers(stage: Stage) -> list[Instruction]:
    """What ONBUILD in ``stage`` asks of a later stage that starts from it."""
    return [i.trigger for i in stage.instructions if isinstance(i, OnBuild)]


def source_names(instruction: Instruction, escape: str) -> list[str]:
    """The stages and images that an instruction takes files from, as it names them."""
    if isinstance(instruction, Run):
        # Mounts know no indexes: a number would be an image's name.
        return [name for name in instruction.mount_sources if name and not name.isdigit()]
    if not isinstance(instruction, Copy) or not instruction.from_name:
        return []
    with blamed_on(instruction.place, instruction.keyword):
        if expand_word(instruction.from_name, {}, escape=escape) != instruction.from_name:
            raise DockerfileError(
                f"variables cannot be used in {shown(f'--from={instruction.from_name}')}",
                mend="name a stage with FROM $IMAGE AS NAME and copy from that",
                word=instruction.from_name,
            )
    return [instruction.from_name]
