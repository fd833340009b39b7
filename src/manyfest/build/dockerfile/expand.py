"""Variables, quotes and escapes in the words of a Dockerfile.

The forms: ``$v ${v} ${v-w} ${v:-w} ${v+w} ${v:+w} ${v?e} ${v:?e} ${v#p} ${v##p} ${v%p} ${v%%p}
${v/p/r} ${v//p/r}``; words, patterns and replacements may hold variables themselves. An unset
variable is empty. Reference: BuildKit's ``frontend/dockerfile/shell/lex.go`` and its test tables.

Errors are :class:`~manyfest.errors.DockerfileError` without a place; callers add it.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from manyfest.build.dockerfile.patterns import replace, trim_prefix, trim_suffix
from manyfest.build.dockerfile.place import found_in, shown
from manyfest.build.dockerfile.words import SPACES
from manyfest.errors import DockerfileError

LONGEST_RESULT = 4 << 20
"""Characters one word may expand to. Thirty lines of ``ENV A=$A$A`` ask for gigabytes."""

_DEEPEST = 50
_SPECIAL = "@*#?-$!"


def expand_word(text: str, env: Mapping[str, str], *, escape: str = "\\") -> str:
    """``text`` with variables replaced and one level of quotes and escapes removed."""
    return _Expansion(text, env, _Rules(escape=escape)).run().text


def expand_words(text: str, env: Mapping[str, str], *, escape: str = "\\") -> list[str]:
    """As :func:`expand_word`, and split at blanks, those inside unquoted values included."""
    return _Expansion(text, env, _Rules(escape=escape)).run().words


def expand_content(text: str, env: Mapping[str, str]) -> str:
    """A heredoc's content with variables replaced; quotes are ordinary characters in it."""
    return _Expansion(text, env, _Rules(quotes=False)).run().text


def raw_words(text: str) -> list[str]:
    """Words split as :func:`expand_words` does, with variables, quotes and escapes kept."""
    rules = _Rules(keep_quotes=True, keep_escapes=True, keep_unset=True)
    return _Expansion(text, {}, rules).run().words


def unquoted_words(text: str) -> list[str]:
    """Words split and unquoted, with variables kept: a heredoc's delimiter."""
    return _Expansion(text, {}, _Rules(keep_unset=True)).run().words


class _Rules(Struct, frozen=True, kw_only=True):
    escape: str = "\\"
    quotes: bool = True
    keep_quotes: bool = False
    keep_escapes: bool = False
    keep_unset: bool = False


class _Output(Struct):
    """What was expanded so far, as one text and as words."""

    parts: list[str] = field(default_factory=list)
    finished: list[str] = field(default_factory=list)
    word: list[str] = field(default_factory=list)
    size: int = 0

    def keep(self, text: str) -> None:
        """Add ``text`` to the current word, blanks and all."""
        self._add(text)
        self.word.append(text)

    def split(self, text: str) -> None:
        """Add ``text``; blanks in it end the current word."""
        start = 0
        for index, char in enumerate(text):
            if char in SPACES:
                self.keep(text[start:index])
                self._end_word()
                self._add(char)
                start = index + 1
        self.keep(text[start:])

    def _add(self, text: str) -> None:
        self.size += len(text)
        if self.size > LONGEST_RESULT:
            raise DockerfileError(
                f"a word expands to more than {LONGEST_RESULT >> 20} MiB",
                mend="look for a variable that is set from itself many times",
            )
        self.parts.append(text)

    def _end_word(self) -> None:
        if word := "".join(self.word):
            self.finished.append(word)
        self.word.clear()

    @property
    def text(self) -> str:
        return "".join(self.parts)

    @property
    def words(self) -> list[str]:
        self._end_word()
        return self.finished


class _Expansion:
    """One pass over one text; ``position`` is the next character to read."""

    def __init__(self, text: str, env: Mapping[str, str], rules: _Rules) -> None:
        self.text = text
        self.env = env
        self.rules = rules
        self.position = 0
        self.depth = 0

    def run(self) -> _Output:
        with found_in(self.text):
            return self._until("", keep_escapes=self.rules.keep_escapes)

    def _peek(self) -> str:
        return self.text[self.position : self.position + 1]

    def _take(self) -> str:
        char = self._peek()
        self.position += 1
        return char

    def _until(self, stop: str, *, keep_escapes: bool) -> _Output:
        """Expand up to the character ``stop``, which is consumed, or to the end of the text."""
        out = _Output()
        while char := self._take():
            if char == stop:
                return out
            if char == "$":
                out.split(self._variable())
            elif char == "<":
                out.keep(self._angle())
            elif char in "'\"" and self.rules.quotes:
                out.keep(self._quoted(char, keep_escapes=keep_escapes))
            elif char == self.rules.escape:
                out.keep(f"{char if keep_escapes else ''}{self._take()}")
            else:
                out.split(char)
        if stop:
            raise self._unfinished(stop)
        return out

    def _angle(self) -> str:
        """``<`` and ``<<``: the blanks after ``<<`` belong to a heredoc's delimiter."""
        if self._peek() != "<":
            return "<"
        start = self.position - 1
        self.position += 1
        while self._peek() and self._peek() in " \t\r":
            self.position += 1
        return self.text[start : self.position]

    def _quoted(self, quote: str, *, keep_escapes: bool) -> str:
        body = self._single() if quote == "'" else self._double(keep_escapes=keep_escapes)
        return f"{quote}{body}{quote}" if self.rules.keep_quotes else body

    def _single(self) -> str:
        end = self.text.find("'", self.position)
        if end < 0:
            raise self._unfinished("'")
        body = self.text[self.position : end]
        self.position = end + 1
        return body

    def _double(self, *, keep_escapes: bool) -> str:
        """Inside double quotes only ``"``, ``$`` and the escape itself can be escaped."""
        out = _Output()
        while char := self._take():
            if char == '"':
                return out.text
            if char == "$":
                out.keep(self._variable())
            elif char == self.rules.escape and self._peek() in {'"', "$", char}:
                out.keep(f"{char if keep_escapes else ''}{self._take()}")
            else:
                out.keep(char)
        raise self._unfinished('"')

    def _variable(self) -> str:
        start = self.position - 1
        if self._peek() != "{":
            name = self._name()
            if not name:
                return "$"
            value = self.env.get(name, "")
        else:
            self.position += 1
            self.depth += 1
            if self.depth > _DEEPEST:
                raise DockerfileError(f"variables are nested more than {_DEEPEST} deep")
            name = self._braced_name()
            value = self._modified(name)
            self.depth -= 1
        if self.rules.keep_unset and name not in self.env:
            return self.text[start : self.position]
        return value

    def _name(self) -> str:
        """A name, a number, or one special character; all but names are never set."""
        start = self.position
        if self._peek().isdecimal():
            while self._peek().isdecimal():
                self.position += 1
        elif self._peek() and self._peek() in _SPECIAL:
            self.position += 1
        else:
            while self._peek().isalpha() or self._peek().isdecimal() or self._peek() == "_":
                self.position += 1
        return self.text[start : self.position]

    def _braced_name(self) -> str:
        name = self._name()
        if not self._peek():
            raise self._unfinished("}")
        if not name:
            raise DockerfileError(
                f"bad substitution in {shown(self.text)}: no variable is named after '${{'",
                mend="write ${NAME}",
            )
        return name

    def _modified(self, name: str) -> str:
        """What ``${name`` and the modifier that follows come to."""
        operator = self._take()
        if operator == ":":
            operator += self._take()
        if operator == "}":
            return self.env.get(name, "")
        if operator in {"-", ":-", "+", ":+", "?", ":?"}:
            return self._conditional(name, operator)
        if operator in {"#", "%"}:
            return self._trimmed(name, operator)
        if operator == "/":
            return self._replaced(name)
        raise DockerfileError(
            f"unsupported modifier {operator!r} for variable {name} in {shown(self.text)}",
            mend="use one of :- - :+ + :? ? # ## % %% / //",
        )

    def _conditional(self, name: str, operator: str) -> str:
        word = self._until("}", keep_escapes=False).text
        value = self.env.get(name)
        # With a colon, an empty value counts as unset.
        present = bool(value) if operator.startswith(":") else value is not None
        if operator.endswith("+"):
            return word if present else ""
        if present or (value is None and self.rules.keep_unset):
            return value or ""
        if operator.endswith("-"):
            return word
        reason = word or f"it is {'unset' if value is None else 'empty'}"
        raise DockerfileError(
            f"variable {name} is required: {reason}",
            mend=f"set it, or pass --build-arg {name}=…",
        )

    def _trimmed(self, name: str, operator: str) -> str:
        longest = self._peek() == operator
        self.position += longest
        pattern = self._until("}", keep_escapes=True).text
        trim = trim_prefix if operator == "#" else trim_suffix
        return trim(self.env.get(name, ""), pattern, longest=longest)

    def _replaced(self, name: str) -> str:
        everywhere = self._peek() == "/"
        self.position += everywhere
        pattern = self._until("/", keep_escapes=True).text
        replacement = self._until("}", keep_escapes=True).text
        return replace(self.env.get(name, ""), pattern, replacement, everywhere=everywhere)

    def _unfinished(self, missing: str) -> DockerfileError:
        return DockerfileError(
            f"{shown(self.text)} ends before the matching {missing}",
            mend=f"close it with {missing}, or escape the character that opens it",
        )
