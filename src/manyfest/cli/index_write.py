"""What the verbs of ``manyfest index`` share: sources are read, and an index is planned or put."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack

from msgspec import Struct

from manyfest.cli.index_text import differences
from manyfest.cli.platforms import parse_platforms
from manyfest.cli.session import Session
from manyfest.cli.text import size
from manyfest.copy import Copied, Item, copy_graphs, meaning, missing
from manyfest.errors import UsageError
from manyfest.graph import READERS, Graph
from manyfest.images.companions import companions
from manyfest.images.gather import Gathered, Part, move, read_held, read_part
from manyfest.images.index import Held, created
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Index, Manifest
from manyfest.oci.mediatypes import DOCKER_LIST, OCI_INDEX
from manyfest.oci.platform import Platform
from manyfest.oci.reference import Reference
from manyfest.stores.base import Source, Target
from manyfest.stores.open import Stores, tags_of
from manyfest.threads import together, workers

Decide = Callable[[Held, Sequence[Part]], Manifest]
"""What becomes of an index, given images that were read for it."""


class _Change(Struct, frozen=True):
    """The new ``index`` for a tag, which meant ``before`` until now; that was the index ``old``, if
    it is one that is changed. ``parts`` are new in it, or may be."""

    index: Manifest
    before: Digest | None
    old: Index | None
    parts: Sequence[Part]


def make(
    session: Session,
    target: str,
    sources: Sequence[str],
    annotations: dict[str, str],
    *,
    referrers: bool,
    dry_run: bool,
) -> None:
    """Make an index of the sources at ``target``."""
    to = _place(target)
    with session.stores() as stores, ExitStack() as opened:
        parts = _read(stores, opened, sources)
        index = created([offer for part in parts for offer in part.offers], annotations)
        there = opened.enter_context(stores.target(to))
        change = _Change(index, meaning(there, to.target), None, parts)
        _carry_out(session, there, to, change, referrers=referrers, dry_run=dry_run)


def edit(
    session: Session,
    reference: str,
    decide: Decide,
    sources: Sequence[str] = (),
    *,
    referrers: bool = True,
    dry_run: bool,
) -> None:
    """Change the index at ``reference``, for which the sources are read."""
    to = _place(reference)
    with session.stores() as stores, ExitStack() as opened:
        here = opened.enter_context(stores.source(to))
        root = here.resolve(to.target)
        held = read_held(here, root, reference)
        parts = _read(stores, opened, sources)
        change = _Change(decide(held, parts), root.digest, held.manifest.index, parts)
        there = opened.enter_context(stores.target(to))
        _carry_out(session, there, to, change, referrers=referrers, dry_run=dry_run)


def parse_annotations(texts: Iterable[str]) -> dict[str, str]:
    """``KEY=VALUE`` each; a value may be empty, and have more of ``=`` in it."""
    pairs = [text.partition("=") for text in texts]
    for key, equals, _ in pairs:
        if not (key and equals):
            raise UsageError(f"{key + equals!r} is no annotation", mend="write it as KEY=VALUE")
    return {key: value for key, _, value in pairs}


def _place(text: str) -> Reference:
    """Where the index is to be."""
    to = Reference.parse(text)
    tags_of(to)
    if not to.is_kept:
        raise UsageError(
            "indexes are made and changed in registries and layouts, and not in what is written"
            " whole",
            where=text,
            mend="use a layout, oci:DIR:TAG, and manyfest copy to it or from it",
        )
    return to


def _read(stores: Stores, opened: ExitStack, sources: Sequence[str]) -> list[Part]:
    """The images at each source; the sources stay open."""
    picks = [_pick(text) for text in sources]
    found = [opened.enter_context(stores.source(Reference.parse(name))) for _, name in picks]
    work = list(zip(found, picks, strict=True))
    with workers(READERS, "sources") as pool:
        return together(pool, lambda each: _part(each[0], *each[1]), work)


def _pick(text: str) -> tuple[tuple[Platform, ...], str]:
    """``PLATFORM,PLATFORM=REFERENCE``, or a reference alone, in which a path may have an ``=``."""
    head, equals, rest = text.partition("=")
    return (parse_platforms([head]), rest) if equals and ":" not in head else ((), text)


def _part(source: Source, wanted: tuple[Platform, ...], name: str) -> Part:
    return read_part(source, Reference.parse(name).target, wanted, name)


def _carry_out(
    session: Session,
    there: Target,
    to: Reference,
    change: _Change,
    *,
    referrers: bool,
    dry_run: bool,
) -> None:
    found = _found(there, change, referrers=referrers)
    if dry_run:
        _plan(session, there, to, change, [item for _, item in found])
    else:
        copied = None
        with session.progress() as progress:
            if found:
                source = Gathered((source, item.graph) for source, item in found)
                items = [item for _, item in found]
                copied = copy_graphs(source, items, there, progress=progress)
            move(there, to.target, change.before, change.index)
        session.say(f"{to}: {_told(change, copied)}")
    session.out(str(change.index.descriptor.digest))


def _found(there: Target, change: _Change, *, referrers: bool) -> list[tuple[Source, Item]]:
    """What must be at the target, and where it is now: the images, and what refers to them and to
    the index. Where the images are already, that is as well."""
    places: dict[str, list[Part]] = {}
    for part in change.parts:
        places.setdefault(part.source.label, []).append(part)
    index = Graph(change.index, (change.index,), ())
    along = [
        (parts[0].source, item)
        for label, parts in places.items()
        if referrers and label != there.label
        for item in companions(
            parts[0].source, [*(image for part in parts for image in part.images), index]
        )
    ]
    images = [(part.source, Item(graph=image)) for part in change.parts for image in part.images]
    return [*along, *images]


def _plan(
    session: Session, there: Target, to: Reference, change: _Change, items: Sequence[Item]
) -> None:
    for line in differences(change.old, change.index.index):
        session.out(line)
    absent = {part.digest: part for item in items for part in missing(there, item.graph)}
    if absent:
        amount = size(sum(part.size for part in absent.values()))
        session.out(f"would copy {len(absent)} parts, {amount}, to {to}")
    if change.before == change.index.descriptor.digest:
        session.say(f"{to}: nothing to do: it is this index already")
    elif change.before is not None:
        session.say(f"{to}: would move; it is {change.before}")


def _told(change: _Change, copied: Copied | None) -> str:
    if change.before == change.index.descriptor.digest:
        told = "nothing to do: it is this index already"
    else:
        told = f"moved; it was {change.before}" if change.before else "set"
    if copied and copied.sent:
        told += f", {size(copied.sent)} sent"
    was_list = change.old is not None and change.old.media_type == DOCKER_LIST
    if was_list and change.index.descriptor.media_type == OCI_INDEX:
        told += "; it is an index of OCI's now, as a list of Docker's cannot hold this"
    return told
