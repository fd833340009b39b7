"""What the watch logs: lines for people, or JSON for programs. No secret is in what it is given."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import Literal

from manyfest.oci import json
from manyfest.printable import printable
from manyfest.watch.values import Event

Form = Literal["text", "json"]


def set_up(form: Form, *, level: int = logging.INFO) -> None:
    """Have all that is logged written to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if form == "json" else _Text())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("manyfest").setLevel(level)


class _Text(logging.Formatter):
    """``2026-11-26T20:31:07Z warning ghcr.io gives no answers``."""

    def format(self, record: logging.LogRecord) -> str:
        line = f"{_at(record)} {record.levelname.lower()} {printable(record.getMessage())}"
        if not record.exc_info:
            return line
        trace = self.formatException(record.exc_info).splitlines()
        return "\n".join([line, *map(printable, trace)])


class _Json(logging.Formatter):
    """One object a line: ``at``, ``level``, ``from``, ``message``, and what happened to which image
    where it is an event."""

    def format(self, record: logging.LogRecord) -> str:
        told: dict[str, object] = {
            "at": _at(record),
            "level": record.levelname.lower(),
            "from": record.name,
            "message": record.getMessage(),
        }
        event = getattr(record, "event", None)
        if isinstance(event, Event):
            fields = {name: getattr(event, name) for name in event.__struct_fields__}
            told["event"] = {
                name: value for name, value in fields.items() if value not in ("", None)
            }
        if record.exc_info:
            told["trace"] = self.formatException(record.exc_info)
        return json.dumps(told).decode()


def _at(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
