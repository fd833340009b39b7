"""manyfest: multi-architecture container images, released whole.

The names below are the library's front door; each is loaded when it is first used, so that
importing the package costs nothing::

    from manyfest import Reference, Stores
    from manyfest.copy import copy

    with Stores() as stores:
        source = stores.source(Reference.parse("oci-archive:image.tar:v1"))
        target = stores.target(Reference.parse("registry.example.org/app"))
        copy(source, "v1", target, ["v1"])
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from manyfest.errors import ManyfestError
    from manyfest.oci.descriptor import Descriptor
    from manyfest.oci.digest import Digest
    from manyfest.oci.manifest import Image, Index, Manifest
    from manyfest.oci.platform import Platform
    from manyfest.oci.reference import Name, Reference
    from manyfest.stores.open import Stores

__version__ = "0.1.0"

__all__ = [
    "Descriptor",
    "Digest",
    "Image",
    "Index",
    "Manifest",
    "ManyfestError",
    "Name",
    "Platform",
    "Reference",
    "Stores",
    "__version__",
]

_HOMES = {
    "Descriptor": "manyfest.oci.descriptor",
    "Digest": "manyfest.oci.digest",
    "Image": "manyfest.oci.manifest",
    "Index": "manyfest.oci.manifest",
    "Manifest": "manyfest.oci.manifest",
    "ManyfestError": "manyfest.errors",
    "Name": "manyfest.oci.reference",
    "Platform": "manyfest.oci.platform",
    "Reference": "manyfest.oci.reference",
    "Stores": "manyfest.stores.open",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'manyfest' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)
