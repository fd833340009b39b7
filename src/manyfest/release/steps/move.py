"""A tag that a release or a rollback points somewhere."""

from __future__ import annotations

from msgspec import Struct

from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Manifest
from manyfest.oci.reference import Name
from manyfest.release.tags.plan import PlannedTag
from manyfest.stores.base import Store


class Move(Struct, frozen=True):
    """One tag in one repository: the manifest it is to point at, and the digest of the one it
    pointed at before, if there was such a tag."""

    name: Name
    store: Store
    tag: PlannedTag
    manifest: Manifest
    before: Digest | None

    @property
    def is_done(self) -> bool:
        """Whether the tag points there already."""
        return self.before == self.manifest.descriptor.digest
