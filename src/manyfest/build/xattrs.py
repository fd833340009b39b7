"""Extended attributes that go into images: a file's capabilities, and what users note (``user.*``).

Others belong to the machine that they were set on: labels of its security policy, access control
lists with its users' numbers, marks of its file systems (``trusted.overlay.*``), which would make a
runtime see files that are not there.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from types import MappingProxyType

from manyfest.layers.entry import NO_XATTRS

_CAPABILITY = "security.capability"
_ABSENT = frozenset({errno.ENODATA, errno.ENOTSUP, errno.EOPNOTSUPP})


def kept(xattrs: Mapping[str, bytes]) -> Mapping[str, bytes]:
    """Those of a file in an archive or image that go into another image."""
    if not xattrs:
        return NO_XATTRS
    return MappingProxyType({key: value for key, value in xattrs.items() if _is_kept(key)})


def read_xattrs(path: str) -> Mapping[str, bytes]:
    """Those of the file or folder at ``path``, sorted. Raises ``OSError``."""
    try:
        names = [name for name in os.listxattr(path, follow_symlinks=False) if _is_kept(name)]
        if not names:
            return NO_XATTRS
        pairs = {name: os.getxattr(path, name, follow_symlinks=False) for name in sorted(names)}
    except OSError as error:
        if error.errno in _ABSENT:
            return NO_XATTRS
        raise
    return MappingProxyType(pairs)


def _is_kept(name: str) -> bool:
    return name == _CAPABILITY or name.startswith("user.")
