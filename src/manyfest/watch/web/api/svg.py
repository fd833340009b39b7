"""A badge: two words side by side, as an SVG of our own. Pure.

Text is as wide as DejaVu Sans has it, which Verdana nearly agrees with; whatever font the reader
has is fitted into that width, so no text leaves its box.
"""

from __future__ import annotations

import unicodedata
from typing import Literal
from xml.sax.saxutils import escape

Colour = Literal["green", "blue", "amber", "red", "grey"]

_FILL: dict[Colour, str] = {
    "green": "#19743b",
    "blue": "#0b62a8",
    "amber": "#8a5a00",
    "red": "#b3261e",
    "grey": "#5c636a",
}
"""White text on each of these has a contrast of 4.5 or more."""

_LABEL_FILL = "#3d4248"
_HEIGHT, _SIZE, _PAD = 20, 11, 6
_EM = 2048
_LONGEST = 80

_WIDTHS = {
    563: "'", 569: "ijl", 604: "IJ", 651: " ,.", 690: "/:;\\|", 721: "f", 739: "-", 799: "()[]",
    803: "t", 821: "!", 842: "r", 942: '"', 1024: "*_`", 1067: "s", 1075: "z", 1087: "?",
    1126: "c", 1141: "L", 1178: "F", 1186: "k", 1212: "vxy", 1235: "P", 1251: "TY", 1253: "o",
    1255: "a", 1260: "e", 1294: "E", 1298: "hnu", 1300: "Sbdgpq", 1303: "$0123456789{}",
    1343: "K", 1401: "AV", 1403: "XZ", 1405: "B", 1423: "R", 1430: "C", 1499: "U", 1532: "N",
    1540: "H", 1577: "D", 1587: "G", 1597: "&", 1612: "OQ", 1675: "w", 1716: "#+<=>^~",
    1767: "M", 1946: "%", 1995: "m", 2025: "W", 2048: "@",
}  # fmt: skip
"""How far DejaVu Sans goes on after a character, in parts of an em (its table ``hmtx``)."""

_OF = {character: width for width, characters in _WIDTHS.items() for character in characters}


def badge(label: str, message: str, colour: Colour) -> bytes:
    """The badge that says ``label`` on the left and ``message`` on the right."""
    label, message = _shown(label), _shown(message)
    left, right = _box(label), _box(message)
    title = f"{label}: {message}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="{_HEIGHT}" '
        f'role="img" aria-label="{escape(title, {chr(34): "&quot;"})}">'
        f"<title>{escape(title)}</title>"
        f'<clipPath id="r"><rect width="{left + right}" height="{_HEIGHT}" rx="3"/></clipPath>'
        '<g clip-path="url(#r)">'
        f'<rect width="{left}" height="{_HEIGHT}" fill="{_LABEL_FILL}"/>'
        f'<rect x="{left}" width="{right}" height="{_HEIGHT}" fill="{_FILL[colour]}"/></g>'
        f'<g fill="#fff" font-family="DejaVu Sans,Verdana,Geneva,sans-serif" font-size="{_SIZE}" '
        f'aria-hidden="true">{_text(label, _PAD)}{_text(message, left + _PAD)}</g></svg>'
    ).encode()


def width(text: str) -> float:
    """How wide a text is, in pixels."""
    return sum(_OF.get(each) or _other(each) for each in text) * _SIZE / _EM


def _other(character: str) -> int:
    """What is not ASCII: East Asian characters fill a square, marks stand on others, and the rest
    is no wider than the widest letter."""
    if unicodedata.combining(character):
        return 0
    return _EM if unicodedata.east_asian_width(character) in "WF" else 1612


def _box(text: str) -> int:
    return round(width(text)) + 2 * _PAD


def _text(text: str, x: int) -> str:
    return f'<text x="{x}" y="14" textLength="{round(width(text))}">{escape(text)}</text>'


def _shown(text: str) -> str:
    """A text as it may stand in XML: without control characters and without end."""
    plain = "".join(each for each in text if each.isprintable())
    return plain if len(plain) <= _LONGEST else f"{plain[: _LONGEST - 1]}…"
