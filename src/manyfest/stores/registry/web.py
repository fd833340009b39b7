"""Downloads of plain files: the transports for registries, without their credentials."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from manyfest.stores.registry.http import Transport


def download_transport(*, ca_file: str = "") -> Transport:
    """A transport for any number of hosts and threads; whoever asks for it closes it. ``ca_file``
    holds certificates to trust besides the system's."""
    # Loaded when a file is to be fetched, which few builds do.
    from manyfest.stores.registry.admission import LimitedTransport
    from manyfest.stores.registry.curl.transport import CurlTransport
    from manyfest.stores.registry.redirects import RedirectTransport
    from manyfest.stores.registry.retry import RetryTransport

    network = CurlTransport(ca_file=ca_file)
    return RedirectTransport(RetryTransport(LimitedTransport(network)))
