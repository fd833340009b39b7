from __future__ import annotations

import pytest

from tests.unit.oci_documents import (
    ARTIFACT,
    DOCKER,
    DOCKER_CONFIG,
    DOCKER_IMAGE,
    DOCKER_LAYER,
    DOCKER_LIST,
    GONE,
    IMAGE,
    INDEX,
    LIST,
    OCI_IMAGE,
    OCI_INDEX,
    OCI_LAYER,
    A,
    B,
    C,
    Json,
    changed,
    descriptor,
    entry,
    faults,
)


@pytest.mark.parametrize(
    ("document", "media_type"),
    [
        (IMAGE, OCI_IMAGE),
        (IMAGE, ""),
        (ARTIFACT, OCI_IMAGE),
        (DOCKER, DOCKER_IMAGE),
        (INDEX, OCI_INDEX),
        (LIST, DOCKER_LIST),
        # SHOULD is no MUST
        (changed(IMAGE, "mediaType", GONE), OCI_IMAGE),
        (changed(IMAGE, "mediaType", GONE), ""),
        (changed(IMAGE, "layers", []), ""),
        (changed(INDEX, "manifests", []), ""),
        # what nobody knows yet
        (changed(IMAGE, "tomorrow", {"a": [1.5, None]}), ""),
        (changed(ARTIFACT, "layers/0/mediaType", "application/x.tomorrow"), ""),
        (changed(INDEX, "manifests/0/mediaType", "application/vnd.tomorrow+json"), ""),
        # null is absent
        (changed(IMAGE, "annotations", None), ""),
        (changed(IMAGE, "subject", None), ""),
        (changed(INDEX, "manifests/0/urls", None), ""),
        # the families mix this way round
        (changed(INDEX, "manifests/0/mediaType", DOCKER_IMAGE), ""),
        (changed(IMAGE, "config/mediaType", DOCKER_CONFIG), ""),
        (changed(IMAGE, "layers/0/mediaType", DOCKER_LAYER), ""),
        (changed(DOCKER, "config/mediaType", "application/vnd.docker.plugin.v1+json"), ""),
        # layers
        (changed(IMAGE, "layers/0/mediaType", "application/vnd.oci.image.layer.v1.tar"), ""),
        (changed(IMAGE, "layers/0/mediaType", OCI_LAYER + "+encrypted"), ""),
        (
            changed(
                IMAGE,
                "layers/0/mediaType",
                "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
            ),
            "",
        ),
        (changed(IMAGE, "layers", [descriptor(OCI_LAYER, B)] * 125), ""),
        # an attestation as BuildKit stored it first: an image whose layers are no file system
        (changed(IMAGE, "layers", [descriptor("application/vnd.in-toto+json", B)]), ""),
        # indexes
        (changed(INDEX, "manifests/0", descriptor(OCI_INDEX, A)), ""),
        (changed(INDEX, "manifests/2", entry(C, "linux", "arm", "v6")), ""),
        (changed(INDEX, "manifests/1/digest", "sha512:" + "a" * 128), ""),
        # an index of artifacts: referrers, as the fallback tag lists them
        (
            changed(
                INDEX, "manifests", [descriptor(OCI_IMAGE, A, artifactType="application/spdx+json")]
            ),
            "",
        ),
        (
            changed(
                changed(INDEX, "manifests", [descriptor(OCI_IMAGE, A)]),
                "artifactType",
                "application/vnd.example+type",
            ),
            "",
        ),
        # one platform twice: gzip for all, zstd for those that know Podman's mark
        (
            changed(
                INDEX,
                "manifests/1",
                entry(B, "linux", "amd64")
                | {"annotations": {"io.github.containers.compression.zstd": "true"}},
            ),
            "",
        ),
        # Windows: one for each version of the system
        (
            changed(
                INDEX,
                "manifests",
                [
                    descriptor(
                        OCI_IMAGE,
                        digest,
                        platform={
                            "os": "windows",
                            "architecture": "amd64",
                            "os.version": version,
                            "os.features": ["win32k"],
                        },
                    )
                    for digest, version in [(A, "10.0.17763.1"), (B, "10.0.20348.1")]
                ],
            ),
            "",
        ),
    ],
)
def test_what_is_right_has_no_fault(document: Json, media_type: str) -> None:
    assert faults(document, media_type) == []


@pytest.mark.parametrize(
    ("document", "media_type", "expected"),
    [
        (
            IMAGE,
            DOCKER_IMAGE,
            [f'$.mediaType: is "{OCI_IMAGE}", but it came as "{DOCKER_IMAGE}"'],
        ),
        (IMAGE, "text/html", ['$: came as "text/html", which is no manifest\'s type']),
        (
            changed(DOCKER, "mediaType", GONE),
            DOCKER_IMAGE,
            [
                "$.mediaType: is missing, which Docker's schema 2 does not allow;"
                f" expected '{DOCKER_IMAGE}'"
            ],
        ),
        (
            changed(IMAGE, "mediaType", OCI_INDEX),
            "",
            [
                f'$.mediaType: is "{OCI_INDEX}", but the document has the form of an image'
                f" manifest; expected '{DOCKER_IMAGE}' or '{OCI_IMAGE}'"
            ],
        ),
        (
            changed(INDEX, "mediaType", GONE),
            OCI_IMAGE,
            [
                f'$.mediaType: is "{OCI_IMAGE}", but the document has the form of an index;'
                f" expected '{DOCKER_LIST}' or '{OCI_INDEX}'"
            ],
        ),
    ],
)
def test_the_media_type_is_what_was_said_and_what_is_seen(
    document: Json, media_type: str, expected: list[str]
) -> None:
    assert faults(document, media_type) == expected


def test_an_index_that_is_an_image_too() -> None:
    # CVE-2021-41190
    assert faults(changed(INDEX, "layers", [])) == [
        '$: has "manifests" beside "config" or "layers"; expected an index or an image',
        "$.config: is missing; expected an object",
    ]


def test_every_fault_is_reported() -> None:
    assert faults({"mediaType": OCI_IMAGE, "config": {}, "layers": [{"size": -1}]}) == [
        "$.schemaVersion: is missing; expected an integer",
        "$.config.mediaType: is missing; expected a string",
        "$.config.digest: is missing; expected a string",
        "$.config.size: is missing; expected an integer",
        "$.layers[0].mediaType: is missing; expected a string",
        "$.layers[0].digest: is missing; expected a string",
        "$.layers[0].size: is -1; expected 0 to 1125899906842624, a number of bytes",
    ]


def test_a_retired_manifest() -> None:
    assert faults({"schemaVersion": 1, "fsLayers": []}) == [
        "$.schemaVersion: is 1; expected 2",
        "$.config: is missing; expected an object",
        "$.layers: is missing; expected a list",
    ]
