"""Takes a release back: its moving tags point where they pointed before, in every repository.

Which release that is, each repository says for itself, by the release's journal or else by the
versions that are there; only what they all say is done. Nothing that names a version for good is
touched, and nothing is deleted but tags that the release itself made and that move. What somebody
else moves on meanwhile is theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from manyfest.copy import missing
from manyfest.errors import ContentError, NotFound, ReleaseError
from manyfest.graph import read_graph, read_manifest
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.release.destinations import Destination
from manyfest.release.faults import Faults
from manyfest.release.project.config import Config
from manyfest.release.published.holdings import (
    Holding,
    is_higher,
    read_holding,
)
from manyfest.release.published.leaving import Leaving, take_away
from manyfest.release.published.previous import Aim, Request, aims_found, aims_told, version_told
from manyfest.release.resume.journal import SUFFIX, Began, Goes, Held, Journal, read_journal
from manyfest.release.steps.move import Move
from manyfest.release.tags.plan import PlannedTag
from manyfest.release.tags.pointing import Former, Pointing, former_of
from manyfest.release.versions.version import parse_version, version_order
from manyfest.stores.base import Admits, Store

Say = Callable[[str], None]

_ENDED = "rollback"


class Rollback(Struct, frozen=True):
    """What is to be done: ``moves`` in their order, tags ``leaving`` after them. ``digest`` is that
    of the image, in the first repository, that is out again then."""

    config: Config
    current: str
    target: str
    digest: Digest
    moves: tuple[Move, ...]
    leaving: tuple[Leaving, ...]
    journal: Journal
    begun: tuple[str, ...] = ()
    """References that an earlier run, which was killed, has moved."""


class TagChange(Struct, frozen=True, kw_only=True):
    """One tag that is moved, or ``None`` for ``digest`` if it is taken away."""

    reference: str
    before: str | None
    digest: str | None


class RollbackReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a rollback did, or would do: the contract of ``manyfest rollback --json``.

    ``version`` was out before, or empty if that cannot be told; ``target`` is out now, and
    ``digest`` is its image in the first repository. ``left`` are tags that could not be taken
    away, and ``moved_on`` those that somebody else has moved on meanwhile."""

    name: str
    version: str
    target: str
    digest: str
    changed: tuple[TagChange, ...]
    left: tuple[str, ...]
    moved_on: tuple[str, ...]

    @property
    def is_back(self) -> bool:
        """Whether it is an earlier version that is out now."""
        return not self.version or version_order(self.target) < version_order(self.version)

    @property
    def is_all_gone(self) -> bool:
        """Whether tags were taken away, and none moved."""
        return bool(self.changed) and not any(each.digest for each in self.changed)


def plan_rollback(request: Request) -> Rollback:
    """Find out what to do, and whether it can be done. Nothing is changed.

    Raises :class:`~manyfest.errors.ReleaseError` that says all that stands in the way.
    """
    faults = Faults()
    found = faults.of_each(lambda place: _holding(request, place), request.places)
    faults.raise_all()
    holdings = list(found.values())
    journal = _unfinished(request, holdings)
    if journal is not None and not request.to and _is_meant(journal, holdings, request.of):
        return _resumed(request, holdings, journal)
    is_told = request.to and not request.of
    aims = aims_told(holdings, request.to, request) if is_told else aims_found(holdings, request)
    wanted = [_wanted(aim, request.say) for aim in aims]
    goes_on = is_told and journal is not None and journal.began.version == request.to
    return _planned(request, aims, wanted, journal if goes_on else None)


def _holding(request: Request, place: Destination) -> Holding:
    try:
        return read_holding(request.config, request.stores, place)
    except NotFound:
        raise ReleaseError("there is no such repository yet", where=place.place) from None


def run_rollback(plan: Rollback, say: Say) -> RollbackReport:
    """Do it.

    Raises :class:`~manyfest.errors.ReleaseError` if a tag cannot be set; then all are back where
    they were, as far as the registries let us, and the message says where they are.
    """
    moved_on: list[str] = []
    if not all(move.is_done for move in plan.moves):
        _note(plan)
        pointing = Pointing(plan.moves, _formers(plan, say), begun=plan.begun, say=say)
        pointing.run()
        moved_on += pointing.moved_on
    leaves = {each.reference: take_away(each, say) for each in plan.leaving}
    moved_on += [reference for reference, what in leaves.items() if what == "moved on"]
    _note_end(plan, say)
    left = [reference for reference, what in leaves.items() if what == "stays"]
    return report(plan, left, moved_on)


def report(
    plan: Rollback, left: Collection[str] = (), moved_on: Collection[str] = ()
) -> RollbackReport:
    """What the plan changes, apart from what was ``left`` or has ``moved_on``."""
    moved = [
        TagChange(
            reference=str(move.name),
            before=str(move.before) if move.before else None,
            digest=str(move.manifest.descriptor.digest),
        )
        for move in plan.moves
        if not move.is_done
    ]
    gone = [
        TagChange(reference=each.reference, before=str(each.before), digest=None)
        for each in plan.leaving
    ]
    return RollbackReport(
        name=plan.config.name,
        version=plan.current,
        target=plan.target,
        digest=str(plan.digest),
        changed=tuple(each for each in (*moved, *gone) if each.reference not in {*left, *moved_on}),
        left=tuple(left),
        moved_on=tuple(moved_on),
    )


def _resumed(request: Request, holdings: Sequence[Holding], journal: Journal) -> Rollback:
    """The rest of a rollback that was killed: its journal says where each tag goes."""
    version = journal.began.version
    request.say(f"going on with the rollback to {version}, which was interrupted")
    target = version_told(version, "--to")
    aims = [Aim(holding, None, target) for holding in holdings]
    goals = [holding.own(journal.goals) for holding in holdings]
    return _planned(request, aims, goals, journal)


def _planned(
    request: Request,
    aims: Sequence[Aim],
    wanted: Sequence[Mapping[str, Digest | None]],
    journal: Journal | None,
) -> Rollback:
    """The moves that make the tags of each repository point where they are ``wanted``, and proof
    that they can be done."""
    order = list(dict.fromkeys(tag for each in wanted for tag in each))
    order.sort(key=lambda tag: tag == "latest")
    leaving = [
        Leaving(aim.holding, tag)
        for tag in order
        for aim, each in zip(aims, wanted, strict=True)
        if tag in each and each[tag] is None and aim.holding.digest_at(tag) is not None
    ]
    faults = Faults()
    moves: list[Move] = []
    whole: set[tuple[str, Digest]] = set()
    for tag in order:
        for aim, each in zip(aims, wanted, strict=True):
            digest = each.get(tag)
            if digest is not None:
                with faults.noted():
                    moves.append(_move(aim, tag, digest, whole))
    _require_push(aims, faults)
    faults.raise_all()
    digest = aims[0].holding.digest_of(aims[0].target)
    target = aims[0].target.text
    if digest is None:
        raise ReleaseError(f"it has no {target}", where=aims[0].holding.place.place)
    journal = journal or Journal(
        _journal_path(request), Began(name=request.config.name, version=target, digest=digest)
    )
    return Rollback(
        config=request.config,
        current=_one([str(aim.current or "") for aim in aims]),
        target=target,
        digest=digest,
        moves=tuple(moves),
        leaving=tuple(leaving),
        journal=journal,
        begun=tuple(str(m.name) for m in moves if m.is_done and str(m.name) in journal.held),
    )


def _wanted(aim: Aim, say: Say) -> dict[str, Digest | None]:
    """Where the moving tags of one repository go; ``None``: away. Those that go nowhere are told
    of."""
    holding = aim.holding
    target = holding.digest_of(aim.target)
    moving = holding.tags_of(aim.target).moving
    wanted: dict[str, Digest | None] = dict.fromkeys(moving, target) if aim.told else {}
    if aim.current is None or _goes_up(aim):
        return wanted
    out = holding.digest_of(aim.current)
    for tag in holding.tags_of(aim.current).moving:
        if holding.digest_at(tag) != out:
            continue  # it was moved on, or back already
        if _came_before(aim) and tag in aim.held:
            wanted[tag] = aim.held[tag]
        elif tag in moving:
            wanted[tag] = target
        elif not aim.told and aim.held.get(tag, out) is None:
            wanted[tag] = None
        else:
            why = "it is not known what it held before"
            if tag in aim.held:
                take_back = f"manyfest rollback --of {aim.current} takes it back"
                why = f"it is no tag of {aim.target}; {take_back}"
            say(f"{holding.place.with_tag(tag)} stays at {aim.current}: {why}")
    return wanted


def _goes_up(aim: Aim) -> bool:
    """Whether a higher version is to be out, which takes nothing back."""
    return bool(
        aim.told and aim.current and is_higher(aim.target, aim.current) and not _came_before(aim)
    )


def _came_before(aim: Aim) -> bool:
    """Whether the journal tells of the release that is gone back to."""
    target = aim.holding.digest_of(aim.target)
    return target is not None and target in aim.held.values()


def _move(aim: Aim, tag: str, digest: Digest, whole: set[tuple[str, Digest]]) -> Move:
    """The move of one tag to an image that is whole in the repository."""
    holding = aim.holding
    place = holding.place
    store = holding.store
    root = store.resolve(str(digest))
    if (place.place, digest) not in whole:
        lacking = _lacking(store, root)
        if lacking:
            raise ReleaseError(
                f"{digest} is not whole there: {lacking}",
                where=place.place,
                mend=f"copy {aim.target} there again, or go back to another version with --to",
            )
        whole.add((place.place, digest))
    planned = PlannedTag(tag=tag, moves=True, reason=f"goes back to {aim.target}")
    manifest = read_manifest(store, root)
    return Move(place.with_tag(tag), store, planned, manifest, holding.digest_at(tag))


def _lacking(store: Store, root: Descriptor) -> str:
    """Which part of the image is not there, or the empty string."""
    try:
        absent = missing(store, read_graph(store, root))
    except NotFound as error:
        return error.what
    return f"{absent[0].digest} is missing" if absent else ""


def _require_push(aims: Sequence[Aim], faults: Faults) -> None:
    stores = {aim.holding.place: aim.holding.store for aim in aims}

    def ask(place: Destination) -> None:
        store = stores[place]
        if isinstance(store, Admits):
            store.require_push()

    faults.of_each(ask, list(stores))


def _unfinished(request: Request, holdings: Sequence[Holding]) -> Journal | None:
    """The journal of a rollback that was killed on this machine half-way: some of its tags are
    moved, and nobody has moved any of them since."""
    journal = read_journal(_journal_path(request), request.say)
    if journal is None or parse_version(journal.began.version) is None or _ENDED in journal.ended:
        return None
    moved = 0
    for holding in holdings:
        held = holding.own(journal.held)
        for tag, goal in holding.own(journal.goals).items():
            now = holding.digest_at(tag)
            if now not in (held.get(tag), goal):
                return None
            moved += now == goal
    return journal if moved else None


def _is_meant(journal: Journal, holdings: Sequence[Holding], of: str) -> bool:
    """Whether the rollback that was killed takes back what is to be taken back now, if anything is
    named."""
    if not of:
        return True
    taken = version_told(of, "--of")
    images = [(holding, holding.digest_of(taken)) for holding in holdings]
    return any(its and its in holding.own(journal.held).values() for holding, its in images)


def _journal_path(request: Request) -> Path:
    return request.folder / f"{request.config.name}-rollback{SUFFIX}"


def _note(plan: Rollback) -> None:
    """Write down what the tags hold before the first of them changes."""
    from manyfest.release.project.building import make_output_folder

    tags: list[tuple[str, Digest | None, Digest | None]] = [
        (str(move.name), move.before, move.manifest.descriptor.digest)
        for move in plan.moves
        if not move.is_done
    ]
    tags += [(each.reference, each.before, None) for each in plan.leaving]
    held = plan.journal.held
    lines: list[Held | Goes] = []
    for reference, before, goal in tags:
        if reference not in held or held[reference] != before:
            lines.append(Held(reference=reference, digest=before))
        lines.append(Goes(reference=reference, digest=goal))
    make_output_folder(plan.journal.path.parent)
    plan.journal.note(*lines)


def _formers(plan: Rollback, say: Say) -> dict[str, Former]:
    """What the tags go back to if one cannot be set. An image that is no longer there, or damaged,
    may be why somebody rolls back: it is told of, and stands in nobody's way."""
    held = plan.journal.held
    formers: dict[str, Former] = {}
    for move in plan.moves:
        reference = str(move.name)
        if reference not in held:
            continue
        try:
            formers[reference] = former_of(move, held[reference])
        except (NotFound, ContentError) as error:
            fault = "is gone from" if isinstance(error, NotFound) else "is damaged in"
            say(
                f"{reference}: what it held, {held[reference]}, {fault} the registry; should this"
                " rollback fail, it cannot be put back"
            )
    return formers


def _note_end(plan: Rollback, say: Say) -> None:
    """Write down that all is done. It is, whether that can be written or not."""
    if not plan.journal.held:
        return
    try:
        plan.journal.note_end(_ENDED, f"{plan.target} is out again")
    except ReleaseError as error:
        say(f"warning: {error}")


def _one(answers: Sequence[str]) -> str:
    """What all say, or else nothing."""
    return answers[0] if len(set(answers)) == 1 else ""
