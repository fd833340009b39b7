"""The 512-byte header block of a tar archive, both ways.

Source: POSIX.1-2017, pax, "ustar Interchange Format"; GNU tar manual, "Basic Tar Format", for the
GNU magic and for numbers in base 256. Blocks that known readers take in different ways are
refused: CVE-2025-62518 and CVE-2026-53655 show what becomes of an archive that two programs read
differently.
"""

from __future__ import annotations

import re
import struct
from typing import NamedTuple
from zlib import adler32

from manyfest.errors import InvalidArchive

BLOCK = 512
ZEROS = bytes(BLOCK)
MAX_SIZE = 0o77777777777
"""The largest size that fits the header, 8 GiB - 1; above it the size is in a PAX record."""
MAX_ID = 0o7777777
"""The largest owner, group or device number that fits the header."""

_FIELDS = struct.Struct("100s8s8s8s12s12s8sc100s8s32s32s8s8s155s12s")
_OCTAL = re.compile(rb"[ \0]*([0-7]*)[ \0]*")
_POSIX = b"ustar\x0000"
_GNU = b"ustar  \0"
_CHECKSUM = slice(148, 156)
_INT64 = 1 << 63
_PREFIX_SIZE = 155
_NAME_SIZE = 100
MAX_NAME = _PREFIX_SIZE + 1 + _NAME_SIZE


class Header(NamedTuple):
    """The fields of one block; names are bytes, without the prefix split."""

    typeflag: bytes
    name: bytes
    mode: int
    uid: int
    gid: int
    size: int
    mtime: int
    linkname: bytes
    uname: bytes
    gname: bytes
    devmajor: int
    devminor: int


def decode(block: bytes) -> Header:
    """The header in ``block`` (512 bytes). Raises ``InvalidArchive``."""
    (name, mode, uid, gid, size, mtime, checksum, typeflag, linkname, magic, uname, gname,
     devmajor, devminor, prefix, _) = _FIELDS.unpack(block)  # fmt: skip
    if _sum(block) - sum(checksum) + 8 * 0x20 != _number(checksum, "checksum"):
        raise InvalidArchive("a header's checksum is wrong: the archive is damaged, or no tar")
    _check_variant(magic, block)
    return Header(
        typeflag,
        _join(prefix, name),
        _number(mode, "mode"),
        _number(uid, "owner"),
        _number(gid, "group"),
        _number(size, "size"),
        _number(mtime, "modification time", least=-_INT64),
        _text(linkname),
        _text(uname),
        _text(gname),
        _number(devmajor, "device number"),
        _number(devminor, "device number"),
    )


def _check_variant(magic: bytes, block: bytes) -> None:
    """Accept POSIX, GNU without its extra fields, and the format that was before both."""
    if magic == _POSIX:
        odd = any(block[500:])
    elif magic == _GNU:
        # Incremental dumps keep times where POSIX has the name's prefix: readers disagree.
        odd = any(block[345:])
    else:  # before POSIX: no magic and no owner's names, though GNU tar writes device numbers
        odd = any(block[257:329]) or any(block[345:])
    if odd:
        raise InvalidArchive(
            "a header is of a tar format that readers understand differently",
            mend="pack it again with: tar --format=pax",
        )


def _join(prefix: bytes, name: bytes) -> bytes:
    if prefix[0]:
        return _text(prefix) + b"/" + _text(name)
    return _text(name)


def _text(raw: bytes) -> bytes:
    return raw.partition(b"\0")[0]


def _number(raw: bytes, what: str, *, least: int = 0) -> int:
    """Octal digits amid spaces and NULs; or base 256 when the first bit is set (GNU)."""
    octal = _OCTAL.fullmatch(raw)
    if octal:
        return int(octal[1] or b"0", 8)
    if raw[0] not in {0x80, 0xFF}:
        raise InvalidArchive(f"a header's {what} is not a number: {str(raw)[1:]}")
    value = int.from_bytes(raw[1:], "big")
    if raw[0] == 0xFF:
        value -= 1 << 8 * (len(raw) - 1)
    if not least <= value < _INT64:
        raise InvalidArchive(f"a header's {what} is out of range: {value}")
    return value


def _sum(block: bytes | bytearray) -> int:
    """The sum of a block's bytes. Adler-32 holds it, less 1 and modulo 65521, in its low half, and
    256 bytes sum to less than that; it takes a fifth of the time of ``sum``."""
    return (adler32(block[:256]) & 0xFFFF) + (adler32(block[256:]) & 0xFFFF) - 2


def encode(header: Header) -> bytes:
    """The POSIX block for ``header``, whose fields must fit: see ``split`` and the maxima."""
    prefix, name = split(header.name) or (b"", header.name[:_NAME_SIZE])
    block = bytearray(
        _FIELDS.pack(
            name,
            b"%07o" % header.mode,
            b"%07o" % header.uid,
            b"%07o" % header.gid,
            b"%011o" % header.size,
            b"%011o" % header.mtime,
            b" " * 8,
            header.typeflag,
            header.linkname,
            _POSIX,
            header.uname,
            header.gname,
            b"%07o" % header.devmajor,
            b"%07o" % header.devminor,
            prefix,
            b"",
        )
    )
    block[_CHECKSUM] = b"%06o\0 " % _sum(block)
    return bytes(block)


def split(name: bytes) -> tuple[bytes, bytes] | None:
    """``name`` as the header's prefix (up to 155 bytes) and name (up to 100), parted at a slash;
    ``None`` when it does not fit. The prefix is as long as can be, so there is one answer."""
    if len(name) <= _NAME_SIZE:
        return b"", name
    # The slash at the very end of a directory's name cannot be the one.
    slash = name.rfind(b"/", 0, min(_PREFIX_SIZE + 1, len(name) - 1))
    if slash <= 0 or len(name) - slash - 1 > _NAME_SIZE:
        return None
    return name[:slash], name[slash + 1 :]
