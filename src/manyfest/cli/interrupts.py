"""Signals that end a command which has something to put back first."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def interruptible() -> Iterator[None]:
    """Within the block SIGTERM ends what is under way as Ctrl-C does: by ``KeyboardInterrupt``.

    CI systems send one signal after the other. Once one has come, another SIGTERM does nothing, so
    that what is being put back gets there; only Ctrl-C ends that too. What was ignored stays so.
    """
    came = False

    def stop(number: int, _frame: FrameType | None) -> None:
        nonlocal came
        if came and number == signal.SIGTERM:
            return
        came = True
        raise KeyboardInterrupt

    heard = [each for each in _SIGNALS if signal.getsignal(each) != signal.SIG_IGN]
    before = {each: signal.signal(each, stop) for each in heard}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
