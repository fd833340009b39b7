"""What is suspicious in a Dockerfile and still no error.

The rules are those of BuildKit's build checks, with their names, so that what is known about them
and ``# check=skip=…`` hold here too. They look at all stages, also those that a target does not
need. Reference: moby/buildkit, ``frontend/dockerfile/docs/rules``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

from msgspec.structs import replace

from manyfest.build.dockerfile.check_options import CheckOptions, parse_check_options
from manyfest.build.dockerfile.parse import Dockerfile
from manyfest.build.dockerfile.rules.files import copy_ignored_file
from manyfest.build.dockerfile.rules.rule import DockerfileWarning, comments_above
from manyfest.build.dockerfile.rules.stages import STAGE_RULES
from manyfest.build.dockerfile.rules.style import STYLE_RULES
from manyfest.build.dockerfile.rules.variables import undefined_var
from manyfest.build.dockerignore import Ignore
from manyfest.errors import DockerfileError

__all__ = ["DockerfileWarning", "check_dockerfile", "refuse_warnings"]

EXPERIMENTAL = frozenset({"InvalidDefinitionDescription"})
"""Rules that are followed only where ``# check=experimental=…`` asks for them."""

_CHECK = re.compile(r"check\s*=\s*(.+)", re.IGNORECASE)


def check_dockerfile(
    dockerfile: Dockerfile,
    *,
    ignore: Ignore | None = None,
    base_variables: Mapping[int, Collection[str]] | None = None,
) -> tuple[DockerfileWarning, ...]:
    """All warnings, in the order of their lines.

    ``ignore`` is the context's ignore file. ``base_variables`` are the names that the base image
    of a stage sets, by the stage's index; where an image is not known, only those variables are
    told of that an ARG in the stage would set.
    """
    options = parse_check_options(dockerfile.directives.check)
    found = [warning for rule in (*STAGE_RULES, *STYLE_RULES) for warning in rule(dockerfile)]
    found += undefined_var(dockerfile, base_variables or {})
    found += copy_ignored_file(dockerfile, ignore or Ignore())
    return tuple(sorted(_wanted(dockerfile, found, options), key=lambda w: w.place.line))


def refuse_warnings(dockerfile: Dockerfile, warnings: Collection[DockerfileWarning]) -> None:
    """Raise :class:`~manyfest.errors.DockerfileError` for the first of ``warnings`` if the file
    says ``# check=error=true``."""
    if not warnings or not parse_check_options(dockerfile.directives.check).error:
        return
    first = next(iter(warnings))
    raise DockerfileError(
        f"{first.rule}: {first.what} (an error, because the file says check=error=true)",
        where=str(first.place),
        mend=first.mend,
        excerpt=first.excerpt,
        word=first.word,
    )


def _wanted(
    dockerfile: Dockerfile, found: Collection[DockerfileWarning], options: CheckOptions
) -> Iterator[DockerfileWarning]:
    for warning in dict.fromkeys(found):
        here = options.with_those_of(_options_above(dockerfile, warning.place.line))
        if here.wants(warning.rule, experimental=warning.rule in EXPERIMENTAL):
            yield warning


def _options_above(dockerfile: Dockerfile, line: int) -> CheckOptions:
    """The options in the comment above an instruction; malformed ones are only a comment."""
    for comment in comments_above(dockerfile, line):
        if match := _CHECK.fullmatch(comment):
            try:
                return replace(parse_check_options(match[1]), error=False)
            except DockerfileError:
                return CheckOptions()
    return CheckOptions()
