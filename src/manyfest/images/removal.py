"""Taking tags and manifests away, and never what other tags mean."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from contextlib import suppress
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from manyfest.errors import ContentError, NotFound, StoreError, Unsupported
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Index
from manyfest.oci.mediatypes import INDEXES
from manyfest.stores.base import Deletes, Lists, Source, read_all
from manyfest.stores.names import listing
from manyfest.stores.referrers import holder_of, is_fallback_list
from manyfest.threads import workers

LOOKS = 16
"""Tags looked up at the same time. The registry client has its own limit for each host."""


class Shrinking(Source, Deletes, Protocol):
    """A place from which things can be taken away."""


class Removed(Struct, frozen=True, kw_only=True):
    """What is gone: these tags, and the manifest if it was deleted; ``torn`` are the tags of
    indexes that lack it then. ``was`` is what a tag that was taken away alone meant, as far as
    that could be seen."""

    tags: tuple[str, ...] = ()
    manifest: Digest | None = None
    torn: tuple[str, ...] = ()
    was: Digest | None = None


class Holder(Struct, frozen=True):
    """A tag that means a manifest, or an index that has it among its own."""

    tag: str
    by_index: bool

    def __str__(self) -> str:
        return f"{self.tag} (in its index)" if self.by_index else self.tag


def remove_tag(
    store: Shrinking,
    tag: str,
    *,
    going: Collection[str] = (),
    force: bool = False,
    dry_run: bool = False,
) -> Removed:
    """Take a tag away, alone if the store can do that, and else with its manifest: only if all
    tags that hold it are ``going`` too, or by ``force``.

    With ``dry_run`` nothing is: whether the store can do that, it is asked by way of a tag that
    nobody has. Raises :class:`~manyfest.errors.NotFound`, and
    :class:`~manyfest.errors.StoreError` that names the tags that hold it.
    """
    was = meaning(store, tag)
    try:
        if dry_run:
            with suppress(NotFound):
                store.untag(f"manyfest-dry-run-{secrets.token_hex(16)}")
        else:
            store.untag(tag)
    except Unsupported:
        if was is None:
            raise
        removed = _with_holders(store, was, going={tag, *going}, force=force)
        if not dry_run:
            store.delete(was)
        return replace(removed, tags=tuple(dict.fromkeys((tag, *removed.tags))))
    return Removed(tags=(tag,), was=was)


def remove_manifest(
    store: Shrinking,
    manifest: Digest,
    *,
    going: Collection[str] = (),
    force: bool = False,
    dry_run: bool = False,
) -> Removed:
    """Delete a manifest, and with it the tags that it has: only if all tags that hold it are
    ``going`` too, or by ``force``, which does not look for them. With ``dry_run`` nothing is
    deleted, and they are looked for.

    Raises as :func:`remove_tag` does.
    """
    if force and not dry_run:
        removed = Removed(manifest=manifest)
    else:
        removed = _with_holders(store, manifest, going=going, force=force)
    if not dry_run:
        store.delete(manifest)
    return removed


def _with_holders(
    store: Shrinking, manifest: Digest, *, going: Collection[str], force: bool
) -> Removed:
    """What goes with the manifest. Raises as :func:`remove_tag` does."""
    store.resolve(str(manifest))
    holders = find_holders(store, manifest)
    staying = [holder for holder in holders if holder.tag not in going]
    if staying and not force:
        by_index = any(holder.by_index for holder in staying)
        alone = not all(holder.by_index for holder in staying)
        fates = (["removes them as well"] if alone else []) + (
            ["leaves the index incomplete"] if by_index else []
        )
        raise StoreError(
            f"{manifest} is held by other tags: {listing([str(each) for each in staying])}",
            where=store.label,
            mend=f"remove those too, or --force it, which {' and '.join(fates)}",
        )
    return Removed(
        manifest=manifest,
        tags=tuple(holder.tag for holder in holders if not holder.by_index),
        torn=tuple(holder.tag for holder in holders if holder.by_index),
    )


def find_holders(store: Source, manifest: Digest) -> list[Holder]:
    """Every tag that means the manifest or leads to it through an index. Lists of referrers do not
    count.

    Costs one HEAD request for each tag, and one GET for each index. Raises
    :class:`~manyfest.errors.Unsupported` for a store that cannot list its tags.
    """
    if not isinstance(store, Lists):
        raise Unsupported("cannot list its tags", where=store.label)
    with workers(LOOKS, "look") as pool:
        tags = list(store.tags())
        roots = dict(zip(tags, pool.map(lambda tag: _root(store, tag), tags), strict=True))
        indexes = {
            root.digest: root
            for tag, root in roots.items()
            if root is not None and root.media_type in INDEXES and not is_fallback_list(tag, root)
        }
        found = pool.map(lambda index: _leads_to(store, index, manifest), indexes.values())
        leading = {digest for digest, leads in zip(indexes, found, strict=True) if leads}
    return [
        Holder(tag, by_index=root.digest != manifest)
        for tag, root in roots.items()
        if root is not None and (root.digest == manifest or root.digest in leading)
    ]


def meaning(store: Source, tag: str) -> Digest | None:
    """What the tag means; ``None`` if that is no manifest we know. Raises
    :class:`~manyfest.errors.NotFound`."""
    with suppress(ContentError):
        return store.resolve(tag).digest
    return None


def _root(store: Source, tag: str) -> Descriptor | None:
    with suppress(NotFound):  # it was taken away at this moment
        return store.resolve(tag)
    return None


def _leads_to(store: Source, index: Descriptor, manifest: Digest) -> bool:
    top = Index(schema_version=2, manifests=(index,))
    return holder_of(manifest, top, lambda entry: read_all(store, entry)) is not None
