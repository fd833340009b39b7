"""The warning about files that the ignore file keeps out of the context."""

from __future__ import annotations

from collections.abc import Iterator

from manyfest.build.add.address import is_remote
from manyfest.build.dockerfile import instructions as ins
from manyfest.build.dockerfile.parse import Dockerfile
from manyfest.build.dockerfile.place import shown
from manyfest.build.dockerfile.rules.rule import DockerfileWarning, all_instructions
from manyfest.build.dockerignore import Ignore
from manyfest.build.files import rooted


def copy_ignored_file(dockerfile: Dockerfile, ignore: Ignore) -> Iterator[DockerfileWarning]:
    """Sources of COPY and ADD that are ignored.

    Nothing is told if the ignore file takes something back with ``!``, or if a source holds a
    variable: then it takes the files themselves to know.
    """
    if ignore.takes_back:
        return
    for instruction in all_instructions(dockerfile):
        if not isinstance(instruction, ins.Copy | ins.Add) or _copies_from_elsewhere(instruction):
            continue
        for source in instruction.sources:
            if "$" not in source and not is_remote(source) and _is_ignored(source, ignore):
                yield DockerfileWarning(
                    rule="CopyIgnoredFile",
                    place=instruction.place,
                    what=f"the ignore file leaves {shown(source)} out of the context",
                    mend="take it back there with !, or copy something else",
                    word=source,
                )


def _copies_from_elsewhere(instruction: ins.Copy | ins.Add) -> bool:
    return isinstance(instruction, ins.Copy) and bool(instruction.from_name)


def _is_ignored(source: str, ignore: Ignore) -> bool:
    path = rooted(source)
    # The context itself is never ignored, but all that is in it may be.
    return ignore.excludes_everything if path == "." else ignore.excludes(path)
