"""How ``docker history`` shows an instruction: the text that BuildKit writes for it."""

from __future__ import annotations

from functools import singledispatch

from manyfest.build.dockerfile import instructions as ins

_ESCAPES = {
    "\\": "\\\\",
    '"': '\\"',
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
}
_SECOND = 1_000_000_000


@singledispatch
def created_by(instruction: ins.Instruction) -> str:
    """The text for an instruction that is expanded: its keyword and its values."""
    return instruction.original


@created_by.register
def _(instruction: ins.Arg) -> str:
    items = (
        item.key if item.value is None else f"{item.key}={item.value}" for item in instruction.items
    )
    return f"ARG {' '.join(items)}"


@created_by.register(ins.Env)
@created_by.register(ins.Label)
def _(instruction: ins.Env | ins.Label) -> str:
    pairs = (f"{pair.key}={pair.value}" for pair in instruction.pairs)
    return f"{instruction.keyword} {' '.join(pairs)}"


@created_by.register(ins.Copy)
@created_by.register(ins.Add)
def _(instruction: ins.Copy | ins.Add) -> str:
    words = [instruction.keyword]
    if isinstance(instruction, ins.Copy) and instruction.parents:
        words.append("--parents")
    if instruction.chown:
        words.append(f"--chown={instruction.chown}")
    if instruction.chmod:
        words.append(f"--chmod={instruction.chmod}")
    words.extend(instruction.sources)
    words.extend(f"<<{file.name}" for file in instruction.inline)
    return f"{' '.join([*words, instruction.destination])} # buildkit"


@created_by.register
def _(instruction: ins.Healthcheck) -> str:
    command = instruction.command
    test = "NONE" if command is None else " ".join(healthcheck_test(command))
    times = {
        "Interval": instruction.interval,
        "Timeout": instruction.timeout,
        "StartPeriod": instruction.start_period,
        "StartInterval": instruction.start_interval,
    }
    told = " ".join(f"{name}:{duration(time)}" for name, time in times.items())
    return f"HEALTHCHECK {{Test:[{test}] {told} Retries:{instruction.retries}}}"


@created_by.register
def _(instruction: ins.Expose) -> str:
    return f"EXPOSE [{' '.join(instruction.ports)}]"


@created_by.register
def _(instruction: ins.Volume) -> str:
    return f"VOLUME [{' '.join(instruction.paths)}]"


@created_by.register
def _(instruction: ins.Shell) -> str:
    return f"SHELL [{' '.join(instruction.words)}]"


@created_by.register
def _(instruction: ins.User) -> str:
    return f"USER {instruction.user}"


@created_by.register
def _(instruction: ins.StopSignal) -> str:
    return f"STOPSIGNAL {instruction.signal}"


@created_by.register
def _(instruction: ins.Maintainer) -> str:
    return f"MAINTAINER {instruction.name}"


def created_by_command(keyword: str, words: tuple[str, ...]) -> str:
    """The text for CMD and ENTRYPOINT, whose ``words`` may begin with the shell."""
    return f"{keyword} [{' '.join(quoted(word) for word in words)}]"


def healthcheck_test(command: ins.CommandLine) -> tuple[str, ...]:
    """The command of a health check as the configuration holds it."""
    return ("CMD-SHELL" if command.in_shell else "CMD", *command.words)


def quoted(text: str) -> str:
    """``text`` as Go quotes it (package strconv, ``Quote``)."""
    return f'"{"".join(_escaped(char) for char in text)}"'


def _escaped(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    if char.isprintable():
        return char
    code = ord(char)
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def duration(nanoseconds: int) -> str:
    """A time as Go writes it (package time, ``Duration.String``): ``1m30s``, ``1.5s``, ``20ms``."""
    if not nanoseconds:
        return "0s"
    if nanoseconds < _SECOND:
        return f"{_decimal(nanoseconds, 1_000_000)}ms"  # no instruction takes less than 1 ms
    minutes, rest = divmod(nanoseconds, 60 * _SECOND)
    hours, minutes = divmod(minutes, 60)
    text = f"{_decimal(rest, _SECOND)}s"
    if hours:
        return f"{hours}h{minutes}m{text}"
    return f"{minutes}m{text}" if minutes else text


def _decimal(value: int, unit: int) -> str:
    whole, rest = divmod(value, unit)
    fraction = f"{rest:0{len(str(unit)) - 1}d}".rstrip("0")
    return f"{whole}.{fraction}" if fraction else str(whole)
