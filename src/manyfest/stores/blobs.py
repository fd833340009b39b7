"""A folder of content under its digests: ``sha256/<hex>``, as in an OCI layout's ``blobs``."""

from __future__ import annotations

from contextlib import closing
from io import FileIO
from pathlib import Path

from msgspec import Struct

from manyfest.errors import InvalidArchive, NotFound
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.stores.base import CHUNK_SIZE, Content, VerifyingReader
from manyfest.stores.files import new_file, open_file


class BlobFolder(Struct, frozen=True):
    """Nothing gets a digest for a name here unless it was hashed on the way in. Unless it is
    ``lasting``, a crash of the machine may leave anything."""

    root: Path
    lasting: bool = True

    def path(self, digest: Digest) -> Path:
        """Where the content with this digest lies, or would."""
        return self.root / digest.algorithm / digest.hex

    def size(self, digest: Digest) -> int | None:
        """Its size in bytes, or ``None`` if it is not here."""
        try:
            return self.path(digest).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return None

    def has(self, descriptor: Descriptor) -> bool:
        """Whether the content is here in its full size; a torn file does not count."""
        return self.size(descriptor.digest) == descriptor.size

    def open(self, descriptor: Descriptor) -> FileIO:
        """The content, unverified, unbuffered."""
        path = self.path(descriptor.digest)
        try:
            return open_file(path)
        except (FileNotFoundError, NotADirectoryError):
            raise NotFound(f"{descriptor.digest} is missing", where=str(self.root)) from None
        except OSError as error:
            raise InvalidArchive(f"cannot be read: {error.strerror}", where=str(path)) from None

    def put(self, content: Content) -> None:
        """Write the content, verified. Raises :class:`~manyfest.errors.DigestMismatch`."""
        if self.has(content.descriptor):
            return
        path = self.path(content.descriptor.digest)
        reader = VerifyingReader(content.open(), content.descriptor, where=str(path.parent))
        with closing(reader):
            chunk = reader.read(CHUNK_SIZE)  # nothing is begun for what cannot be read
            with new_file(path, lasting=self.lasting) as file:
                while chunk:
                    file.write(chunk)
                    chunk = reader.read(CHUNK_SIZE)
