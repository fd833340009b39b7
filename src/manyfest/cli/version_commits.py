"""``manyfest version --next`` and ``--notes``: what the commits since the last version say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from manyfest.cli.session import Session

if TYPE_CHECKING:
    from manyfest.release.project.config import Config
    from manyfest.release.versions.proposal import Proposal


def show_next(session: Session, config: Config, *, as_json: bool) -> None:
    """The next version alone on stdout, and on stderr why it is that one."""
    from manyfest.release.versions.proposal import propose

    proposal = propose(config)
    if as_json:
        session.out_json(proposal)
        return
    session.say(_why(proposal))
    session.out(proposal.version)


def show_notes(session: Session, config: Config, told: str, *, next_: bool) -> None:
    """The section of the changelog, of this commit's version or of the next."""
    from manyfest.release.versions.notes import notes
    from manyfest.release.versions.proposal import propose
    from manyfest.release.versions.version import find_version

    told = propose(config).version if next_ else told
    version = find_version(config.root, told, prefix=config.version_prefix)
    session.out(notes(config, version))


def require_possible(told: str, *, next_: bool, notes: bool, as_json: bool) -> None:
    """Raises :class:`~manyfest.errors.UsageError` for options that contradict one another."""
    from manyfest.errors import UsageError

    if next_ and told:
        raise UsageError("--next finds the version, and --version gives it", mend="leave one out")
    if notes and as_json:
        raise UsageError("--notes prints Markdown", mend="leave --json out")


def _why(proposal: Proposal) -> str:
    if not proposal.reasons:
        return f"{proposal.since} becomes final"
    first, *others = proposal.reasons
    more = f", and {len(others)} more" if others else ""
    commit = f"{first.revision[:7]} {first.subject[:80]!r}"
    return f"{proposal.bump}, because since {proposal.since} there is {commit}{more}"
