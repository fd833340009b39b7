"""What came of telling somebody."""

from __future__ import annotations

from msgspec import Struct


class Answer(Struct, frozen=True, kw_only=True):
    """``fault`` says why the message was not taken, in one line without secrets, or is empty: then
    it was. ``again_after`` is for how many seconds the service asks to be left alone.

    ``unclear``: it may have been taken all the same. ``this_one``: it is this message that is
    refused; the next may be taken.
    """

    fault: str = ""
    again_after: float | None = None
    unclear: bool = False
    this_one: bool = False


TAKEN = Answer()
