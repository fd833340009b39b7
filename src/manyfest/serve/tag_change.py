"""What is to become of a repository's tags."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Self

from msgspec import Struct

from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.limits import MAX_LAYOUT_ENTRIES
from manyfest.serve.errors import Refusal


class TagChange(Struct):
    """Tags to set, ``refused`` if there would be more than a layout may have; or what to remove,
    told by its tag and its digest, and what to do ``then``, before anybody sets a tag again."""

    tags: Mapping[str, Descriptor] = {}
    removes: Callable[[str, Digest], bool] | None = None
    then: Callable[[], None] = lambda: None
    refused: bool = False

    @classmethod
    def pointing(cls, tags: Sequence[str], manifest: Descriptor) -> Self:
        """All of ``tags`` are to mean this manifest."""
        entry = Descriptor(
            media_type=manifest.media_type, digest=manifest.digest, size=manifest.size
        )
        return cls(tags=dict.fromkeys(tags, entry))

    def check(self) -> None:
        """Raises :class:`Refusal` if it was refused."""
        if self.refused:
            raise Refusal(
                "DENIED", f"the repository has {MAX_LAYOUT_ENTRIES} tags and can have no more"
            )
