"""The warning about variables that nothing sets."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import singledispatch

from manyfest.build.dockerfile import instructions as ins
from manyfest.build.dockerfile.expand import expand_word
from manyfest.build.dockerfile.parse import Dockerfile, Stage
from manyfest.build.dockerfile.plan import default_values
from manyfest.build.dockerfile.rules.rule import DockerfileWarning, similar
from manyfest.build.dockerfile.rules.used_names import undefined_names, undefined_names_in_content
from manyfest.errors import DockerfileError


def undefined_var(
    dockerfile: Dockerfile, base_variables: Mapping[int, Collection[str]]
) -> Iterator[DockerfileWarning]:
    """Variables that an instruction uses and that neither ARG, ENV nor the base sets.

    A base image that is not in ``base_variables`` may set any name. Then only those are told of
    that the build itself knows, and that lack an ARG in the stage.
    """
    values = default_values(dockerfile)
    in_build = values.keys() | {item.key for arg in dockerfile.global_args for item in arg.items}
    scopes: list[_Scope] = []
    for stage in dockerfile.stages:
        scope = _start(stage, scopes, dockerfile, values, base_variables)
        scopes.append(scope)
        for instruction in stage.instructions:
            yield from _undefined(instruction, scope, in_build)


class _Scope:
    """The names that are set at one point of a stage. ``closed`` says that these are all."""

    def __init__(self, names: Collection[str], *, closed: bool, escape: str) -> None:
        self.names = {"PATH", *names}
        self.closed = closed
        self.escape = escape


def _start(
    stage: Stage,
    earlier: list[_Scope],
    dockerfile: Dockerfile,
    values: Mapping[str, str],
    base_variables: Mapping[int, Collection[str]],
) -> _Scope:
    escape = dockerfile.directives.escape
    try:
        base = expand_word(stage.base.base, values, escape=escape)
    except DockerfileError:
        base = ""
    for index in reversed(range(stage.index)):
        if dockerfile.stages[index].name == base.lower() != "":
            return _Scope(earlier[index].names, closed=earlier[index].closed, escape=escape)
    closed = base == "scratch" or stage.index in base_variables
    return _Scope(base_variables.get(stage.index, ()), closed=closed, escape=escape)


def _undefined(
    instruction: ins.Instruction, scope: _Scope, in_build: Collection[str]
) -> Iterator[DockerfileWarning]:
    for name in _missing(instruction, scope):
        if name in in_build:
            mend = f"add ARG {name} to this stage"
        elif scope.closed:
            mend = similar(name, scope.names, f"add ARG {name} to this stage")
        else:
            continue
        yield DockerfileWarning(
            rule="UndefinedVar",
            place=instruction.place,
            what=f"nothing sets ${name} here",
            mend=mend,
            word=name,
        )


def _missing(instruction: ins.Instruction, scope: _Scope) -> list[str]:
    if isinstance(instruction, ins.Arg):
        return _missing_in_arg(instruction, scope)
    missing = undefined_names(_words(instruction), scope.names, scope.escape)
    if isinstance(instruction, ins.Copy | ins.Add):
        for file in instruction.inline:
            if file.expand:
                missing += undefined_names_in_content(file.content, scope.names)
    if isinstance(instruction, ins.Env):
        scope.names |= {pair.key for pair in instruction.pairs}
    return list(dict.fromkeys(missing))


def _missing_in_arg(instruction: ins.Arg, scope: _Scope) -> list[str]:
    """The arguments of one ARG see each other."""
    missing: list[str] = []
    for item in instruction.items:
        missing += undefined_names([item.value or ""], scope.names | {item.key}, scope.escape)
        scope.names.add(item.key)
    return missing


@singledispatch
def _words(_instruction: ins.Instruction) -> tuple[str, ...]:
    """What the builder expands; commands are left to the shell."""
    return ()


@_words.register(ins.Env)
@_words.register(ins.Label)
def _(instruction: ins.Env | ins.Label) -> tuple[str, ...]:
    return tuple(text for pair in instruction.pairs for text in (pair.key, pair.value))


@_words.register(ins.Copy)
@_words.register(ins.Add)
def _(instruction: ins.Copy | ins.Add) -> tuple[str, ...]:
    checksum = instruction.checksum if isinstance(instruction, ins.Add) else ""
    return (
        instruction.chown,
        instruction.chmod,
        checksum,
        *instruction.sources,
        instruction.destination,
    )


@_words.register
def _(instruction: ins.Workdir) -> tuple[str, ...]:
    return (instruction.path,)


@_words.register
def _(instruction: ins.User) -> tuple[str, ...]:
    return (instruction.user,)


@_words.register
def _(instruction: ins.Expose) -> tuple[str, ...]:
    return instruction.ports


@_words.register
def _(instruction: ins.Volume) -> tuple[str, ...]:
    return instruction.paths


@_words.register
def _(instruction: ins.StopSignal) -> tuple[str, ...]:
    return (instruction.signal,)
