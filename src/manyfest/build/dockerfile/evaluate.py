"""One stage with everything expanded.

BuildKit keeps ARG and ENV in one table where the last writer wins. So ENV beats an ARG above it,
an ARG with a value beats an ENV above it or in the base image, and a stage that starts from
another inherits both. Instructions see the values from before themselves: ``ENV A=1 B=$A`` gives
B the old A. Only the arguments of one ARG see each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import singledispatch

from msgspec import Struct
from msgspec.structs import replace

from manyfest.build.dockerfile import instructions as ins
from manyfest.build.dockerfile.expand import expand_content, expand_word, expand_words
from manyfest.build.dockerfile.parse import parse_trigger
from manyfest.build.dockerfile.place import blamed_on, found_in, shown
from manyfest.build.dockerfile.plan import Plan, PlannedStage, resolve_origin, stage_triggers
from manyfest.build.dockerfile.values import check_signal, parse_ports
from manyfest.errors import DockerfileError

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""PATH when the base sets none (not on Windows). It belongs into the image's configuration too."""

_NOT_IN_ENVIRONMENT = frozenset({"BUILDKIT_SBOM_SCAN_CONTEXT", "BUILDKIT_SBOM_SCAN_STAGE"})


class Evaluated(Struct, frozen=True, kw_only=True):
    """A stage's instructions, expanded, its triggers first; and the variables at its end, which
    a stage that starts from it inherits."""

    instructions: tuple[ins.Instruction, ...]
    variables: Mapping[str, str]


def evaluate(
    plan: Plan,
    planned: PlannedStage,
    inherited: Mapping[str, str],
    *,
    triggers: Sequence[str] = (),
) -> Evaluated:
    """Expand the instructions of ``planned``.

    ``inherited`` is the environment of the base image's configuration, or the ``variables`` of
    the stage it starts from. ``triggers`` are the OnBuild texts of a base image; those of a base
    stage are found without help. Raises :class:`~manyfest.errors.DockerfileError`.
    """
    onbuild = [parse_trigger(text, planned.stage) for text in triggers]
    if isinstance(planned.base, ins.FromStage):
        base = plan.dockerfile.stages[planned.base.index]
        onbuild += [replace(i, place=planned.stage.base.place) for i in stage_triggers(base)]
    scope = _Scope(plan, planned, inherited)
    instructions: list[ins.Instruction] = []
    for instruction in (*onbuild, *planned.stage.instructions):
        with blamed_on(instruction.place, instruction.keyword):
            instructions.append(_expand(instruction, scope))
    return Evaluated(instructions=tuple(instructions), variables=scope.variables)


class _Scope:
    """The variables at one point of a stage."""

    def __init__(self, plan: Plan, planned: PlannedStage, inherited: Mapping[str, str]) -> None:
        self.plan = plan
        self.planned = planned
        self.escape = plan.dockerfile.directives.escape
        self.variables = dict(inherited)
        if planned.platform.os != "windows":
            self.variables.setdefault("PATH", DEFAULT_PATH)

    def word(self, text: str) -> str:
        return expand_word(text, self.variables, escape=self.escape)

    def words(self, texts: Sequence[str]) -> tuple[str, ...]:
        return tuple(self.word(text) for text in texts)

    def argument(self, item: ins.ArgItem) -> str | None:
        """The value an ARG gets here: what was passed, its default, or the global value."""
        if item.key in self.plan.build_args:
            return self.plan.build_args[item.key]
        if item.value is not None:
            return self.word(item.value)
        return self.plan.global_values.get(item.key)


@singledispatch
def _expand(instruction: ins.Instruction, _scope: _Scope) -> ins.Instruction:
    """RUN, CMD, ENTRYPOINT, SHELL and HEALTHCHECK leave variables to the shell, ONBUILD to the
    build that it waits for; MAINTAINER has none."""
    return instruction


@_expand.register
def _(instruction: ins.Arg, scope: _Scope) -> ins.Arg:
    items: list[ins.ArgItem] = []
    for item in instruction.items:
        value = scope.argument(item)
        if value is not None and item.key not in _NOT_IN_ENVIRONMENT:
            scope.variables[item.key] = value
        items.append(replace(item, value=value))
    return replace(instruction, items=tuple(items))


@_expand.register
def _(instruction: ins.Env, scope: _Scope) -> ins.Env:
    pairs = _pairs(instruction.pairs, scope)
    scope.variables.update({pair.key: pair.value for pair in pairs})
    return replace(instruction, pairs=pairs)


@_expand.register
def _(instruction: ins.Label, scope: _Scope) -> ins.Label:
    return replace(instruction, pairs=_pairs(instruction.pairs, scope))


@_expand.register
def _(instruction: ins.Copy, scope: _Scope) -> ins.Copy:
    origin: ins.Origin | None = None
    if instruction.from_name:
        origin = resolve_origin(
            instruction.from_name,
            scope.plan.dockerfile,
            scope.planned.index,
            scope.plan.platform,
        )
    return replace(
        instruction,
        origin=origin,
        sources=scope.words(instruction.sources),
        inline=_inline(instruction.inline, scope),
        destination=scope.word(instruction.destination),
        chown=scope.word(instruction.chown),
        chmod=scope.word(instruction.chmod),
    )


@_expand.register
def _(instruction: ins.Add, scope: _Scope) -> ins.Add:
    return replace(
        instruction,
        sources=scope.words(instruction.sources),
        inline=_inline(instruction.inline, scope),
        destination=scope.word(instruction.destination),
        chown=scope.word(instruction.chown),
        chmod=scope.word(instruction.chmod),
        checksum=scope.word(instruction.checksum),
    )


@_expand.register
def _(instruction: ins.Workdir, scope: _Scope) -> ins.Workdir:
    return replace(instruction, path=scope.word(instruction.path))


@_expand.register
def _(instruction: ins.User, scope: _Scope) -> ins.User:
    return replace(instruction, user=scope.word(instruction.user))


@_expand.register
def _(instruction: ins.Expose, scope: _Scope) -> ins.Expose:
    ports: list[str] = []
    for text in instruction.ports:
        with found_in(text):
            for word in expand_words(text, scope.variables, escape=scope.escape):
                ports += parse_ports(word)
    return replace(instruction, ports=tuple(ports))


@_expand.register
def _(instruction: ins.Volume, scope: _Scope) -> ins.Volume:
    paths = scope.words(instruction.paths)
    for written, path in zip(instruction.paths, paths, strict=True):
        if not path:
            raise DockerfileError(
                "a path comes to nothing", mend="set the variable it is made from", word=written
            )
    return replace(instruction, paths=paths)


@_expand.register
def _(instruction: ins.StopSignal, scope: _Scope) -> ins.StopSignal:
    signal = scope.word(instruction.signal)
    with found_in(instruction.signal):
        check_signal(signal)
    return replace(instruction, signal=signal)


def _pairs(pairs: tuple[ins.Pair, ...], scope: _Scope) -> tuple[ins.Pair, ...]:
    expanded = tuple(
        replace(pair, key=scope.word(pair.key), value=scope.word(pair.value)) for pair in pairs
    )
    for written, pair in zip(pairs, expanded, strict=True):
        if not pair.key:
            raise DockerfileError(
                f"the name {shown(written.key)} comes to nothing", word=written.key
            )
    return expanded


def _inline(files: tuple[ins.InlineFile, ...], scope: _Scope) -> tuple[ins.InlineFile, ...]:
    return tuple(
        replace(file, content=expand_content(file.content, scope.variables))
        if file.expand
        else file
        for file in files
    )
