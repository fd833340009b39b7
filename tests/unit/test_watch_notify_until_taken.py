"""Whatever services answer, and whenever the history is away or the watch is killed: everything is
told, in order, and twice only what says so."""

from __future__ import annotations

from collections.abc import Callable, Collection

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from manyfest.errors import HistoryAway
from manyfest.notify.address import Address
from manyfest.notify.answer import TAKEN, Answer
from manyfest.notify.message import Message
from manyfest.watch.config.values import WatchConfig
from manyfest.watch.history.batch import WaitingNotice
from manyfest.watch.notify.deliver import Deliverer
from tests.unit.watching import NOW, event, recipient

NAMES = ("ops", "boss")

CONFIG = WatchConfig(images=(), recipients={name: recipient(name) for name in NAMES})

ANSWERS = {
    "taken": TAKEN,
    "failed": Answer(fault="it answered 500"),
    "asks for a day": Answer(fault="it answered 429", again_after=86400.0),
    "broke off": Answer(fault="the connection broke off", unclear=True),
    "taken, and broke off": Answer(fault="the connection broke off", unclear=True),
    "refused": Answer(fault="it answered 400", this_one=True),
}


class World:
    """A history and services that do what they were drawn to do, and the time."""

    def __init__(self, count: int, answers: list[str], faults: list[bool]) -> None:
        self.now = NOW
        self.answers = answers
        self.faults = faults
        self.open: dict[int, WaitingNotice] = {}
        self.taken: dict[str, list[tuple[str, str]]] = {name: [] for name in NAMES}
        for number in range(count):
            name = NAMES[number % 2]
            self.open[number] = WaitingNotice(
                id=number, recipient=name, due=NOW, events=(event("complete", tag=str(number)),)
            )

    def send(self, to: Address, message: Message, stopped: Callable[[], bool]) -> Answer:
        """A service's answer, from those that are left; then it takes all."""
        answer = self.answers.pop() if self.answers else "taken"
        if answer.startswith("taken"):
            name = to.url.reveal().rpartition("/")[2].removesuffix("-t0ken")
            self.taken[name].append((message.title, message.text))
        return ANSWERS[answer]

    def waiting(
        self, now: float, limit: int = 100, besides: Collection[str] = ()
    ) -> list[WaitingNotice]:
        self._reach()
        return [
            each for each in self.open.values() if each.due <= now and each.recipient not in besides
        ]

    def resting(self, now: float) -> dict[str, float]:
        self._reach()
        return {
            each.recipient: each.due for each in self.open.values() if each.tries and each.due > now
        }

    def attempt(self, notice: WaitingNotice) -> None:
        self._reach()
        self.open[notice.id] = replace(notice, tries=notice.tries + 1, cut_short=True)

    def delivered(self, number: int, at: float) -> None:
        self._reach()
        self.open.pop(number, None)

    def failed(self, number: int, why: str, again_at: float, *, unclear: bool = False) -> None:
        self._reach()
        self.open[number] = replace(self.open[number], due=again_at, cut_short=unclear)

    def give_up(self, number: int, why: str, at: float) -> None:
        raise AssertionError("a week has not passed")

    def _reach(self) -> None:
        if self.faults and self.faults.pop():
            raise HistoryAway("the database does not answer")


def deliver(world: World, kills: list[bool]) -> None:
    """Until all is told. A watch that is killed is followed by another one."""
    deliverer = None
    for _ in range(300):
        if deliverer is None or (kills and kills.pop()):
            deliverer = Deliverer(
                world,
                lambda: CONFIG,
                clock=lambda: world.now,
                sender=world.send,
                jitter=lambda: 1.0,
            )
        deliverer._work_off()
        for sending in list(deliverer._under_way.values()):
            sending.join()
        if not world.open:
            return
        world.now += 1800.0
    raise AssertionError("it takes for ever")


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 6),
    st.lists(st.sampled_from(sorted(ANSWERS)), max_size=6),
    st.lists(st.booleans(), max_size=25),
    st.lists(st.booleans(), max_size=12),
)
def test_everything_is_told_and_twice_only_what_says_so(
    count: int, answers: list[str], faults: list[bool], kills: list[bool]
) -> None:
    are_in_order = "refused" not in answers
    world = World(count, answers, faults)
    deliver(world, kills)
    for place, name in enumerate(NAMES):
        wanted = [
            f"gotify/server {number} is complete everywhere" for number in range(place, count, 2)
        ]
        titles = [title for title, _ in world.taken[name]]
        first = list(dict.fromkeys(titles))
        assert sorted(first) == sorted(wanted)
        if are_in_order:
            assert first == wanted
        for title in wanted:
            texts = [text for each, text in world.taken[name] if each == title]
            assert all("may have been told before" in text for text in texts[1:])
