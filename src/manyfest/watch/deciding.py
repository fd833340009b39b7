"""From what is found to what is known: decided, kept, and only then told.

One thread does it all, in the order in which it comes. What a batch of findings leads to is written
in one transaction: the new states, the events, the incidents, and whom to tell. A history that is
away is waited for, and whoever looks at registries waits with it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from manyfest.errors import HistoryError
from manyfest.watch.config.values import WatchedImage
from manyfest.watch.decide import beginning, decide, due
from manyfest.watch.dues import Dues
from manyfest.watch.findings import Found, Learned, Left
from manyfest.watch.health.following import Health
from manyfest.watch.health.incidents import Tag
from manyfest.watch.history.batch import Batch, WasListed
from manyfest.watch.live import Live, News
from manyfest.watch.notify.route import route
from manyfest.watch.recipients import Recipient
from manyfest.watch.values import Change, Facts, Observation, Rule, Sample, TagState
from manyfest.watch.wording import subject, told

if TYPE_CHECKING:
    from manyfest.watch.history.history import History

logger = logging.getLogger(__name__)

Finding: TypeAlias = Found | Left | Learned | WasListed | Observation
"""What a decider is told, in this order."""

MOST_WAITING = 2000
"""Observations; who has one more waits."""

MOST_SAMPLES = 50_000
"""Of those that wait to be written: the last ones, if the history is away for long."""

_AT_ONCE = 500
"""Observations in one transaction."""

_BATCH_EVERY = 0.2
"""Seconds from one batch to the next: what comes meanwhile is written together, for a transaction
costs as much as a hundred rows. What comes after a quiet while does not wait."""

_SAMPLES_EVERY = 5.0
"""Seconds between two times that samples are written, if nothing else is."""

_LONGEST_WAIT = 60.0
"""Seconds until the clock is looked at again: it may be set, and a machine may sleep."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
"""Seconds between attempts to write to a history that is away."""


class Asks(Protocol):
    """Who looks at registries; a :class:`~manyfest.watch.poll.poller.Poller`."""

    def recheck(self, image: str, tag: str) -> None:
        """Ask soon for all of the tag once more, in each place."""
        ...


class Audience(Struct, frozen=True):
    """What is watched, and who may be told of it."""

    images: Mapping[str, WatchedImage]
    recipients: tuple[Recipient, ...]
    rules: Mapping[str, Rule]


class Decider:
    """Decides by :meth:`run`, which a thread of the watch calls. Any thread may tell it what is
    found; it is a :class:`~manyfest.watch.poll.told.Told`.

    ``wake`` is called when somebody is to be told of something; ``clock`` is the time since 1970.
    """

    def __init__(
        self,
        history: History,
        live: Live,
        *,
        wake: Callable[[], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._history = history
        self._live = live
        self._wake = wake
        self._clock = clock
        self._changed = threading.Condition()
        self._found: deque[Finding] = deque()
        self._samples: deque[Sample] = deque(maxlen=MOST_SAMPLES)
        self._samples_since = 0.0
        self._audience = Audience({}, (), {})
        self._has_new_audience = False
        self._asks: Asks | None = None
        self._stopping = threading.Event()
        self._states: dict[Tag, TagState] = {}
        self._left: set[Tag] = set()
        self._health = Health()
        self._dues = Dues()
        self.trouble = ""
        """Why nothing can be written at the moment, or empty."""

    def load(self) -> None:
        """Take what is known from the history. Raises :class:`~manyfest.errors.HistoryError`."""
        self._states = {(state.image, state.tag): state for state in self._history.states()}
        self._health.load(self._history.registry_states(), self._history.open_incidents())

    def states(self) -> tuple[TagState, ...]:
        """What is known of all tags."""
        with self._changed:
            return tuple(self._states.values())

    def use(self, images: Iterable[WatchedImage], recipients: Iterable[Recipient]) -> None:
        """Decide by these rules, and tell these, from now on."""
        by_name = {each.name: each for each in images}
        rules = {name: each.rule for name, each in by_name.items()}
        audience = Audience(by_name, tuple(recipients), rules)
        with self._changed:
            self._audience, self._has_new_audience = audience, True
            for tag in self._states:
                if tag[0] in audience.images:
                    self._dues.plan(tag, self._due_at(tag))
            self._changed.notify_all()

    def confirm_by(self, asks: Asks) -> None:
        """Whom to ask when something that lasted must be confirmed."""
        self._asks = asks

    def find(self, image: str, tags: Collection[str], *, was_there: bool) -> None:
        """See :class:`~manyfest.watch.poll.told.Told`."""
        self._add(Found(image, tuple(tags), was_there))

    def listed(self, lists: WasListed) -> None:
        """See :class:`~manyfest.watch.poll.told.Told`."""
        self._add(lists)

    def leave(self, image: str, tags: Collection[str]) -> None:
        """See :class:`~manyfest.watch.poll.told.Told`."""
        self._add(Left(image, tuple(tags)))

    def learn(self, image: str, tag: str, facts: Facts) -> None:
        """See :class:`~manyfest.watch.poll.told.Told`."""
        self._add(Learned(image, tag, facts))

    def observe(self, observation: Observation) -> None:
        """See :class:`~manyfest.watch.poll.told.Told`."""
        with self._changed:
            self._changed.wait_for(
                lambda: len(self._found) < MOST_WAITING or self._stopping.is_set()
            )
            self._found.append(observation)
            self._changed.notify_all()

    def note(self, sample: Sample) -> None:
        """How a request to a registry went."""
        with self._changed:
            if not self._samples:
                self._samples_since = time.monotonic()
                self._changed.notify_all()
            self._samples.append(sample)

    def run(self) -> None:
        """Decide until it is stopped."""
        while not self._stopping.is_set():
            found, samples = self._take()
            begun = time.monotonic()
            self._work(found, samples)
            self._stopping.wait(begun + _BATCH_EVERY - time.monotonic())
        with self._changed:
            samples = list(self._samples)
        self._work([], samples)

    def stop(self) -> None:
        """Let :meth:`run` end soon; what it has not decided yet is seen again by the next watch."""
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()

    def _add(self, finding: Finding) -> None:
        with self._changed:
            self._found.append(finding)
            self._changed.notify_all()

    def _take(self) -> tuple[list[Finding], list[Sample]]:
        """Wait for something to do."""
        with self._changed:
            while not (self._found or self._has_new_audience or self._stopping.is_set()):
                wait = self._wait()
                if wait <= 0:
                    break
                self._changed.wait(wait)
            self._has_new_audience = False
            count = min(len(self._found), _AT_ONCE)
            found = [self._found.popleft() for _ in range(count)]
            samples: list[Sample] = []
            if self._samples and time.monotonic() - self._samples_since >= _SAMPLES_EVERY:
                samples = list(self._samples)
                self._samples.clear()
            self._changed.notify_all()
            return found, samples

    def _wait(self) -> float:
        waits = [_LONGEST_WAIT]
        if (first := self._dues.first()) is not None:
            waits.append(first - self._clock())
        if self._samples:
            waits.append(self._samples_since + _SAMPLES_EVERY - time.monotonic())
        return min(waits)

    def _work(self, found: Sequence[Finding], samples: list[Sample]) -> None:
        """Decide what follows, keep it, and tell it."""
        now = self._clock()
        audience = self._audience
        self._note_left(found)
        begun, observed = self._sorted(found, audience, now)
        due_now = self._due_by(now, audience)
        decided = (
            self._decided(tag, begun, observed.get(tag, ()), audience, now)
            for tag in {**begun, **observed, **dict.fromkeys(due_now)}
        )
        changes = [change for change in decided if change is not None]
        worth = [each for each in changes if self._is_news(each, begun)]
        learned = [each for each in found if isinstance(each, Learned)]
        lists = tuple(each for each in found if isinstance(each, WasListed))
        registries, events = self._health.registries(samples, now)
        happened = (*(event for each in worth for event in each.events), *events)
        wrong = self._health.incidents(happened, audience.rules, self._left, now)
        batch = Batch(
            changes=tuple(worth),
            events=events,
            notices=tuple(route(happened, audience.recipients, audience.images.values(), now)),
            registries=tuple(
                {each.registry: each for each in (*registries, *wrong.let_go)}.values()
            ),
            samples=tuple(samples),
            opened=wrong.opened,
            closed=wrong.closed,
            facts=tuple(each.facts for each in learned),
            lists=lists,
        )
        if (worth or samples or learned or lists or wrong.closed) and not self._keep(batch):
            return
        self._health.keep(batch.registries, wrong)
        self._learn(changes)
        self._tell(batch, learned)
        if self._asks is not None:
            for tag in self._unconfirmed(due_now, now):
                self._asks.recheck(*tag)

    def _note_left(self, found: Iterable[Finding]) -> None:
        """Of tags that are not watched any more nothing is due, until they are again."""
        with self._changed:
            for each in found:
                if isinstance(each, Found | Left):
                    tags = {(each.image, name) for name in each.tags}
                    self._left = self._left | tags if isinstance(each, Left) else self._left - tags
                    for tag in tags & self._states.keys():
                        self._dues.plan(tag, self._due_at(tag))

    def _sorted(
        self, found: Iterable[Finding], audience: Audience, now: float
    ) -> tuple[dict[Tag, TagState], dict[Tag, list[Observation]]]:
        """The states of tags that are new, and the observations of each tag, in their order. What
        is not watched any more is left out."""
        begun: dict[Tag, TagState] = {}
        observed: dict[Tag, list[Observation]] = {}
        for each in found:
            image = audience.images.get(each.image)
            if image is None or isinstance(each, Left | Learned | WasListed):
                continue
            if isinstance(each, Observation):
                observed.setdefault((each.image, each.tag), []).append(each)
                continue
            for name in each.tags:
                if (image.name, name) not in self._states:
                    state = beginning(image.rule, name, now, was_there=each.was_there)
                    begun.setdefault((image.name, name), state)
        return begun, observed

    def _decided(
        self,
        tag: Tag,
        begun: Mapping[Tag, TagState],
        observed: Iterable[Observation],
        audience: Audience,
        now: float,
    ) -> Change | None:
        """What follows; ``None`` for a fault of our own, which is no reason to lose the rest."""
        rule = audience.rules[tag[0]]
        before = self._states.get(tag) or begun.get(tag)
        if before is None:
            before = beginning(rule, tag[1], now, was_there=True)
        try:
            return decide(rule, before, tuple(observed), now)
        except Exception:
            logger.exception("what was seen of %s %s cannot be decided", *tag)
            return None

    def _is_news(self, change: Change, begun: Mapping[Tag, TagState]) -> bool:
        """Whether it is to be written: when a place answered last is not, by itself."""
        tag = change.state.image, change.state.tag
        if change.observations or change.events or tag in begun or tag not in self._states:
            return True
        return _apart_from_answers(change.state) != _apart_from_answers(self._states[tag])

    def _keep(self, batch: Batch) -> bool:
        """Write the batch, however long that takes; says whether it was, before the watch ended."""
        pause = _FIRST_PAUSE
        while True:
            try:
                self._history.record(batch)
            except HistoryError as error:
                if not self.trouble:
                    logger.warning("what is seen cannot be kept, and is waited with: %s", error)
                self.trouble = str(error)
            else:
                if self.trouble:
                    logger.warning("what is seen is kept again")
                self.trouble = ""
                return True
            if self._stopping.wait(pause):
                return False
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _learn(self, changes: Iterable[Change]) -> None:
        """Go on from what was kept."""
        with self._changed:
            for change in changes:
                tag = change.state.image, change.state.tag
                self._states[tag] = change.state
                self._dues.plan(tag, self._due_at(tag))

    def _tell(self, batch: Batch, learned: Iterable[Learned]) -> None:
        """Tell what was kept to those who look on, and to those who are to be told."""
        events = (*(event for each in batch.changes for event in each.events), *batch.events)
        for event in events:
            logger.info("%s %s", subject(event), told(event), extra={"event": event})
        if batch.changes or batch.facts or batch.closed or events:
            tags = frozenset((each.state.image, each.state.tag) for each in batch.changes)
            tags |= {(each.image, each.tag) for each in learned}
            tags |= {(each.image, each.tag) for each in batch.closed if each.image}
            registries = frozenset(event.registry for event in batch.events)
            registries |= {each.registry for each in batch.closed if each.registry}
            self._live.publish(News(events=events, tags=tags, registries=registries))
        if batch.notices:
            self._wake()

    def _due_at(self, tag: Tag) -> float | None:
        """When something is due for the tag, by what is known of it."""
        image, state = self._audience.images.get(tag[0]), self._states.get(tag)
        return due(image.rule, state) if image and state and tag not in self._left else None

    def _due_by(self, now: float, audience: Audience) -> list[Tag]:
        """What is due, each tag once."""
        with self._changed:
            return [tag for tag in self._dues.take(now) if tag[0] in audience.images]

    def _unconfirmed(self, tags: Iterable[Tag], now: float) -> list[Tag]:
        """Those of the tags that something is due for still, and that are to be asked for now."""
        found = []
        with self._changed:
            for tag in tags:
                at = self._due_at(tag)
                if at is not None and at <= now:
                    self._dues.note_asked(tag, at, now)
                    found.append(tag)
        return found


def _apart_from_answers(state: TagState) -> TagState:
    places = tuple(replace(each, answered_at=None) for each in state.places)
    return replace(state, places=places)
