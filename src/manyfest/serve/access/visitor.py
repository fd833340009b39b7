"""Who sends a request, and what that one may do."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from manyfest.serve.access.rights import NOBODY, Access, Right
from manyfest.serve.access.tokens import Claims

ACTIONS: dict[Right, str] = {"read": "pull", "write": "push", "delete": "delete"}
"""Rights in the words of tokens (Docker Registry v2 authentication, "Token Scope")."""


class Visitor(Protocol):
    """Who sends a request."""

    @property
    def name(self) -> str:
        """The user's name; empty for who is not logged in."""
        ...

    @property
    def sees_all(self) -> bool:
        """Whether that one may read every repository there can be."""
        ...

    def may(self, right: Right, repository: str) -> bool:
        """Whether that one may do so in the repository of this name, with this request."""
        ...

    def may_see(self, repository: str) -> bool:
        """Whether the repository is to be listed for that one."""
        ...


class Anybody:
    """Where there are no users, everybody may do everything."""

    name = NOBODY
    sees_all = True

    def may(self, right: Right, repository: str) -> bool:  # noqa: ARG002
        """Yes."""
        return True

    def may_see(self, repository: str) -> bool:  # noqa: ARG002
        """Yes."""
        return True


ANYBODY: Visitor = Anybody()


class Known(Struct, frozen=True):
    """A user, or nobody, of whom ``access`` tells what is allowed now; with a token, no more than
    that says either."""

    name: str
    access: Access
    claims: Claims | None = None

    @property
    def sees_all(self) -> bool:
        """That is for everybody's registries alone."""
        return False

    def has(self, right: Right, repository: str) -> bool:
        """Whether this user has the right, whatever a token says."""
        return right in self.access.rights(self.name, repository)

    def may(self, right: Right, repository: str) -> bool:
        """See :meth:`Visitor.may`."""
        if not self.has(right, repository):
            return False
        claims = self.claims
        return claims is None or claims.grants("repository", repository, ACTIONS[right])

    def may_see(self, repository: str) -> bool:
        """See :meth:`Visitor.may_see`."""
        return self.has("read", repository)
