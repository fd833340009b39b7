"""The instructions of a Dockerfile as typed, frozen values.

:mod:`~manyfest.build.dockerfile.parse` makes them with their text as written;
:mod:`~manyfest.build.dockerfile.evaluate` gives the same types back with everything expanded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from manyfest.build.dockerfile.place import Place
from manyfest.errors import DockerfileError
from manyfest.oci.platform import Platform

_LEADING_TABS = re.compile(r"^\t+", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scratch:
    """The empty base."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FromStage:
    """An earlier stage of the same Dockerfile, by its index."""

    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FromImage:
    """An image; ``reference`` is as written, after expansion."""

    reference: str
    platform: Platform


Origin = Scratch | FromStage | FromImage
"""Where a base or a copied file comes from, when it is not the build context."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """What all instructions have: where they stand, and their text on one logical line."""

    place: Place
    original: str

    @property
    def keyword(self) -> str:
        return type(self).__name__.upper()

    def fault(self, what: str, mend: str = "", word: str = "") -> DockerfileError:
        """The error to raise when this instruction, or a ``word`` of it, cannot be carried out."""
        return self.place.fault(self.keyword, what, mend, word)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """``key=value``. ``legacy`` is the old form ``ENV key value``."""

    key: str
    value: str
    legacy: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ArgItem:
    """One argument. ``value`` is the default as written, and after evaluation the value it has;
    ``None`` when it has none."""

    key: str
    value: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandLine:
    """A command: the words of the exec form, or one text that is for the shell."""

    words: tuple[str, ...]
    in_shell: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class InlineFile:
    """A file whose content stands in the Dockerfile; it gets mode 0644."""

    name: str
    content: str
    expand: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class From(Instruction):
    """``platform`` and ``name`` are empty when not given; ``name`` is in lower case."""

    base: str
    name: str
    platform: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Arg(Instruction):
    items: tuple[ArgItem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Env(Instruction):
    pairs: tuple[Pair, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Label(Instruction):
    pairs: tuple[Pair, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Transfer(Instruction):
    """What COPY and ADD share. Flags that were not given are empty."""

    sources: tuple[str, ...]
    inline: tuple[InlineFile, ...]
    destination: str
    chown: str
    chmod: str
    link: bool
    exclude: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy(_Transfer):
    """``from_name`` is what ``--from`` says; evaluation turns it into ``origin``, where ``None``
    means the build context."""

    from_name: str
    parents: bool
    origin: Origin | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Add(_Transfer):
    """``keep_git_dir`` and ``unpack`` are ``None`` when the flag was not given."""

    checksum: str
    keep_git_dir: bool | None
    unpack: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heredoc:
    """A here-document as it stands in the Dockerfile, with its tabs.

    ``expand`` is false when a part of the delimiter was quoted; ``strip_tabs`` is ``<<-``.
    """

    name: str
    content: str
    expand: bool
    strip_tabs: bool

    @property
    def text(self) -> str:
        """The content as it is meant: without leading tabs if they are to be stripped."""
        if not self.strip_tabs:
            return self.content
        return _LEADING_TABS.sub("", self.content)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run(Instruction):
    """``mounts``, ``network``, ``security`` and ``devices`` are the flags' text.

    ``mount_sources`` are the stages and images that mounts name with ``from=``.
    """

    command: CommandLine
    heredocs: tuple[Heredoc, ...]
    mounts: tuple[str, ...]
    mount_sources: tuple[str, ...]
    network: str
    security: str
    devices: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cmd(Instruction):
    command: CommandLine


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrypoint(Instruction):
    command: CommandLine


@dataclass(frozen=True, slots=True, kw_only=True)
class Healthcheck(Instruction):
    """``command`` is ``None`` for ``HEALTHCHECK NONE``. Times are nanoseconds, 0 is the default."""

    command: CommandLine | None
    interval: int
    timeout: int
    start_period: int
    start_interval: int
    retries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell(Instruction):
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Workdir(Instruction):
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class User(Instruction):
    user: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Expose(Instruction):
    """After evaluation every port is ``NUMBER/PROTOCOL`` and ranges are written out."""

    ports: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume(Instruction):
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StopSignal(Instruction):
    signal: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintainer(Instruction):
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OnBuild(Instruction):
    """``expression`` is the text that goes into the image's configuration; ``trigger`` is the
    same, parsed."""

    expression: str
    trigger: Instruction
