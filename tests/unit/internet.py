"""Two registries in this process, for what compares them."""

from __future__ import annotations

from manyfest.oci.manifest import Manifest
from manyfest.stores.registry.http import Request, Response
from tests import images
from tests.quirks import Between

ONE, TWO = "one.example/app:2.6.1", "two.example/app:2.6.1"
BOTH = ["linux/amd64", "linux/arm64"]


class Internet:
    """Two registries, told apart by their names."""

    def __init__(self) -> None:
        self.hosts = {"one.example": Between(), "two.example": Between()}

    def send(self, request: Request) -> Response:
        return self.hosts[request.origin.host].send(request)

    def put(
        self, host: str, platforms: list[str], *, tag: str = "2.6.1", text: str = ""
    ) -> Manifest:
        """An index for these platforms; ``text`` makes it another one."""
        store = self.hosts[host].store("app")
        root = images.platforms(store, platforms, text=text)
        store.tag(tag, images.content_of(root))
        self.hosts[host].asked()
        return root

    def close(self) -> None:
        for between in self.hosts.values():
            between.close()
