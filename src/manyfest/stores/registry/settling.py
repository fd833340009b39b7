"""Waiting until what was published can be seen: some registries show it a little later."""

from __future__ import annotations

import time
from collections.abc import Callable

from manyfest.errors import AccessDenied, ManyfestError, NotFound, RegistryError
from manyfest.oci.digest import Digest

PAUSES = (0.1, 0.2, 0.4, 0.8, 1.5, 3.0, 4.0, 5.0)
"""Seconds between two looks: 15 in all."""


def settle(
    look: Callable[[], Digest],
    name: str,
    digest: Digest,
    *,
    where: str,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Return once ``look`` sees that ``name`` means ``digest``.

    What is not there yet, denied as some registries deny that (Artifactory), or still something
    else is looked at again. Raises :class:`RegistryError` that says what is seen in the end.
    """
    for pause in (*PAUSES, 0.0):
        seen = _seen(look)
        if seen == digest:
            return
        if pause:
            sleep(pause)
    said = f"it shows {seen}" if isinstance(seen, Digest) else f"a look at it says: {seen.what}"
    raise RegistryError(
        f"{name} was set to {digest}, but after {sum(PAUSES):.0f} seconds {said}",
        where=where,
        mend="look again later; if it stays so, something else sets the tag, or a cache is stale",
    )


def _seen(look: Callable[[], Digest]) -> Digest | ManyfestError:
    try:
        return look()
    except (NotFound, AccessDenied) as error:
        return error
