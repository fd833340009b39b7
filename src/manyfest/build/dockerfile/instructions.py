"""The instructions of a Dockerfile as typed, frozen values.

:mod:`~manyfest.build.dockerfile.parse` makes them with their text as written;
:mod:`~manyfest.build.dockerfile.evaluate` gives the same types back with everything expanded.
"""

from __future__ import annotations

import re

from msgspec import Struct

from manyfest.build.dockerfile.place import Place
from manyfest.errors import DockerfileError
from manyfest.oci.platform import Platform

_LEADING_TABS = re.compile(r"^\t+", re.MULTILINE)


class Scratch(Struct, frozen=True, kw_only=True):
    """The empty base."""


class FromStage(Struct, frozen=True, kw_only=True):
    """An earlier stage of the same Dockerfile, by its index."""

    index: int


class FromImage(Struct, frozen=True, kw_only=True):
    """An image; ``reference`` is as written, after expansion."""

    reference: str
    platform: Platform


Origin = Scratch | FromStage | FromImage
"""Where a base or a copied file comes from, when it is not the build context."""


class Instruction(Struct, frozen=True, kw_only=True):
    """What all instructions have: where they stand, and their text on one logical line."""

    place: Place
    original: str

    @property
    def keyword(self) -> str:
        return type(self).__name__.upper()

    def fault(self, what: str, mend: str = "", word: str = "") -> DockerfileError:
        """The error to raise when this instruction, or a ``word`` of it, cannot be carried out."""
        return self.place.fault(self.keyword, what, mend, word)


class Pair(Struct, frozen=True, kw_only=True):
    """``key=value``. ``legacy`` is the old form ``ENV key value``."""

    key: str
    value: str
    legacy: bool = False


class ArgItem(Struct, frozen=True, kw_only=True):
    """One argument. ``value`` is the default as written, and after evaluation the value it has;
    ``None`` when it has none."""

    key: str
    value: str | None


class CommandLine(Struct, frozen=True, kw_only=True):
    """A command: the words of the exec form, or one text that is for the shell."""

    words: tuple[str, ...]
    in_shell: bool


class InlineFile(Struct, frozen=True, kw_only=True):
    """A file whose content stands in the Dockerfile; it gets mode 0644."""

    name: str
    content: str
    expand: bool


class From(Instruction, frozen=True, kw_only=True):
    """``platform`` and ``name`` are empty when not given; ``name`` is in lower case."""

    base: str
    name: str
    platform: str


class Arg(Instruction, frozen=True, kw_only=True):
    items: tuple[ArgItem, ...]


class Env(Instruction, frozen=True, kw_only=True):
    pairs: tuple[Pair, ...]


class Label(Instruction, frozen=True, kw_only=True):
    pairs: tuple[Pair, ...]


class _Transfer(Instruction, frozen=True, kw_only=True):
    """What COPY and ADD share. Flags that were not given are empty."""

    sources: tuple[str, ...]
    inline: tuple[InlineFile, ...]
    destination: str
    chown: str
    chmod: str
    link: bool
    exclude: tuple[str, ...]


class Copy(_Transfer, frozen=True, kw_only=True):
    """``from_name`` is what ``--from`` says; evaluation turns it into ``origin``, where ``None``
    means the build context."""

    from_name: str
    parents: bool
    origin: Origin | None = None


class Add(_Transfer, frozen=True, kw_only=True):
    """``keep_git_dir`` and ``unpack`` are ``None`` when the flag was not given."""

    checksum: str
    keep_git_dir: bool | None
    unpack: bool | None


class Heredoc(Struct, frozen=True, kw_only=True):
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


class Run(Instruction, frozen=True, kw_only=True):
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


class Cmd(Instruction, frozen=True, kw_only=True):
    command: CommandLine


class Entrypoint(Instruction, frozen=True, kw_only=True):
    command: CommandLine


class Healthcheck(Instruction, frozen=True, kw_only=True):
    """``command`` is ``None`` for ``HEALTHCHECK NONE``. Times are nanoseconds, 0 is the default."""

    command: CommandLine | None
    interval: int
    timeout: int
    start_period: int
    start_interval: int
    retries: int


class Shell(Instruction, frozen=True, kw_only=True):
    words: tuple[str, ...]


class Workdir(Instruction, frozen=True, kw_only=True):
    path: str


class User(Instruction, frozen=True, kw_only=True):
    user: str


class Expose(Instruction, frozen=True, kw_only=True):
    """After evaluation every port is ``NUMBER/PROTOCOL`` and ranges are written out."""

    ports: tuple[str, ...]


class Volume(Instruction, frozen=True, kw_only=True):
    paths: tuple[str, ...]


class StopSignal(Instruction, frozen=True, kw_only=True):
    signal: str


class Maintainer(Instruction, frozen=True, kw_only=True):
    name: str


class OnBuild(Instruction, frozen=True, kw_only=True):
    """``expression`` is the text that goes into the image's configuration; ``trigger`` is the
    same, parsed."""

    expression: str
    trigger: Instruction
