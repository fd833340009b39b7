"""What came of a build."""

from __future__ import annotations

from dataclasses import dataclass

from manyfest.build.assemble import PlatformImage
from manyfest.graph import Graph
from manyfest.stores.base import Source


@dataclass(frozen=True, slots=True)
class BuiltPlatform(PlatformImage):
    """One platform's image, and how long it took."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Built:
    """An index and what is below it. ``source`` has all of it as long as the workspace and the
    stores of the base images are there."""

    source: Source
    graph: Graph
    platforms: tuple[BuiltPlatform, ...]
    warnings: tuple[str, ...]
