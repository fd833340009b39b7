"""Amounts as people write them."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """``1 platform``, ``4 platforms``, ``1,200 registries``."""
    if number == 1:
        return f"1 {noun}"
    many = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number:,} {many}"


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
