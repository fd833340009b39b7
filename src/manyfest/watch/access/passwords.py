"""Passwords, kept as bcrypt makes them.

bcrypt looks at the first 72 bytes and no further. A longer password is refused when it is chosen
rather than cut, so that every character of one counts.
"""

from __future__ import annotations

import threading
import unicodedata
from types import ModuleType

from manyfest.errors import UsageError
from manyfest.stores.registry.auth.secret import Secret

FEWEST_CHARACTERS = 10
MOST_BYTES = 72

_COST = 12
"""Two to the power of it: the rounds. A check takes about a quarter of a second."""

_AT_ONCE = threading.BoundedSemaphore(2)
"""Checks keep a processor busy; registries must be asked meanwhile."""


def check_choice(password: Secret) -> None:
    """Raise :class:`~manyfest.errors.UsageError` for what may not become a password: it is too
    short, too long for bcrypt, or has control characters."""
    text = _prepared(password)
    if len(text) < FEWEST_CHARACTERS:
        raise UsageError(
            "the password is too short",
            mend=f"choose one of {FEWEST_CHARACTERS} characters or more",
        )
    if len(text.encode()) > MOST_BYTES:
        raise UsageError(
            f"the password is longer than {MOST_BYTES} bytes, and bcrypt sees no more of it",
            mend="choose a shorter one",
        )
    if any(unicodedata.category(character) == "Cc" for character in text):
        raise UsageError("the password has control characters", mend="choose one without")


def hashed(password: Secret) -> str:
    """What is kept of a password. Raises as :func:`check_choice` does, and as :func:`matches`."""
    check_choice(password)
    bcrypt = _bcrypt()
    return bytes(bcrypt.hashpw(_bytes(password), bcrypt.gensalt(_COST))).decode()


def matches(password: Secret, kept: str | None) -> bool:
    """Whether ``password`` is the one of which ``kept`` is kept; ``None`` is nobody's.

    It costs the same whether there is a user, and whether the password is right or could be one at
    all. Raises :class:`~manyfest.errors.UsageError` if bcrypt is not installed.
    """
    raw = _bytes(password)
    possible = kept is not None and 0 < len(raw) <= MOST_BYTES
    against = kept if possible and kept is not None else _nobodys()
    with _AT_ONCE:
        same = _bcrypt().checkpw(raw[:MOST_BYTES], against.encode())
    return bool(same) and possible


def _nobodys() -> str:
    """What a password is held against where there is no user: as costly as any other, and the
    bcrypt of nothing that anybody knows."""
    return f"$2b${_COST:02}${'.' * 53}"


def _bytes(password: Secret) -> bytes:
    return _prepared(password).encode("utf-8", "replace")


def _prepared(password: Secret) -> str:
    """The password as it is whatever keyboard it was typed on (RFC 8265, "OpaqueString")."""
    return unicodedata.normalize("NFC", password.reveal())


def _bcrypt() -> ModuleType:
    try:
        import bcrypt
    except ImportError:
        raise UsageError(
            "passwords need bcrypt, which is not installed", mend="pip install 'manyfest[watch]'"
        ) from None
    return bcrypt
