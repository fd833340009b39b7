"""The public tags move onto the index: those that name one release first, ``latest`` last.

Before the first tag changes, the journal says what each moving tag held, on this machine and in
every registry. If one cannot be set, those that were moved already go back there, by whichever run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

from manyfest.copy import JOBS
from manyfest.errors import (
    ContentError,
    NotFound,
    RateLimited,
    RegistryError,
    ReleaseError,
    Unsupported,
)
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.release.resume.journal import (
    Goes,
    Held,
    Journal,
    journal_path,
    read_journal,
)
from manyfest.release.resume.journal_copies import attach_copy, read_copy
from manyfest.release.resume.unfinished import moving
from manyfest.release.steps.move import Move
from manyfest.release.steps.moves import moves, refuse_taken
from manyfest.release.steps.step import Release, Step
from manyfest.release.tags.pointing import Former, Pointing, former_of
from manyfest.stores.base import Store
from manyfest.threads import together, workers


def _check(release: Release) -> str:
    planned = moves(release)
    if not planned:
        return f"{release.version} has no tag to set"
    if not all(move.is_done for move in planned):
        release.planned = planned
        return ""
    what = "every tag points there already"
    _note_all_done(release, what)
    return what


def _note_all_done(release: Release, what: str) -> None:
    """Write down that tags are no longer under way, if a run was killed after the last of them."""
    path = journal_path(release.archive, release.version)
    journal = read_journal(path, lambda _: None)
    if journal and journal.began.digest == release.built.digest and journal.under_way:
        with suppress(ReleaseError):
            journal.note_end("tags", what)


def _run(release: Release) -> str:
    planned = release.planned or moves(release)
    refuse_taken(planned)  # another release may have come in while this one was uploading
    if not planned:
        return "0 set"
    begun = _begun(release, planned)
    formers = _formers(release, planned)
    _leave_copies(release, planned)  # a registry that has gone meanwhile is met before any tag
    pointing = Pointing(
        planned,
        formers,
        begun=begun,
        say=release.progress.say,
        sleep=release.sleep,
    )
    try:
        with moving(release.open_journal().path.parent):
            _note_goals(release, planned)
            pointing.run()
    finally:
        release.standing = pointing.standing
        release.moved_on = pointing.moved_on
    release.changed_tags = [str(move.name) for move in planned if not move.is_done]
    return f"{len(release.changed_tags)} set"


def _begun(release: Release, planned: Sequence[Move]) -> list[str]:
    """Moving tags that point at this release already because an earlier run did not come to its
    end. If all that it had to set is set, it came there, and they stay whatever happens now."""
    journal = release.open_journal()
    done = [move for move in planned if move.is_done and move.tag.moves]
    if any(str(move.name) not in journal.held for move in done):
        _recall(release, journal, planned)
    begun = journal.begun
    known = [move for move in planned if str(move.name) in begun]
    if all(move.is_done for move in known):
        return []
    return [str(move.name) for move in known if move.is_done]


def _recall(release: Release, journal: Journal, planned: Sequence[Move]) -> None:
    """Take over what the copies in the registries know that this machine does not."""
    version = journal.began.version
    for place, (store, subject) in _subjects(planned).items():
        copy = read_copy(store, subject.digest, version, journal.path, release.progress.say)
        if copy is not None and copy.began == journal.began:
            journal.learn(copy, place)


def _formers(release: Release, planned: Sequence[Move]) -> dict[str, Former]:
    """What each moving tag goes back to, after it was written down here."""
    public = [move for move in planned if move.tag.moves]
    if not public:
        return {}  # there is nothing that could be put back, and nothing to write down
    journal = release.open_journal()
    held = journal.held
    new = [
        Held(reference=str(move.name), digest=move.before)
        for move in public
        if not move.is_done and (str(move.name) not in held or held[str(move.name)] != move.before)
    ]
    if new:
        journal.note(*new)
    known = [move for move in public if str(move.name) in journal.held]
    return _read_formers(release, known, journal.held)


def _note_goals(release: Release, planned: Sequence[Move]) -> None:
    """Write down here where moving tags are taken from now on."""
    pending = [move for move in planned if move.tag.moves and not move.is_done]
    if not pending:
        return
    journal = release.open_journal()
    under_way = journal.under_way
    new = [
        Goes(reference=str(move.name), digest=move.manifest.descriptor.digest)
        for move in pending
        if str(move.name) not in under_way
    ]
    if new:
        journal.note(*new)


def _read_formers(
    release: Release, known: Sequence[Move], held: Mapping[str, Digest | None]
) -> dict[str, Former]:
    def read(move: Move) -> Former | NotFound | ContentError:
        try:
            return former_of(move, held[str(move.name)])
        except (NotFound, ContentError) as error:
            return error

    with workers(JOBS, "former") as pool:
        read_ = together(pool, read, known)
    formers: dict[str, Former] = {}
    for move, former in zip(known, read_, strict=True):
        if not isinstance(former, NotFound | ContentError):
            formers[str(move.name)] = former
            continue
        fault = "is gone from" if isinstance(former, NotFound) else "is damaged in"
        release.progress.say(
            f"{move.name}: what it held, {held[str(move.name)]}, {fault} the registry; should this"
            " release fail, it cannot be put back"
        )
    return formers


def _leave_copies(release: Release, planned: Sequence[Move]) -> None:
    """Leave copies of the journal in the registries, if it says anything of moving tags."""
    journal = release.open_journal()
    if not journal.held or not any(move.tag.moves for move in planned):
        return
    subjects = _subjects(planned).values()
    with workers(len(subjects), "journal") as pool:
        together(pool, lambda each: _attach(release, *each, journal), subjects)


def _subjects(planned: Sequence[Move]) -> dict[str, tuple[Store, Descriptor]]:
    """By repository, the image in it that the journal refers to: that of its first tag."""
    found: dict[str, tuple[Store, Descriptor]] = {}
    for move in planned:
        found.setdefault(move.name.place, (move.store, move.manifest.descriptor))
    return found


def _attach(release: Release, store: Store, subject: Descriptor, journal: Journal) -> None:
    """Leave a copy in the registry. One that takes no such thing is told of: the release is not
    worse for it, but no other machine could put its tags back."""
    try:
        attach_copy(store, subject, journal)
    except (RegistryError, Unsupported) as error:
        if isinstance(error, RegistryError) and not _says_no(error):
            raise
        release.progress.say(f"warning: the registry keeps no copy of the journal: {error}")


def _says_no(error: RegistryError) -> bool:
    return 400 <= error.status < 500 and not isinstance(error, RateLimited)


TAGS = Step("tags", _check, _run)
