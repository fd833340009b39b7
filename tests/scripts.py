"""A repository in a registry that answers by a script."""

from __future__ import annotations

from collections.abc import Callable

from manyfest.oci.reference import Name
from manyfest.stores.memory import MemoryStore
from manyfest.stores.registry.headers import Headers
from manyfest.stores.registry.http import FunctionTransport, Request, Response
from manyfest.stores.registry.store import RegistryStore
from tests.images import OCI_MANIFEST, content, image

Handler = Callable[[Request], Response]

ROOT = image(MemoryStore())
DIGEST = str(ROOT.descriptor.digest)
OTHER = f"sha256:{'0' * 64}"
URL = "https://ghcr.io/v2/team/app"
BLOB = content(b"content", "text/plain")


def scripted(
    handler: Handler, *, writing: bool = False, name: str = "ghcr.io/team/app"
) -> tuple[RegistryStore, FunctionTransport]:
    transport = FunctionTransport(handler)
    return RegistryStore(Name.parse(name), transport, writing=writing), transport


def answer(
    status: int = 200,
    body: bytes = b"",
    *,
    length: str | None = None,
    **fields: str,
) -> Response:
    headers = {name.replace("_", "-"): value for name, value in fields.items()}
    if length is not None:
        headers["Content-Length"] = length
    return Response(status, body, headers=Headers(headers))


def manifest_answer(request: Request, **changed: str) -> Response:
    """A registry that has the image, and does everything right but for what is changed."""
    fields = {"Content_Type": OCI_MANIFEST, "Docker_Content_Digest": DIGEST, **changed}
    fields = {name: value for name, value in fields.items() if value}
    length = fields.pop("length", str(len(ROOT.raw)))
    body = b"" if request.method == "HEAD" else ROOT.raw
    return answer(200, body, length=length, **fields)


def asked(transport: FunctionTransport) -> list[str]:
    return [f"{each.method} {each.url.removeprefix(URL)}" for each in transport.requests]
