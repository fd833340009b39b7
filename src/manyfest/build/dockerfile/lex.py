"""The lines of a Dockerfile: directives, comments, continuations and here-documents.

Reference: BuildKit's ``frontend/dockerfile/parser``. Two of its habits look odd and are kept:
comments and empty lines inside a continued instruction are skipped, and the blanks before a
continued line are part of the instruction.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from manyfest.build.dockerfile.check_options import parse_check_options
from manyfest.build.dockerfile.expand import raw_words, unquoted_words
from manyfest.build.dockerfile.instructions import Heredoc
from manyfest.build.dockerfile.place import Place, blamed_on, shown
from manyfest.build.dockerfile.words import SPACES, json_list, split_flags, split_keyword
from manyfest.errors import DockerfileError

_DIRECTIVE = re.compile(r"#\s*([A-Za-z][A-Za-z0-9]*)\s*=\s*(.+?)\s*")
_DIRECTIVES = frozenset({"syntax", "escape", "check"})
_HEREDOC = re.compile(r"[0-9]*<<(-?)[\t\n\f\r ]*([^<]*)")
_MAY_BE_JSON = frozenset({"ADD", "CMD", "COPY", "ENTRYPOINT", "RUN", "SHELL", "VOLUME"})
_MAY_HAVE_HEREDOCS = frozenset({"ADD", "COPY", "RUN"})


class Directives(Struct, frozen=True, kw_only=True):
    """The comments at the very top that speak to the builder; empty when not given."""

    syntax: str = ""
    escape: str = "\\"
    check: str = ""


class Statement(Struct, frozen=True, kw_only=True):
    """One instruction before its arguments mean anything.

    ``args`` follows the flags; ``json`` is its exec form, or ``None``. ``original`` is the whole
    instruction on one line, without heredocs.
    """

    place: Place
    keyword: str
    flags: tuple[str, ...]
    args: str
    json: tuple[str, ...] | None
    heredocs: tuple[Heredoc, ...]
    original: str

    def fault(self, what: str, mend: str = "", word: str = "") -> DockerfileError:
        return self.place.fault(self.keyword, what, mend, word)


def lex(text: str, file: str = "Dockerfile") -> tuple[Directives, list[Statement]]:
    """The directives and statements of a Dockerfile; ``file`` is its name in errors.

    Raises :class:`~manyfest.errors.DockerfileError`.
    """
    reader = _Reader(text.removeprefix("\ufeff"), file)
    directives = reader.directives()
    return directives, list(reader.statements(directives.escape))


def split_statement(line: str, place: Place, escape: str) -> Statement:
    """The statement on one logical line, without heredocs."""
    keyword, rest = split_keyword(line)
    flags, args = split_flags(rest, escape)
    with blamed_on(place, keyword):
        json = json_list(args) if keyword in _MAY_BE_JSON else None
    return Statement(
        place=place,
        keyword=keyword,
        flags=flags,
        args=args,
        json=json,
        heredocs=(),
        original=line.strip(SPACES),
    )


def parse_heredoc(word: str) -> Heredoc | None:
    """The heredoc that ``word`` opens (``<<EOF``, ``<<-'EOF'``), without content, or ``None``."""
    match = _HEREDOC.fullmatch(word)
    if match is None or not match[2]:
        return None
    try:
        names, raw = unquoted_words(match[2]), raw_words(match[2])
    except DockerfileError:  # an open quote: an ordinary word after all
        return None
    if len(names) != 1 or len(raw) != 1:
        return None
    unquoted = _quotes(names[0]) == _quotes(raw[0])
    return Heredoc(name=names[0], content="", expand=unquoted, strip_tabs=match[1] == "-")


def _quotes(text: str) -> int:
    return text.count("'") + text.count('"')


def _opened_heredocs(statement: Statement, escape: str) -> list[Heredoc]:
    if "<<" not in statement.original:
        return []
    inner = statement
    if statement.keyword == "ONBUILD":
        inner = split_statement(statement.args, statement.place, escape)
    if inner.keyword not in _MAY_HAVE_HEREDOCS or inner.json is not None:
        return []
    try:
        words = raw_words(statement.original)
    except DockerfileError:  # quotes that only the shell understands
        return []
    return [heredoc for word in words if (heredoc := parse_heredoc(word))]


def _check_directive(name: str, value: str, found: Mapping[str, str]) -> None:
    if name in found:
        raise DockerfileError(f"{name} is given twice", mend="keep one of them", word=name)
    if name == "escape" and value not in {"\\", "`"}:
        raise DockerfileError(
            f"escape cannot be {shown(value)}", mend="use a backslash or a backtick", word=value
        )
    if name == "check":
        parse_check_options(value)


class _Reader:
    """Reads lines one by one; ``line`` is the number of the last line read, from 1."""

    def __init__(self, text: str, file: str) -> None:
        self.lines = text.split("\n")
        if not self.lines[-1]:
            self.lines.pop()
        self.file = file
        self.line = 0

    def _place(self, first: int) -> Place:
        lines = tuple(line.rstrip("\r") for line in self.lines[first - 1 : self.line])
        return Place(file=self.file, line=first, end_line=self.line, lines=lines)

    def _lines(self) -> Iterator[str]:
        while self.line < len(self.lines):
            self.line += 1
            yield self.lines[self.line - 1]

    def directives(self) -> Directives:
        """Read directives up to the first line that is none, which is left to be read."""
        found: dict[str, str] = {}
        for line in self._lines():
            match = _DIRECTIVE.fullmatch(line.strip(SPACES))
            name = match[1].lower() if match else ""
            if match is None or name not in _DIRECTIVES:
                self.line -= 1
                break
            with blamed_on(self._place(self.line), "directive"):
                _check_directive(name, match[2], found)
            found[name] = match[2]
        return Directives(**found)

    def statements(self, escape: str) -> Iterator[Statement]:
        continued = re.compile(rf"(?<!{re.escape(escape)}){re.escape(escape)}[ \t]*\Z")
        for line in self._lines():
            start = line.strip(SPACES)
            if start and not start.startswith("#"):
                yield self._statement(line.lstrip(SPACES), continued, escape)

    def _statement(self, line: str, continued: re.Pattern[str], escape: str) -> Statement:
        first = self.line
        logical = self._joined(line, continued)
        place = self._place(first)
        if not logical.strip(SPACES):
            raise place.fault("line continuation", "no instruction follows", "remove it")
        statement = split_statement(logical, place, escape)
        heredocs = [
            self._with_content(opened, place) for opened in _opened_heredocs(statement, escape)
        ]
        whole = replace(place, end_line=self.line)
        return replace(statement, place=whole, heredocs=tuple(heredocs))

    def _joined(self, line: str, continued: re.Pattern[str]) -> str:
        """``line`` and the lines it continues on, without comments and empty lines."""
        line = line.rstrip("\r")
        parts = [continued.sub("", line)]
        if parts[0] == line:
            return line
        for following in self._lines():
            stripped = following.strip(SPACES)
            if not stripped or stripped.startswith("#"):
                continue
            following = following.rstrip("\r")  # noqa: PLW2901
            parts.append(continued.sub("", following))
            if parts[-1] == following:
                break
        return "".join(parts)

    def _with_content(self, opened: Heredoc, place: Place) -> Heredoc:
        content: list[str] = []
        for line in self._lines():
            end = line.rstrip("\r")
            if (end.lstrip("\t") if opened.strip_tabs else end) == opened.name:
                return Heredoc(
                    name=opened.name,
                    content="".join(content),
                    expand=opened.expand,
                    strip_tabs=opened.strip_tabs,
                )
            content.append(f"{line}\n")
        raise place.fault(
            "heredoc",
            f"<<{shown(opened.name)} is never closed",
            "end it with a line that holds only this word",
            opened.name,
        )
