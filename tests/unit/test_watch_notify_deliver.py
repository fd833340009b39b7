"""Delivering: in order, until it is taken, and no more often than must be."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

import pytest
from msgspec.structs import replace

from manyfest.errors import HistoryAway
from manyfest.notify.address import Address
from manyfest.notify.answer import TAKEN, Answer
from manyfest.notify.message import Message
from manyfest.watch.config.values import WatchConfig
from manyfest.watch.history.batch import WaitingNotice
from manyfest.watch.notify.deliver import Deliverer, Sender
from manyfest.watch.notify.parcels import Parcel, next_attempt, parcels
from manyfest.watch.notify.trial import notify_test
from manyfest.watch.recipients import Digest, Recipient
from manyfest.watch.values import Event
from tests.real import wait_until
from tests.unit.watching import NOW, event, recipient


def notice(number: int, to: str = "ops", *, what: Event | None = None) -> WaitingNotice:
    happened = what or event("complete", tag=f"1.{number}")
    return WaitingNotice(id=number, recipient=to, due=NOW, events=(happened,))


class Notices:
    """Notices in memory, and what was written of them, as the history does."""

    def __init__(self, *notices: WaitingNotice) -> None:
        self.open = {each.id: each for each in notices}
        self.log: list[tuple[object, ...]] = []
        self.away = 0

    def waiting(
        self, now: float, limit: int = 100, besides: Collection[str] = ()
    ) -> list[WaitingNotice]:
        self._reach()
        due = [each for each in self.open.values() if each.due <= now]
        return [each for each in due if each.recipient not in besides][:limit]

    def resting(self, now: float) -> dict[str, float]:
        self._reach()
        return {
            each.recipient: each.due for each in self.open.values() if each.tries and each.due > now
        }

    def attempt(self, notice: WaitingNotice) -> None:
        self._reach()
        self.log.append(("attempt", notice.id))
        self.open[notice.id] = replace(notice, tries=notice.tries + 1, cut_short=True)

    def delivered(self, number: int, at: float) -> None:
        self._reach()
        self.log.append(("delivered", number))
        self.open.pop(number, None)

    def failed(self, number: int, why: str, again_at: float, *, unclear: bool = False) -> None:
        self._reach()
        self.log.append(("failed", number, why, again_at - NOW))
        self.open[number] = replace(self.open[number], due=again_at, cut_short=unclear, fault=why)

    def give_up(self, number: int, why: str, at: float) -> None:
        self._reach()
        self.log.append(("gave up", number, why))
        self.open.pop(number, None)

    def _reach(self) -> None:
        if self.away:
            self.away -= 1
            raise HistoryAway("the database does not answer")


class Clock:
    """A clock that is put forward by hand."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def config(*recipients: Recipient) -> WatchConfig:
    return WatchConfig(images=(), recipients={each.name: each for each in recipients})


@contextmanager
def delivering(
    notices: Notices,
    sender: Sender,
    *recipients: Recipient,
    clock: Callable[[], float] = lambda: NOW,
    limit: float = 60.0,
) -> Iterator[Deliverer]:
    """A deliverer at work."""
    settings = config(*(recipients or [recipient("ops")]))
    deliverer = Deliverer(
        notices,
        lambda: settings,
        clock=clock,
        sender=sender,
        jitter=lambda: 1.0,
        limit=limit,
        grace=0.2,
    )
    thread = threading.Thread(target=deliverer.run)
    thread.start()
    try:
        yield deliverer
    finally:
        deliverer.stop()
        thread.join()


class Told:
    """A sender that takes everything, but what ``answers`` has for the next ones."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.messages: list[tuple[str, str]] = []
        self.texts: list[str] = []

    def __call__(self, to: Address, message: Message, stopped: Callable[[], bool]) -> Answer:
        self.messages.append((to.url.reveal().removesuffix("-t0ken"), message.title))
        self.texts.append(message.text)
        return self.answers.pop(0) if self.answers else TAKEN


def test_what_waits_is_told_in_order_and_once() -> None:
    notices = Notices(notice(2), notice(1))
    told = Told()
    with delivering(notices, told):
        wait_until(lambda: not notices.open, "both to be told")
    assert [title for _, title in told.messages] == [
        "gotify/server 1.1 is complete everywhere",
        "gotify/server 1.2 is complete everywhere",
    ]
    assert notices.log == [("attempt", 1), ("delivered", 1), ("attempt", 2), ("delivered", 2)]


def test_what_is_not_taken_is_sent_again_after_a_while(caplog: pytest.LogCaptureFixture) -> None:
    notices = Notices(notice(1))
    clock = Clock()
    told = Told(Answer(fault="it answered 500"), Answer(fault="it answered 503", again_after=120))
    with delivering(notices, told, clock=clock) as deliverer:
        wait_until(lambda: len(notices.log) == 2, "the failure to be noted")
        clock.now += 15
        deliverer.wake()
        wait_until(lambda: len(notices.log) == 4, "the next failure to be noted")
        clock.now += 200
        deliverer.wake()
        wait_until(lambda: not notices.open, "it to be told")
    assert notices.log == [
        ("attempt", 1),
        ("failed", 1, "it answered 500", 2.0),
        ("attempt", 1),
        ("failed", 1, "it answered 503", 135.0),
        ("attempt", 1),
        ("delivered", 1),
    ]
    assert "did not tell ops of 1 event: it answered 500; again in 2 s" in caplog.messages
    assert told.texts[2] == "Is complete everywhere"


def test_what_may_have_been_taken_says_so_when_it_is_sent_again() -> None:
    notices = Notices(notice(1))
    clock = Clock()
    told = Told(Answer(fault="no answer", unclear=True))
    with delivering(notices, told, clock=clock) as deliverer:
        wait_until(lambda: len(notices.log) == 2, "the failure to be noted")
        clock.now += 60
        deliverer.wake()
        wait_until(lambda: not notices.open, "it to be told")
    assert told.texts == [
        "Is complete everywhere",
        "This may have been told before.\nIs complete everywhere",
    ]


def test_an_attempt_that_was_cut_short_is_made_again_and_says_so() -> None:
    notices = Notices(replace(notice(1), tries=1, cut_short=True))
    told = Told()
    with delivering(notices, told):
        wait_until(lambda: not notices.open, "it to be told")
    assert told.texts == ["This may have been told before.\nIs complete everywhere"]


def test_one_that_hangs_holds_up_nobody_else() -> None:
    notices = Notices(notice(1, "slow"), notice(2, "quick"), notice(3, "quick"))
    go_on = threading.Event()
    told = Told()

    def send(to: Address, message: Message, stopped: Callable[[], bool]) -> Answer:
        if "slow" in to.url.reveal():
            go_on.wait(60)
        return told(to, message, stopped)

    with delivering(notices, send, recipient("slow"), recipient("quick")):
        wait_until(lambda: set(notices.open) == {1}, "the others to be told")
        go_on.set()
        wait_until(lambda: not notices.open, "the last one to be told")


def test_one_that_hangs_for_too_long_is_tried_again() -> None:
    notices = Notices(notice(1))
    for_ever = threading.Event()

    def hang(to: Address, message: Message, stopped: Callable[[], bool]) -> Answer:
        for_ever.wait(60)
        return TAKEN

    with delivering(notices, hang, limit=0.05):
        wait_until(lambda: len(notices.log) == 2, "the failure to be noted")
    for_ever.set()
    assert notices.log[1] == ("failed", 1, "no answer within 0.05 seconds", 2.0)
    assert notices.open[1].cut_short


def test_while_one_rests_its_later_notices_wait_so_that_the_order_stays() -> None:
    notices = Notices(notice(1))
    clock = Clock()
    told = Told(Answer(fault="it answered 500"))
    with delivering(notices, told, clock=clock) as deliverer:
        wait_until(lambda: len(notices.log) == 2, "the failure to be noted")
        notices.open[2] = notice(2)
        clock.now += 10
        deliverer.wake()
        wait_until(lambda: not notices.open, "both to be told")
    assert [entry for entry in notices.log if entry[0] == "delivered"] == [
        ("delivered", 1),
        ("delivered", 2),
    ]


def test_a_message_that_is_refused_as_such_does_not_hold_up_the_next() -> None:
    notices = Notices(notice(1), notice(2))
    told = Told(Answer(fault="it answered 400", this_one=True))
    with delivering(notices, told):
        wait_until(lambda: set(notices.open) == {1}, "the second to be told")
    assert notices.open[1].fault == "it answered 400"


def test_a_service_that_breaks_is_a_failure_without_its_words() -> None:
    notices = Notices(notice(1))

    def broken(*_: object) -> Answer:
        raise RuntimeError("gotify://host/s3cret")

    with delivering(notices, broken):
        wait_until(lambda: len(notices.log) == 2, "the failure to be noted")
    assert notices.log[1] == ("failed", 1, "RuntimeError", 2.0)


def test_a_week_later_it_is_given_up_and_that_is_said(caplog: pytest.LogCaptureFixture) -> None:
    old = event("complete", at=NOW - 7 * 86400 - 1)
    notices = Notices(replace(notice(1, what=old), tries=9))
    with delivering(notices, Told(Answer(fault="it answered 401"))):
        wait_until(lambda: not notices.open, "it to be given up")
    assert notices.log == [("attempt", 1), ("gave up", 1, "it answered 401")]
    (record,) = (each for each in caplog.records if each.levelno == logging.ERROR)
    assert record.getMessage() == "gave up to tell ops of 1 event: it answered 401"


def test_but_not_what_was_hardly_tried() -> None:
    old = event("complete", at=NOW - 7 * 86400 - 1)
    notices = Notices(replace(notice(1, what=old), tries=8))
    with delivering(notices, Told(Answer(fault="it answered 401"))):
        wait_until(lambda: len(notices.log) == 2, "the failure to be noted")
    assert notices.open[1].fault == "it answered 401"


def test_who_is_not_told_for_a_while_is_a_trouble_until_it_is() -> None:
    notices = Notices(replace(notice(1), tries=1))
    clock = Clock()
    told = Told(Answer(fault="it answered 401"), Answer(fault="it answered 401"))
    with delivering(notices, told, clock=clock) as deliverer:
        wait_until(lambda: len(notices.log) == 2, "the failure to be noted")
        assert deliverer.troubles() == ()
        clock.now += 60
        deliverer.wake()
        wait_until(lambda: bool(deliverer.troubles()), "the trouble")
        assert deliverer.troubles() == ("ops is not told: it answered 401",)
        clock.now += 60
        deliverer.wake()
        wait_until(lambda: not deliverer.troubles(), "the end of it")
    assert not notices.open


def test_one_that_is_not_in_the_configuration_is_not_told_for_now() -> None:
    notices = Notices(notice(1, "gone"))
    told = Told()
    with delivering(notices, told):
        wait_until(lambda: len(notices.log) == 2, "the failure to be noted")
    assert notices.log[1] == ("failed", 1, "nobody of this name is in the configuration", 2.0)
    assert told.messages == []


def test_without_a_history_nothing_is_sent(caplog: pytest.LogCaptureFixture) -> None:
    notices = Notices(notice(1))
    notices.away = 2
    told = Told()
    with delivering(notices, told) as deliverer:
        wait_until(lambda: notices.away == 1, "the history to be asked")
        assert told.messages == []
        deliverer.wake()
        wait_until(lambda: notices.away == 0, "the history to be asked again")
        deliverer.wake()
        wait_until(lambda: not notices.open, "it to be told")
    assert [each for each in caplog.messages if "for now" in each] == [
        "nobody is told of anything for now: the database does not answer"
    ]


def test_what_was_told_while_the_history_went_away_is_not_told_again() -> None:
    notices = Notices(notice(1))
    told = Told()

    def send(to: Address, message: Message, stopped: Callable[[], bool]) -> Answer:
        notices.away = 1
        return told(to, message, stopped)

    with delivering(notices, send) as deliverer:
        wait_until(lambda: bool(told.messages) and not notices.away, "the history to be away")
        deliverer.wake()
        wait_until(lambda: not notices.open, "it to be noted")
    assert len(told.messages) == 1


def test_stopping_leaves_what_is_on_its_way_to_be_told_again() -> None:
    notices = Notices(notice(1), notice(2))
    begun = threading.Event()

    def slow(to: Address, message: Message, stopped: Callable[[], bool]) -> Answer:
        begun.set()
        wait_until(stopped, "the end")
        return Answer(fault="no answer", unclear=True)

    with delivering(notices, slow):
        assert begun.wait(10)
    assert notices.log == [("attempt", 1)]
    assert notices.open[1].cut_short


def test_stopping_waits_for_what_is_about_to_arrive() -> None:
    notices = Notices(notice(1))
    begun, go_on = threading.Event(), threading.Event()

    def send(to: Address, message: Message, stopped: Callable[[], bool]) -> Answer:
        begun.set()
        go_on.wait(10)
        return TAKEN

    with delivering(notices, send) as deliverer:
        assert begun.wait(10)
        deliverer.stop()
        go_on.set()
    assert notices.log == [("attempt", 1), ("delivered", 1)]


EVERYBODY = {"ops": recipient("ops"), "boss": recipient("boss", digest=Digest(every="hour"))}


def test_each_is_sent_what_came_first() -> None:
    waiting = [notice(3), notice(1), notice(2, "boss"), notice(4, "boss")]
    found = parcels(waiting, EVERYBODY)
    assert {name: [each.id for each in parcel.notices] for name, parcel in found.items()} == {
        "ops": [1],
        "boss": [2, 4],
    }
    assert found["boss"].events == (event("complete", tag="1.2"), event("complete", tag="1.4"))


def test_much_is_told_in_one_message() -> None:
    waiting = [notice(number) for number in range(6)]
    assert len(parcels(waiting, EVERYBODY)["ops"].notices) == 6
    assert len(parcels(waiting[1:], EVERYBODY)["ops"].notices) == 1


@pytest.mark.parametrize(
    ("tries", "asked", "seconds"),
    [
        (0, None, 2.0),
        (1, None, 3.0),
        (2, None, 4.5),
        (99, None, 900.0),
        (10**9, None, 900.0),
        (0, 1.0, 2.0),
        (0, 7000.0, 7000.0),
        (0, 1e9, 86400.0),
    ],
)
def test_pauses_grow_and_heed_what_a_service_asks_for(
    tries: int, asked: float | None, seconds: float
) -> None:
    parcel = Parcel(recipient="ops", notices=(replace(notice(1), tries=tries),))
    answer = Answer(fault="no", again_after=asked)
    again = next_attempt(parcel, answer, NOW, lambda: 1.0)
    assert again is not None
    assert again - NOW == seconds


def test_pauses_are_not_all_of_one_length() -> None:
    parcel = Parcel(recipient="ops", notices=(notice(1),))
    assert next_attempt(parcel, Answer(fault="no"), NOW, lambda: 0.0) == NOW + 1


def test_a_test_message() -> None:
    told = Told(Answer(fault="it answered 401"))
    assert notify_test(recipient(), "https://page.example/", sender=told) == Answer(
        fault="it answered 401"
    )
    assert told.messages == [("gotify://push.example.org/ops", "A test of manyfest watch")]
    assert told.texts == [
        "ops is told of what the watch sees; this is only a test.\nhttps://page.example/"
    ]
