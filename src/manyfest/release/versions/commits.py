"""What commits say, by Conventional Commits 1.0.0 (``feat(api)!: drop v1``), and which of them
still stand: a commit that was reverted later, and what reverted it, do not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import IntEnum

from msgspec import Struct

from manyfest.release.versions.git import Commit

QUIET = frozenset({"build", "chore", "ci", "docs", "refactor", "style", "test"})
"""Types of commits that change nothing for those who use the program."""

_HEADER = re.compile(
    r"(?P<type>[A-Za-z][A-Za-z0-9_-]*)(?:\((?P<scope>[^()]*)\))?(?P<breaking>!)?: +(?P<text>\S.*)"
)
_BREAKING = re.compile(r"^BREAKING[ -]CHANGE(?::| #)", re.MULTILINE)
_END_OF_FOOTER = re.compile(r"^(?:BREAKING CHANGE|[A-Za-z][A-Za-z0-9-]*)(?:: | #)|^[ \t\r]*$", re.M)
_REVERTS = re.compile(r"^This reverts commit ([0-9a-f]{7,64})\b", re.MULTILINE)
_REFERENCES = re.compile(r"^Refs: ([0-9a-f, ]+)\r?$", re.MULTILINE)
_DIGEST = re.compile(r"[0-9a-f]{7,64}")
_NUMBER_AT_END = re.compile(r" \([#!][0-9]+\)$")


class Bump(IntEnum):
    """Which part of a version a change raises, once there is a 1.0.0."""

    NONE = 0
    PATCH = 1
    MINOR = 2
    MAJOR = 3


class Change(Struct, frozen=True, kw_only=True):
    """One commit as it reads.

    ``type`` is in lower case, and empty if the message is not conventional; then ``text`` is the
    whole ``subject``, its first line. ``warning`` is what a ``BREAKING CHANGE`` footer says.
    """

    revision: str
    subject: str
    type: str
    scope: str
    text: str
    breaking: bool
    warning: str

    @property
    def bump(self) -> Bump:
        """What it asks of the next version. A message that cannot be read might be a fix."""
        if self.breaking:
            return Bump.MAJOR
        if self.type == "feat":
            return Bump.MINOR
        return Bump.NONE if self.type in QUIET else Bump.PATCH


def changes(commits: Sequence[Commit]) -> tuple[Change, ...]:
    """What the commits changed, in their order: each before the ones it builds on.

    Merges count only if their own subject is conventional, or if they break something, since what
    they bring is there as well.
    A change that is said twice, as by a merge or a cherry-pick, counts once.
    """
    standing = _standing(commits)
    read = (read_change(commit) for commit in commits if commit.revision in standing)
    merges = {commit.revision for commit in commits if commit.is_merge}
    found: dict[tuple[str, str, str], Change] = {}
    for change in read:
        if change.type or change.breaking or change.revision not in merges:
            said = (change.type, change.scope, _NUMBER_AT_END.sub("", change.text))
            first = found.setdefault(said, change)
            if change.breaking and not first.breaking:
                found[said] = change
    return tuple(found.values())


def read_change(commit: Commit) -> Change:
    """What one commit says of itself."""
    subject = commit.message.partition("\n")[0].strip()
    header = _HEADER.fullmatch(subject)
    warning = _warning(commit.message)
    return Change(
        revision=commit.revision,
        subject=subject,
        type=header["type"].lower() if header else "",
        scope=(header["scope"] or "").strip() if header else "",
        text=header["text"] if header else subject,
        breaking=warning is not None or bool(header and header["breaking"]),
        warning=warning or "",
    )


def _warning(message: str) -> str | None:
    """The text of the footer, up to the next one or a blank line; None if there is no footer."""
    match = _BREAKING.search(message)
    if match is None:
        return None
    first, _, rest = message[match.end() :].partition("\n")
    end = _END_OF_FOOTER.search(rest)
    more = rest[: end.start()] if end else rest
    return " ".join(f"{first} {more}".split())


def _standing(commits: Sequence[Commit]) -> set[str]:
    """The digests of those that no later one reverts. What does nothing but revert goes too, if
    all it reverts is here; and if it is reverted itself, it reverts nothing."""
    known = {commit.revision: commit for commit in commits}
    undone: set[str] = set()
    for commit in commits:
        targets = () if commit.revision in undone else _reverted(commit)
        found = [each for target in targets for each in _named(target, known)]
        for each in found:
            undone |= _brought(each, known)
        if targets and len(found) == len(targets) and _is_revert(commit):
            undone.add(commit.revision)
    return known.keys() - undone


def _is_revert(commit: Commit) -> bool:
    plain = commit.message.startswith(('Revert "', 'Reapply "'))
    return plain or read_change(commit).type == "revert"


def _reverted(commit: Commit) -> tuple[str, ...]:
    """The digests, which may be short, that git's message for a revert names, or a conventional
    one in its footer."""
    named = _REVERTS.findall(commit.message)
    if not named and _is_revert(commit):
        named = _DIGEST.findall(" ".join(_REFERENCES.findall(commit.message)))
    return tuple(dict.fromkeys(named))


def _named(digest: str, known: dict[str, Commit]) -> list[Commit]:
    if digest in known:
        return [known[digest]]
    return [commit for full, commit in known.items() if full.startswith(digest)]


def _brought(commit: Commit, known: dict[str, Commit]) -> set[str]:
    """A commit, and if it is a merge, what came with it: all that its first parent lacks."""
    if not commit.is_merge:
        return {commit.revision}
    main, *others = commit.parents
    return {commit.revision} | (_history(others, known) - _history([main], known))


def _history(tips: Iterable[str], known: dict[str, Commit]) -> set[str]:
    seen: set[str] = set()
    waiting = list(tips)
    while waiting:
        revision = waiting.pop()
        if revision in known and revision not in seen:
            seen.add(revision)
            waiting += known[revision].parents
    return seen
