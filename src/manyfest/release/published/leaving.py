"""Moving tags that a release made and that a rollback takes away again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from msgspec import Struct

from manyfest.errors import ManyfestError
from manyfest.oci.digest import Digest
from manyfest.release.published.holdings import Holding
from manyfest.release.steps.moves import held_by
from manyfest.stores.base import Deletes

Say = Callable[[str], None]

Leaves = Literal["gone", "stays", "moved on"]
"""What became of a tag that was to be taken away."""


class Leaving(Struct, frozen=True):
    """A moving tag that the release made and that was not there before."""

    holding: Holding
    tag: str

    @property
    def reference(self) -> str:
        return str(self.holding.place.with_tag(self.tag))

    @property
    def before(self) -> Digest | None:
        """What it held when the rollback was planned."""
        return self.holding.digest_at(self.tag)


def take_away(leaving: Leaving, say: Say) -> Leaves:
    """Take a tag away that still holds what it held, and look where it stands: what a registry
    answered to a request that failed says little about what it did."""
    store, tag, reference = leaving.holding.store, leaving.tag, leaving.reference
    why = "the registry takes no tag away"
    try:
        if isinstance(store, Deletes) and held_by(store, tag) == leaving.before:
            store.untag(tag)
            why = "it was taken away, and the registry still shows it"
    except ManyfestError as error:
        why = error.what
    try:
        held = held_by(store, tag)
    except ManyfestError as error:
        say(f"{reference} was new, and whether it is gone is not known: {error.what}")
        return "stays"
    if held is None:
        return "gone"
    if held != leaving.before:
        say(f"{reference}: somebody else has moved it on to {held}")
        return "moved on"
    say(f"{reference} was new and stays: {why}")
    return "stays"
