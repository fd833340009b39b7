"""How long work tells how far it is.

Work reports to a :class:`Progress`; the command line draws it, a library user may ignore it.
"""

from __future__ import annotations

from typing import Literal, Protocol

Outcome = Literal["done", "present", "mounted"]
"""How an item ended: its bytes were moved, were there already, or came from a neighbour."""


class Progress(Protocol):
    """Told of items of work; its methods may be called from several threads."""

    def begin(self, item: str, label: str, total: int) -> None:
        """``item``, of ``total`` bytes, is to be done, or starts over. Items with one ``label``
        belong together for a person: the layers of one platform."""
        ...

    def advance(self, item: str, amount: int) -> None:
        """``amount`` more bytes of ``item`` are done."""
        ...

    def finish(self, item: str, outcome: Outcome) -> None:
        """``item`` is complete."""
        ...

    def say(self, message: str) -> None:
        """One line worth reading later: what was decided, skipped or warned of."""
        ...


class NoProgress:
    """Tells nobody."""

    def begin(self, item: str, label: str, total: int) -> None: ...

    def advance(self, item: str, amount: int) -> None: ...

    def finish(self, item: str, outcome: Outcome) -> None: ...

    def say(self, message: str) -> None: ...
