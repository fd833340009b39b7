"""What every verb is given: its options of output and of registries, made ready to use."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec import Struct
from msgspec.structs import replace

from manyfest.cli.progress import Board, Lines, Quiet, Terminal
from manyfest.cli.text import tell
from manyfest.oci import json
from manyfest.stores.open import Stores

if TYPE_CHECKING:
    from manyfest.stores.registry.pacing import Pacing


class Session(Struct, frozen=True, kw_only=True):
    """One run of a verb."""

    quiet: bool
    verbose: bool
    plain_http: tuple[str, ...] = ()
    ca_file: Path | None = None

    def progress(self) -> Board | Quiet:
        """To be entered around long work, and given to it."""
        if self.quiet:
            return Quiet()
        return Terminal() if sys.stderr.isatty() else Lines()

    def stores(self, *, pacing: Pacing | None = None) -> Stores:
        """Opens references; to be entered, so that connections are closed at the end. ``pacing``
        is for who asks again and again."""
        return Stores(
            plain_http=self.plain_http,
            ca_file=self.ca_file,
            log=self.trace if self.verbose else None,
            warn=self.say,
            pacing=pacing,
        )

    def say(self, message: str) -> None:
        """One line on stderr, unless ``--quiet``."""
        if not self.quiet:
            tell(message)

    def trace(self, message: str) -> None:
        """One line on stderr if ``--verbose``."""
        if self.verbose:
            self.say(message)

    @staticmethod
    def width() -> int | None:
        """Columns of the terminal that stdout goes to; ``None`` if it goes elsewhere."""
        import shutil

        return shutil.get_terminal_size().columns if sys.stdout.isatty() else None

    @staticmethod
    def out(data: str | bytes) -> None:
        """Data on stdout: text in lines of its own, or bytes as they are.

        Raises :class:`~manyfest.errors.StoreError` if they cannot be written, but for want of a
        reader, which is none of ours.
        """
        try:
            click.echo(data, nl=isinstance(data, str))
        except BrokenPipeError:
            raise
        except OSError:
            from manyfest.stores.files import write_errors

            with write_errors("standard output"):
                raise

    @classmethod
    def out_json(cls, value: object) -> None:
        """Data on stdout, as JSON."""
        import msgspec

        cls.out(msgspec.json.format(json.dumps(value), indent=2).decode())


def with_session(function: Callable[..., None]) -> Callable[..., None]:
    """Give a verb ``--quiet`` and ``--verbose``, and its function a :class:`Session` first."""

    @click.option("-q", "--quiet", is_flag=True, help="Print errors and data only.")
    @click.option("-v", "--verbose", is_flag=True, help="Print each request and decision.")
    @functools.wraps(function)
    def wrapped(*, quiet: bool, verbose: bool, **arguments: object) -> None:
        function(Session(quiet=quiet, verbose=verbose), **arguments)

    return wrapped


def with_registries(function: Callable[..., None]) -> Callable[..., None]:
    """The same for a verb that talks to registries: how to reach them can be told too."""

    @with_session
    @click.option(
        "--plain-http",
        metavar="HOST[:PORT]",
        multiple=True,
        help="Speak plain http to this registry. Loopback ones need not be named.",
    )
    @click.option(
        "--ca-file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Trust the certificates in this PEM file too.",
    )
    @functools.wraps(function)
    def wrapped(
        session: Session, *, plain_http: tuple[str, ...], ca_file: Path | None, **rest: object
    ) -> None:
        function(replace(session, plain_http=plain_http, ca_file=ca_file), **rest)

    return wrapped
