"""What a server of ours logs, for people: on stderr, where registries' words do no harm."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from manyfest.cli.text import tell


class _Lines(logging.Handler):
    """Without a handler Python writes what is logged as it is, control characters and all."""

    def emit(self, record: logging.LogRecord) -> None:
        tell(record.getMessage())
        if record.exc_info:
            for line in logging.Formatter().formatException(record.exc_info).splitlines():
                tell(line)


@contextmanager
def shown_log() -> Iterator[None]:
    """While the block runs, show what is logged that somebody should know of."""
    handler = _Lines(logging.WARNING)
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
