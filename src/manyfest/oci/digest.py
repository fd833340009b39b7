"""Content digests (OCI image specification, "Digests")."""

from __future__ import annotations

import hashlib
import re
from functools import total_ordering
from typing import Protocol, Self

from manyfest.errors import InvalidDigest

_HEX_LENGTH = {"sha256": 64, "sha512": 128}
_HEX = re.compile(r"[0-9a-f]+")


class Hasher(Protocol):
    """What ``hashlib`` gives: fed with bytes, asked for the hexadecimal digest at the end."""

    def update(self, data: bytes | memoryview, /) -> None: ...
    def hexdigest(self) -> str: ...


@total_ordering
class Digest:
    """An algorithm and a hash in lower-case hexadecimal.

    Checked when it is made, so it can be put into a URL or a path as it is.
    """

    __slots__ = ("algorithm", "hex")

    algorithm: str
    hex: str

    def __init__(self, algorithm: str, hexadecimal: str) -> None:
        length = _HEX_LENGTH.get(algorithm)
        if length is None:
            raise InvalidDigest(
                f"unknown digest algorithm {algorithm[:20]!r}",
                mend=f"use {' or '.join(_HEX_LENGTH)}",
            )
        if len(hexadecimal) != length or not _HEX.fullmatch(hexadecimal):
            raise InvalidDigest(
                f"{f'{algorithm}:{hexadecimal[:140]}'!r} is not a digest:"
                f" {algorithm} has {length} lower-case hexadecimal digits"
            )
        self.algorithm = algorithm
        self.hex = hexadecimal

    @classmethod
    def parse(cls, text: str) -> Self:
        """The digest written as ``algorithm:hex``.

        Raises :class:`~manyfest.errors.InvalidDigest`.
        """
        algorithm, colon, hexadecimal = text.partition(":")
        if not colon:
            raise InvalidDigest(f"{text[:140]!r} is not a digest: it has no algorithm")
        return cls(algorithm, hexadecimal)

    @classmethod
    def of(cls, data: bytes, algorithm: str = "sha256") -> Self:
        """The digest of ``data``."""
        return cls(algorithm, hashlib.new(algorithm, data).hexdigest())

    def hasher(self) -> Hasher:
        """A new hash of this digest's algorithm."""
        return hashlib.new(self.algorithm)

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.hex}"

    def __repr__(self) -> str:
        return f"Digest({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Digest):
            return NotImplemented
        return (self.algorithm, self.hex) == (other.algorithm, other.hex)

    def __lt__(self, other: Digest) -> bool:
        return (self.algorithm, self.hex) < (other.algorithm, other.hex)

    def __hash__(self) -> int:
        return hash(self.hex)
