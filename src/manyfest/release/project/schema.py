"""The JSON Schema of ``manyfest.yaml``, for editors and for the documentation.

``python -m manyfest.release.project.schema`` prints it; a test compares
``docs/reference/manyfest.schema.json`` with what it prints.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import msgspec

from manyfest.release.project.config import ConfigFile
from manyfest.release.project.template import TagTemplate, Template
from manyfest.release.tags.rule import TagRule


def _listed(template: type[Template]) -> str:
    return ", ".join(f"{{{{{name}}}}}" for name in template.known)


_TEXT_FORMS: dict[str, dict[str, Any]] = {
    "Duration": {
        "description": "A time: seconds, or 30m, or 1h30m.",
        "type": ["string", "number"],
        "examples": ["30m", 900],
    },
    "Name": {
        "description": "A repository in a registry, without a tag.",
        "type": "string",
        "examples": ["ghcr.io/gotify/server"],
    },
    "Platform": {
        "description": "A platform, as os/arch[/variant].",
        "type": "string",
        "examples": ["linux/amd64", "linux/arm64", "linux/arm/v7"],
    },
    "TagTemplate": {
        "description": f"A tag, with variables: {_listed(TagTemplate)}.",
        "type": ["string", "number", "boolean"],
    },
    "Template": {
        "description": f"Text with variables: {_listed(Template)}.",
        "type": ["string", "number", "boolean"],
    },
}
"""Types that have fields in Python and are one piece of text in the file."""

_WITH_SHORT_FORM = (TagRule,)
"""Those that may be written as text alone."""


def schema() -> dict[str, Any]:
    """The schema, as JSON Schema 2020-12."""
    (root,), definitions = msgspec.json.schema_components(
        [ConfigFile], schema_hook=lambda _: {"type": "string"}
    )
    for definition in definitions.values():
        for field in definition["properties"].values():
            if "default" in field:
                field["default"] = _as_written(field["default"])
    for type_ in _WITH_SHORT_FORM:
        whole = definitions[type_.__name__]
        short = whole["properties"][type_.short_form]["$ref"]
        definitions[type_.__name__] = {"anyOf": [{"$ref": short}, whole]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **root,
        "$defs": {**definitions, **_TEXT_FORMS},
    }


def text() -> str:
    """The schema as the file has it."""
    return json.dumps(schema(), indent=2) + "\n"


def _as_written(default: Any) -> Any:
    """msgspec shows a default template by its fields; the file has its text."""
    if isinstance(default, (list, tuple)):
        return [_as_written(item) for item in default]
    if not isinstance(default, dict):
        return default
    if "tag" in default:  # a rule with nothing else said
        return _as_written(default["tag"])
    if "text" in default:
        return default["text"]
    return {key: _as_written(value) for key, value in default.items()}


if __name__ == "__main__":
    sys.stdout.write(text())
