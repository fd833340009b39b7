"""What a run that was killed has left, where the next one fails before it comes to the tags.

The step that sets the tags puts back what a killed run has moved, should it fail. A run that fails
earlier, because a registry is gone, does so here, by the journal on this machine. Of what another
machine has begun it only tells: that may be at work this very moment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from msgspec import Struct

from manyfest.errors import ManyfestError, NotFound, UsageError
from manyfest.graph import read_manifest
from manyfest.oci.digest import Digest
from manyfest.oci.reference import Name
from manyfest.release.destinations import Destination
from manyfest.release.resume.journal import Journal, journal_path, read_journal
from manyfest.release.resume.journal_copies import read_copy
from manyfest.release.steps.move import Move
from manyfest.release.steps.moves import held_by
from manyfest.release.steps.step import Release
from manyfest.release.tags.plan import PlannedTag
from manyfest.release.tags.pointing import Former, Pointing, Standing, former_of, told
from manyfest.stores.base import Store
from manyfest.stores.files import FolderLock
from manyfest.threads import workers


class _Seen(Struct, frozen=True):
    """A moving tag: what it held, where it was to go, and where it is ``now`` if that is known."""

    name: Name
    tag: str
    store: Store
    held: Digest | None
    goal: Digest | None
    now: Digest | None
    known: bool

    @property
    def is_moved(self) -> bool:
        return self.known and self.now == self.goal != self.held

    @property
    def is_left_out(self) -> bool:
        """It shows that a run did not come to its end."""
        return self.known and self.now == self.held != self.goal


@contextmanager
def moving(folder: Path) -> Iterator[None]:
    """To be entered around the moving of tags that a journal in ``folder`` tells of: no other run
    on this machine takes it for killed meanwhile."""
    try:
        lock = FolderLock(folder)
    except OSError:
        yield
        return
    with lock:
        lock.share()
        yield


def put_back_unfinished(release: Release, error: BaseException) -> None:
    """Put back the tags that a run of the release has moved before it was killed, now that
    ``error`` ends this one, and let ``error`` say where they stand; ``release.standing`` has it
    then, too. What was typed wrongly changes nothing: then it is only said.

    It raises nothing of its own.
    """
    if release.standing:
        return  # this run came to the tags itself
    with suppress(ManyfestError, OSError):
        journal = _journal(release)
        if journal is not None and journal.under_way:
            what = "a run of this release that was killed was moving tags"
            standing = _end_here(release, journal, change=not isinstance(error, UsageError))
        elif isinstance(error, Exception):  # whoever presses Ctrl-C does not wait for answers
            what = "another run of this release has begun to move tags"
            standing = _begun_elsewhere(release)
        else:
            return
        release.standing = dict(standing)
        stands = told(standing)
        if stands and isinstance(error, ManyfestError):
            error.what += f"; {what}: {stands}"
        elif stands:
            error.add_note(f"{what}: {stands}")


def _journal(release: Release) -> Journal | None:
    known = (release.unfinished, release.journal)
    journal = next((each for each in known if each is not None and each.under_way), None)
    path = journal_path(release.archive, release.version)
    return journal or read_journal(path, lambda _: None)


def _end_here(release: Release, journal: Journal, *, change: bool) -> dict[str, Standing]:
    """Where the tags stand that a run on this machine was moving; none if it came to its end."""
    with FolderLock(journal.path.parent) as lock:
        try:
            if not lock.try_alone():
                return {}  # it is still at it
        except OSError:  # not every file system has locks
            change = False
        held = journal.held
        aims = {name: (held[name], goal) for name, goal in journal.under_way.items()}
        with workers(len(release.destinations), "look") as pool:
            rows = pool.map(lambda place: _look(release, place, aims), release.destinations)
            seen = [each for row in rows for each in row]
        moved = [each for each in seen if each.is_moved]
        if len(moved) == len(seen):
            return {}  # it came to its end
        standing: dict[str, Standing] = {
            str(each.name): "set and left" if each.known else "not known"
            for each in seen
            if each.is_moved or not each.known
        }
        if change and any(each.is_left_out for each in seen):
            standing |= _put_back(moved, release.progress.say)
        return standing


def _begun_elsewhere(release: Release) -> dict[str, Standing]:
    """What the copies of journals in the registries say of runs that came half-way."""
    seen: dict[str, _Seen] = {}
    for place, digest in release.there.items():
        path = journal_path(release.archive, release.version)
        store = release.stores.registry(place, writing=True)
        copy = read_copy(store, digest, release.version.text, path, lambda _: None)
        if copy is None:
            continue
        aims = {name: (held, copy.began.digest) for name, held in copy.held.items()}
        seen |= {str(each.name): each for each in _look(release, place, aims)}
    if not any(each.is_left_out for each in seen.values()):
        return {}
    return {name: "set and left" for name, each in seen.items() if each.is_moved}


def _look(
    release: Release, place: Destination, aims: Mapping[str, tuple[Digest | None, Digest | None]]
) -> list[_Seen]:
    """Where the tags of one repository are. Once it does not answer, it is not asked again."""
    store = release.stores.registry(place, writing=True)
    start = str(place.with_tag("x"))[:-1]
    found: list[_Seen] = []
    known, now = True, None
    for reference, (held, goal) in aims.items():
        if not reference.startswith(start):
            continue
        tag = reference.removeprefix(start)
        try:
            now = held_by(store, tag) if known else None
        except ManyfestError:
            known, now = False, None
        found.append(_Seen(place.with_tag(tag), tag, store, held, goal, now, known))
    return found


def _put_back(seen: Sequence[_Seen], say: Callable[[str], None]) -> dict[str, Standing]:
    """Where those stand then that could be tried."""
    moves: list[Move] = []
    formers: dict[str, Former] = {}
    for each in seen:
        with suppress(ManyfestError):
            manifest = read_manifest(each.store, each.store.resolve(str(each.goal)))
            planned = PlannedTag(tag=each.tag, moves=True, reason="goes back")
            move = Move(each.name, each.store, planned, manifest, each.now)
            with suppress(NotFound):
                formers[str(each.name)] = former_of(move, each.held)
            moves.append(move)
    if not moves:
        return {}
    pointing = Pointing(moves, formers, begun=[str(move.name) for move in moves], say=say)
    return pointing.put_back()
