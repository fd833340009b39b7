"""User names and passwords, as requests bring them (RFC 7617).

A hash of bcrypt takes a tenth of a second of a processor or more. So it is looked at in a few
threads of its own, a password that was right is known again for some minutes by a digest of the
header that brought it, and wrong ones are counted.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import math
import os
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

from msgspec import Struct

from manyfest.attempts import Attempts
from manyfest.errors import UsageError
from manyfest.serve.access.htpasswd import User, highest_cost
from manyfest.serve.errors import Refusal

REMEMBERED = 5 * 60.0
"""Seconds for which a password that was right is not hashed again."""

_MOST_REMEMBERED = 10_000
_MOST_WAITING = 64
"""Passwords that may wait to be looked at. Who comes later is told to come again."""

_THREADS = 2
_LONGEST = 4096
_BCRYPT_TAKES = 72
"""Bytes. The rest of a longer password never counted, for whoever made the hash either."""


class _Known(Struct, frozen=True):
    """A password that was right, and until when that need not be looked at again."""

    stamp: str
    until: float


class Login(Struct, frozen=True):
    """What a client says that it is."""

    name: str
    password: bytes

    def __repr__(self) -> str:
        return f"Login({self.name!r})"


class Passwords:
    """Tells whether passwords are right. ``users`` gives the users as they are now."""

    def __init__(
        self,
        users: Callable[[], Mapping[str, User]],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._users = users
        self._clock = clock
        self._attempts = Attempts()
        self._key = os.urandom(32)
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self._lock = Lock()
        self._waiting = 0
        self._threads = ThreadPoolExecutor(_THREADS, "manyfest-passwords")

    async def user(self, login: Login, address: str) -> User | None:
        """The user, if the password is right.

        Raises :class:`~manyfest.serve.errors.Refusal`: 429 for an address or a name with too many
        wrong ones, or if too many wait.
        """
        known = self._recall(self._digest(login), login.name)
        if known is not None:
            return known
        self._refuse_if_too_many(login.name, address)
        if self._waiting >= _MOST_WAITING:
            raise _later(1, "too many passwords are being looked at")
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, self._look, login, address)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(cancel_futures=True)

    def _look(self, login: Login, address: str) -> User | None:
        """In a thread: others may have looked at the same meanwhile, or have used up what may be
        tried."""
        digest = self._digest(login)
        known = self._recall(digest, login.name)
        if known is not None:
            return known
        self._refuse_if_too_many(login.name, address)
        users = self._users()
        user = users.get(login.name)
        expected = user.hash if user else _nobodys_hash(highest_cost(users))
        right = _bcrypt_says(login.password, expected)
        if user is None or not right:
            self._attempts.failed(login.name, address, self._clock())
            return None
        self._attempts.succeeded(login.name)
        self._remember(digest, user)
        return user

    def _refuse_if_too_many(self, name: str, address: str) -> None:
        seconds = self._attempts.wait(name, address, self._clock())
        if seconds:
            raise _later(seconds, "too many wrong passwords came from there, or for this user")

    def _digest(self, login: Login) -> bytes:
        """What a login is known by: nothing that is kept tells the password."""
        text = login.name.encode() + b":" + login.password
        return hmac.digest(self._key, text, hashlib.sha256)

    def _recall(self, digest: bytes, name: str) -> User | None:
        with self._lock:
            known = self._known.get(digest)
        if known is None or known.until < self._clock():
            return None
        user = self._users().get(name)
        return user if user is not None and user.stamp == known.stamp else None

    def _remember(self, digest: bytes, user: User) -> None:
        with self._lock:
            self._known.pop(digest, None)
            self._known[digest] = _Known(user.stamp, self._clock() + REMEMBERED)
            if len(self._known) > _MOST_REMEMBERED:
                self._known.popitem(last=False)


def parse_basic(value: str) -> Login | None:
    """What ``Basic VALUE`` says; ``None`` if that is nothing."""
    if len(value) > _LONGEST:
        return None
    try:
        pair = base64.b64decode(value.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    name, colon, password = pair.partition(b":")
    try:
        text = name.decode()
    except UnicodeDecodeError:
        return None
    return Login(text, password) if colon and text else None


def check_bcrypt() -> None:
    """Raises :class:`~manyfest.errors.UsageError` if bcrypt is not installed."""
    try:
        import bcrypt  # noqa: F401
    except ImportError:
        raise UsageError(
            "passwords need bcrypt, which is not installed", mend="pip install 'manyfest[serve]'"
        ) from None


def _bcrypt_says(password: bytes, hashed: bytes) -> bool:
    import bcrypt

    if b"\0" in password:  # C's strings end there: it would count as the text before it
        return False
    return bcrypt.checkpw(password[:_BCRYPT_TAKES], hashed)


def _nobodys_hash(cost: int) -> bytes:
    """A hash of no password, so that a name that nobody has takes as long as another."""
    import bcrypt

    return bcrypt.gensalt(cost) + b"." * 31


def _later(seconds: float, what: str) -> Refusal:
    after = str(math.ceil(seconds))
    return Refusal("TOOMANYREQUESTS", f"{what}; try again later", headers={"Retry-After": after})
