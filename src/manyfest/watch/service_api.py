"""What pages and machines may ask of the running watch, and tell it.

Any thread may call these. What waits for the history says so: an event loop calls it in a thread.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from manyfest.watch.config.values import WatchConfig, WatchedImage
    from manyfest.watch.history.history import History
    from manyfest.watch.live import Live


class Service(Protocol):
    """The running watch."""

    @property
    def history(self) -> History:
        """What was seen and told."""
        ...

    @property
    def live(self) -> Live:
        """What happens now."""
        ...

    @property
    def config(self) -> WatchConfig:
        """``watch.yaml`` as it was last read without a fault: the page's ``title`` and ``url``."""
        ...

    @property
    def clock(self) -> Callable[[], float]:
        """The time, in seconds since 1970."""
        ...

    def images(self) -> tuple[WatchedImage, ...]:
        """What is watched, the file's first, then the page's; paused ones too."""
        ...

    def is_ready(self) -> bool:
        """Whether it looks at registries and the history takes what it sees."""
        ...

    def troubles(self) -> tuple[str, ...]:
        """What is wrong with the watch itself, a line each: a history that is away, a broken
        ``watch.yaml`` that was not taken, a list of tags that is refused. No secrets are in it."""
        ...

    def looks_at(self, image: str, tag: str) -> bool:
        """Whether registries are asked for that tag at the moment. Does not wait."""
        ...

    def unlisted(self, image: str) -> tuple[str, ...]:
        """In which places of an image nobody knows at the moment what tags there are: their lists
        were not had, and may have more than was seen. Does not wait."""
        ...

    def hint(self, repository: str, tag: str) -> bool:
        """Look at ``tag`` of ``repository`` (``ghcr.io/gotify/server``) soon, before what is due;
        an empty one means: at the list of tags. Says whether that is watched. Does not wait."""
        ...

    def add(self, asked: Mapping[str, object]) -> WatchedImage:
        """Watch an image too; ``asked`` is what ``watch.yaml`` has under ``images``, as JSON.

        Raises :class:`~manyfest.errors.ConfigError`, whose ``where`` names the key, for what is
        wrong or an image that is watched already. Waits for the history.
        """
        ...

    def remove(self, image: str) -> None:
        """No longer watch an image that the page added; its history stays. Waits for the history.

        Raises :class:`~manyfest.errors.NotFound`, and :class:`~manyfest.errors.UsageError` for one
        that stands in ``watch.yaml``.
        """
        ...

    def pause(self, image: str) -> None:
        """Ask nothing about an image until it is resumed. Waits for the history.

        Raises :class:`~manyfest.errors.NotFound`.
        """
        ...

    def resume(self, image: str) -> None:
        """The opposite of :meth:`pause`."""
        ...
