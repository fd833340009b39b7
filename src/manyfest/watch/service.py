"""The running watch: who looks, who decides and who tells, and what is watched at the moment."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from manyfest.errors import ConfigError, HistoryError, ManyfestError, NotFound, UsageError
from manyfest.oci import json
from manyfest.watch.config.load import image_of, load
from manyfest.watch.config.values import WatchConfig, WatchedImage
from manyfest.watch.deciding import Decider
from manyfest.watch.history.batch import KeptImage
from manyfest.watch.live import Live, News
from manyfest.watch.notify.deliver import Deliverer
from manyfest.watch.poll.network import Network
from manyfest.watch.poll.poller import Poller

if TYPE_CHECKING:
    from manyfest.watch.history.history import History

logger = logging.getLogger(__name__)

_FORGET_EVERY = 6 * 3600.0
"""Seconds between two times that what is too old is deleted."""

_JUMP = 86400.0
"""Seconds by which a clock is not set for being a little wrong."""

_LONGEST_END = 10.0
"""Seconds that the threads have to end."""


class Watch:
    """A :class:`~manyfest.watch.service_api.Service`. It is started, and stopped, once.

    ``history`` is open, and closed by whoever opened it. ``plain_http`` and ``ca_file`` are how
    registries are reached, besides what the configuration says; ``log`` is told of each request,
    and ``failed`` is called if a part of the watch ended that should not have.
    """

    def __init__(
        self,
        config: WatchConfig,
        history: History,
        *,
        plain_http: tuple[str, ...] = (),
        ca_file: Path | None = None,
        log: Callable[[str], None] | None = None,
        failed: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._config = config
        self._history = history
        self._plain_http = plain_http
        self._failed = failed
        self._clock = clock
        self._live = Live()
        self._stopping = threading.Event()
        self._changing = threading.Lock()
        self._kept: dict[str, KeptImage] = {}
        self._shown = config.images
        self._fault = ""
        self._faults: dict[str, str] = {}
        self._threads: list[threading.Thread] = []
        self._deliverer = Deliverer(history.notices, lambda: self._config, clock=clock)
        self._decider = Decider(history, self._live, wake=self._deliverer.wake, clock=clock)
        self._network = Network(
            plain_http=self._without_tls(),
            ca_file=ca_file,
            note=self._decider.note,
            stopped=self._stopping.is_set,
            log=log,
        )
        self._poller = Poller(self._network, self._decider, clock=clock)
        self._decider.confirm_by(self._poller)

    @property
    def history(self) -> History:
        return self._history

    @property
    def live(self) -> Live:
        return self._live

    @property
    def config(self) -> WatchConfig:
        return self._config

    @property
    def clock(self) -> Callable[[], float]:
        return self._clock

    def start(self) -> None:
        """Take up what the history knows, and begin. Raises
        :class:`~manyfest.errors.HistoryError`."""
        self._decider.load()
        self._poller.recall(self._history.facts_read(), self._history.lists_read())
        self._kept = {each.name: each for each in self._history.images.all()}
        self._apply()
        parts = {
            "decide": self._decider.run,
            "poll": self._poller.run,
            "notify": self._deliverer.run,
            "forget": self._forget,
        }
        for name, work in parts.items():
            thread = threading.Thread(target=self._run, args=(work,), name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """Let all that is under way end: what was seen is kept, and what was not is seen again."""
        self._stopping.set()
        self._poller.stop()
        self._decider.stop()
        self._deliverer.stop()
        self._live.close()
        end = time.monotonic() + _LONGEST_END
        for thread in self._threads:
            thread.join(max(end - time.monotonic(), 0.0))
        self._network.close()

    def images(self) -> tuple[WatchedImage, ...]:
        """See :class:`~manyfest.watch.service_api.Service`."""
        return self._shown

    def is_ready(self) -> bool:
        """See :class:`~manyfest.watch.service_api.Service`."""
        alive = bool(self._threads) and all(each.is_alive() for each in self._threads)
        return alive and not self._decider.trouble

    def troubles(self) -> tuple[str, ...]:
        """See :class:`~manyfest.watch.service_api.Service`."""
        parts = (
            self._decider.trouble,
            self._fault,
            *self._faults.values(),
            *self._poller.troubles(),
            *self._deliverer.troubles(),
        )
        return tuple(filter(None, parts))

    def looks_at(self, image: str, tag: str) -> bool:
        """See :class:`~manyfest.watch.service_api.Service`."""
        return self._poller.looks_at(image, tag)

    def unlisted(self, image: str) -> tuple[str, ...]:
        """See :class:`~manyfest.watch.service_api.Service`."""
        return self._poller.unlisted(image)

    def hint(self, repository: str, tag: str) -> bool:
        """See :class:`~manyfest.watch.service_api.Service`."""
        return self._poller.hint(repository, tag)

    def reload(self) -> None:
        """Read ``watch.yaml`` again. One that is broken is told, and what was stays."""
        if self._config.path is None:
            logger.warning("there is no file to be read again")
            return
        with self._changing:  # whoever comes later reads what is later
            try:
                config = load(self._config.path)
            except ConfigError as error:
                logger.error("the watch goes on as it was: %s", error)  # noqa: TRY400 - one line
                self._fault = f"watch.yaml was changed and is not used: {error}"
                return
            self._fault = ""
            if config.database != self._config.database:
                logger.warning("another history is used once the watch is started anew")
            self._config = config
            self._network.allow(self._without_tls())
            self._apply()
        logger.info("read %s again", config.path)
        self._publish(*(image.name for image in config.images))

    def add(self, asked: Mapping[str, object]) -> WatchedImage:
        """See :class:`~manyfest.watch.service_api.Service`."""
        with self._changing:
            image = self._read(asked)
            if any(each.name == image.name for each in self._images()):
                raise ConfigError(
                    f"'name': {image.name} is watched already", mend="give it another name"
                )
            self._keep(
                KeptImage(
                    name=image.name,
                    rule=json.dumps(dict(asked)),
                    origin="page",
                    added_at=self._clock(),
                )
            )
        self._publish(image.name)
        return image

    def remove(self, image: str) -> None:
        """See :class:`~manyfest.watch.service_api.Service`."""
        with self._changing:
            # One that is not understood any more is no image, and can be removed too.
            if image not in self._faults and self._find(image).origin == "file":
                raise UsageError(
                    f"{image} stands in watch.yaml", mend="take it out there, or pause it"
                )
            self._forget_image(image)
        self._publish(image)

    def pause(self, image: str) -> None:
        """See :class:`~manyfest.watch.service_api.Service`."""
        with self._changing:
            found = self._find(image)
            if found.paused_at is None:
                now = self._clock()
                kept = self._kept.get(image) or KeptImage(
                    name=image, rule=b"{}", origin="file", added_at=now
                )
                self._keep(replace(kept, paused_at=now))
        self._publish(image)

    def resume(self, image: str) -> None:
        """See :class:`~manyfest.watch.service_api.Service`."""
        with self._changing:
            if self._find(image).origin == "file":
                self._forget_image(image)
            else:
                self._keep(replace(self._kept[image], paused_at=None))
        self._publish(image)

    def _run(self, work: Callable[[], None]) -> None:
        """Do a part of the watch's work, which ends when the watch does and not before."""
        try:
            work()
        except Exception:
            logger.exception("the watch cannot go on")
        if not self._stopping.is_set():
            self._failed()

    def _forget(self) -> None:
        """Delete what is too old, now and then. If the clock was set far ahead there is time, until
        the next time, to set it right."""
        ahead = self._clock() - time.monotonic()
        while not self._stopping.wait(_FORGET_EVERY):
            before, ahead = ahead, self._clock() - time.monotonic()
            if ahead - before > _JUMP:
                logger.warning("the clock jumped ahead: what is too old is deleted later")
                continue
            try:
                count = self._history.forget(
                    self._clock() - self._config.keep, stopped=self._stopping.is_set
                )
            except HistoryError as error:
                logger.warning("what is too old is not deleted: %s", error)
            else:
                logger.info("deleted %d rows that were too old", count)

    def _apply(self) -> None:
        """Have looked at, and decided by, what is watched now."""
        self._shown = images = self._images()
        self._decider.use(images, self._config.recipients.values())
        self._poller.watch(images, self._config.registries.values(), self._decider.states())

    def _images(self) -> tuple[WatchedImage, ...]:
        """What the file has, and what was added, unless the file has that by now."""
        by_name = {image.name: self._as_kept(image) for image in self._config.images}
        faults: dict[str, str] = {}
        for kept in self._kept.values():
            if kept.origin == "page" and kept.name not in by_name:
                try:
                    image = self._read(json.loads(kept.rule, "what was added"))
                except ManyfestError as error:
                    faults[kept.name] = f"{kept.name} is not watched: {error}"
                    continue
                by_name[kept.name] = replace(image, paused_at=kept.paused_at)
        self._faults = faults
        return tuple(by_name.values())

    def _as_kept(self, image: WatchedImage) -> WatchedImage:
        kept = self._kept.get(image.name)
        return replace(image, paused_at=kept.paused_at) if kept else image

    def _read(self, asked: Mapping[str, object]) -> WatchedImage:
        return image_of(asked, self._config.every, tuple(self._config.recipients))

    def _find(self, name: str) -> WatchedImage:
        for image in self._images():
            if image.name == name:
                return image
        raise NotFound(f"no image {name[:128]!r} is watched")

    def _keep(self, image: KeptImage) -> None:
        self._history.images.keep(image)
        self._kept[image.name] = image
        self._apply()

    def _forget_image(self, name: str) -> None:
        self._history.images.remove(name)
        self._kept.pop(name, None)
        self._apply()

    def _publish(self, *images: str) -> None:
        self._live.publish(News(images=frozenset(images)))

    def _without_tls(self) -> tuple[str, ...]:
        named = (each.host for each in self._config.registries.values() if each.plain_http)
        return (*self._plain_http, *named)
