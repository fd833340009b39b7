"""A whole Dockerfile: its instructions, grouped in stages."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from manyfest.build.dockerfile import instructions as ins
from manyfest.build.dockerfile.lex import Directives, lex
from manyfest.build.dockerfile.parse_instruction import check_trigger, parse_instruction
from manyfest.build.dockerfile.place import shown
from manyfest.errors import DockerfileError


class Stage(Struct, frozen=True, kw_only=True):
    """One FROM and what follows it. ``index`` counts from 0; ``name`` is empty or in lower case."""

    index: int
    base: ins.From
    instructions: tuple[ins.Instruction, ...]

    @property
    def name(self) -> str:
        return self.base.name

    @property
    def title(self) -> str:
        """How people are told of this stage: its name, or its number."""
        return self.name or str(self.index)


class Dockerfile(Struct, frozen=True, kw_only=True):
    """A parsed Dockerfile. ``text`` is the source, for messages that show a line of it;
    ``global_args`` stand before the first FROM."""

    file: str
    text: str
    directives: Directives
    global_args: tuple[ins.Arg, ...]
    stages: tuple[Stage, ...]


def parse_dockerfile(text: str, file: str = "Dockerfile") -> Dockerfile:
    """Parse a whole Dockerfile; ``file`` is its name in errors.

    Raises :class:`~manyfest.errors.DockerfileError` and nothing else.
    """
    directives, statements = lex(text, file)
    if not statements:
        raise DockerfileError("the file has no instructions", where=file, mend="start it with FROM")
    parsed = [parse_instruction(statement, directives.escape) for statement in statements]
    global_args: list[ins.Arg] = []
    stages: list[tuple[ins.From, list[ins.Instruction]]] = []
    for instruction in parsed:
        if isinstance(instruction, ins.From):
            stages.append((instruction, []))
        elif stages:
            stages[-1][1].append(instruction)
        elif isinstance(instruction, ins.Arg):
            global_args.append(instruction)
        else:
            raise instruction.fault("it stands before the first FROM", "only ARG may stand there")
    if not stages:
        raise parsed[-1].fault("the file has no FROM", "add FROM and the image to start from")
    return Dockerfile(
        file=file,
        text=text,
        directives=directives,
        global_args=tuple(global_args),
        stages=tuple(
            Stage(index=index, base=base, instructions=tuple(instructions))
            for index, (base, instructions) in enumerate(stages)
        ),
    )


def parse_trigger(expression: str, stage: Stage) -> ins.Instruction:
    """An ONBUILD trigger found in a base image's configuration, to be run in ``stage``.

    It is blamed on that stage's FROM. Triggers always escape with a backslash.
    """
    base = stage.base
    _, statements = lex(expression, base.place.file)
    if len(statements) != 1:
        raise base.fault(f"the base image's ONBUILD {shown(expression)} is not one instruction")
    statement = replace(statements[0], place=base.place)
    check_trigger(statement)
    return parse_instruction(statement, "\\")
