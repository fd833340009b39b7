"""What a build is made for: a version, a branch, a pull request, a schedule."""

from __future__ import annotations

from msgspec import Struct


class Occasion(Struct, frozen=True, kw_only=True):
    """What git and CI say about it.

    ``branch`` is the branch that is checked out, or empty on a tag or a pull request.
    ``pull_request`` is its number, or empty. ``scheduled``: a clock started it, nobody pushed.
    """

    branch: str = ""
    pull_request: str = ""
    scheduled: bool = False
