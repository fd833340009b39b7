"""Several sources as one: what the first does not have is asked of the next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from manyfest.errors import NotFound
from manyfest.oci.descriptor import Descriptor
from manyfest.stores.base import Reader, Source


class Overlay:
    """The sources stay with who opened them: closing this closes none of them.

    Put those first that answer quickly, as a folder does.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        self.sources = tuple(sources)

    @property
    def label(self) -> str:
        return self.sources[0].label

    def resolve(self, name: str) -> Descriptor:
        for source in self.sources[:-1]:
            try:
                return source.resolve(name)
            except NotFound:
                continue
        return self.sources[-1].resolve(name)

    def origin(self, descriptor: Descriptor) -> Source:
        """The source that has the content; the last one if none of the others has."""
        for source in self.sources[:-1]:
            if source.has(descriptor):
                return source
        return self.sources[-1]

    def open(self, descriptor: Descriptor) -> Reader:
        return self.origin(descriptor).open(descriptor)

    def has(self, descriptor: Descriptor) -> bool:
        return any(source.has(descriptor) for source in self.sources)

    def close(self) -> None:
        """Nothing is held open here."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
