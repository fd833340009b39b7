"""The public tags move onto the index: those that name one release first, ``latest`` last.

If one cannot be set, the moving tags that were moved already go back to where they were.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import suppress
from typing import Literal

from manyfest.copy import point
from manyfest.errors import ManyfestError, ReleaseError
from manyfest.release.steps.moves import Move, held_by, moves, refuse_taken
from manyfest.release.steps.step import Release, Step
from manyfest.stores.base import Content, read_all

_Try = tuple[Move, Content | None]
_Standing = Literal["put back", "as before", "set and left", "changed by others", "not known"]


def _check(release: Release) -> str:
    planned = moves(release)
    if not planned:
        return f"{release.version} has no tag to set"
    done = all(move.is_done for move in planned)
    return "every tag points there already" if done else ""


def _run(release: Release) -> str:
    planned = [move for move in moves(release) if not move.is_done]
    refuse_taken(planned)  # another release may have come in while this one was uploading
    tried: list[_Try] = []
    for move, former in [(move, _former(move)) for move in planned]:
        tried.append((move, former))
        try:
            point(move.store, move.tag.tag, move.manifest)
        except ManyfestError as error:
            raise _stopped(move, error, _put_all_back(release, tried)) from error
        except BaseException:  # Ctrl-C
            release.progress.say(f"stopped at {move.name}: {_put_all_back(release, tried)}")
            raise
    release.changed_tags = [str(move.name) for move in planned]
    return f"{len(planned)} set"


def _former(move: Move) -> Content | None:
    """What a moving tag would be put back to; read while nothing is changed yet. Its bytes are
    enough: they need not be a manifest that we understand."""
    if not move.tag.moves or move.before is None:
        return None
    descriptor = move.store.resolve(str(move.before))
    raw = read_all(move.store, descriptor)
    return Content(descriptor, lambda: io.BytesIO(raw))


def _put_all_back(release: Release, tried: Sequence[_Try]) -> str:
    """Put tags back, the last one first; where each stands then, as a part of a sentence."""
    names: dict[_Standing, list[str]] = {}
    for move, former in reversed(tried):
        standing = _put_back(move, former)
        release.standing[str(move.name)] = standing
        names.setdefault(standing, []).append(str(move.name))
    names.pop("as before", None)
    if not names:
        return "no tag was changed"
    said = [f"{standing}: {', '.join(reversed(each))}" for standing, each in names.items()]
    return "; ".join([*said, "no other tag was changed"])


def _put_back(move: Move, former: Content | None) -> _Standing:
    """Put a moving tag back, and look where it stands: what a registry answered to a request that
    failed says little about what it did.

    A tag that was not there before stays: registries have no common way to take one away, and it
    points at a complete image. So does one that names this release alone.
    """
    found = _standing(move)
    if former is None or found not in {"set and left", "not known"}:
        return found
    with suppress(ManyfestError):
        move.store.tag(move.tag.tag, former)
    now = _standing(move)
    return "put back" if now == "as before" else now


def _standing(move: Move) -> _Standing:
    try:
        held = held_by(move.store, move.tag.tag)
    except ManyfestError:
        return "not known"
    if held == move.before:
        return "as before"
    return "set and left" if held == move.manifest.descriptor.digest else "changed by others"


def _stopped(move: Move, error: ManyfestError, stands: str) -> ReleaseError:
    return ReleaseError(
        f"the tag could not be set: {error.what}; {stands}",
        where=str(move.name),
        mend="mend that and run the same command again",
    )


TAGS = Step("tags", _check, _run)
