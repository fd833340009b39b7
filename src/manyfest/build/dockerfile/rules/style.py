"""Warnings about single instructions: forms that are old, ambiguous or dangerous."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from manyfest.build.dockerfile import instructions as ins
from manyfest.build.dockerfile.parse import Dockerfile, Stage
from manyfest.build.dockerfile.place import Place, shown
from manyfest.build.dockerfile.rules.rule import (
    DockerfileWarning,
    Rule,
    all_instructions,
    comments_above,
    written_keyword,
)

_SECRET = re.compile(
    r"(?:_|^)(?:apikey|auth|credentials?|key|password|pword|passwd|secret|token)(?:_|$)",
    re.IGNORECASE,
)
_NO_SECRET = re.compile(r"(?:_|^)(?:public|file|version)(?:_|$)", re.IGNORECASE)
_ABSOLUTE = re.compile(r"[/\\$]|[A-Za-z]:")


def no_empty_continuation(dockerfile: Dockerfile) -> Iterator[DockerfileWarning]:
    for instruction in all_instructions(dockerfile):
        place = instruction.place
        for number, line in enumerate(place.lines, start=place.line):
            if not line.strip():
                yield DockerfileWarning(
                    rule="NoEmptyContinuation",
                    place=Place(file=place.file, line=number, end_line=number, lines=(line,)),
                    what=f"an empty line within {instruction.keyword} will become an error",
                    mend="remove it",
                )
                break


def consistent_instruction_casing(dockerfile: Dockerfile) -> Iterator[DockerfileWarning]:
    keywords = [
        (instruction, written_keyword(instruction))
        for stage in dockerfile.stages
        for instruction in (stage.base, *stage.instructions)
    ]
    lower = sum(word.islower() for _, word in keywords)
    upper = sum(word.isupper() for _, word in keywords)
    for instruction, word in keywords:
        wanted = word.lower() if lower > upper else word.upper()
        if word != wanted:
            yield DockerfileWarning(
                rule="ConsistentInstructionCasing",
                place=instruction.place,
                what=f"{shown(word)} is not written like most keywords here",
                mend=f"write {wanted}",
                word=word,
            )


def maintainer_deprecated(dockerfile: Dockerfile) -> Iterator[DockerfileWarning]:
    for instruction in all_instructions(dockerfile):
        if isinstance(instruction, ins.Maintainer):
            yield DockerfileWarning(
                rule="MaintainerDeprecated",
                place=instruction.place,
                what="MAINTAINER is a thing of the past",
                mend="write LABEL org.opencontainers.image.authors=…",
            )


def json_args_recommended(dockerfile: Dockerfile) -> Iterator[DockerfileWarning]:
    """Unless the stage, or one that it starts from, has its own SHELL: then a shell is meant."""
    with_shell: set[str] = set()
    for stage in dockerfile.stages:
        has_shell = stage.base.base.lower() in with_shell
        for instruction in stage.instructions:
            has_shell |= isinstance(instruction, ins.Shell)
            if not isinstance(instruction, ins.Cmd | ins.Entrypoint) or has_shell:
                continue
            if instruction.command.in_shell:
                yield DockerfileWarning(
                    rule="JSONArgsRecommended",
                    place=instruction.place,
                    what="the program is started by a shell, which passes no signals on to it",
                    mend=f'write {instruction.keyword} ["program", "argument"]',
                )
        if has_shell and stage.name:
            with_shell.add(stage.name)


def multiple_instructions_disallowed(dockerfile: Dockerfile) -> Iterator[DockerfileWarning]:
    for stage in dockerfile.stages:
        left = Counter(map(type, stage.instructions))
        for instruction in stage.instructions:
            left[type(instruction)] -= 1
            once = isinstance(instruction, ins.Cmd | ins.Entrypoint | ins.Healthcheck)
            if once and left[type(instruction)]:
                yield DockerfileWarning(
                    rule="MultipleInstructionsDisallowed",
                    place=instruction.place,
                    what=f"this has no effect: a later {instruction.keyword} of the stage counts",
                    mend="keep one of them",
                )


def workdir_relative_path(dockerfile: Dockerfile) -> Iterator[DockerfileWarning]:
    """The first WORKDIR of a stage, if it is relative to one that only the base image knows."""
    with_workdir: set[str] = set()
    for stage in dockerfile.stages:
        first = _first_workdir(stage)
        known = stage.base.base.lower() in with_workdir
        if first and not known and not _ABSOLUTE.match(first.path):
            yield DockerfileWarning(
                rule="WorkdirRelativePath",
                place=first.place,
                what=f"where {shown(first.path)} leads depends on the base image",
                mend="write an absolute path",
                word=first.path,
            )
        if stage.name and (first or known):
            with_workdir.add(stage.name)


def _first_workdir(stage: Stage) -> ins.Workdir | None:
    return next((each for each in stage.instructions if isinstance(each, ins.Workdir)), None)


def legacy_key_value_format(dockerfile: Dockerfile) -> Iterator[DockerfileWarning]:
    for instruction in all_instructions(dockerfile):
        if isinstance(instruction, ins.Env | ins.Label) and instruction.pairs[0].legacy:
            key = instruction.pairs[0].key
            yield DockerfileWarning(
                rule="LegacyKeyValueFormat",
                place=instruction.place,
                what=f"{instruction.keyword} {key} has its value behind a blank, the old form",
                mend=f"write {instruction.keyword} {key}=VALUE",
                word=key,
            )


def secrets_used_in_arg_or_env(dockerfile: Dockerfile) -> Iterator[DockerfileWarning]:
    for stage in dockerfile.stages:
        for instruction in stage.instructions:
            for name in _names_set_by(instruction):
                if _SECRET.search(name) and not _NO_SECRET.search(name):
                    yield DockerfileWarning(
                        rule="SecretsUsedInArgOrEnv",
                        place=instruction.place,
                        what=f"{name} looks like a secret, and everyone who has the image can"
                        f" read what {instruction.keyword} sets",
                        mend="use RUN --mount=type=secret",
                        word=name,
                    )


def _names_set_by(instruction: ins.Instruction) -> list[str]:
    if isinstance(instruction, ins.Arg):
        return [item.key for item in instruction.items]
    return [pair.key for pair in instruction.pairs] if isinstance(instruction, ins.Env) else []


def expose_proto_casing(dockerfile: Dockerfile) -> Iterator[DockerfileWarning]:
    for instruction, port in _ports(dockerfile):
        protocol = port.rpartition("/")[2] if "/" in port else ""
        if "$" not in protocol and protocol != protocol.lower():
            yield DockerfileWarning(
                rule="ExposeProtoCasing",
                place=instruction.place,
                what=f"the protocol of {shown(port)} has capital letters",
                mend=f"write {protocol.lower()}",
                word=port,
            )


def expose_invalid_format(dockerfile: Dockerfile) -> Iterator[DockerfileWarning]:
    for instruction, port in _ports(dockerfile):
        if "$" not in port and ":" in port:
            yield DockerfileWarning(
                rule="ExposeInvalidFormat",
                place=instruction.place,
                what=f"the address or the host's port in {shown(port)} has no effect",
                mend=f"write {port.rpartition(':')[2]}",
                word=port,
            )


def _ports(dockerfile: Dockerfile) -> Iterator[tuple[ins.Expose, str]]:
    for instruction in all_instructions(dockerfile):
        if isinstance(instruction, ins.Expose):
            for port in instruction.ports:
                yield instruction, port


def invalid_definition_description(dockerfile: Dockerfile) -> Iterator[DockerfileWarning]:
    """The comment above ARG, or above FROM with a name, describes what stands below it."""
    for instruction in all_instructions(dockerfile):
        names = _defined_by(instruction)
        comments = comments_above(dockerfile, instruction.place.line)
        words = comments[-1].split() if names and comments else []
        if words and words[0] not in names:
            yield DockerfileWarning(
                rule="InvalidDefinitionDescription",
                place=instruction.place,
                what=f"the comment above does not describe {names[0]}",
                mend=f"write '# {names[0]} DESCRIPTION', or put an empty line between them",
                word=names[0],
            )


def _defined_by(instruction: ins.Instruction) -> list[str]:
    if isinstance(instruction, ins.From):
        return [instruction.name] if instruction.name else []
    return _names_set_by(instruction) if isinstance(instruction, ins.Arg) else []


STYLE_RULES: tuple[Rule, ...] = (
    no_empty_continuation,
    consistent_instruction_casing,
    maintainer_deprecated,
    json_args_recommended,
    multiple_instructions_disallowed,
    workdir_relative_path,
    legacy_key_value_format,
    secrets_used_in_arg_or_env,
    expose_proto_casing,
    expose_invalid_format,
    invalid_definition_description,
)
