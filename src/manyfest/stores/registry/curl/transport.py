"""The transport that uses the network."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from pathlib import Path

from manyfest.errors import ConfigError
from manyfest.stores.registry.curl.options import Network
from manyfest.stores.registry.curl.pool import Line, LinePool
from manyfest.stores.registry.curl.transfer import Transfer
from manyfest.stores.registry.curl.trust_roots import TrustRoots, find_trust_roots
from manyfest.stores.registry.http import Request, Response

_LARGEST_KEPT = 4 * 1024 * 1024
"""glibc gives blocks of memory back to the system, and takes and clears them again for the next
buffer, until a larger block was freed once (mallopt(3), ``M_MMAP_THRESHOLD``). So one is: without
it a copy between registries spends twice as much time in the kernel."""


class CurlTransport:
    """Sends requests over libcurl, in the calling thread, over connections that are kept open.

    Follows no redirects, repeats nothing and limits nothing: the transports around it do. A body
    that is sent may itself be read from another answer of the same transport.
    Proxies are those of ``HTTPS_PROXY``, ``http_proxy``, ``ALL_PROXY`` and ``NO_PROXY``.
    """

    def __init__(self, *, ca_file: str = "", environ: Mapping[str, str] | None = None) -> None:
        """``ca_file`` is a PEM file of authorities to trust besides the system's."""
        self._ca_file = ca_file
        self._environ = os.environ if environ is None else environ
        self._lock = threading.Lock()
        self._network: Network | None = None
        self._pool = LinePool()

    def send(self, request: Request) -> Response:
        """See :class:`~manyfest.stores.registry.http.Transport`.

        Raises :class:`~manyfest.errors.ConfigError` if the trusted certificates cannot be read.
        """
        origin = request.origin
        network = self._open_network()

        def give_back(line: Line) -> None:
            self._pool.give_back(origin, line)

        transfer = Transfer(self._pool.take(origin), request, network, on_end=give_back)
        try:
            transfer.start()
        except BaseException:
            transfer.close()
            raise
        head = transfer.head
        return Response(
            head.status, transfer, headers=head.headers, url=request.url, peer=transfer.peer
        )

    def close(self) -> None:
        self._pool.close()

    def _open_network(self) -> Network:
        """Where the certificates are is looked up once, for the first request."""
        with self._lock:
            if self._network is None:
                bytes(_LARGEST_KEPT)
                roots = find_trust_roots(self._environ, extra=self._ca_file)
                self._network = Network(roots=roots, ca_bundle=_joined(roots))
            return self._network


def _joined(roots: TrustRoots) -> bytes:
    """libcurl takes one file of authorities; of several, their joined content."""
    if len(roots.files) < 2:
        return b""
    try:
        return b"\n".join(Path(name).read_bytes() for name in roots.files)
    except OSError as error:
        raise ConfigError(
            f"the trusted certificates cannot be read: {error.strerror}",
            where=str(error.filename),
        ) from None
