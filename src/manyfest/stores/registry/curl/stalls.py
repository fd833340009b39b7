"""When a transfer counts as stalled. Pure: it is told what was waited and what moved.

libcurl's own ``LOW_SPEED_TIME`` is not used: it counts the time in which nobody asked for bytes,
so a slow destination would get the blame on its source.
"""

from __future__ import annotations

LOWEST_SPEED = 1024
"""Bytes a second, over the whole span; whatever is slower is as good as dead."""


class StallWatch:
    """Adds up the time spent waiting for the other side, and forgives it when bytes move."""

    def __init__(self, *, seconds: float) -> None:
        self.seconds = seconds
        self._waited = 0.0
        self._moved = 0

    def is_stalled(self, *, waited: float, moved: int) -> bool:
        """Whether it is time to give up.

        ``waited`` are the seconds of this wait, ``moved`` the bytes since the transfer began.
        """
        if moved - self._moved >= LOWEST_SPEED * self.seconds:
            self._waited, self._moved = 0.0, moved
        self._waited += waited
        return self._waited >= self.seconds
