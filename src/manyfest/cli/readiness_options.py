"""The options of verbs that ask whether an image is ready: where else it must be, and by whom it
must be signed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from manyfest.check.signed import WhyUnsigned

in_option = click.option(
    "--in",
    "elsewhere",
    multiple=True,
    metavar="PLACE",
    help="It must be the same there: HOST, HOST/PREFIX/ or HOST/REPOSITORY. Repeatable.",
)

signed_by_option = click.option(
    "--signed-by",
    default="",
    metavar="KEY",
    help="It must be signed with this key: a file such as cosign.pub, or env:NAME.",
)


def why_unsigned(key: str) -> WhyUnsigned | None:
    """What tells why an image is not signed with ``key``; ``None`` if nobody asks for that.

    Raises :class:`~manyfest.errors.UsageError` for a key that cannot be used.
    """
    if not key:
        return None
    from manyfest.trust.public_key import PublicKey
    from manyfest.trust.signatures import Signatures

    return Signatures(PublicKey.load(key)).why_unsigned
