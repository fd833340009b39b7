"""One image in one repository: looked at with as few requests as will do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice

from manyfest.check.parts import Outline
from manyfest.check.readiness import PlatformState, Readiness, held, not_there, with_states
from manyfest.check.signed import with_signatures
from manyfest.errors import NotFound, Unsupported
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Manifest
from manyfest.oci.mediatypes import OCI_MANIFEST
from manyfest.oci.platform import Platform
from manyfest.stores.base import Compares, Lists, Reads, Source
from manyfest.trust.public_key import PublicKey
from manyfest.trust.signatures import Signatures
from manyfest.watch.poll.glance import Glance, OwnLook
from manyfest.watch.poll.reading import counts_reads
from manyfest.watch.values import PlaceSeen

MOST_TAGS = 200_000
"""Of one repository. To choose among so many takes seconds, and all else waits meanwhile."""

_WHOLE = frozenset({"ready", "unsigned"})
"""States of what is all there."""


class SeenImage:
    """Remembers what was whole: then one HEAD request for the tag tells that it still is what it
    was. Threads may share it.

    ``source`` gives the repository ``place``, and ``wanted`` are the platforms, at least one. With
    a key ``signed_by`` there must be a signature in this very place. What was seen to be signed is
    asked about again with all the rest, and what is not is at each look.
    """

    def __init__(
        self,
        place: str,
        source: Callable[[], Source],
        wanted: Sequence[Platform],
        signed_by: PublicKey | None = None,
    ) -> None:
        self._place = place
        self._source = source
        self._wanted = tuple(wanted)
        self._roots: dict[str, str] = {}
        self._whole: dict[str, tuple[PlatformState, ...]] = {}
        self._glance = Glance()
        self._signatures = Signatures(signed_by) if signed_by else None
        self._signed: set[str] = set()
        self.signed_by = signed_by.fingerprint if signed_by else ""

    def recall(self, tag: str, seen: PlaceSeen) -> None:
        """Take what was known of a tag before the watch began anew, if that was whole."""
        known = [seen.platforms.get(str(platform)) for platform in self._wanted]
        states = {each.state if each else "missing" for each in known}
        if not seen.digest or not states <= _WHOLE:
            return
        self._roots[tag] = seen.digest
        if seen.signed_by == self.signed_by and states == {"ready"}:
            self._signed.add(seen.digest)
        self._whole[seen.digest] = tuple(
            PlatformState(platform=str(platform), state="ready", digest=each.digest, why="")
            for platform, each in zip(self._wanted, known, strict=True)
            if each
        )

    def look(self, tag: str, *, again: bool = False) -> Readiness:
        """What the tag holds now. With ``again``, whether what was whole is still there, and still
        signed, is asked once more.

        A tag that is not there is an answer. Raises what a registry raises that cannot tell.
        """
        source = self._source()
        answer = self._held(source, tag, again=again)
        return self._with_signatures(source, answer, again=again)

    def images(self, root: str) -> dict[str, str]:
        """The digests of its images by platform, if ``root`` was whole and a tag meant it when it
        was looked at last; else none."""
        return {each.platform: each.digest for each in self._whole.get(root, ())}

    def is_signed(self, root: str) -> bool:
        """Whether ``root`` was seen to be signed, if that is asked for."""
        return self._signatures is None or root in self._signed

    def tags(self) -> tuple[str, ...]:
        """All tags of the repository. Raises :class:`~manyfest.errors.Unsupported` if it gives no
        list of them, or one without end."""
        source = self._source()
        if not isinstance(source, Lists):
            raise Unsupported("it gives no list of tags", where=self._place)
        tags = tuple(islice(source.tags(), MOST_TAGS + 1))
        if len(tags) > MOST_TAGS:
            raise Unsupported(f"it lists more than {MOST_TAGS:,} tags", where=self._place)
        return tags

    def forget(self, tag: str) -> None:
        """The tag is not watched any more."""
        self._leave(self._roots.pop(tag, ""))

    def _held(self, source: Source, tag: str, *, again: bool) -> Readiness:
        before = self._roots.get(tag)
        known = self._whole.get(before or "")
        is_news = before is None or known is not None
        try:
            if before and known and _means(source, tag, before):
                if not again or _are_there(source, known):
                    return with_states(self._named(tag), before, known)
                self._lose(before)
            root, read = self._find(source, tag, is_news=is_news)
            known = self._whole.get(str(root.digest))  # by another tag
            outline = Outline(()) if known else self._glance.outline(source, root, read)
        except NotFound as error:
            self._note(tag, "")
            return not_there(self._named(tag), self._wanted, error.what)
        self._note(tag, str(root.digest))
        if known:
            return with_states(self._named(tag), str(root.digest), known)
        return self._judged(source, tag, root.digest, outline)

    def _find(
        self, source: Source, tag: str, *, is_news: bool
    ) -> tuple[Descriptor, tuple[Manifest, ...]]:
        """What the tag means, and that as it was read, if it was. What ``is_news`` has to be read:
        then one request tells both. Where it is counted how often manifests are read, the tag may
        mean what another one means."""
        if is_news and isinstance(source, Reads) and not counts_reads(self._place):
            manifest = source.read(tag)
            return manifest.descriptor, (manifest,)
        return source.resolve(tag), ()

    def _judged(self, source: Source, tag: str, root: Digest, outline: Outline) -> Readiness:
        """Whether it is whole, which is remembered."""
        own = OwnLook(self._glance)
        answer = held(source, root, outline, self._wanted, self._named(tag), own)
        if answer.ready:
            self._whole[answer.digest] = answer.platforms
            self._glance.settle(root, _images(answer.platforms))
        return answer

    def _with_signatures(self, source: Source, answer: Readiness, *, again: bool) -> Readiness:
        if self._signatures is None or (answer.digest in self._signed and not again):
            return answer
        if again:  # a signature can be taken away
            self._forget_signatures(answer.digest, answer.platforms)
        signed = with_signatures(source, answer, self._signatures.why_unsigned)
        if signed.ready:
            self._signed.add(answer.digest)
        return signed

    def _note(self, tag: str, root: str) -> None:
        """What the tag means now, or that it is not there. What no tag means any more is
        forgotten."""
        before = self._roots.get(tag, "")
        self._roots[tag] = root
        if before != root:
            self._leave(before)

    def _leave(self, root: str) -> None:
        """A tag does not mean it any more."""
        if root and root not in tuple(self._roots.values()):
            self._forget_signatures(root, self._lose(root))

    def _lose(self, root: str) -> Sequence[PlatformState]:
        """It is not known any more to be whole; what was known of it."""
        states = self._whole.pop(root, ())
        self._glance.drop(Digest.parse(root), _images(states))
        return states

    def _forget_signatures(self, root: str, states: Sequence[PlatformState]) -> None:
        self._signed.discard(root)
        if self._signatures is not None:
            for digest in filter(None, (root, *(each.digest for each in states))):
                self._signatures.forget(Digest.parse(digest))

    def _named(self, tag: str) -> str:
        return f"{self._place}:{tag}"


def _images(states: Iterable[PlatformState]) -> list[str]:
    return [each.digest for each in states]


def _means(source: Source, tag: str, root: str) -> bool:
    digest = Digest.parse(root)
    if isinstance(source, Compares):
        return source.means(tag, digest)
    return source.resolve(tag).digest == digest


def _are_there(source: Source, states: Sequence[PlatformState]) -> bool:
    """Whether the manifests are still there: their digests are all that is needed to ask."""
    return all(
        source.has(Descriptor(media_type=OCI_MANIFEST, digest=Digest.parse(each.digest), size=0))
        for each in states
    )
