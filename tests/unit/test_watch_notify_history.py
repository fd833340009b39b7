"""Delivering from a real history: what a stop cuts short, and what nobody knows the end of."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from manyfest.notify.address import Address
from manyfest.notify.answer import TAKEN, Answer
from manyfest.notify.message import Message
from manyfest.watch.config.values import WatchConfig
from manyfest.watch.history.batch import Batch
from manyfest.watch.history.history import History
from manyfest.watch.notify.deliver import Deliverer, Sender
from manyfest.watch.notify.route import route
from tests.real import wait_until
from tests.unit.watching import NOW, event, image, recipient

CONFIG = WatchConfig(
    images=(image(notify=("ops", "boss")),),
    recipients={name: recipient(name) for name in ("ops", "boss")},
)


@pytest.fixture
def file(tmp_path: Path) -> str:
    return str(tmp_path / "history.db")


def decide(history: History, *tags: str) -> None:
    """Versions are complete, and people are to be told."""
    events = [event("complete", tag=tag) for tag in tags]
    told = route(events, CONFIG.recipients.values(), CONFIG.images, NOW)
    history.record(Batch(notices=tuple(told)))


@contextmanager
def delivering(history: History, sender: Sender) -> Iterator[None]:
    deliverer = Deliverer(
        history.notices, lambda: CONFIG, clock=lambda: NOW, sender=sender, grace=0.05
    )
    thread = threading.Thread(target=deliverer.run)
    thread.start()
    try:
        yield
    finally:
        deliverer.stop()
        thread.join()


def test_everybody_is_told_in_order(file: str) -> None:
    sent: list[tuple[str, str]] = []

    def send(to: Address, message: Message, stopped: Callable[[], bool]) -> Answer:
        sent.append((to.url.reveal()[-10:], message.title))
        return TAKEN

    with History.open(file) as history:
        decide(history, "1.0", "1.1")
        with delivering(history, send):
            wait_until(lambda: len(sent) == 4, "all to be told")
        assert history.notices.waiting(NOW + 1e6) == []
    for name in ("/ops-t0ken", "boss-t0ken"):
        assert [title for to, title in sent if to == name] == [
            "gotify/server 1.0 is complete everywhere",
            "gotify/server 1.1 is complete everywhere",
        ]


def test_what_a_stop_cuts_short_is_told_by_the_next_watch(file: str) -> None:
    begun, for_ever = threading.Event(), threading.Event()

    def hang(to: Address, message: Message, stopped: Callable[[], bool]) -> Answer:
        begun.set()
        for_ever.wait(60)
        return TAKEN

    texts: list[str] = []

    def send(to: Address, message: Message, stopped: Callable[[], bool]) -> Answer:
        texts.append(message.text)
        return TAKEN

    with History.open(file) as history:
        decide(history, "1.0")
        with delivering(history, hang):
            assert begun.wait(10)
            wait_until(lambda: len(_cut_short(history)) == 2, "both attempts")
    with History.open(file) as history, delivering(history, send):
        wait_until(lambda: len(texts) == 2, "both to be told")
    for_ever.set()
    assert texts == ["This may have been told before.\nIs complete everywhere"] * 2


def _cut_short(history: History) -> list[int]:
    return [each.id for each in history.notices.waiting(NOW) if each.cut_short]


def test_what_is_unclear_stays_so(file: str) -> None:
    with History.open(file) as history:
        decide(history, "1.0")
        notices = history.notices
        first, second = notices.waiting(NOW)
        for each in (first, second):
            notices.attempt(each)
        notices.failed(first.id, "no answer", NOW + 10, unclear=True)
        notices.failed(second.id, "it answered 500", NOW + 10)
        assert _cut_short_later(history) == [True, False]


def _cut_short_later(history: History) -> list[bool]:
    return [each.cut_short for each in history.notices.waiting(NOW + 10)]


def test_those_who_rest_are_left_out(file: str) -> None:
    with History.open(file) as history:
        decide(history, "1.0")
        found = history.notices.waiting(NOW, besides={"ops"})
        assert [each.recipient for each in found] == ["boss"]


def test_a_new_watch_leaves_those_alone_that_the_last_one_left_alone(file: str) -> None:
    with History.open(file) as history:
        decide(history, "1.0")
        ops, boss = history.notices.waiting(NOW)
        history.notices.attempt(ops)
        history.notices.failed(ops.id, "it answered 429", NOW + 3600)
        assert history.notices.resting(NOW) == {"ops": NOW + 3600}
        history.notices.delivered(boss.id, NOW)
        assert history.notices.resting(NOW + 3600) == {}


def test_a_clock_that_was_wrong_puts_off_nothing_for_years(file: str) -> None:
    with History.open(file) as history:
        decide(history, "1.0")
        a_year_back = NOW - 365 * 86400
        assert len(history.notices.waiting(a_year_back)) == 2
        assert history.notices.waiting(NOW - 3600) == []
