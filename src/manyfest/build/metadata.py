"""What is said of an image besides what it holds: its labels, and its manifests' annotations.

Facts are known of the project (its version, its source) and fill in ``org.opencontainers.image.*``
(OCI image specification, "Pre-Defined Annotation Keys"). A LABEL in the Dockerfile is stronger
than a fact, a fact is stronger than the label of a base image, and what was asked for by name is
stronger than all of these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct, field

from manyfest.build.bases import BaseImage

PREFIX = "org.opencontainers.image."


class Metadata(Struct, frozen=True, kw_only=True):
    """``facts`` are labels and annotations where nobody else says anything. ``labels`` are set in
    every image's configuration, ``annotations`` on the manifests and the index, whatever else is
    said."""

    facts: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)

    def image_labels(
        self, labels: Mapping[str, str], inherited: Mapping[str, str]
    ) -> dict[str, str]:
        """The labels of an image's configuration: ``labels`` are what the Dockerfile made of those
        that its base has, ``inherited``."""
        own = _own(labels, inherited)
        return _sorted({**inherited, **self.facts, **own, **self.labels})

    def image_annotations(
        self, labels: Mapping[str, str], base: BaseImage | None
    ) -> dict[str, str]:
        """The annotations of an image's manifest."""
        own = _own(labels, base.config.config.labels if base else {})
        said = {key: value for key, value in own.items() if key.startswith(PREFIX)}
        return _sorted({**self.facts, **_facts_of(base), **said, **self.annotations})


def index_annotations(images: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """The annotations of an index: those that the manifests of all its images have."""
    first, *others = images
    return {
        key: value for key, value in first.items() if all(each.get(key) == value for each in others)
    }


def _own(labels: Mapping[str, str], inherited: Mapping[str, str]) -> dict[str, str]:
    """The labels that the Dockerfile itself sets."""
    return {key: value for key, value in labels.items() if inherited.get(key) != value}


def _facts_of(base: BaseImage | None) -> dict[str, str]:
    if base is None:
        return {}
    return {f"{PREFIX}base.name": base.full_name, f"{PREFIX}base.digest": str(base.digest)}


def _sorted(pairs: Mapping[str, str]) -> dict[str, str]:
    return dict(sorted(pairs.items()))
