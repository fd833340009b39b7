"""What is tried in each image, and what is said of how it ended."""

from __future__ import annotations

import resource
import shlex
from collections.abc import Sequence
from signal import Signals

from msgspec import Struct

from manyfest.graph import Graph, read_config
from manyfest.images.selection import entries_of, narrowed_image
from manyfest.oci.config import RunConfig
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.platform import Platform
from manyfest.stores.base import Source

MEMORY = 2 * 1024**3
"""Bytes of memory that a container may use."""

PROCESSES = 4096
"""Processes and threads that a container may have."""

_SIGNALLED = 128
"""A program that was killed by signal N exits with this and N (bash(1), "Exit Status")."""


class Trial(Struct, frozen=True, kw_only=True):
    """What is run: ``command`` are arguments of the image's entrypoint, as in ``docker run``. It
    must exit with ``exit``, after at most ``timeout`` seconds, and print ``expect``. ``hidden`` is
    in no line that is shown."""

    command: tuple[str, ...] = ()
    expect: str = ""
    exit: int = 0
    timeout: float = 60
    hidden: tuple[bytes, ...] = ()


class Subject(Struct, frozen=True):
    """One platform's image."""

    platform: Platform
    graph: Graph
    run: RunConfig

    def words(self, trial: Trial) -> tuple[str, ...]:
        """What a container of it runs."""
        return (*self.run.entrypoint, *(trial.command or self.run.cmd))


class Ran(Struct, frozen=True, kw_only=True):
    """How a container ended. ``trouble`` says why there was none, which says nothing of the image;
    ``refused`` says why the kernel did not start its program. ``lines`` are the last that it
    printed."""

    trouble: str = ""
    refused: str = ""
    status: int = 0
    expected: bool = True
    """Whether the text that is expected was there."""
    timed_out: bool = False
    out_of_memory: bool = False
    lines: tuple[str, ...] = ()

    def fault(self, trial: Trial) -> str:
        """What is wrong with that; nothing if the trial was passed."""
        if self.timed_out:
            return f"did not end within {trial.timeout:g} seconds"
        if self.out_of_memory:
            return f"was killed, as it used more than {MEMORY // 1024**3} GiB of memory"
        if self.refused:
            return f"could not be started: {self.refused}"
        if self.status != trial.exit:
            return f"exited with {_told(self.status)}, and not with {trial.exit}"
        return "" if self.expected else f"did not print {trial.expect!r}"


def subjects_of(source: Source, root: Descriptor) -> list[Subject]:
    """The image of each platform, in the order of the index.

    Raises :class:`~manyfest.errors.NotFound` and :class:`~manyfest.errors.ContentError`.
    """
    subjects: list[Subject] = []
    for platform, _ in entries_of(source, root):
        if not any(platform.same_as(each.platform) for each in subjects):
            graph = narrowed_image(source, root, platform)
            run = read_config(source, graph.root.image).config
            subjects.append(Subject(platform.normalised(), graph, run))
    return subjects


def native_first(subjects: Sequence[Subject], here: Platform | None) -> list[Subject]:
    """Those for the processor that is here first: they tell soonest what is wrong."""
    native = here.architecture if here else ""
    return sorted(subjects, key=lambda each: each.platform.architecture != native)


def most_processes() -> int:
    """How many processes we may allow a container, by our own limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    return PROCESSES if hard == resource.RLIM_INFINITY else min(PROCESSES, hard)


def shown(words: Sequence[str]) -> str:
    """A command as a person would type it."""
    return shlex.join(words)


def _told(status: int) -> str:
    try:
        return f"{status} ({Signals(status - _SIGNALLED).name})"
    except ValueError:
        return str(status)
