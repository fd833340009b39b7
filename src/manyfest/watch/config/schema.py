"""The JSON Schema of ``watch.yaml``, for editors and for the documentation.

``python -m manyfest.watch.config.schema`` prints it; a test compares
``docs/reference/watch.schema.json`` with what it prints.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import msgspec

from manyfest.watch.config.file import MirrorKey, RecipientKey, TagsKey, WatchFile
from manyfest.watch.recipients import Words

_TEXT_FORMS: dict[str, dict[str, Any]] = {
    "Digest": {
        "description": "When what was collected is told: hourly, or daily 08:00.",
        "type": "string",
        "examples": ["hourly", "daily 08:00"],
    },
    "Pattern": {
        "description": "A regular expression, without looking around and going back.",
        "type": "string",
        "examples": [r"v?\d+\.\d+\.\d+"],
    },
    "Platform": {
        "description": "A platform, as os/arch[/variant].",
        "type": "string",
        "examples": ["linux/amd64", "linux/arm64", "linux/arm/v7"],
    },
    "Quiet": {
        "description": "A part of each day.",
        "type": "string",
        "examples": ["22:00-07:00"],
    },
    "Rate": {
        "description": "So many requests in a time.",
        "type": "string",
        "examples": ["100/h", "100/6h"],
    },
    "Repository": {
        "description": "A repository in a registry, without a tag.",
        "type": "string",
        "examples": ["ghcr.io/gotify/server"],
    },
    "Span": {
        "description": "A time: seconds, or 30m, or 1h30m, or 90d.",
        "type": ["string", "number"],
        "examples": ["30m", 900],
    },
    "Words": {
        "description": "Text with variables: "
        + ", ".join(f"{{{{{name}}}}}" for name in Words.known)
        + ".",
        "type": ["string", "number", "boolean"],
    },
}
"""Types that have fields in Python and are one piece of text in the file."""

_WITH_SHORT_FORM = (MirrorKey, RecipientKey, TagsKey)
"""Those that may be written as text alone."""


def schema() -> dict[str, Any]:
    """The schema, as JSON Schema 2020-12."""
    (root,), definitions = msgspec.json.schema_components(
        [WatchFile], schema_hook=lambda _: {"type": "string"}
    )
    for name in _TEXT_FORMS:
        definitions.pop(name, None)
    for definition in definitions.values():
        for field in definition.get("properties", {}).values():
            if "default" in field:
                field["default"] = _as_written(field["default"])
    for type_ in _WITH_SHORT_FORM:
        whole = definitions[type_.__name__]
        short = _bare(whole["properties"][type_.short_form])
        definitions[type_.__name__] = {"anyOf": [short, whole]}
    used = {
        name: form for name, form in _TEXT_FORMS.items() if f"#/$defs/{name}" in _all(definitions)
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **root,
        "$defs": {**definitions, **used},
    }


def text() -> str:
    """The schema as the file has it."""
    return json.dumps(schema(), indent=2) + "\n"


def _all(definitions: dict[str, Any]) -> str:
    return json.dumps(definitions)


def _bare(field: dict[str, Any]) -> dict[str, Any]:
    """What a key may be, without what is said of it there."""
    return {key: value for key, value in field.items() if key in ("$ref", "type")}


def _as_written(default: Any) -> Any:
    """msgspec shows the default of a time by its field; the file has a text."""
    if isinstance(default, (list, tuple)):
        return [_as_written(item) for item in default]
    if not isinstance(default, dict):
        return default
    if set(default) == {"seconds"}:
        return _span(default["seconds"])
    return {key: _as_written(value) for key, value in default.items()}


def _span(seconds: float) -> str | int:
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds and seconds % length == 0:
            return f"{seconds / length:.0f}{unit}"
    return int(seconds)


if __name__ == "__main__":
    sys.stdout.write(text())
