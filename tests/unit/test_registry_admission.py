from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from manyfest.errors import ConnectionFailed
from manyfest.stores.registry.admission import (
    LOOKS_PER_HOST,
    TRANSFERS_PER_HOST,
    LimitedTransport,
    NoPlace,
)
from manyfest.stores.registry.http import FunctionTransport, LastingFailure, Request, Response

SECONDS = 10
"""No test takes that long: it is when one that hangs fails."""


def get(host: str = "a.example", *, bulk: bool = False, spare: bool = False) -> Request:
    return Request(method="GET", url=f"https://{host}/", bulk=bulk, spare=spare)


class Host:
    """Hosts that answer at once, and count the answers that are open."""

    def __init__(self, per_host: int) -> None:
        self.open = 0
        self.most_open = 0
        self._lock = threading.Lock()
        self.limited = LimitedTransport(
            FunctionTransport(self._answer), transfers=per_host, looks=per_host
        )

    def _answer(self, request: Request) -> Response:
        with self._lock:
            self.open += 1
            self.most_open = max(self.most_open, self.open)
        return Response(200, _Body(self._closed))

    def _closed(self) -> None:
        with self._lock:
            self.open -= 1


class _Body:
    def __init__(self, closed: Callable[[], None]) -> None:
        self._closed = closed
        self._is_open = True

    def read(self, size: int, /) -> bytes:
        return b""

    def close(self) -> None:
        if self._is_open:
            self._is_open = False
            self._closed()


@pytest.fixture
def host() -> Host:
    return Host(per_host=1)


waiting: list[threading.Thread] = []


@pytest.fixture(autouse=True)
def _nobody_waits_for_ever(host: Host) -> Iterator[None]:
    yield
    for thread in waiting:
        thread.join(SECONDS)
        assert not thread.is_alive()
    waiting.clear()
    assert host.open == 0


def goes_through(limited: LimitedTransport, request: Request) -> bool:
    """Whether another thread gets its answer; ``False`` once it waits for this one."""
    places = limited._places[request.bulk][request.origin]
    before = places._waiting
    thread = threading.Thread(target=lambda: limited.send(request).close(), daemon=True)
    thread.start()
    while thread.is_alive():
        if places._waiting > before:
            waiting.append(thread)
            return False
        thread.join(0.001)
    return True


def test_a_host_that_is_busy_makes_others_wait_until_an_answer_is_closed(host: Host) -> None:
    response = host.limited.send(get())
    assert not goes_through(host.limited, get())
    response.close()
    assert goes_through(host.limited, get())


def test_an_answer_read_to_its_end_gives_up_its_place(host: Host) -> None:
    response = host.limited.send(get())
    while response.read(3):
        pass
    assert goes_through(host.limited, get())
    response.close()
    assert goes_through(host.limited, get())


def test_a_request_that_fails_gives_up_its_place() -> None:
    def fail(_: Request) -> Response:
        raise ConnectionFailed("no")

    limited = LimitedTransport(FunctionTransport(fail), looks=1)
    for _ in range(3):
        with pytest.raises(ConnectionFailed):
            limited.send(get())


def test_an_answer_that_breaks_off_gives_up_its_place() -> None:
    class Breaks:
        def read(self, size: int, /) -> bytes:
            raise ConnectionFailed("it broke off")

        def close(self) -> None: ...

    limited = LimitedTransport(FunctionTransport(lambda _: Response(200, Breaks())), looks=1)
    response = limited.send(get())
    with pytest.raises(ConnectionFailed):
        response.read(1)
    assert goes_through(limited, get())


def test_hosts_do_not_wait_for_each_other(host: Host) -> None:
    with host.limited.send(get("a.example")):
        assert goes_through(host.limited, get("b.example"))


def test_a_thread_never_waits_for_itself(host: Host) -> None:
    with host.limited.send(get()), host.limited.send(get()), host.limited.send(get()):
        assert not goes_through(host.limited, get())
    assert goes_through(host.limited, get())


def test_what_others_wait_for_does_not_wait(host: Host) -> None:
    urgent = Request(method="GET", url="https://a.example/", urgent=True)
    with host.limited.send(get()):
        assert goes_through(host.limited, urgent)


def test_small_requests_never_wait_behind_transfers() -> None:
    """A look at a tag goes out while every place for layers is taken, and others wait for one."""
    host = Host(per_host=2)
    with ExitStack() as held:
        for _ in range(2):
            held.enter_context(host.limited.send(get(bulk=True)))
        assert not goes_through(host.limited, get(bulk=True))
        for _ in range(5):
            assert goes_through(host.limited, get())


def test_transfers_never_wait_behind_small_requests() -> None:
    host = Host(per_host=2)
    with ExitStack() as held:
        for _ in range(2):
            held.enter_context(host.limited.send(get()))
        assert not goes_through(host.limited, get())
        assert goes_through(host.limited, get(bulk=True))


def test_many_threads_keep_to_the_limit() -> None:
    host = Host(per_host=3)
    with ThreadPoolExecutor(24) as pool:
        start = threading.Barrier(24)

        def work() -> None:
            start.wait(SECONDS)
            for _ in range(10):
                host.limited.send(get(bulk=True)).close()

        for done in [pool.submit(work) for _ in range(24)]:
            done.result(SECONDS)
    assert host.most_open <= 3
    assert host.open == 0


def test_nested_work_does_not_multiply_the_limit() -> None:
    """24 threads copy between two repositories of one host, each an upload that reads a download:
    only those that hold a place go straight on, and what they take, others wait for."""
    per_host = 3
    host = Host(per_host)
    start = threading.Barrier(24)

    def copy() -> None:
        start.wait(SECONDS)
        for _ in range(10):
            with host.limited.send(get(bulk=True)), host.limited.send(get(bulk=True)):
                pass

    with ThreadPoolExecutor(24) as pool:
        for done in [pool.submit(copy) for _ in range(24)]:
            done.result(SECONDS)
    assert host.most_open <= 2 * per_host
    assert host.open == 0


def test_what_went_straight_on_is_counted(host: Host) -> None:
    """One place too many was taken: the next one waits until both are free again."""
    first = host.limited.send(get())
    second = host.limited.send(get())
    first.close()
    assert not goes_through(host.limited, get())
    second.close()
    assert goes_through(host.limited, get())


def test_two_hosts_copied_to_each_other_by_many_threads_do_not_lock_up() -> None:
    limited = Host(per_host=2).limited
    start = threading.Barrier(16)

    def copy(source: str, destination: str) -> None:
        start.wait(SECONDS)
        for _ in range(20):
            with limited.send(get(source)), limited.send(get(destination)):
                pass

    with ThreadPoolExecutor(16) as pool:
        pairs = [("a.example", "b.example"), ("b.example", "a.example")] * 8
        for done in [pool.submit(copy, *pair) for pair in pairs]:
            done.result(SECONDS)


def test_a_spare_request_takes_a_free_place_or_none(host: Host) -> None:
    with host.limited.send(get(spare=True)), pytest.raises(NoPlace, match=r"^a\.example: "):
        host.limited.send(get(spare=True))
    host.limited.send(get(spare=True)).close()


def test_a_spare_request_takes_no_place_that_others_wait_for() -> None:
    host = Host(per_host=2)
    with host.limited.send(get()), host.limited.send(get()):
        pass
    places = host.limited._places[False][get().origin]
    with host.limited.send(get()):
        # One place is free, and somebody is on the way to it.
        places._waiting = 1
        with pytest.raises(NoPlace):
            host.limited.send(get(spare=True))
        places._waiting = 0
        host.limited.send(get(spare=True)).close()


def test_a_spare_request_of_a_thread_with_a_place_does_not_go_straight_on(host: Host) -> None:
    with host.limited.send(get()), pytest.raises(NoPlace):
        host.limited.send(get(spare=True))


def test_a_spare_request_makes_others_wait_as_any_other_does(host: Host) -> None:
    with host.limited.send(get(spare=True)):
        assert not goes_through(host.limited, get())


def test_that_there_is_no_place_is_not_tried_again() -> None:
    assert issubclass(NoPlace, LastingFailure)


def test_a_host_gets_a_few_transfers_and_many_small_requests_at_a_time() -> None:
    assert TRANSFERS_PER_HOST == 8
    assert LOOKS_PER_HOST == 32
