"""Which platform a machine's own name for its processor stands for."""

from __future__ import annotations

from manyfest.errors import InvalidPlatform
from manyfest.oci.platform import Platform


def platform_of_machine(machine: str) -> Platform | None:
    """The Linux platform for what ``uname -m`` prints, or ``None`` if no runtime has a name
    for it. Containers are Linux on every kind of host."""
    try:
        return Platform.parse(f"linux/{machine}")
    except InvalidPlatform:
        return None
