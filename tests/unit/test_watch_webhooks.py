"""Webhooks: what each sender says, whether it may, and what that hints at."""

from __future__ import annotations

import hashlib
import hmac
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyfest.errors import UsageError
from manyfest.stores.registry.auth.secret import Secret
from manyfest.watch.config.values import Hook, HookForm
from manyfest.watch.webhooks.forms import MAX_HINTS, Hint, parse
from manyfest.watch.webhooks.proof import is_proven

SECRET = "correct-horse-battery"

DOCKER_HUB = {
    "callback_url": "https://registry.hub.docker.com/u/gotify/server/hook/2141b5bi/",
    "push_data": {"pushed_at": 1417566161, "pusher": "gotify", "tag": "2.6.1"},
    "repository": {
        "name": "server",
        "namespace": "gotify",
        "repo_name": "gotify/server",
        "status": "Active",
    },
}
GHCR_PACKAGE = {
    "name": "server",
    "package_type": "CONTAINER",
    "owner": {"login": "Gotify"},
    "package_version": {
        "container_metadata": {"tag": {"name": "2.6.1", "digest": "sha256:" + "a" * 64}}
    },
}
HARBOR_DATA = {
    "resources": [
        {
            "digest": "sha256:" + "a" * 64,
            "tag": "2.6.1",
            "resource_url": "harbor.example.org/team/server:2.6.1",
        },
        {
            "digest": "sha256:" + "b" * 64,
            "tag": "sha256:" + "b" * 64,
            "resource_url": "harbor.example.org/team/server@sha256:" + "b" * 64,
        },
    ],
    "repository": {
        "name": "server",
        "namespace": "team",
        "repo_full_name": "team/server",
        "repo_type": "private",
    },
}
QUAY = {
    "repository": "gotify/server",
    "namespace": "gotify",
    "name": "server",
    "docker_url": "quay.io/gotify/server",
    "homepage": "https://quay.io/repository/gotify/server",
    "updated_tags": ["2.6.1", "latest"],
}
DISTRIBUTION = {
    "events": [
        {
            "id": "1",
            "action": "push",
            "target": {"repository": "gotify/server", "tag": "2.6.1", "size": 1},
            "request": {"host": "registry.example.org:5000", "method": "PUT"},
        },
        {
            "id": "2",
            "action": "push",
            "target": {"repository": "gotify/server", "digest": "sha256:" + "a" * 64},
            "request": {"host": "registry.example.org:5000"},
        },
        {
            "id": "3",
            "action": "pull",
            "target": {"repository": "gotify/server", "tag": "2.6.0"},
            "request": {"host": "registry.example.org:5000"},
        },
        {
            "id": "4",
            "action": "push",
            "target": {
                "repository": "gotify/server",
                "tag": "latest",
                "url": "https://registry.example.org/v2/gotify/server/manifests/latest",
            },
        },
    ]
}


def hints(
    form: HookForm, document: object, headers: dict[str, str] | None = None
) -> list[tuple[str, str]]:
    """What a document hints at."""
    found = parse(form, json.dumps(document).encode(), headers or {})
    return [(hint.repository, hint.tag) for hint in found]


def test_docker_hub_names_the_tag() -> None:
    assert hints("docker-hub", DOCKER_HUB) == [("docker.io/gotify/server", "2.6.1")]


@pytest.mark.parametrize("event", ["package", "registry_package"])
def test_ghcr_names_the_tag_and_the_owner_in_lower_case(event: str) -> None:
    document = {"action": "published", event: GHCR_PACKAGE}

    found = hints("ghcr", document, {"x-github-event": event})

    assert found == [("ghcr.io/gotify/server", "2.6.1")]


def test_ghcr_may_leave_out_the_tag_and_then_the_list_is_looked_at() -> None:
    package = {**GHCR_PACKAGE, "package_version": {"container_metadata": {"tag": {"name": ""}}}}

    found = hints(
        "ghcr", {"action": "published", "package": package}, {"x-github-event": "package"}
    )

    assert found == [("ghcr.io/gotify/server", "")]


@pytest.mark.parametrize(
    ("document", "event"),
    [
        ({"zen": "Keep it logically awesome."}, "ping"),
        ({"action": "updated", "package": GHCR_PACKAGE}, "package"),
        ({"action": "published", "package": {**GHCR_PACKAGE, "package_type": "npm"}}, "package"),
    ],
)
def test_what_github_sends_besides_hints_at_nothing(document: object, event: str) -> None:
    assert hints("ghcr", document, {"x-github-event": event}) == []


@pytest.mark.parametrize(
    "document",
    [
        {"type": "PUSH_ARTIFACT", "occur_at": 1, "operator": "admin", "event_data": HARBOR_DATA},
        {"specversion": "1.0", "type": "harbor.artifact.pushed", "data": HARBOR_DATA},
    ],
)
def test_harbor_names_tags_and_digests_and_has_two_forms(document: object) -> None:
    assert hints("harbor", document) == [
        ("harbor.example.org/team/server", "2.6.1"),
        ("harbor.example.org/team/server", ""),
    ]


def test_quay_names_several_tags() -> None:
    assert hints("quay", QUAY) == [
        ("quay.io/gotify/server", "2.6.1"),
        ("quay.io/gotify/server", "latest"),
    ]


def test_distribution_sends_several_events_and_tells_of_pulls_too() -> None:
    assert hints("distribution", DISTRIBUTION) == [
        ("registry.example.org:5000/gotify/server", "2.6.1"),
        ("registry.example.org/gotify/server", "latest"),
    ]


def test_one_webhook_hints_at_so_much_and_no_more() -> None:
    many = {**QUAY, "updated_tags": [f"1.0.{number}" for number in range(1000)]}

    assert len(hints("quay", many)) == MAX_HINTS


@pytest.mark.parametrize(
    ("form", "document", "why"),
    [
        ("docker-hub", {}, "the webhook has no repository.repo_name"),
        ("docker-hub", [], "the webhook is no JSON object"),
        ("docker-hub", {"repository": {"repo_name": "../etc"}}, "'docker.io/../etc' is no"),
        ("harbor", {"type": "PUSH_ARTIFACT"}, "the webhook has no resources"),
        ("quay", {"repository": "a/b", "updated_tags": 5}, "the webhook's updated_tags are no"),
        ("distribution", {"events": 5}, "the webhook has no events"),
        ("distribution", {"events": [5]}, "the webhook has an event that is none"),
    ],
)
def test_what_is_not_of_the_form_is_refused(form: HookForm, document: object, why: str) -> None:
    with pytest.raises(UsageError) as caught:
        hints(form, document)
    assert caught.value.what.startswith(why)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["events", "target", "tag", "repository", "repo_name", "action", "type", "data",
             "event_data", "resources", "resource_url", "updated_tags", "package", "owner"]
        ),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@given(
    st.sampled_from(["docker-hub", "ghcr", "harbor", "quay", "distribution"]),
    st.binary(max_size=200) | _json.map(lambda value: json.dumps(value).encode()),
)
def test_whatever_is_sent_is_understood_or_refused(form: HookForm, body: bytes) -> None:
    try:
        found = parse(form, body, {"x-github-event": "package"})
    except UsageError:
        return
    assert all(isinstance(hint, Hint) and "/" in hint.repository for hint in found)


def hook(form: HookForm) -> Hook:
    """One with our secret."""
    return Hook(name="hub", form=form, secret=Secret(SECRET))


def signature(body: bytes, secret: str = SECRET) -> dict[str, str]:
    """What GitHub adds to a body."""
    made = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"x-hub-signature-256": f"sha256={made}"}


def test_github_signs_the_body() -> None:
    assert is_proven(hook("ghcr"), signature(b"{}"), "", b"{}")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        signature(b"{}", "another secret that is long"),
        signature(b"another body"),
        {"x-hub-signature-256": "sha256="},
        {"x-hub-signature-256": "é"},
        {"authorization": SECRET},
    ],
)
def test_what_is_not_signed_by_github_proves_nothing(headers: dict[str, str]) -> None:
    assert not is_proven(hook("ghcr"), headers, SECRET, b"{}")


def test_docker_hub_shows_the_secret_in_the_address_alone() -> None:
    assert is_proven(hook("docker-hub"), {}, SECRET, b"{}")
    assert not is_proven(hook("docker-hub"), {}, "", b"{}")
    assert not is_proven(hook("docker-hub"), {}, SECRET + "x", b"{}")
    assert not is_proven(hook("docker-hub"), {"authorization": SECRET}, "", b"{}")


@pytest.mark.parametrize("form", ["harbor", "quay", "distribution"])
@pytest.mark.parametrize(
    ("headers", "in_path", "expected"),
    [
        ({"authorization": SECRET}, "", True),
        ({"authorization": f"Bearer {SECRET}"}, "", True),
        ({}, SECRET, True),
        ({"authorization": "Bearer "}, "", False),
        ({"authorization": f"Basic {SECRET}"}, "", False),
        ({}, "", False),
    ],
)
def test_others_show_it_in_a_field_or_in_the_address(
    form: HookForm, headers: dict[str, str], in_path: str, expected: bool
) -> None:
    assert is_proven(hook(form), headers, in_path, b"{}") is expected
