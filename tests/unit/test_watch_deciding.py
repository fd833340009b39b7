"""What is found is decided, kept, and only then told: with a real history in memory's stead, a
file."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, repeat
from pathlib import Path

import pytest

from manyfest.check.readiness import PlatformState, Readiness
from manyfest.errors import HistoryAway
from manyfest.notify.address import address
from manyfest.watch.config.values import TagChoice, WatchedImage
from manyfest.watch.decide import decide
from manyfest.watch.deciding import Decider
from manyfest.watch.history.batch import Batch, WasListed
from manyfest.watch.history.history import History
from manyfest.watch.live import Live
from manyfest.watch.recipients import Recipient
from manyfest.watch.values import Change, Observation, Place, Rule, Sample, TagState

PLACE = "hub.example.org/app"
DIGEST, CHILD = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
PATIENCE = 20.0

US = Recipient(name="us", address=address("json://a.example.org", {}))


def image(*, soak: float = 0.0, late: float = 0.0) -> WatchedImage:
    """One in one place."""
    rule = Rule(
        image="app",
        places=(Place(repository=PLACE),),
        platforms=("linux/amd64",),
        soak=soak,
        late=late,
        settle=0.0,
    )
    return WatchedImage(rule=rule, tags=TagChoice(versions="*"), every=60.0, notify=("us",))


class Asked:
    """Keeps what was to be confirmed."""

    def __init__(self) -> None:
        self.rechecks: list[tuple[str, str]] = []

    def recheck(self, image: str, tag: str) -> None:
        self.rechecks.append((image, tag))


class Part:
    """A decider that runs, and what it is made of. Its clock is moved by hand."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.now = 1000.0
        self.live = Live()
        self.news = self.live.subscribe()
        self.woken = threading.Event()
        self.asked = Asked()
        self.decider = Decider(history, self.live, wake=self.woken.set, clock=lambda: self.now)

    def see(self, tag: str, *, ready: bool = True, place: str = PLACE, name: str = "app") -> None:
        """A place answered."""
        state = PlatformState(
            platform="linux/amd64",
            state="ready" if ready else "missing",
            digest=CHILD if ready else "",
            why="",
        )
        answer = Readiness(
            reference=f"{place}:{tag}", digest=DIGEST, ready=ready, platforms=(state,)
        )
        self.decider.observe(
            Observation(image=name, tag=tag, place=place, at=self.now, answer=answer)
        )

    def until(self, is_so: Callable[[], object]) -> None:
        """Wait until it is; what happens wakes us."""
        for _ in range(1000):
            if is_so():
                return
            self.news.wait(PATIENCE / 1000)
        raise AssertionError(self.kinds())

    def kinds(self, tag: str = "1") -> list[str]:
        """What happened to a tag, as the history has it."""
        with self.history.reading() as connection:
            rows = connection.exec_driver_sql("SELECT kind, tag FROM events ORDER BY id")
            return [kind for kind, of in rows if of == tag]


@contextmanager
def running(path: Path, *images: WatchedImage) -> Iterator[Part]:
    """One that runs while the block does."""
    with History.open(str(path)) as history:
        part = Part(history)
        part.decider.load()
        part.decider.use(images or (image(),), [US])
        part.decider.confirm_by(part.asked)
        thread = threading.Thread(target=part.decider.run)
        thread.start()
        try:
            yield part
        finally:
            part.decider.stop()
            thread.join(PATIENCE)
            assert not thread.is_alive()


def test_a_new_version_is_told_of_when_it_is_kept(tmp_path: Path) -> None:
    with running(tmp_path / "watch.db") as part:
        part.decider.find("app", ["1"], was_there=False)
        part.see("1")
        part.until(lambda: part.kinds() == ["appeared", "platform ready", "complete"])

        assert part.woken.wait(PATIENCE)
        (waiting,) = part.history.notices.waiting(part.now)
        assert [event.kind for event in waiting.events] == ["complete"]


def test_what_was_there_is_no_news(tmp_path: Path) -> None:
    with running(tmp_path / "watch.db") as part:
        part.decider.find("app", ["1", "2"], was_there=True)
        part.see("1")
        part.until(lambda: any(state.digest for state in part.history.states()))

        assert part.kinds() == []
        assert {state.tag for state in part.history.states()} == {"1", "2"}


def test_what_was_found_is_known_to_be_old_after_a_kill(tmp_path: Path) -> None:
    with running(tmp_path / "watch.db") as part:
        part.decider.find("app", ["1", "2"], was_there=True)
        part.until(lambda: len(part.history.states()) == 2)
    with running(tmp_path / "watch.db") as part:
        part.see("2")
        part.until(lambda: any(state.digest for state in part.history.states()))

        assert part.kinds("2") == []


def test_by_which_choice_a_list_was_read_is_known_after_what_it_found(tmp_path: Path) -> None:
    listed = WasListed("app", PLACE, TagChoice(versions="*"))
    with running(tmp_path / "watch.db") as part:
        part.decider.find("app", ["1"], was_there=True)
        part.decider.listed(listed)
        part.until(part.history.lists_read)

        assert part.history.lists_read() == [listed]
        assert [state.tag for state in part.history.states()] == ["1"]


def test_an_answer_that_says_nothing_new_is_not_written(tmp_path: Path) -> None:
    with running(tmp_path / "watch.db") as part:
        part.decider.find("app", ["1"], was_there=True)
        part.see("1")
        part.until(lambda: any(state.digest for state in part.history.states()))
        before = part.history.states()
        for _ in range(3):
            part.now += 60
            part.see("1")
        part.decider.find("app", ["2"], was_there=True)
        part.until(lambda: len(part.history.states()) == 2)

        assert part.history.states()[:1] == before
        with part.history.reading() as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM observations").scalar() == 1


def test_what_is_not_watched_is_passed_over(tmp_path: Path) -> None:
    with running(tmp_path / "watch.db") as part:
        part.see("1", name="other")
        part.see("1", place="elsewhere.example.org/app")
        part.decider.find("app", ["2"], was_there=True)
        part.until(lambda: any(state.tag == "2" for state in part.history.states()))

        assert {state.image for state in part.history.states()} == {"app"}
        assert part.kinds() == []


def test_a_soak_that_is_over_is_confirmed_before_it_is_told(tmp_path: Path) -> None:
    with running(tmp_path / "watch.db", image(soak=0.2)) as part:
        part.decider.find("app", ["1"], was_there=False)
        part.see("1")
        part.until(lambda: "complete" in part.kinds())
        part.now += 10
        part.see("2", ready=False)  # wakes it
        part.until(lambda: ("app", "1") in part.asked.rechecks)
        assert "soaked" not in part.kinds()

        part.now += 1
        part.see("1")
        part.until(lambda: part.kinds()[-1] == "soaked")
        assert part.asked.rechecks.count(("app", "1")) == 1


def test_a_clock_that_is_set_ahead_is_noticed_though_nothing_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("manyfest.watch.deciding._LONGEST_WAIT", 0.05)
    with running(tmp_path / "watch.db", image(soak=86400.0)) as part:
        part.decider.find("app", ["1"], was_there=False)
        part.see("1")
        part.until(lambda: "complete" in part.kinds())
        times = chain([part.now], repeat(part.now + 86400))  # it is set while nothing is to be done
        part.decider._clock = lambda: next(times)

        part.until(lambda: part.asked.rechecks == [("app", "1")])


def test_how_registries_do_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("manyfest.watch.deciding._SAMPLES_EVERY", 0.05)
    with running(tmp_path / "watch.db") as part:
        for _ in range(4):
            part.decider.note(Sample(registry="hub", at=part.now, seconds=0.1, why="no answer"))
            part.until(part.history.registry_states)
            part.now += 60
        part.until(part.history.open_incidents)

        (incident,) = part.history.open_incidents()
        assert (incident.kind, incident.registry, incident.cause) == (
            "unreachable",
            "hub",
            "no answer",
        )


def test_what_was_wrong_ends_once_nobody_watches_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("manyfest.watch.deciding._SAMPLES_EVERY", 0.05)
    with running(tmp_path / "watch.db") as part:
        for _ in range(4):
            sample = Sample(registry="hub.example.org", at=part.now, seconds=0.1, why="no answer")
            part.decider.note(sample)
            part.until(part.history.registry_states)
            part.now += 60
        part.until(part.history.open_incidents)
        part.decider.use([], [])
        part.until(lambda: not part.history.open_incidents())

        (state,) = part.history.registry_states()
        assert (state.down_since, state.failing_since) == (None, None)
        with part.history.reading() as connection:
            rows = connection.exec_driver_sql("SELECT ended, cause FROM incidents").all()
        assert [tuple(row) for row in rows] == [(part.now, "no answer; it is not watched any more")]


def test_a_version_that_is_not_watched_any_more_is_late_no_more(tmp_path: Path) -> None:
    with running(tmp_path / "watch.db", image(late=5.0)) as part:
        part.decider.find("app", ["1"], was_there=False)
        part.see("1", ready=False)
        part.until(lambda: part.kinds() == ["appeared"])
        part.now += 6
        part.see("1", ready=False)
        part.until(part.history.open_incidents)
        part.decider.leave("app", ["1"])
        part.until(lambda: not part.history.open_incidents())


def test_of_a_version_that_is_not_watched_any_more_nothing_is_due(tmp_path: Path) -> None:
    with running(tmp_path / "watch.db", image(soak=5.0)) as part:
        part.decider.find("app", ["1", "2"], was_there=False)
        part.see("1")
        part.see("2")
        part.until(lambda: "complete" in part.kinds("2"))
        part.decider.leave("app", ["1", "2"])
        part.decider.find("app", ["2"], was_there=True)
        part.now += 6
        part.decider.find("app", ["3"], was_there=True)  # wakes it
        part.until(lambda: part.asked.rechecks)

        assert part.asked.rechecks == [("app", "2")]


def test_how_registries_did_is_bounded_while_it_cannot_be_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("manyfest.watch.deciding.MOST_SAMPLES", 3)
    with History.open(str(tmp_path / "watch.db")) as history:
        part = Part(history)
        for number in range(5):
            part.decider.note(Sample(registry="hub", at=float(number), seconds=0.1))
        part.decider.stop()
        part.decider.run()

        (state,) = history.registry_states()
        assert (state.began, state.answers) == (2.0, 3)


class Away(History):
    """A history that is away for a while."""

    failures = 0

    def record(self, batch: Batch) -> None:
        if self.failures:
            self.failures -= 1
            raise HistoryAway("the disk is full", where="watch.db")
        super().record(batch)


def test_a_history_that_is_away_is_waited_for_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("manyfest.watch.deciding._FIRST_PAUSE", 0.01)
    monkeypatch.setattr("tests.unit.test_watch_deciding.History", Away)
    with running(tmp_path / "watch.db") as part:
        assert isinstance(part.history, Away)
        part.history.failures = 3
        part.decider.find("app", ["1"], was_there=False)
        part.see("1")
        part.until(lambda: part.kinds() == ["appeared", "platform ready", "complete"])

        assert part.decider.trouble == ""


def test_a_history_that_stays_away_is_a_trouble_and_holds_up_no_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.unit.test_watch_deciding.History", Away)
    with running(tmp_path / "watch.db") as part:
        assert isinstance(part.history, Away)
        part.history.failures = 1_000_000
        part.decider.find("app", ["1"], was_there=False)
        part.until(lambda: part.decider.trouble)

        assert part.decider.trouble == "watch.db: the disk is full"


def test_a_fault_of_our_own_concerns_one_tag(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def faulty(rule: Rule, before: TagState, observed: Sequence[Observation], now: float) -> Change:
        if before.tag == "1":
            raise ZeroDivisionError
        return decide(rule, before, observed, now)

    monkeypatch.setattr("manyfest.watch.deciding.decide", faulty)
    with running(tmp_path / "watch.db") as part:
        part.decider.find("app", ["1", "2"], was_there=False)
        part.see("1")
        part.see("2")
        part.until(lambda: "complete" in part.kinds("2"))

        assert part.kinds("1") == []


def test_one_that_is_stopped_does_not_wait_for_its_next_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("manyfest.watch.deciding._BATCH_EVERY", 3600.0)
    with History.open(str(tmp_path / "watch.db")) as history:
        part = Part(history)
        part.decider.use((image(),), [US])
        part.see("1")
        thread = threading.Thread(target=part.decider.run)
        thread.start()
        part.until(part.decider.states)
        part.decider.stop()
        thread.join(PATIENCE)

    assert not thread.is_alive()
