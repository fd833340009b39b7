"""JSON as it must be read and written for content-addressed documents.

Reading is strict where parsers disagree: two keys that are equal, or that Go's decoder would
take for the same field, are refused, since two programs could see two different documents.
"""

from __future__ import annotations

import json
from typing import Any, TypeVar

import msgspec

from manyfest.errors import InvalidDigest, InvalidManifest
from manyfest.oci.digest import Digest
from manyfest.oci.limits import MAX_MANIFEST_SIZE

T = TypeVar("T")

_DECISIVE = (
    "annotations",
    "artifactType",
    "config",
    "digest",
    "layers",
    "manifests",
    "mediaType",
    "platform",
    "schemaVersion",
    "subject",
    "urls",
)
"""Keys that decide what a document is. In another case Go sees them and Python does not."""

_SPELLING = {key.lower(): key for key in _DECISIVE}

_USER_KEYS = frozenset({"annotations", "Labels", "ExposedPorts", "Volumes"})
"""Objects whose keys are the user's own."""


def loads(raw: bytes, what: str) -> dict[str, Any]:
    """The JSON object in ``raw``; ``what`` names it in errors.

    Raises :class:`~manyfest.errors.InvalidManifest` for anything but one object within the
    limits, without duplicate keys.
    """
    if len(raw) > MAX_MANIFEST_SIZE:
        raise InvalidManifest(
            f"{what} is {len(raw)} bytes, more than the {MAX_MANIFEST_SIZE} allowed"
        )
    document = _parse(raw, what)
    if not isinstance(document, dict):
        raise InvalidManifest(f"{what} is not a JSON object")
    _check_case(document, what)
    return document


def convert(document: object, type_: type[T], what: str) -> T:
    """``document`` as a ``type_``; keys it does not know are ignored.

    Raises :class:`~manyfest.errors.InvalidManifest` with the JSON path of the first fault.
    """
    try:
        return msgspec.convert(document, type_, dec_hook=_decode)
    except (msgspec.ValidationError, InvalidDigest) as error:
        raise InvalidManifest(f"{what}: {error}") from None


def dumps(value: object) -> bytes:
    """Compact JSON, keys in the order of the specification: the same value, the same bytes."""
    return msgspec.json.encode(value, enc_hook=_encode)


def _parse(raw: bytes, what: str) -> object:
    try:
        return json.loads(
            raw.decode("utf-8"), object_pairs_hook=_object, parse_constant=_no_constant
        )
    except RecursionError:
        raise InvalidManifest(f"{what} is nested too deeply") from None
    except UnicodeDecodeError as error:
        raise InvalidManifest(f"{what} is not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise InvalidManifest(f"{what} is not JSON: {error.msg} at {place}") from None
    except ValueError as error:
        raise InvalidManifest(f"{what} is not acceptable JSON: {error}") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    if len(set(keys)) != len(keys):
        twice = next(key for position, key in enumerate(keys) if key in keys[:position])
        raise ValueError(f"key {twice[:80]!r} appears twice")
    # Go writes null for what is not set, and reads it so.
    return {key: value for key, value in pairs if value is not None}


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _check_case(document: dict[str, Any], what: str) -> None:
    todo: list[object] = [document]
    while todo:
        item = todo.pop()
        if isinstance(item, list):
            todo.extend(item)
        elif isinstance(item, dict):
            for key, value in item.items():
                meant = _SPELLING.get(key.lower(), key)
                if meant != key:
                    raise InvalidManifest(f"{what} has the key {key!r} where it means {meant!r}")
                if key not in _USER_KEYS:
                    todo.append(value)


def _decode(type_: type, value: object) -> object:
    if type_ is Digest and isinstance(value, str):
        try:
            return Digest.parse(value)
        except InvalidDigest as error:
            # msgspec adds the JSON path to a ValueError.
            raise ValueError(str(error)) from None
    raise TypeError(f"Expected `{type_.__name__}`, got `{type(value).__name__}`")


def _encode(value: object) -> str:
    if isinstance(value, Digest):
        return str(value)
    raise TypeError(f"cannot write {type(value).__name__} as JSON")
