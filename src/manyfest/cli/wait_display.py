"""How ``manyfest wait`` shows what happens: a line for each change and, on a terminal, how far it
is below them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Self

from manyfest.cli.text import one_line, tell_above

if TYPE_CHECKING:
    from rich.live import Live


class Lines:
    """A line for each change, given to ``say``: for logs and pipes."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    def tell(self, line: str) -> None:
        """Once."""
        self._say(line)

    def show(self, status: Callable[[float], str]) -> None:
        """``status`` says from now on how far it is, at any time."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is drawn, so nothing is taken down."""


class Terminal(Lines):
    """And below them how far it is, redrawn in place every second."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__(say)
        self._status: Callable[[float], str] = lambda _: ""
        self._live: Live | None = None

    def tell(self, line: str) -> None:
        """See :meth:`Lines.tell`."""
        if self._live is None:
            super().tell(line)
        else:
            tell_above(self._live.console, line)

    def show(self, status: Callable[[float], str]) -> None:
        """See :meth:`Lines.show`."""
        self._status = status
        if self._live is not None:
            self._live.refresh()

    def __enter__(self) -> Self:
        from rich.console import Console
        from rich.live import Live
        from rich.text import Text

        self._live = Live(
            get_renderable=lambda: Text(one_line(self._status(time.monotonic()))),
            console=Console(stderr=True),
            refresh_per_second=1,
            transient=True,
        )
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
