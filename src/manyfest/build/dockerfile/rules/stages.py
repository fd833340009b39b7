"""Warnings about FROM: the names of stages, their bases and their platforms."""

from __future__ import annotations

from collections.abc import Iterator

from manyfest.build.dockerfile.expand import expand_word
from manyfest.build.dockerfile.parse import Dockerfile, Stage
from manyfest.build.dockerfile.place import shown
from manyfest.build.dockerfile.plan import default_values
from manyfest.build.dockerfile.rules.rule import DockerfileWarning, Rule, similar, written_keyword
from manyfest.build.dockerfile.rules.used_names import undefined_names
from manyfest.errors import DockerfileError, InvalidPlatform, InvalidReference
from manyfest.oci.platform import Platform
from manyfest.oci.reference import Name

_RESERVED = frozenset({"context", "scratch"})


def stage_name_casing(dockerfile: Dockerfile) -> Iterator[DockerfileWarning]:
    for stage in dockerfile.stages:
        written = stage.base.original.split()[-1] if stage.name else ""
        if written != written.lower():
            yield DockerfileWarning(
                rule="StageNameCasing",
                place=stage.base.place,
                what=f"the stage's name {shown(written)} has capital letters, which do not count",
                mend=f"write {written.lower()}",
                word=written,
            )


def from_as_casing(dockerfile: Dockerfile) -> Iterator[DockerfileWarning]:
    for stage in dockerfile.stages:
        keyword = written_keyword(stage.base)
        written = stage.base.original.split()[-2] if stage.name else "AS"
        wanted = "as" if keyword.islower() else "AS"
        if written != wanted and (keyword.islower() or keyword.isupper()) and stage.name:
            yield DockerfileWarning(
                rule="FromAsCasing",
                place=stage.base.place,
                what=f"{shown(keyword)} and {shown(written)} differ in their letters' case",
                mend=f"write {wanted}",
                word=written,
            )


def duplicate_stage_name(dockerfile: Dockerfile) -> Iterator[DockerfileWarning]:
    seen: set[str] = set()
    for stage in dockerfile.stages:
        if stage.name in seen:
            yield _about_name(
                "DuplicateStageName",
                stage,
                f"there is a stage {shown(stage.name)} already, and the later one counts",
            )
        seen |= {stage.name} - {""}


def reserved_stage_name(dockerfile: Dockerfile) -> Iterator[DockerfileWarning]:
    for stage in dockerfile.stages:
        if stage.name in _RESERVED:
            yield _about_name(
                "ReservedStageName", stage, f"the name {shown(stage.name)} has another meaning"
            )


def undefined_arg_in_from(dockerfile: Dockerfile) -> Iterator[DockerfileWarning]:
    declared = {item.key for arg in dockerfile.global_args for item in arg.items}
    known = declared | default_values(dockerfile).keys()
    for stage in dockerfile.stages:
        texts = (stage.base.base, stage.base.platform)
        for name in undefined_names(texts, known, dockerfile.directives.escape):
            yield DockerfileWarning(
                rule="UndefinedArgInFrom",
                place=stage.base.place,
                what=f"no ARG before the first FROM declares {name}",
                mend=similar(name, declared, f"add ARG {name} there"),
                word=name,
            )


def invalid_default_arg_in_from(dockerfile: Dockerfile) -> Iterator[DockerfileWarning]:
    values = default_values(dockerfile)
    names = {"scratch", *(stage.name for stage in dockerfile.stages if stage.name)}
    for stage in dockerfile.stages:
        written = stage.base.base
        if "$" not in written:
            continue
        try:
            base = expand_word(written, values, escape=dockerfile.directives.escape)
            if base not in names:
                Name.parse(base)
        except InvalidReference:
            yield DockerfileWarning(
                rule="InvalidDefaultArgInFrom",
                place=stage.base.place,
                what=f"without build arguments {shown(written)} comes to {shown(base)},"
                " which is no image's name",
                mend="give the ARG before the first FROM a default",
                word=written,
            )
        except DockerfileError:
            continue  # ${NAME:?why} says itself that there is no default


def redundant_target_platform(dockerfile: Dockerfile) -> Iterator[DockerfileWarning]:
    for stage in dockerfile.stages:
        written = stage.base.platform
        if written in {"$TARGETPLATFORM", "${TARGETPLATFORM}"}:
            yield DockerfileWarning(
                rule="RedundantTargetPlatform",
                place=stage.base.place,
                what=f"a stage is for {written} anyway",
                mend="leave --platform out",
                word=written,
            )


def from_platform_flag_const_disallowed(dockerfile: Dockerfile) -> Iterator[DockerfileWarning]:
    for stage in dockerfile.stages:
        written = stage.base.platform
        if not written or "$" in written:
            continue
        try:
            platform = Platform.parse(written)
        except InvalidPlatform:  # an error of its own
            continue
        # A stage that is called for its platform is meant to be for that one.
        if platform.os not in stage.name and platform.architecture not in stage.name:
            yield DockerfileWarning(
                rule="FromPlatformFlagConstDisallowed",
                place=stage.base.place,
                what=f"the stage is for {written} whatever the image is built for",
                mend="leave --platform out, write --platform=$BUILDPLATFORM,"
                f" or let the stage's name say {platform.architecture}",
                word=written,
            )


def _about_name(rule: str, stage: Stage, what: str) -> DockerfileWarning:
    return DockerfileWarning(
        rule=rule,
        place=stage.base.place,
        what=what,
        mend="give this stage another name",
        word=stage.base.original.split()[-1],
    )


STAGE_RULES: tuple[Rule, ...] = (
    stage_name_casing,
    from_as_casing,
    duplicate_stage_name,
    reserved_stage_name,
    undefined_arg_in_from,
    invalid_default_arg_in_from,
    redundant_target_platform,
    from_platform_flag_const_disallowed,
)
