"""Taking tags and manifests away (OCI distribution specification, "Content Management")."""

from __future__ import annotations

from manyfest.errors import ManyfestError, NotFound, Unsupported
from manyfest.oci.digest import Digest
from manyfest.oci.reference import is_tag
from manyfest.stores.registry.answers import Complaint, error_for, read_complaint
from manyfest.stores.registry.http import Response
from manyfest.stores.registry.repository import DELETE, Repository

_DONE = frozenset({200, 202, 204})
_SWITCHED_OFF = frozenset({405, 501})
_VAGUE = frozenset({"", "DIGEST_INVALID", "TAG_INVALID"})
"""With 400, what registries answer that take a tag for a misspelled digest: docker-registry 2.8
says DIGEST_INVALID, of tags that are not there too."""


def delete_tag(repository: Repository, tag: str) -> None:
    """Take the tag away alone. Raises :class:`~manyfest.errors.NotFound`, and
    :class:`~manyfest.errors.Unsupported` if the registry only deletes by digest."""
    if not is_tag(tag):
        raise NotFound(f"{tag[:140]!r} is not a tag", where=repository.label)
    with repository.send("DELETE", f"manifests/{tag}", actions=DELETE) as response:
        if response.status in _DONE:
            return
        complaint = read_complaint(response)
        if _is_refusal(response, complaint) or (
            response.status == 400 and complaint.code in _VAGUE
        ):
            raise Unsupported(
                f"the registry takes no tag away by itself ({_said(response, complaint)})",
                where=repository.label,
                mend="delete the manifest by its digest, and with it all its tags, or move the tag",
            )
        raise _error(repository, f"the deletion of the tag {tag}", response, complaint)


def delete_manifest(repository: Repository, digest: Digest) -> None:
    """Take the manifest away with all its tags. Raises :class:`~manyfest.errors.NotFound`, and
    :class:`~manyfest.errors.Unsupported` if deletion is switched off."""
    with repository.send("DELETE", f"manifests/{digest}", actions=DELETE) as response:
        if response.status in _DONE:
            return
        complaint = read_complaint(response)
        if _is_refusal(response, complaint) or (response.status == 400 and not complaint.code):
            raise Unsupported(
                f"deletion is switched off in the registry ({_said(response, complaint)})",
                where=repository.label,
                mend="its operator may switch it on, in docker-registry with"
                " REGISTRY_STORAGE_DELETE_ENABLED=true; hosted registries have their own interface",
            )
        raise _error(repository, f"the deletion of {digest}", response, complaint)


def _is_refusal(response: Response, complaint: Complaint) -> bool:
    return response.status in _SWITCHED_OFF or complaint.code == "UNSUPPORTED"


def _said(response: Response, complaint: Complaint) -> str:
    return " ".join(filter(None, (str(response.status), complaint.code)))


def _error(
    repository: Repository, doing: str, response: Response, complaint: Complaint
) -> ManyfestError:
    return error_for(response.status, complaint, doing=doing, where=repository.label)
