"""What is known of registries, and what is wrong, from one batch of findings to the next."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from msgspec import Struct

from manyfest.watch.health import registry
from manyfest.watch.health.incidents import Tag, follow, key_of, unwatched
from manyfest.watch.health.values import RegistryState
from manyfest.watch.values import Event, Incident, Rule, Sample


class Wrong(Struct, frozen=True):
    """The incidents that begin, and those that end; and registries that are asked no more, so that
    nobody knows whether they answer."""

    opened: tuple[Incident, ...]
    closed: tuple[Incident, ...]
    let_go: tuple[RegistryState, ...]


class Health:
    """Is asked what a batch leads to, and told once that is kept. It belongs to one thread."""

    def __init__(self) -> None:
        self._registries: dict[str, RegistryState] = {}
        self._open: list[Incident] = []

    def load(self, registries: Iterable[RegistryState], incidents: Iterable[Incident]) -> None:
        """Take what the history knows."""
        self._registries = {each.registry: each for each in registries}
        self._open = list(incidents)

    def registries(
        self, samples: Iterable[Sample], now: float
    ) -> tuple[list[RegistryState], tuple[Event, ...]]:
        """How registries are after these samples, and what there is to tell of them."""
        by_registry: dict[str, list[Sample]] = {}
        for sample in samples:
            by_registry.setdefault(sample.registry, []).append(sample)
        states: list[RegistryState] = []
        events: list[Event] = []
        for name, each in by_registry.items():
            state, happened = registry.observe(self._known(name), each, now)
            states.append(state)
            events += happened
        return states, tuple(events)

    def incidents(
        self,
        events: Iterable[Event],
        rules: Mapping[str, Rule],
        left: Collection[Tag],
        now: float,
    ) -> Wrong:
        """What begins and ends by the ``events``, and what ends because it is about what is watched
        no more: none of the ``rules`` has it, or the tag was ``left``."""
        opened, closed = follow(self._open, events)
        ended = unwatched(_without(self._open, closed), rules, left, now)
        let_go = [registry.let_go(self._known(each.registry)) for each in ended if each.registry]
        return Wrong(opened, (*closed, *ended), tuple(let_go))

    def keep(self, registries: Iterable[RegistryState], wrong: Wrong) -> None:
        """Go on from what was kept."""
        self._registries.update({each.registry: each for each in registries})
        going_on = _without(self._open, wrong.closed)
        self._open = going_on + [each for each in wrong.opened if each.ended is None]

    def _known(self, name: str) -> RegistryState:
        return self._registries.get(name) or RegistryState(registry=name)


def _without(open_: Iterable[Incident], closed: Iterable[Incident]) -> list[Incident]:
    over = {key_of(each) for each in closed}
    return [each for each in open_ if key_of(each) not in over]
