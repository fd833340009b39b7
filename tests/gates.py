"""What tests of users and rights share: a registry's users, and how they log in."""

from __future__ import annotations

import base64
from pathlib import Path

from manyfest.serve.access import file, htpasswd
from manyfest.serve.access.gate import Challenge, Gate
from manyfest.serve.access.live_file import LiveFile
from manyfest.serve.access.places import Places
from manyfest.serve.access.rights import everything_for_users
from manyfest.serve.policy import Policy

SWORDFISH = "$2b$05$VT9F4NwFj3HQWrpDLmug8O7AMjqpkSmkQV5QgLtjupSrgs4YFC7NW"
"""The bcrypt hash of "swordfish", which is everybody's password here."""

USERS = "".join(f"{name}:{SWORDFISH}\n" for name in ("ada", "bob", "eve"))

ACCESS = """\
groups: {makers: [ada, bob]}
rules:
  - repositories: [secret/**]
    read: [ada]
    write: [ada]
  - repositories: [team/**]
    read: [users]
    write: [group:makers]
    delete: [ada]
  - repositories: ["**"]
    read: [anyone]
    write: [ada]
"""
"""Eve may read, Bob may push to his team, Ada may do all but delete what is not the team's."""


def gate(
    folder: Path,
    access: str | None = ACCESS,
    *,
    users: str = USERS,
    anonymous_read: bool = False,
    challenge: Challenge = "token",
    places: Places | None = None,
) -> Gate:
    """A gate whose files are in ``folder``."""
    folder.mkdir(exist_ok=True)
    (folder / "htpasswd").write_text(users)
    known = LiveFile(folder / "htpasswd", htpasswd.load)
    if access is None:
        rules = everything_for_users(anonymous_read=anonymous_read)
        return Gate(known, rules, challenge=challenge, places=places)
    (folder / "access.yaml").write_text(access)
    return Gate(
        known, LiveFile(folder / "access.yaml", file.load), challenge=challenge, places=places
    )


def guarded(folder: Path, access: str | None = ACCESS, *, anonymous_read: bool = False) -> Policy:
    """A policy with such a gate."""
    return Policy(gate=gate(folder, access, anonymous_read=anonymous_read))


def basic(name: str, password: str = "swordfish") -> str:
    """What a client sends to log in."""
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()
