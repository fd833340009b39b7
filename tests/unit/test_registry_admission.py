from __future__ import annotations

import threading

import pytest

from manyfest.errors import ConnectionFailed
from manyfest.stores.registry.admission import LimitedTransport
from manyfest.stores.registry.http import FunctionTransport, Request, Response


def get(host: str = "a.example", *, urgent: bool = False) -> Request:
    return Request(method="GET", url=f"https://{host}/", urgent=urgent)


def transport(per_host: int) -> LimitedTransport:
    inner = FunctionTransport(lambda _: Response(200, b"body"))
    return LimitedTransport(inner, per_host=per_host)


def goes_through(limited: LimitedTransport, request: Request) -> bool:
    """Whether another thread gets its answer without waiting for this one."""
    thread = threading.Thread(target=lambda: limited.send(request).close(), daemon=True)
    thread.start()
    thread.join(0.05)
    return not thread.is_alive()


def test_a_host_that_is_busy_makes_others_wait_until_an_answer_is_closed() -> None:
    limited = transport(per_host=1)
    response = limited.send(get())
    assert not goes_through(limited, get())
    response.close()
    assert goes_through(limited, get())


def test_an_answer_read_to_its_end_gives_up_its_place() -> None:
    limited = transport(per_host=1)
    response = limited.send(get())
    while response.read(3):
        pass
    assert goes_through(limited, get())
    response.close()
    assert goes_through(limited, get())


def test_a_request_that_fails_gives_up_its_place() -> None:
    def fail(_: Request) -> Response:
        raise ConnectionFailed("no")

    limited = LimitedTransport(FunctionTransport(fail), per_host=1)
    for _ in range(3):
        with pytest.raises(ConnectionFailed):
            limited.send(get())


def test_hosts_do_not_wait_for_each_other() -> None:
    limited = transport(per_host=1)
    with limited.send(get("a.example")):
        assert goes_through(limited, get("b.example"))


def test_a_thread_never_waits_for_itself() -> None:
    limited = transport(per_host=1)
    with limited.send(get()), limited.send(get()), limited.send(get()):
        assert not goes_through(limited, get())
    assert goes_through(limited, get())


def test_what_others_wait_for_does_not_wait() -> None:
    limited = transport(per_host=1)
    with limited.send(get()):
        assert goes_through(limited, get(urgent=True))


def test_two_hosts_copied_to_each_other_by_many_threads_do_not_lock_up() -> None:
    limited = transport(per_host=2)
    start = threading.Barrier(16)

    def copy(source: str, destination: str) -> None:
        start.wait()
        for _ in range(20):
            with limited.send(get(source)), limited.send(get(destination)):
                pass

    pairs = [("a.example", "b.example"), ("b.example", "a.example")] * 8
    threads = [threading.Thread(target=copy, args=pair, daemon=True) for pair in pairs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert not any(thread.is_alive() for thread in threads)
