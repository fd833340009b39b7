"""What is told of signatures and the like: how many go along with an image, and how many stay."""

from __future__ import annotations

from collections.abc import Iterable

from manyfest.cli.session import Session
from manyfest.copy import Item
from manyfest.images.attached import find_attached
from manyfest.oci.digest import Digest
from manyfest.stores.base import Source


def going_along(items: Iterable[Item]) -> int:
    """How many accompany the images; one that is found in two ways counts once."""
    return len({item.graph.root.descriptor.digest for item in items if item.accompanies})


def tell_left_behind(
    session: Session, source: Source, subjects: Iterable[Digest], *, where: str, why: str
) -> None:
    """Say so if something refers to ``subjects``, and does not get to ``where``."""
    found = find_attached(source, list(dict.fromkeys(subjects)))
    count = len({each.digest for attached in found.values() for each in attached})
    if count:
        session.say(f"{where}: referrers left behind: {count}; {why}")
