"""``--format``: text with values of the ``--json`` document in it. Nothing in it is run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from manyfest.cli.text import one_line
from manyfest.errors import UsageError

_NAME = re.compile(r"\{\{([^{}]*)\}\}")
_BREAKS = {r"\n": "\n", r"\t": "\t"}


def rendered(template: str, document: object) -> str:
    """``template`` with the value of each ``{{name}}`` of ``document`` in its place.

    A name is a path: keys and numbers from 0, joined by dots. With ``*`` for a number the text
    comes once for each: a line for every platform. ``\\n`` and ``\\t`` are a line break and a tab.
    Lists and objects are written as JSON; control characters are shown.

    Raises :class:`~manyfest.errors.UsageError` for a name that is not there, naming those that are.
    """
    for written, meant in _BREAKS.items():
        template = template.replace(written, meant)
    names = [name.strip() for name in _NAME.findall(template)]
    rest = _NAME.sub("", template)
    if "{{" in rest or "}}" in rest:
        raise UsageError(
            f"the braces in {template[:80]!r} do not match", mend="write a name as {{digest}}"
        )
    return "\n".join(_filled(template, document, place) for place in _places(names, document))


def _filled(template: str, document: object, place: str) -> str:
    """The text, with ``place`` for ``*``."""
    return _NAME.sub(lambda match: _text(_find(document, match[1].strip(), place)), template)


def _places(names: Sequence[str], document: object) -> Iterable[str]:
    """What stands for ``*``: each number of the list, or nothing if there is no star."""
    starred = {name.partition("*")[0] for name in names if "*" in name.split(".")}
    if not starred:
        return [""]
    if len(starred) > 1 or any(name.split(".").count("*") > 1 for name in names):
        raise UsageError("a template goes through one list", mend="use '*' in one place only")
    found = _find(document, starred.pop().rstrip("."), "")
    if not isinstance(found, list | tuple):
        raise UsageError("'*' stands for a number in a list, and there is none")
    return map(str, range(len(found)))


def _find(document: object, name: str, place: str) -> object:
    """The value at a path. A key may have dots in it, as those of labels do."""
    parts = [place if part == "*" else part for part in name.split(".")] if name else []
    value = document
    while parts:
        used, value = _step(value, parts, name)
        del parts[:used]
    return value


def _step(value: object, parts: Sequence[str], name: str) -> tuple[int, object]:
    """The longest beginning of ``parts`` that ``value`` has: how many parts, and what is there."""
    if isinstance(value, dict):
        for used in range(len(parts), 0, -1):
            key = ".".join(parts[:used])
            if key in value:
                return used, value[key]
        raise _unknown(name, parts[0], ", ".join(map(str, value)) or "no keys")
    if isinstance(value, list | tuple):
        if parts[0].isascii() and parts[0].isdigit() and int(parts[0][:9]) < len(value):
            return 1, value[int(parts[0])]
        raise _unknown(name, parts[0], f"0 to {len(value) - 1}" if value else "an empty list")
    raise _unknown(name, parts[0], "a single value")


def _unknown(name: str, part: str, known: str) -> UsageError:
    of = f" for {name[:80]!r}" if name != part else ""
    return UsageError(f"there is no {part[:80]!r}{of}", mend=f"there is {known}")


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return one_line(value)
    import msgspec

    return one_line(msgspec.json.encode(value).decode())
