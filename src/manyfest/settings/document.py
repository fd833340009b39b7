"""A YAML file as a tree of nodes that know their lines.

The tree is what YAML's composer gives: aliases share the node they name, so a document costs no
more memory than its text, however often it repeats itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from manyfest.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from ruamel.yaml.error import YAMLError
    from ruamel.yaml.nodes import Node

MAX_SIZE = 64 * 1024
"""Bytes of a configuration. Real ones have one or two thousand; parsing these takes a second."""

_SHAPES = {"map": "mapping", "seq": "sequence"}


def read(path: Path, *, start: str = "", sample: str = "", limit: int = MAX_SIZE) -> Node:
    """The one document in the file; ``start`` says how one comes by such a file, for whoever has
    none, and ``sample`` where one sees what to write, if that is something else.

    Raises :class:`~manyfest.errors.ConfigError`, with the line where there is one, for a file
    that is missing, unreadable, larger than ``limit`` bytes, empty, not UTF-8 or not YAML.
    """
    return parse(_decode(_read(path, start, limit), path), path, start=sample or start)


def parse(text: str, path: Path, *, start: str = "") -> Node:
    """The same for ``text`` that was read already; ``path`` is what errors call it."""
    node = _compose(text, path)
    if node is None:
        raise ConfigError("the file is empty", where=str(path), mend=start)
    return node


def line_of(node: Node) -> int:
    """The line, from 1, on which the node starts."""
    return int(node.start_mark.line) + 1


def kind_of(node: Node) -> str:
    """What the node is: ``map``, ``seq``, or the type of a scalar: ``str``, ``int``, ``null``.

    A node with a tag of its own, or with one that belongs to another shape, is none of these.
    """
    kind = str(node.tag).rpartition(":")[2]
    return kind if _SHAPES.get(kind, "scalar") == getattr(node, "id", "") else f"!{kind}"


def _read(path: Path, start: str, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(limit + 1)
    except FileNotFoundError:
        folder = "here" if str(path.parent) == "." else f"in {path.parent}"
        raise ConfigError(f"no {path.name} {folder}", mend=start) from None
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=str(path)) from None
    if len(raw) > limit:
        raise ConfigError(f"the file is larger than {limit // 1024} KiB", where=str(path))
    return raw


def _decode(raw: bytes, path: Path) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError("not UTF-8 text", where=f"{path}:{line}") from None


def _compose(text: str, path: Path) -> Node | None:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    yaml = YAML(typ="safe", pure=True)
    yaml.composer.warn_double_anchors = False  # YAML 1.2 lets an anchor be defined again
    try:
        node: Node | None = yaml.compose(text)
    except YAMLError as error:
        raise _not_yaml(error, text, path) from None
    except RecursionError:
        raise ConfigError("nested too deeply", where=str(path)) from None
    return node


def _not_yaml(error: YAMLError, text: str, path: Path) -> ConfigError:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is None:  # a character that YAML does not allow; only its position is told
        position = getattr(error, "position", 0)
        where = f"{path}:{text.count(chr(10), 0, position) + 1}"
        return ConfigError("a control character, which YAML does not allow", where=where)
    line = text.split("\n")[mark.line] if mark.line <= text.count("\n") else ""
    problem = getattr(error, "problem", None) or "a syntax error"
    return ConfigError(
        f"not YAML: {problem}", where=f"{path}:{mark.line + 1}", mend=_syntax_hint(line)
    )


def _syntax_hint(line: str) -> str:
    if "{{" in line:
        return 'put a value that starts with "{{" in quotes'
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return "indent with spaces, not tabs"
    return ""
