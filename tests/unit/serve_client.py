"""What the tests of the registry share: a client with no socket, and small images to push."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Image, Index, Manifest
from manyfest.serve.app import Registry
from manyfest.serve.content import Content
from manyfest.serve.local import AppTransport
from manyfest.serve.policy import Policy
from manyfest.serve.storage import Storage
from manyfest.stores.registry.headers import Headers
from manyfest.stores.registry.http import Body, Request

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Headers
    body: bytes

    def json(self) -> object:
        return msgspec.json.decode(self.body)

    @property
    def code(self) -> str:
        document = msgspec.json.decode(self.body)
        assert isinstance(document, dict)
        return str(document["errors"][0]["code"])

    @property
    def message(self) -> str:
        document = msgspec.json.decode(self.body)
        assert isinstance(document, dict)
        return str(document["errors"][0]["message"])

    @property
    def location(self) -> str:
        return self.headers.get("location")


class Client:
    """Speaks to a registry in this process, which serves a folder or other ``content``. Paths are
    given without ``/v2/``. What is in ``fields`` goes along with every request, to ``host``."""

    host = "registry.test"

    def __init__(
        self,
        root: Path,
        *,
        read_only: bool = False,
        content: Content | None = None,
        policy: Policy | None = None,
    ) -> None:
        self.root = root
        self.registry = Registry(content or root, read_only=read_only, policy=policy)
        self.fields: dict[str, str] = {}
        self._transport = AppTransport(self.registry)

    @property
    def storage(self) -> Storage:
        assert isinstance(self.registry.content, Storage)
        return self.registry.content

    def call(self, method: str, path: str, body: bytes | Body = b"", **headers: str) -> Answer:
        url = path if path.startswith("/") else f"/v2/{path}"
        own = {name.replace("_", "-"): value for name, value in headers.items()}
        fields = Headers({**self.fields, **own})
        request = Request(method=method, url=f"http://{self.host}{url}", headers=fields, body=body)
        with self._transport.send(request) as response:
            return Answer(response.status, response.headers, response.read_all(10**9))

    def begin(self, repository: str) -> str:
        answer = self.call("POST", f"{repository}/blobs/uploads/")
        assert answer.status == 202
        return answer.location

    def push_blob(self, repository: str, data: bytes, media_type: str = OCI_LAYER) -> Descriptor:
        descriptor = Descriptor.of(data, media_type)
        answer = self.call("PUT", f"{self.begin(repository)}?digest={descriptor.digest}", data)
        assert answer.status == 201
        return descriptor

    def push_manifest(self, repository: str, reference: str, manifest: Manifest) -> Answer:
        return self.call(
            "PUT",
            f"{repository}/manifests/{reference}",
            manifest.raw,
            content_type=manifest.descriptor.media_type,
        )

    def push_image(self, repository: str, tag: str = "", *, text: str = "") -> Manifest:
        """An image of one layer; ``text`` makes it differ from others."""
        image = self.image(repository, text=text)
        reference = tag or str(image.descriptor.digest)
        assert self.push_manifest(repository, reference, image).status == 201
        return image

    def image(
        self,
        repository: str,
        *,
        text: str = "",
        subject: Descriptor | None = None,
        artifact_type: str = "",
    ) -> Manifest:
        """An image whose blobs are pushed and whose manifest is not."""
        return Manifest.of_image(
            Image(
                schema_version=2,
                media_type=OCI_MANIFEST,
                artifact_type=artifact_type,
                config=self.push_blob(repository, b'{"os":"linux"}', OCI_CONFIG),
                layers=(self.push_blob(repository, b"layer"),),
                subject=subject,
                annotations={"text": text} if text else {},
            )
        )

    def files(self) -> list[str]:
        """Every file below the root, by its path in it."""
        paths = (path for path in self.root.rglob("*") if path.is_file())
        return sorted(str(path.relative_to(self.root)) for path in paths)


def index_of(*manifests: Manifest) -> Manifest:
    entries = tuple(manifest.descriptor for manifest in manifests)
    return Manifest.of_index(Index(schema_version=2, media_type=OCI_INDEX, manifests=entries))


def digest_of(data: bytes, algorithm: str = "sha256") -> str:
    return str(Digest.of(data, algorithm))
