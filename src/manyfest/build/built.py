"""What came of a build."""

from __future__ import annotations

from msgspec import Struct

from manyfest.build.assemble import PlatformImage
from manyfest.graph import Graph
from manyfest.stores.base import Source


class BuiltPlatform(PlatformImage, frozen=True):
    """One platform's image, and how long it took."""

    seconds: float


class Built(Struct, frozen=True):
    """An index and what is below it. ``source`` has all of it as long as the workspace and the
    stores of the base images are there."""

    source: Source
    graph: Graph
    platforms: tuple[BuiltPlatform, ...]
    warnings: tuple[str, ...]
