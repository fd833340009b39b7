"""``manyfest.yaml``: what a project releases, and how.

:class:`ConfigFile` is the file's shape; the JSON Schema in the documentation is made of it.
:class:`Config` adds where it was read, so that a fault found later can still name its line.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta

from manyfest.duration import Duration
from manyfest.errors import ConfigError
from manyfest.oci.platform import Platform
from manyfest.oci.reference import Name
from manyfest.release import FILE_NAME
from manyfest.release.project.template import OF_VERSION, Template, values
from manyfest.release.tags.rule import TagRule

if TYPE_CHECKING:
    from manyfest.release.versions.version import Version

NAME_PATTERN = r"^[a-z0-9]+((\.|_{1,2}|-+)[a-z0-9]+)*$"
"""One component of a repository's name (distribution specification, "Pulling manifests")."""

_NONE = Template("")


class Build(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the image is built, once for each platform."""

    platforms: Annotated[
        tuple[Platform, ...],
        Meta(
            description="The platforms, as os/arch[/variant].",
            min_length=1,
            examples=[["linux/amd64", "linux/arm64"]],
        ),
    ]
    context: Annotated[str, Meta(description="The folder that COPY copies from.")] = "."
    dockerfile: Annotated[str, Meta(description="The Dockerfile.")] = "Dockerfile"
    target: Annotated[str, Meta(description="The stage to build; the last if left out.")] = ""
    args: Annotated[
        dict[str, Template],
        Meta(description="Build arguments. Templates: {{version}}, {{sha}} and so on."),
    ] = {}
    before: Annotated[
        str,
        Meta(
            description="A shell command run before the build, once for each platform, with"
            " TARGETOS, TARGETARCH, TARGETVARIANT, TARGETPLATFORM, VERSION and REVISION in its"
            " environment."
        ),
    ] = ""
    backend: Annotated[
        Literal["auto", "native", "buildah", "docker", "buildctl"],
        Meta(description="Who builds; auto is manyfest itself, and another only for RUN."),
    ] = "auto"
    timeout: Annotated[
        Duration | None,
        Meta(description="How long one platform may take where a program is run."),
    ] = None
    secrets: Annotated[
        tuple[str, ...],
        Meta(
            description="What RUN --mount=type=secret may read: a file, or a variable.",
            examples=[["id=npm,src=.npmrc", "id=token,env=TOKEN"]],
        ),
    ] = ()


class Metadata(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is said of the image, in labels and annotations: org.opencontainers.image.title and so
    on. Templates. A LABEL in the Dockerfile is stronger; 'labels' and 'annotations' are stronger
    still."""

    title: Annotated[Template, Meta(description="The image's title, by default 'name'.")] = _NONE
    description: Annotated[Template, Meta(description="What the image is.")] = _NONE
    licenses: Annotated[
        Template,
        Meta(description="The licences, as an SPDX expression.", examples=["MIT"]),
    ] = _NONE
    authors: Annotated[Template, Meta(description="Whom to ask about the image.")] = _NONE
    vendor: Annotated[Template, Meta(description="Who distributes the image.")] = _NONE
    documentation: Annotated[Template, Meta(description="The documentation's URL.")] = _NONE
    source: Annotated[
        Template,
        Meta(description="The source code's URL, by default that of git's remote origin."),
    ] = _NONE
    url: Annotated[
        Template, Meta(description="Where more about the image is found, by default 'source'.")
    ] = _NONE
    labels: Annotated[dict[str, Template], Meta(description="More labels, or others instead.")] = {}
    annotations: Annotated[
        dict[str, Template],
        Meta(description="More annotations of the manifests and the index, or others instead."),
    ] = {}

    @property
    def keywords(self) -> dict[str, Template]:
        """What is said in the words of the OCI image specification, by these words."""
        fields = msgspec.structs.asdict(self).items()
        return {key: text for key, text in fields if isinstance(text, Template) and text.text}


class Smoke(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A command that is run in the image of each platform, and what it must print."""

    command: Annotated[tuple[str, ...], Meta(examples=[["--version"]])]
    expect: Annotated[Template, Meta(description="Text that its output must hold; a template.")] = (
        _NONE
    )
    exit: Annotated[int, Meta(description="The code that it must exit with.", ge=0, le=255)] = 0
    timeout: Annotated[
        Duration | None, Meta(description="How long it may take; a minute if left out.")
    ] = None
    runtime: Annotated[
        Literal["auto", "docker", "podman", "crun"],
        Meta(description="What runs it; auto is the first of these that is there."),
    ] = "auto"


class Check(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Checks before anybody sees the image, besides those that are always made."""

    smoke: Smoke | None = None
    foreign: Annotated[
        tuple[str, ...],
        Meta(
            description="Paths, with * for any text, of programs that may be for another platform"
            " than their image.",
            examples=[["usr/bin/qemu-*-static"]],
        ),
    ] = ()


class Sign(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the release is signed with."""

    key: Annotated[
        str,
        Meta(
            description="The private key: a file, or env:NAME for an environment variable.",
            examples=["env:MANYFEST_KEY"],
        ),
    ]


class Layers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How layers are laid out."""

    optimize: Annotated[bool, Meta(description="Lay layers out for small downloads.")] = False


class ConfigFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a project releases, and how. Paths are relative to the file's folder."""

    name: Annotated[
        str,
        Meta(
            description="The release's name, used in file names and templates.",
            pattern=NAME_PATTERN,
            examples=["gotify-server"],
        ),
    ]
    version_prefix: Annotated[
        str,
        Meta(
            description="What stands before the version in git's tags, besides a v: of several"
            " images that one repository holds, each has its own.",
            examples=["server/"],
        ),
    ] = ""
    build: Annotated[Build, Meta(examples=[{"platforms": ["linux/amd64", "linux/arm64"]}])]
    tags: Annotated[
        tuple[TagRule, ...],
        Meta(
            description="The tags. Those with {{version}}, {{sha}} or {{short_sha}} are set once;"
            " others, such as latest, move from release to release: to the highest version, and"
            " not to a pre-release.",
            min_length=1,
            examples=[["{{version}}", "latest", {"tag": "edge", "on": ["branch"]}]],
        ),
    ] = (TagRule.parse("{{version}}"),)
    arch_tags: Annotated[
        bool, Meta(description="Also set 2.6.1-arm64 and the like, one for each platform.")
    ] = False
    arch_repositories: Annotated[
        dict[str, str],
        Meta(
            description="Repositories of their own for some platforms: what is added to the name"
            " of each repository in 'publish', by platform. They get the same tags, which hold that"
            " platform's image alone.",
            examples=[{"linux/arm64": "-arm64", "linux/arm/v7": "-arm7"}],
        ),
    ] = {}
    publish: Annotated[
        tuple[Name, ...],
        Meta(
            description="The repositories to publish to.",
            examples=[["ghcr.io/gotify/server"]],
        ),
    ] = ()
    archive: Annotated[Template, Meta(description="The OCI archive that the build writes.")] = (
        Template("dist/{{name}}-{{version}}.tar")
    )
    metadata: Metadata = Metadata()
    check: Check = Check()
    sign: Sign | None = None
    layers: Layers = Layers()
    notify: Annotated[
        tuple[str, ...],
        Meta(
            description="Whom to tell of a release, a failed one and a rollback: Apprise URLs, or"
            " env:NAME for an environment variable that holds one.",
            examples=[["env:GOTIFY_URL"]],
        ),
    ] = ()


class Config(ConfigFile, frozen=True, kw_only=True):
    """A :class:`ConfigFile`, the path it was read from, and the line of each of its keys."""

    path: Path = Path(FILE_NAME)
    lines: Mapping[str, int] = {}

    @property
    def root(self) -> Path:
        """The folder that the paths in the file are relative to."""
        return self.path.parent

    @property
    def context(self) -> Path:
        """The build context."""
        return self.root / self.build.context

    @property
    def dockerfile(self) -> Path:
        """The Dockerfile."""
        return self.root / self.build.dockerfile

    def needs_version(self, *, archive: bool) -> bool:
        """Whether a build needs to know its version; ``archive``: the image goes there."""
        said = self.metadata
        templates = [
            *self.build.args.values(),
            *said.keywords.values(),
            *said.labels.values(),
            *said.annotations.values(),
        ]
        if archive:
            templates.append(self.archive)
        return any(OF_VERSION & template.variables for template in templates)

    def archive_path(self, version: Version) -> Path:
        """The archive that a release of ``version`` writes."""
        return self.root / self.archive.render(values(self.name, version))

    @property
    def place(self) -> Name:
        """The repository that the image is known by before it is published: the first that it is
        published to, wherever a release goes."""
        return (*self.publish, Name.parse(self.name))[0]

    @property
    def unsupported(self) -> tuple[str, ...]:
        """Keys that ask for what this version does not do, such as ``sign``."""
        asked = {
            "sign": self.sign,
            "layers.optimize": self.layers.optimize,
        }
        return tuple(key for key, value in asked.items() if value)

    def where(self, key: str = "") -> str:
        """The file, and the line of ``key`` (written ``build.platforms[0]``) if it has one."""
        line = self.lines.get(key)
        return f"{self.path}:{line}" if line else str(self.path)

    def require_supported(self, part: str = "") -> None:
        """Raises :class:`~manyfest.errors.ConfigError` if the file, or the ``part`` of it that is
        needed, asks for what this version does not do: a release must not leave out a part of
        what it was asked for."""
        from manyfest import __version__

        for key in filter(lambda key: key.startswith(part), self.unsupported):
            raise ConfigError(
                f"manyfest {__version__} does not do {key!r}",
                where=self.where(key),
                mend="take it out, or use a later version",
            )
