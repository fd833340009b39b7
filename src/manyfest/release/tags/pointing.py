"""Points tags, in order, and back again if one cannot be set.

Tags that name one release for good come first. The first of them decides which of two releases of
the same version goes on: it is looked at, set, and looked at again once whoever set it at the same
time must have done so (Fischer's mutual exclusion, with a tag as its one variable). Moving tags
follow, and at the end those and the one that decided are looked at once more.

Between two attempts to set a tag minutes may pass: it is looked at before each of them.
"""

from __future__ import annotations

import io
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from itertools import groupby
from typing import Literal

from manyfest.copy import JOBS, manifest_content
from manyfest.errors import ManyfestError, ReleaseError
from manyfest.oci.digest import Digest
from manyfest.oci.reference import Name
from manyfest.release.steps.move import Move
from manyfest.release.steps.moves import held_by
from manyfest.stores.base import Content, Deletes, Repeats, Settles, read_all
from manyfest.threads import together, workers

Standing = Literal[
    "put back", "taken away", "as before", "set and left", "changed by others", "not known"
]

_OURS: frozenset[Standing] = frozenset(["set and left", "not known"])
"""Where a tag is, or may be, where we have set it."""

Former = Content | None
"""What a tag goes back to; ``None``: it goes away again."""

_SHORTEST_PAUSE = 0.1
_PAUSE_FACTOR = 3
"""Whoever looked before we set the tag has set his own by then, unless his requests take that many
times as long as ours."""


def former_of(move: Move, digest: Digest | None) -> Former:
    """What ``move`` goes back to, whose tag held ``digest``; read while nothing is changed yet. Its
    bytes are enough: they need not be a manifest that we understand.

    Raises :class:`~manyfest.errors.NotFound` if the registry does not have it any more.
    """
    if digest is None:
        return None
    descriptor = move.store.resolve(str(digest))
    raw = read_all(move.store, descriptor)
    return Content(descriptor, lambda: io.BytesIO(raw))


class Pointing:
    """Tags being set. ``moves`` are all of them, in order, those that are done too.

    ``formers`` has, by reference, what moving tags go back to; one that is not in it stays.
    ``begun`` are references that an earlier run, which was killed, has moved already: they go back
    as well. ``say`` is told of tags that others have moved meanwhile.
    """

    def __init__(
        self,
        moves: Sequence[Move],
        formers: Mapping[str, Former],
        *,
        begun: Sequence[str] = (),
        say: Callable[[str], None],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._moves = moves
        self._formers = formers
        self._say = say
        self._sleep = sleep
        self._tried = [move for move in moves if str(move.name) in begun]
        self._at = moves[0]
        self.standing: dict[str, str] = {}
        """Where the tags stand that were tried, once it failed."""
        self.moved_on: dict[str, Digest] = {}
        """Moving tags that somebody has moved on meanwhile, and what they hold now."""

    def run(self) -> None:
        """Set every tag that is not done.

        Raises :class:`~manyfest.errors.ReleaseError` if that cannot be; then those that move are
        back where they were, as far as the registries let us, and the message says where all are;
        after Ctrl-C a note of ``KeyboardInterrupt`` does.
        """
        fixed = [move for move in self._moves if not move.tag.moves]
        try:
            self._claim(fixed)
            self._set_fixed(fixed)
            self._look_again(fixed)
            self._set_rows([move for move in self._moves if move.tag.moves])
            deciding = {move.tag.tag for move in fixed[:1]}
            self._look_again(
                [move for move in self._moves if move.tag.moves or move.tag.tag in deciding]
            )
        except ManyfestError as error:
            raise _stopped(self._at, error, self._put_all_back()) from error
        except BaseException as error:  # Ctrl-C
            error.add_note(f"stopped at {self._at.name}: {self._put_all_back()}")
            raise

    def _claim(self, fixed: Sequence[Move]) -> None:
        """Set the tag that decides, and see that it stays."""
        if not fixed:
            return
        # Of its repositories always the same, in whichever order somebody has named them.
        row = [move for move in fixed if move.tag.tag == fixed[0].tag.tag]
        first = min(row, key=lambda move: move.name.place)
        if first.is_done:
            return
        begun = time.monotonic()
        self._set_at_once([first])
        _settle(first, first.manifest.descriptor.digest)
        self._sleep(max(_SHORTEST_PAUSE, _PAUSE_FACTOR * (time.monotonic() - begun)))
        self._look_again([first])

    def _set_fixed(self, moves: Sequence[Move]) -> None:
        """Those of the index, and then those of its images, as many as can be at once:
        docker-registry may refuse an index while it is told once more of an image that is in it.
        Whether they can be seen, a look at all of them tells."""
        self._set_rows([move for move in moves if move.tag.platform is None])
        for row in _apart([move for move in moves if move.tag.platform is not None]):
            self._set_at_once(self._left(row))

    def _set_rows(self, moves: Sequence[Move]) -> None:
        """One tag after the other, each in all repositories at once."""
        for _, row in groupby(moves, key=lambda move: move.tag.tag):
            self._set_at_once(self._left(row))

    def _left(self, row: Iterable[Move]) -> list[Move]:
        """What of it is yet to be set."""
        tried = {move.name for move in self._tried}
        return [move for move in row if not move.is_done and move.name not in tried]

    def _set_at_once(self, moves: Sequence[Move]) -> None:
        self._tried += moves
        if len(moves) == 1:
            (self._at,) = moves
            self._set(self._at)
            return
        with ThreadPoolExecutor(len(moves) or 1, thread_name_prefix="tag") as pool:
            tasks = [pool.submit(self._set, move) for move in moves]
            # Ctrl-C ends this, and the block waits for them once more: nobody may set a tag while
            # it is put back.
            wait(tasks)
        for move, task in zip(moves, tasks, strict=True):
            self._at = move
            task.result()

    def _set(self, move: Move) -> None:
        def look() -> None:
            held = held_by(move.store, move.tag.tag)
            if held == move.manifest.descriptor.digest:
                raise _NoMore
            if held != move.before:
                raise _came_between(move, held)

        with suppress(_NoMore):
            look()
            _tag(move, manifest_content(move.manifest), before_repeat=look)
            if move.tag.moves:
                _settle(move, move.manifest.descriptor.digest)

    def _look_again(self, moves: Sequence[Move]) -> None:
        """These tags are seen where they belong. What a registry shows a little late is waited for;
        a moving tag that somebody has moved on since is theirs."""
        with workers(JOBS, "look") as pool:
            held = list(pool.map(lambda move: held_by(move.store, move.tag.tag), moves))
        for move, digest in zip(moves, held, strict=True):
            if digest != move.manifest.descriptor.digest:
                self._look_into(move, digest)

    def _look_into(self, move: Move, held: Digest | None) -> None:
        wanted = move.manifest.descriptor.digest
        if held in (None, move.before):
            _settle(move, wanted)
            held = held_by(move.store, move.tag.tag)
        if held == wanted:
            return
        if held is None or not move.tag.moves:
            raise _came_between(move, held)
        self.moved_on[str(move.name)] = held
        self._say(f"{move.name}: somebody else has moved it on to {held}")

    def _put_all_back(self) -> str:
        """Put tags back; where each stands then, as a part of a sentence."""
        found = self.put_back()
        stands = told(
            {str(each.name): self._why(each, found[str(each.name)]) for each in self._tried}
        )
        return f"{stands}; no other tag was changed" if stands else "no tag was changed"

    def _why(self, move: Move, standing: Standing) -> str:
        """Where the tag stands; of one that is left, why."""
        if standing != "set and left":
            return standing
        if not move.tag.moves:
            return f"{standing}, naming this version alone"
        was_new = self._formers.get(str(move.name), move.before) is None
        return f"{standing}, could not be {'taken away' if was_new else 'put back'}"

    def put_back(self) -> dict[str, Standing]:
        """Put tags back that were tried, in each repository the last one first, and tell where each
        stands then, by reference. No repository waits for another, which may not answer for
        minutes."""
        rows: dict[str, list[Move]] = {}
        for move in reversed(self._tried):
            rows.setdefault(move.name.place, []).append(move)
        stands: dict[Name, Standing] = {}

        def put_back(row: Sequence[Move]) -> None:
            for move in row:
                stands[move.name] = self._put_back(move)

        with workers(len(rows) or 1, "back") as pool:
            together(pool, put_back, rows.values())
        found = {str(move.name): stands[move.name] for move in self._tried}
        self.standing.update(found)
        return found

    def _put_back(self, move: Move) -> Standing:
        """Put a moving tag back, and look where it stands: what a registry answered to a request
        that failed says little about what it did.

        A tag that was not there before is taken away, where the registry can do that. One that
        names this release alone stays: it points at a complete image, and people may use it.
        """
        found = self._standing(move)
        if str(move.name) not in self._formers or found not in _OURS:
            return found
        former = self._formers[str(move.name)]

        def look() -> None:
            if self._standing(move) not in _OURS:
                raise _NoMore

        with suppress(ManyfestError):
            if former is not None:
                _tag(move, former, before_repeat=look)
                _settle(move, former.descriptor.digest)
            elif found == "set and left" and isinstance(move.store, Deletes):
                move.store.untag(move.tag.tag)
        now = self._standing(move)
        if now != "as before":
            return now
        return "put back" if former is not None else "taken away"

    def _standing(self, move: Move) -> Standing:
        try:
            held = held_by(move.store, move.tag.tag)
        except ManyfestError:
            return "not known"
        if held == move.manifest.descriptor.digest:
            return "set and left"
        former = self._formers.get(str(move.name))
        before = former.descriptor.digest if former is not None else None
        if str(move.name) not in self._formers:
            before = move.before  # it is known, though it cannot be put back
        return "as before" if held == before else "changed by others"


def told(standing: Mapping[str, str]) -> str:
    """Where tags stand, as a part of a sentence: empty if all are where they were. What was tried
    last, and was not done, comes first."""
    names: dict[str, list[str]] = {}
    for name, each in reversed(list(standing.items())):
        names.setdefault(each, []).insert(0, name)
    names.pop("as before", None)
    return "; ".join(f"{each}: {', '.join(some)}" for each, some in names.items())


def _apart(moves: Iterable[Move]) -> list[list[Move]]:
    """In rows in each of which a repository gets an image once: writing the same twice at a time
    is more than some registries are made for."""
    rows: list[list[Move]] = []
    met: Counter[tuple[str, Digest]] = Counter()
    for move in moves:
        key = (move.name.place, move.manifest.descriptor.digest)
        if met[key] == len(rows):
            rows.append([])
        rows[met[key]].append(move)
        met[key] += 1
    return rows


class _NoMore(ManyfestError):
    """A tag is not sent again: what failed was done all the same, or is not ours to do any more."""

    def __init__(self) -> None:
        super().__init__("it is not sent again")


def _tag(move: Move, manifest: Content, *, before_repeat: Callable[[], None]) -> None:
    if isinstance(move.store, Repeats):
        move.store.tag_guarded(move.tag.tag, manifest, before_repeat)
    else:
        move.store.tag(move.tag.tag, manifest)


def _settle(move: Move, digest: Digest) -> None:
    if isinstance(move.store, Settles):
        move.store.settle(move.tag.tag, digest)


def _came_between(move: Move, held: Digest | None) -> ReleaseError:
    ours = move.manifest.descriptor.digest
    if held is None:
        what, mend = "somebody has taken the tag away", "run the same command again"
    elif move.tag.moves:
        what, mend = f"somebody else has just moved the tag to {held}", "run the same command again"
    else:
        what = f"another release of this version came in between: the tag holds {held}, not {ours}"
        mend = "look whose release that is; yours takes a new version"
    return ReleaseError(what, where=str(move.name), mend=mend)


def _stopped(move: Move, error: ManyfestError, stands: str) -> ReleaseError:
    if isinstance(error, ReleaseError):  # our own, and it names the tag
        return ReleaseError(f"{error.what}; {stands}", where=error.where, mend=error.mend)
    return ReleaseError(
        f"the tag could not be set: {error.what}; {stands}",
        where=str(move.name),
        mend=error.mend or "mend that and run the same command again",
    )
