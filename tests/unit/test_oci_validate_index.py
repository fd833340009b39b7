from __future__ import annotations

import pytest

from tests.unit.oci_documents import (
    DOCKER,
    DOCKER_IMAGE,
    DOCKER_LIST,
    GONE,
    INDEX,
    LIST,
    OCI_CONFIG,
    OCI_IMAGE,
    OCI_LAYER,
    C,
    D,
    Json,
    changed,
    descriptor,
    entry,
    faults,
)


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("manifests", None, "$.manifests: is null; expected a list"),
        ("manifests", {}, "$.manifests: is an object; expected a list"),
        ("manifests/0/platform", GONE, "$.manifests[0].platform: is missing; expected an object"),
        (
            "manifests/0/platform/os",
            GONE,
            "$.manifests[0].platform.os: is missing; expected a string",
        ),
        (
            "manifests/0/platform/os",
            "lunix",
            '$.manifests[0].platform.os: is "lunix", which nobody knows;'
            " expected one of Go's names",
        ),
        (
            "manifests/0/platform/architecture",
            "x86_64",
            "$.manifests[0].platform.architecture: is \"x86_64\"; expected the usual name, 'amd64'",
        ),
        (
            "manifests/0/platform/os",
            "Linux",
            "$.manifests[0].platform.os: is \"Linux\"; expected the usual name, 'linux'",
        ),
        (
            "manifests/0/platform/variant",
            "v8",
            '$.manifests[0].platform.variant: is "v8", no variant of amd64; expected v1 to v4',
        ),
        (
            "manifests/1/platform/variant",
            "8",
            '$.manifests[1].platform.variant: is "8", no variant of arm64;'
            " expected v8 or v9, or a minor version of these",
        ),
        (
            "manifests/0/platform/os.version",
            10,
            '$.manifests[0].platform["os.version"]: is an integer; expected a string',
        ),
        (
            "manifests/0/platform/os.features",
            "win32k",
            '$.manifests[0].platform["os.features"]: is a string; expected a list',
        ),
        (
            "manifests/0/platform/OS",
            "windows",
            "$.manifests[0].platform.OS: some programs read this as 'os'; write it so",
        ),
        (
            "manifests/0/mediaType",
            OCI_LAYER,
            f"$.manifests[0].mediaType: is {OCI_LAYER}; expected a manifest's type",
        ),
        # moby#41507
        (
            "manifests/2",
            entry(D, "linux", "arm64"),
            '$.manifests[2].platform: is "linux/arm64", as in $.manifests[1];'
            " expected each platform once",
        ),
        # attestations
        (
            "manifests/2/annotations/vnd.docker.reference.digest",
            D,
            f'$.manifests[2].annotations["vnd.docker.reference.digest"]: is {D},'
            " which is no image of this index",
        ),
        (
            "manifests/2/annotations/vnd.docker.reference.digest",
            C,
            f'$.manifests[2].annotations["vnd.docker.reference.digest"]: is {C},'
            " which is no image of this index",
        ),
        (
            "manifests/2/annotations/vnd.docker.reference.digest",
            GONE,
            '$.manifests[2].annotations["vnd.docker.reference.digest"]: is missing;'
            " expected the digest of the image that is attested",
        ),
        (
            "manifests/2/platform",
            {"os": "linux", "architecture": "amd64"},
            '$.manifests[2].platform: is "linux/amd64"; expected unknown/unknown,'
            " so that nobody runs an attestation",
        ),
    ],
)
def test_a_fault_of_an_index(path: str, value: object, expected: str) -> None:
    assert faults(changed(INDEX, path, value)) == [expected]


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (
            changed(LIST, "manifests/0/mediaType", OCI_IMAGE),
            [
                f'$.manifests[0].mediaType: is "{OCI_IMAGE}", in a document of Docker\'s;'
                " expected Docker's type"
            ],
        ),
        (
            changed(LIST, "manifests/0/mediaType", DOCKER_LIST),
            [f"$.manifests[0].mediaType: is a list in a list; expected '{DOCKER_IMAGE}'"],
        ),
        (
            changed(LIST, "manifests/0/platform", GONE),
            ["$.manifests[0].platform: is missing; expected an object"],
        ),
        (
            changed(DOCKER, "config/mediaType", OCI_CONFIG),
            [
                f'$.config.mediaType: is "{OCI_CONFIG}", in a document of Docker\'s;'
                " expected Docker's type"
            ],
        ),
        (
            changed(DOCKER, "layers/0/mediaType", OCI_LAYER),
            [
                f'$.layers[0].mediaType: is "{OCI_LAYER}", in a document of Docker\'s;'
                " expected Docker's type"
            ],
        ),
        (
            changed(DOCKER, "subject", descriptor(DOCKER_IMAGE, D)),
            ["$.subject: is not part of Docker's schema 2; expected an OCI media type with it"],
        ),
    ],
)
def test_dockers_schema_2_is_closed(document: Json, expected: list[str]) -> None:
    assert faults(document) == expected
