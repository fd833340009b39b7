"""Signing in and out, of people and of their programs.

What is asked for costs the same whether there is such a user: it takes one look into the history
and one bcrypt either way.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable

from msgspec import Struct

from manyfest.attempts import Attempts
from manyfest.errors import HistoryError, UsageError
from manyfest.stores.registry.auth.secret import Secret
from manyfest.watch.access import passwords, secrets
from manyfest.watch.history.batch import Session, Token, User
from manyfest.watch.history.people import People

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_LONGEST_LABEL = 100
_NOTED_EVERY = 60.0
"""Seconds; that a token is used is not worth more writing than that."""

_AT_ONCE = 8
"""Attempts that are looked at, or wait for it. More would keep threads from those who only read,
and let that many more be made before the first of them is counted."""

_SOON = 10.0
"""Seconds for whoever comes on top of these."""


class Bearer(Struct, frozen=True, kw_only=True):
    """Whose token a program has shown, and whether it may change things."""

    user: str
    may_write: bool


class SignedIn(Struct, frozen=True, kw_only=True):
    """Whose browser asks. ``csrf`` is the word that its forms must send back."""

    user: str
    csrf: str


class Attempt(Struct, frozen=True, kw_only=True):
    """What became of signing in: the ``cookie`` of a new session; or none, and for how many seconds
    no further attempt is looked at."""

    cookie: Secret | None = None
    wait: float = 0.0


class Accounts:
    """Those of one history, for one watch. Any thread may call it; all of it waits for the history,
    and raises :class:`~manyfest.errors.HistoryError` where that cannot be used."""

    def __init__(self, people: People, clock: Callable[[], float]) -> None:
        self._people = people
        self._clock = clock
        self._attempts = Attempts()
        self._turns = threading.BoundedSemaphore(_AT_ONCE)

    def set_password(self, name: str, password: Secret) -> None:
        """Add a user, or give one another password and end its sessions. Raises
        :class:`~manyfest.errors.UsageError` for a name or a password that nobody may have."""
        set_password(self._people, name, password, self._clock())

    def sign_in(self, name: str, password: Secret, address: str, shown: Secret | None) -> Attempt:
        """Try a password, from the network ``address`` of a browser that has ``shown`` a cookie.

        A session is always a new one, and the one that was shown ends: nobody can have somebody
        sign in with a cookie that he knows.
        """
        if not self._turns.acquire(blocking=False):
            return Attempt(wait=_SOON)
        try:
            return self._sign_in(name, password, address, shown)
        finally:
            self._turns.release()

    def _sign_in(self, name: str, password: Secret, address: str, shown: Secret | None) -> Attempt:
        now = self._clock()
        wait = self._attempts.wait(name, address, now)
        if wait:
            return Attempt(wait=wait)
        user = self._people.user(name)
        if not passwords.matches(password, None if user is None else user.password):
            self._attempts.failed(name, address, now)
            return Attempt(wait=self._attempts.wait(name, address, now))
        self._attempts.succeeded(name)
        if shown is not None:
            self._people.end_session(secrets.digest(shown))
        cookie, csrf = secrets.new_cookie(), secrets.new_cookie()
        self._people.keep_session(
            Session(
                digest=secrets.digest(cookie),
                user=name,
                csrf=csrf.reveal(),
                ends_at=now + secrets.SESSION_SECONDS,
            ),
            now,
        )
        return Attempt(cookie=cookie)

    def session(self, cookie: Secret) -> SignedIn | None:
        """Who signed in with this browser, unless that is too long ago."""
        found = self._people.session(secrets.digest(cookie), self._clock())
        return None if found is None else SignedIn(user=found.user, csrf=found.csrf)

    def sign_out(self, cookie: Secret) -> None:
        """End the session."""
        self._people.end_session(secrets.digest(cookie))

    def bearer(self, token: Secret) -> Bearer | None:
        """Whose token this is, if it is anybody's."""
        found = self._people.token(secrets.digest(token))
        if found is None:
            return None
        now = self._clock()
        if found.used_at is None or abs(now - found.used_at) >= _NOTED_EVERY:
            self._note_use(found, now)
        return Bearer(user=found.user, may_write=found.may_write)

    def make_token(self, user: str, label: str, *, may_write: bool) -> Secret:
        """A new token of ``user``, called ``label``: nobody can see it again. Raises
        :class:`~manyfest.errors.UsageError` for a label that is none."""
        label = label.strip()
        if not label or len(label) > _LONGEST_LABEL or not label.isprintable():
            raise UsageError("the token has no name", mend="say what it is for, in a few words")
        token = secrets.new_token()
        self._people.add_token(
            Token(
                digest=secrets.digest(token),
                name=label,
                user=user,
                may_write=may_write,
                made_at=self._clock(),
            )
        )
        return token

    def tokens(self, user: str) -> list[Token]:
        """A user's, the oldest first."""
        return self._people.tokens(user)

    def revoke(self, number: int, user: str) -> bool:
        """End a user's token; says whether there was one."""
        return self._people.remove_token(number, user)

    def _note_use(self, token: Token, now: float) -> None:
        try:
            self._people.use_token(token.digest, now)
        except HistoryError:
            return  # whoever asks is answered; it is noted the next time


def set_password(people: People, name: str, password: Secret, now: float) -> None:
    """As :meth:`Accounts.set_password`, where no watch runs."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name[:80]!r} cannot be a user's name",
            mend="use up to 64 letters, digits, and . _ @ - within",
        )
    people.keep_user(User(name=name, password=passwords.hashed(password), made_at=now))
