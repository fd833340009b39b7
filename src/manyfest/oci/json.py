"""JSON as it must be read and written for content-addressed documents.

Reading is strict where parsers disagree: two keys that are equal, or that Go's decoder would
take for the same field, are refused, since two programs could see two different documents.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from manyfest.errors import InvalidDigest, InvalidManifest
from manyfest.oci.digest import Digest
from manyfest.oci.limits import MAX_MANIFEST_SIZE

T = TypeVar("T")

Members = list[tuple[str, Any]]
"""An object's keys and values, as they stand in the text."""

_DECISIVE = (
    "annotations",
    "architecture",
    "artifactType",
    "config",
    "data",
    "diff_ids",
    "digest",
    "layers",
    "manifests",
    "mediaType",
    "os",
    "platform",
    "rootfs",
    "schemaVersion",
    "subject",
    "urls",
    "variant",
)
"""Keys that decide what a document is. In another case Go sees them and Python does not.
``size`` is left out: old configurations of Docker's have a ``Size`` of their own."""

_SPELLING = {key.casefold(): key for key in _DECISIVE}

_USER_KEYS = frozenset({"annotations", "Labels", "ExposedPorts", "Volumes"})
"""Objects whose keys are the user's own."""


def loads(raw: bytes, what: str, *, largest: int = MAX_MANIFEST_SIZE) -> dict[str, Any]:
    """The JSON object in ``raw``, of at most ``largest`` bytes; ``what`` names it in errors.

    Raises :class:`~manyfest.errors.InvalidManifest` for anything but one object within the
    limits, without duplicate keys.
    """
    document = decode(raw, what, _object, largest=largest)
    if not isinstance(document, dict):
        raise InvalidManifest(f"{what} is not a JSON object")
    _check_case(document, what)
    return document


def prepare(*types: type) -> None:
    """Have msgspec look through types for :func:`convert`, when the module with them is loaded.

    Otherwise it does so at the first document, and two threads that have one each at that moment
    crash the process: one uses what the other has not finished (msgspec 0.22).
    """
    for type_ in types:
        msgspec.json.Decoder(type_)


def convert(document: object, type_: type[T], what: str) -> T:
    """``document`` as a ``type_``, which was given to :func:`prepare`; keys it does not know are
    ignored.

    Raises :class:`~manyfest.errors.InvalidManifest` with the JSON path of the first fault.
    """
    try:
        return msgspec.convert(document, type_, dec_hook=_decode)
    except (msgspec.ValidationError, InvalidDigest) as error:
        raise InvalidManifest(f"{what}: {error}") from None


def dumps(value: object) -> bytes:
    """Compact JSON, keys in the order of the specification: the same value, the same bytes."""
    return msgspec.json.encode(value, enc_hook=_encode)


def decode(
    raw: bytes,
    what: str,
    make_object: Callable[[Members], object],
    *,
    largest: int = MAX_MANIFEST_SIZE,
) -> object:
    """The JSON value in ``raw``, each of whose objects ``make_object`` makes of its members.

    Raises :class:`~manyfest.errors.InvalidManifest` for more bytes than allowed and for what is
    not I-JSON (RFC 7493); duplicate keys are left to ``make_object``.
    """
    if len(raw) > largest:
        raise InvalidManifest(f"{what} is {len(raw)} bytes, more than the {largest} allowed")
    value = _parse(raw, what, make_object)
    if b"\\u" in raw:
        _check_characters(value, what)
    return value


def _parse(raw: bytes, what: str, make_object: Callable[[Members], object]) -> object:
    try:
        return json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=make_object,
            parse_constant=_no_constant,
            parse_int=_integer,
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


def _object(pairs: Members) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"key {twice[:80]!r} appears twice")
    # Go writes null for what is not set, and reads it so.
    return {key: value for key, value in pairs if value is not None}


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _integer(text: str) -> int:
    if len(text) > 20:
        raise ValueError(f"a number has {len(text)} digits, more than 64 bits hold")
    return int(text)


def _check_characters(value: object, what: str) -> None:
    """Refuse half of a surrogate pair: it is no character, and no file or terminal takes it."""
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except RecursionError:
        raise InvalidManifest(f"{what} is nested too deeply") from None
    except UnicodeEncodeError:
        raise InvalidManifest(
            f"{what} has an escape that is no character (half of a surrogate pair)"
        ) from None


def _check_case(document: dict[str, Any], what: str) -> None:
    pending: list[object] = [document]
    while pending:
        item = pending.pop()
        if isinstance(item, list):
            pending.extend(item)
        elif isinstance(item, dict):
            for key, value in item.items():
                meant = _SPELLING.get(key.casefold(), key)
                if meant != key:
                    raise InvalidManifest(f"{what} has the key {key!r} where it means {meant!r}")
                if key not in _USER_KEYS:
                    pending.append(value)


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
