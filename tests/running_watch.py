"""A watch without its pollers: real decisions and a real history, fed by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256

from manyfest.check.readiness import PlatformState, Readiness, State
from manyfest.errors import NotFound
from manyfest.watch.config.values import WatchConfig, WatchedImage
from manyfest.watch.decide import beginning, decide
from manyfest.watch.health import registry
from manyfest.watch.health.incidents import follow
from manyfest.watch.health.values import RegistryState
from manyfest.watch.history.batch import Batch
from manyfest.watch.history.history import History
from manyfest.watch.live import Live, News
from manyfest.watch.values import Change, Event, Incident, Observation, Sample, TagState


def digest(*words: str) -> str:
    """A digest that stands for these words."""
    return f"sha256:{sha256(' '.join(words).encode()).hexdigest()}"


class RunningWatch:
    """What pages ask of a watch (:class:`~manyfest.watch.service_api.Service`), and what feeds it.

    ``now`` is its clock; it stands still unless it is moved.
    """

    def __init__(self, history: History, images: Sequence[WatchedImage], now: float) -> None:
        self.history = history
        self.live = Live()
        self.now = now
        self.config = WatchConfig(images=tuple(images), title="Releases")
        self.trouble: tuple[str, ...] = ()
        self._states: dict[tuple[str, str], TagState] = {}
        self._registries: dict[str, RegistryState] = {}
        self._open: list[Incident] = []

    @property
    def clock(self) -> Callable[[], float]:
        """The time."""
        return lambda: self.now

    def images(self) -> tuple[WatchedImage, ...]:
        """What is watched."""
        return self.config.images

    def is_ready(self) -> bool:
        """It is."""
        return True

    def troubles(self) -> tuple[str, ...]:
        """What is wrong with the watch itself."""
        return self.trouble

    def looks_at(self, image: str, tag: str) -> bool:
        """All that is known is looked at."""
        return True

    def unlisted(self, image: str) -> tuple[str, ...]:
        """All lists of tags are known."""
        return ()

    def hint(self, repository: str, tag: str) -> bool:
        """It looks at nothing."""
        return False

    def add(self, asked: Mapping[str, object]) -> WatchedImage:
        """Images stay as they are."""
        raise NotFound("nothing is added here")

    def remove(self, image: str) -> None:
        """Images stay as they are."""
        raise NotFound("nothing is removed here")

    def pause(self, image: str) -> None:
        """Images stay as they are."""
        raise NotFound("nothing is paused here")

    def resume(self, image: str) -> None:
        """Images stay as they are."""
        raise NotFound("nothing is resumed here")

    def see(
        self, at: float, *observations: Observation, was_there: bool = False
    ) -> tuple[Event, ...]:
        """Let the watch see these, all of one tag, at that moment; gives what happened. A tag that
        ``was_there`` is one that the first look found."""
        self.now = at
        first = observations[0]
        image = next(each for each in self.images() if each.name == first.image)
        known = (first.image, first.tag)
        before = self._states.get(known) or beginning(
            image.rule, first.tag, at, was_there=was_there
        )
        return self._keep(decide(image.rule, before, observations, at))

    def pass_time(self, image: str, tag: str, at: float) -> tuple[Event, ...]:
        """Let the watch look at its clock alone."""
        self.now = at
        rule = next(each for each in self.images() if each.name == image).rule
        return self._keep(decide(rule, self._states[image, tag], (), at))

    def ask(self, *samples: Sample) -> None:
        """Let the watch note how requests to registries went, in their order."""
        events: list[Event] = []
        for sample in samples:
            self.now, host = sample.at, sample.registry
            before = self._registries.get(host) or RegistryState(registry=host)
            self._registries[host], told = registry.observe(before, (sample,), self.now)
            events += told
        opened, closed = self._follow(events)
        self.history.record(
            Batch(
                events=tuple(events),
                registries=tuple(self._registries.values()),
                samples=samples,
                opened=opened,
                closed=closed,
            )
        )
        hosts = frozenset(each.registry for each in samples)
        self.live.publish(News(events=tuple(events), registries=hosts))

    def _keep(self, change: Change) -> tuple[Event, ...]:
        state = change.state
        self._states[state.image, state.tag] = state
        opened, closed = self._follow(change.events)
        self.history.record(Batch(changes=(change,), opened=opened, closed=closed))
        tags = frozenset({(state.image, state.tag)})
        self.live.publish(News(events=change.events, tags=tags))
        return change.events

    def _follow(self, events: Iterable[Event]) -> tuple[tuple[Incident, ...], tuple[Incident, ...]]:
        opened, closed = follow(self._open, tuple(events))
        ended = {(each.kind, each.registry, each.image, each.tag, each.place) for each in closed}
        self._open = [
            each
            for each in [*self._open, *opened]
            if each.ended is None
            and (each.kind, each.registry, each.image, each.tag, each.place) not in ended
        ]
        return opened, closed


def holds(
    image: WatchedImage,
    tag: str,
    place: str,
    at: float,
    states: Mapping[str, State] | Sequence[str] | None = None,
) -> Observation:
    """What a place holds of a tag: the platforms that are ready, or the state of each; all are
    ready if none is named."""
    wanted = image.rule.platforms
    if states is None:
        states = wanted
    if not isinstance(states, Mapping):
        states = dict.fromkeys(states, "ready")
    platforms = tuple(
        PlatformState(
            platform=each,
            state=states.get(each, "missing"),
            digest=digest(tag, each) if each in states else "",
            why="" if states.get(each) == "ready" else _why(states),
        )
        for each in wanted
    )
    return Observation(
        image=image.name,
        tag=tag,
        place=place,
        at=at,
        answer=Readiness(
            reference=f"{place}:{tag}",
            digest=digest(tag, *(f"{name} {state}" for name, state in states.items())),
            ready=all(each.state == "ready" for each in platforms),
            platforms=platforms,
        ),
    )


def absent(image: WatchedImage, tag: str, place: str, at: float) -> Observation:
    """A place that does not have the tag."""
    platforms = tuple(
        PlatformState(platform=each, state="missing", digest="", why=f"no tag {tag}")
        for each in image.rule.platforms
    )
    answer = Readiness(reference=f"{place}:{tag}", digest="", ready=False, platforms=platforms)
    return Observation(image=image.name, tag=tag, place=place, at=at, answer=answer)


def silent(image: WatchedImage, tag: str, place: str, at: float, why: str) -> Observation:
    """A place that gives no answer."""
    return Observation(image=image.name, tag=tag, place=place, at=at, answer=None, silence=why)


def _why(states: Mapping[str, State]) -> str:
    return f"it has {', '.join(states) or 'none'}"
