"""The verbs: where each is, and its one line of help.

Only the verb that was typed is imported, so that ``manyfest --help`` is quick.
"""

from __future__ import annotations

from typing import NamedTuple


class Command(NamedTuple):
    """A verb's group in ``--help``, its module under ``manyfest.cli`` and its summary."""

    group: str
    module: str
    summary: str


COMMANDS: dict[str, Command] = {
    "init": Command("Releases", "init", "Write a manyfest.yaml for this project"),
    "version": Command("Releases", "version", "Show the version and tags of this commit"),
    "build": Command("Releases", "build", "Build a multi-platform image from a Dockerfile"),
    "release": Command("Releases", "release", "Build, check and publish a version, whole"),
    "stage": Command("Releases", "stage", "Build one platform and push it, to be published later"),
    "publish": Command("Releases", "publish", "Wait for all platforms, join and publish them"),
    "rollback": Command("Releases", "rollback", "Point moving tags back at the release before"),
    "status": Command("Releases", "status", "Show which tag holds which version, and where"),
    "inspect": Command("Images", "inspect", "Show an image and its platforms"),
    "copy": Command("Images", "copy", "Copy an image, whole, from anywhere to anywhere"),
    "save": Command("Images", "save", "Save images in one archive that everything loads"),
    "load": Command("Images", "load", "Load an image into Docker or Podman"),
    "index": Command("Images", "index", "Make an index of images, or change what is in one"),
    "tag": Command("Images", "tag", "Give an image in a registry more tags"),
    "ls": Command("Images", "ls", "List tags, or the repositories of a registry"),
    "rm": Command("Images", "rm", "Remove tags and manifests"),
    "check": Command("Readiness", "check", "Check that an image is whole and true"),
    "wait": Command("Readiness", "wait", "Wait until an image is complete everywhere"),
    "watch": Command("Readiness", "watch", "Watch images all the time, and show and tell"),
    "serve": Command("Registry", "serve", "Serve a folder as a registry"),
    "login": Command("Registry", "login", "Store credentials for a registry"),
    "logout": Command("Registry", "logout", "Remove credentials for a registry"),
    "completion": Command("Shell", "completion", "Print the completion script for a shell"),
}
