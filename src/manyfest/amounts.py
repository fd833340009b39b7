"""Amounts as people write them."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """``1 platform``, ``4 platforms``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def size(count: int) -> str:
    """Bytes: ``812 B``, ``9.8 MB``; powers of 1000, as registries bill."""
    if count < 1000:
        return f"{count} B"
    value = float(count)
    for unit in ("kB", "MB", "GB", "TB"):
        value /= 1000
        if value < 999.95:
            return f"{value:.1f} {unit}"
    return f"{value:.0f} TB"
