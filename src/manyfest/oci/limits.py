"""Bounds on what a parser accepts, so that a hostile document costs little."""

from __future__ import annotations

MAX_MANIFEST_SIZE = 4 * 1024 * 1024
"""Bytes of a manifest, index or configuration. The OCI distribution specification asks registries
to accept at least 4 MiB ("Pushing Manifests"); nothing real comes near."""

MAX_DESCRIPTORS = 4096
"""Entries of one index, or layers of one manifest."""

MAX_LAYOUT_ENTRIES = 500_000
"""Names in the ``index.json`` of a layout, which is a local file and no registry's answer. One of
so many tags fits into :data:`MAX_LAYOUT_INDEX_SIZE`: an entry takes less than 450 bytes."""

MAX_LAYOUT_INDEX_SIZE = 256 * 1024 * 1024
"""Bytes of such a file."""

MAX_INDEX_DEPTH = 8
"""Indexes within indexes."""

MAX_GRAPH_NODES = 20_000
"""Manifests, configurations and layers below one root."""

MAX_BLOB_SIZE = 2**50
"""Bytes of one blob: 1 PiB, far above any layer and far below an overflow."""

MAX_REFERRERS = MAX_DESCRIPTORS
"""Referrers of one manifest that are listed (CVE-2023-46737); one index must hold them, too."""

MAX_REFERRERS_BYTES = 4 * MAX_MANIFEST_SIZE
"""Bytes of a list of referrers, its pages together."""
