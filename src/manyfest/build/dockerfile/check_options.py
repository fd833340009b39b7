"""The directive ``# check=skip=RULE,…;experimental=RULE,…;error=true``: which warnings are wanted.

It stands at the top of a Dockerfile and holds for all of it. In the comment just above an
instruction it holds for that instruction alone, and there ``error`` means nothing.
"""

from __future__ import annotations

from msgspec import Struct

from manyfest.build.dockerfile.place import shown
from manyfest.errors import DockerfileError

_ALL = frozenset({"all"})
_BOOLEANS = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}


class CheckOptions(Struct, frozen=True, kw_only=True):
    """``skip`` and ``experimental`` are names of rules, or ``all``. ``error`` makes a build with
    warnings fail."""

    skip: frozenset[str] = frozenset()
    experimental: frozenset[str] = frozenset()
    error: bool = False

    def wants(self, rule: str, *, experimental: bool) -> bool:
        """Whether ``rule`` is to be told of. An experimental one must be asked for."""
        if experimental:
            return bool(self.experimental & {rule, *_ALL})
        return not self.skip & {rule, *_ALL}

    def with_those_of(self, other: CheckOptions) -> CheckOptions:
        return CheckOptions(
            skip=self.skip | other.skip,
            experimental=self.experimental | other.experimental,
            error=self.error,
        )


def parse_check_options(text: str) -> CheckOptions:
    """Read what follows ``check=``, up to the first blank.

    Raises :class:`~manyfest.errors.DockerfileError`, without a place.
    """
    names: dict[str, frozenset[str]] = {}
    error = False
    options = text.strip().partition(" ")[0]
    for option in options.split(";") if options else ():
        key, equals, value = option.partition("=")
        if key in {"skip", "experimental"} and equals:
            names[key] = frozenset(value.split(","))
        elif key == "error" and value in _BOOLEANS:
            error = _BOOLEANS[value]
        else:
            raise DockerfileError(
                f"check knows no option {shown(option)}",
                mend="write skip=RULE,…, experimental=RULE,… or error=true, and ; between them",
                word=option,
            )
    return CheckOptions(
        skip=names.get("skip", frozenset()),
        experimental=names.get("experimental", frozenset()),
        error=error,
    )
