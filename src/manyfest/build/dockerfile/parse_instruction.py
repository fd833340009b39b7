"""One statement to one typed instruction: the arguments and flags of each kind.

Only what can be told without knowing any variable is checked here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TypedDict

from msgspec import Struct
from msgspec.structs import replace

from manyfest.build.dockerfile import instructions as ins
from manyfest.build.dockerfile.flags import Flags
from manyfest.build.dockerfile.lex import Statement, parse_heredoc, split_statement
from manyfest.build.dockerfile.place import Place, blamed_on, nearest, shown
from manyfest.build.dockerfile.values import parse_count, parse_duration
from manyfest.build.dockerfile.words import (
    SPACES,
    json_list,
    split_keyword,
    split_plain,
    split_words,
)
from manyfest.errors import DockerfileError

_STAGE_NAME = re.compile(r"[a-z][a-z0-9_.-]*")
_ONBUILD = re.compile(r"\s*ONBUILD\s*", re.IGNORECASE)


class _Head(TypedDict):
    place: Place
    original: str


def parse_instruction(statement: Statement, escape: str) -> ins.Instruction:
    """The typed instruction that ``statement`` is; ``escape`` is the file's escape character.

    Raises :class:`~manyfest.errors.DockerfileError`.
    """
    parser = _PARSERS.get(statement.keyword)
    if parser is None:
        raise statement.place.fault(
            "unknown instruction", shown(statement.keyword), nearest(statement.keyword, _PARSERS)
        )
    head = _Head(place=statement.place, original=statement.original)
    with blamed_on(statement.place, statement.keyword):
        return parser(_Reading(statement, Flags(statement), escape), head)


class _Reading(Struct, frozen=True):
    """What the parsers below read from."""

    statement: Statement
    flags: Flags
    escape: str

    @property
    def args(self) -> str:
        return self.statement.args

    @property
    def plain(self) -> list[str]:
        """The words of the exec form, or those between blanks."""
        json = self.statement.json
        return split_plain(self.args) if json is None else list(json)

    def words(self) -> list[str]:
        return split_words(self.args, self.escape)

    def required(self, what: str) -> str:
        if not self.args:
            raise self.fault(f"{what} is missing", f"write {self.statement.keyword} and {what}")
        return self.args

    def command(
        self, text: str | None = None, json: tuple[str, ...] | None = None
    ) -> ins.CommandLine:
        """A command in shell form, or the exec form if there is one."""
        if text is None:
            text, json = self.args, self.statement.json
        if json is not None:
            return ins.CommandLine(words=json, in_shell=False)
        return ins.CommandLine(words=(text,) if text else (), in_shell=True)

    def fault(self, what: str, mend: str = "", word: str = "") -> DockerfileError:
        return self.statement.fault(what, mend, word)


def _parse_from(reading: _Reading, head: _Head) -> ins.From:
    words = split_plain(reading.args)
    if len(words) not in {1, 3} or (len(words) == 3 and words[1].lower() != "as"):
        raise reading.fault(
            f"{shown(reading.args)} is not a base",
            "write FROM IMAGE, or FROM IMAGE AS NAME",
            reading.args,
        )
    name = words[2].lower() if len(words) == 3 else ""
    if name and not _STAGE_NAME.fullmatch(name):
        raise reading.fault(
            f"{shown(name)} cannot name a stage",
            "start with a letter and go on with letters, digits, '-', '_' and '.'",
            words[2],
        )
    return ins.From(**head, base=words[0], name=name, platform=reading.flags.text("platform"))


def _parse_arg(reading: _Reading, head: _Head) -> ins.Arg:
    reading.required("NAME or NAME=DEFAULT")
    items: list[ins.ArgItem] = []
    for word in reading.words():
        key, equals, value = word.partition("=")
        if not key:
            raise reading.fault(f"{shown(word)} has no name", "write NAME=DEFAULT", word)
        items.append(ins.ArgItem(key=key, value=value if equals else None))
    return ins.Arg(**head, items=tuple(items))


def _parse_pairs(reading: _Reading) -> tuple[ins.Pair, ...]:
    text = reading.required("NAME=VALUE")
    words = reading.words()
    if words and "=" not in words[0]:
        # The form of long ago: one name, and all the rest is its value.
        key, *value = re.split(r"[\t\v\f\r ]+", text, maxsplit=1)
        if not value:
            raise reading.fault(f"{shown(key)} has no value", "write NAME=VALUE", key)
        return (ins.Pair(key=key, value=value[0], legacy=True),)
    return tuple(_parse_pair(word, reading) for word in words)


def _parse_pair(word: str, reading: _Reading) -> ins.Pair:
    key, equals, value = word.partition("=")
    if not equals or not key:
        raise reading.fault(
            f"{shown(word)} is not NAME=VALUE",
            "quote values that hold blanks: NAME='two words'",
            word,
        )
    return ins.Pair(key=key, value=value)


def _parse_env(reading: _Reading, head: _Head) -> ins.Env:
    return ins.Env(**head, pairs=_parse_pairs(reading))


def _parse_label(reading: _Reading, head: _Head) -> ins.Label:
    return ins.Label(**head, pairs=_parse_pairs(reading))


class _TransferHead(_Head):
    sources: tuple[str, ...]
    inline: tuple[ins.InlineFile, ...]
    destination: str
    chown: str
    chmod: str
    link: bool
    exclude: tuple[str, ...]


def _transfer(reading: _Reading, head: _Head) -> _TransferHead:
    words = reading.plain
    if len(words) < 2:
        raise reading.fault(
            "it needs at least one source and a destination",
            f"write {reading.statement.keyword} SOURCE… DESTINATION",
        )
    *sources, destination = words
    if parse_heredoc(destination):
        raise reading.fault(
            "a heredoc cannot be the destination", "put a path at the end", destination
        )
    heredocs = list(reading.statement.heredocs)
    opened = [word for word in sources if heredocs and parse_heredoc(word)]
    if len(opened) != len(heredocs):
        raise reading.fault("a heredoc's delimiter holds a blank", "write <<EOF in one word")
    return _TransferHead(
        **head,
        sources=tuple(word for word in sources if word not in opened),
        inline=tuple(
            ins.InlineFile(name=heredoc.name, content=heredoc.text, expand=heredoc.expand)
            for heredoc in heredocs
        ),
        destination=destination,
        chown=reading.flags.text("chown"),
        chmod=reading.flags.text("chmod"),
        link=reading.flags.boolean("link") is True,
        exclude=reading.flags.all("exclude"),
    )


def _parse_copy(reading: _Reading, head: _Head) -> ins.Copy:
    return ins.Copy(
        **_transfer(reading, head),
        from_name=reading.flags.text("from"),
        parents=reading.flags.boolean("parents") is True,
    )


def _parse_add(reading: _Reading, head: _Head) -> ins.Add:
    return ins.Add(
        **_transfer(reading, head),
        checksum=reading.flags.text("checksum"),
        keep_git_dir=reading.flags.boolean("keep-git-dir"),
        unpack=reading.flags.boolean("unpack"),
    )


def _parse_run(reading: _Reading, head: _Head) -> ins.Run:
    mounts = reading.flags.all("mount")
    return ins.Run(
        **head,
        command=reading.command(),
        heredocs=reading.statement.heredocs,
        mounts=mounts,
        mount_sources=tuple(
            source for mount in mounts for source in _mount_sources(mount, reading)
        ),
        network=_choice(reading, "network", ("default", "none", "host")),
        security=_choice(reading, "security", ("sandbox", "insecure")),
        devices=reading.flags.all("device"),
    )


def _choice(reading: _Reading, flag: str, values: tuple[str, ...]) -> str:
    """The value of a flag that has a few; the first is the default."""
    value = reading.flags.text(flag, values[0])
    if value not in values:
        raise reading.fault(f"--{flag} cannot be {shown(value)}", nearest(value, values), value)
    return value


def _mount_sources(mount: str, reading: _Reading) -> Iterator[str]:
    """The stage or image that ``--mount=from=NAME,…`` names; the fields are those of CSV."""
    import csv

    try:
        fields = next(csv.reader([mount], strict=True), [])
    except csv.Error:
        raise reading.fault(
            f"--mount {shown(mount)} is not a list of fields",
            "write --mount=type=TYPE,…",
            "--mount",
        ) from None
    for field in fields:
        key, _, value = field.partition("=")
        if key.lower() != "from":
            continue
        if "$" in value[:-1]:
            raise reading.fault(
                f"variables cannot be used in {shown(f'from={value}')}",
                "name a stage with FROM $IMAGE AS NAME",
                value,
            )
        yield value


def _parse_cmd(reading: _Reading, head: _Head) -> ins.Cmd:
    return ins.Cmd(**head, command=reading.command())


def _parse_entrypoint(reading: _Reading, head: _Head) -> ins.Entrypoint:
    return ins.Entrypoint(**head, command=reading.command())


def _parse_healthcheck(reading: _Reading, head: _Head) -> ins.Healthcheck:
    kind, text = split_keyword(reading.required("CMD or NONE"))
    if kind not in {"CMD", "NONE"}:
        raise reading.fault(
            f"{shown(kind)} is neither CMD nor NONE", nearest(kind, ("CMD", "NONE")), kind
        )
    text = text.strip(SPACES)
    if (kind == "NONE") == bool(text):
        raise reading.fault(
            "NONE takes no arguments" if text else "CMD has no command",
            "write HEALTHCHECK CMD and a command, or HEALTHCHECK NONE",
        )
    command = reading.command(text, json_list(text)) if text else None
    if command and not command.words:
        raise reading.fault("CMD has no command", 'write CMD ["program", "argument"]')
    times = {
        name: parse_duration(reading.flags.text(name) or "0")
        for name in ("interval", "timeout", "start-period", "start-interval")
    }
    return ins.Healthcheck(
        **head,
        command=command,
        interval=times["interval"],
        timeout=times["timeout"],
        start_period=times["start-period"],
        start_interval=times["start-interval"],
        retries=parse_count(reading.flags.text("retries") or "0"),
    )


def _parse_shell(reading: _Reading, head: _Head) -> ins.Shell:
    if not reading.statement.json:
        raise reading.fault("it needs the exec form", 'write SHELL ["/bin/sh", "-c"]')
    return ins.Shell(**head, words=reading.statement.json)


def _parse_workdir(reading: _Reading, head: _Head) -> ins.Workdir:
    return ins.Workdir(**head, path=reading.required("a path"))


def _parse_user(reading: _Reading, head: _Head) -> ins.User:
    return ins.User(**head, user=reading.required("a user"))


def _parse_expose(reading: _Reading, head: _Head) -> ins.Expose:
    # Sorted, because Docker sorts them and the image's history shows it.
    return ins.Expose(**head, ports=tuple(sorted(split_plain(reading.required("a port")))))


def _parse_volume(reading: _Reading, head: _Head) -> ins.Volume:
    paths = tuple(word.strip(SPACES) for word in reading.plain)
    if not paths or not all(paths):
        raise reading.fault("a path is missing or empty", "write VOLUME and one path or more")
    return ins.Volume(**head, paths=paths)


def _parse_stopsignal(reading: _Reading, head: _Head) -> ins.StopSignal:
    return ins.StopSignal(**head, signal=reading.required("a signal"))


def _parse_maintainer(reading: _Reading, head: _Head) -> ins.Maintainer:
    return ins.Maintainer(**head, name=reading.required("a name"))


def _parse_onbuild(reading: _Reading, head: _Head) -> ins.OnBuild:
    statement = reading.statement
    inner = split_statement(reading.required("an instruction"), statement.place, reading.escape)
    inner = replace(inner, heredocs=statement.heredocs)
    check_trigger(inner)
    expression = _ONBUILD.sub("", statement.original, count=1)
    for heredoc in statement.heredocs:
        expression += f"\n{heredoc.content}{heredoc.name}"
    return ins.OnBuild(
        **head, expression=expression, trigger=parse_instruction(inner, reading.escape)
    )


def check_trigger(statement: Statement) -> None:
    """Raise if ``statement`` may not follow ONBUILD."""
    if statement.keyword in {"ONBUILD", "FROM", "MAINTAINER"}:
        raise statement.place.fault(
            "ONBUILD",
            f"{statement.keyword} cannot be a trigger",
            "use another instruction",
            statement.keyword,
        )


_PARSERS: dict[str, Callable[[_Reading, _Head], ins.Instruction]] = {
    "ADD": _parse_add,
    "ARG": _parse_arg,
    "CMD": _parse_cmd,
    "COPY": _parse_copy,
    "ENTRYPOINT": _parse_entrypoint,
    "ENV": _parse_env,
    "EXPOSE": _parse_expose,
    "FROM": _parse_from,
    "HEALTHCHECK": _parse_healthcheck,
    "LABEL": _parse_label,
    "MAINTAINER": _parse_maintainer,
    "ONBUILD": _parse_onbuild,
    "RUN": _parse_run,
    "SHELL": _parse_shell,
    "STOPSIGNAL": _parse_stopsignal,
    "USER": _parse_user,
    "VOLUME": _parse_volume,
    "WORKDIR": _parse_workdir,
}
