"""Users and rights, by the registry's answers."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import urlencode

import pytest

from manyfest.oci.digest import Digest
from manyfest.serve.policy import Policy
from tests.gates import SWORDFISH, basic, gate, guarded
from tests.unit.serve_client import Answer, Client, index_of

TOKEN = "http://registry.test/token"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A registry's folder with an image in each of three repositories."""
    client = Client(tmp_path / "root")
    client.registry.prepare()
    for name in ("secret/app", "team/app", "tools"):
        client.push_image(name, "v1", text=name)
    return client.root


@pytest.fixture
def client(root: Path, tmp_path: Path) -> Client:
    return Client(root, policy=guarded(tmp_path / "access"))


def as_user(client: Client, name: str) -> Client:
    client.fields = {"authorization": basic(name)}
    return client


def token(client: Client, name: str, *scopes: str) -> str:
    """A token for the scopes; nobody's if there is no name."""
    query = urlencode([("service", "manyfest"), *(("scope", scope) for scope in scopes)])
    answer = client.call("GET", f"/token?{query}", authorization=basic(name) if name else "")
    assert answer.status == 200
    document = answer.json()
    assert isinstance(document, dict)
    return str(document["token"])


def bearing(client: Client, name: str, *scopes: str) -> Client:
    given = token(client, name, *scopes)
    client.fields = {"authorization": f"Bearer {given}"}
    return client


def challenge(answer: Answer) -> str:
    assert answer.status == 401
    assert answer.code == "UNAUTHORIZED"
    return answer.headers.get("www-authenticate")


# What nobody may do


def test_who_is_not_logged_in_is_told_where_tokens_are(client: Client) -> None:
    asked = challenge(client.call("GET", "team/app/manifests/v1"))
    assert asked == (f'Bearer realm="{TOKEN}",service="manyfest",scope="repository:team/app:pull"')
    asked = challenge(client.call("POST", "tools/blobs/uploads/"))
    assert asked == (
        f'Bearer realm="{TOKEN}",service="manyfest",scope="repository:tools:pull,push"'
    )
    asked = challenge(client.call("DELETE", "tools/manifests/v1"))
    assert asked == f'Bearer realm="{TOKEN}",service="manyfest",scope="repository:tools:delete"'


def test_the_first_question_of_every_client_is_answered_with_it_too(client: Client) -> None:
    assert challenge(client.call("GET", "/v2/")) == f'Bearer realm="{TOKEN}",service="manyfest"'


def test_where_basic_is_asked_for_no_token_is(root: Path, tmp_path: Path) -> None:
    policy = Policy(gate=gate(tmp_path / "access", challenge="basic"))
    client = Client(root, policy=policy)
    asked = challenge(client.call("GET", "/v2/"))
    assert asked == 'Basic realm="manyfest", charset="UTF-8"'


def test_what_anyone_may_read_needs_no_login(client: Client) -> None:
    assert client.call("GET", "tools/manifests/v1").status == 200
    assert client.call("GET", "tools/tags/list").status == 200


@pytest.mark.parametrize("name", ["secret/app", "secret/none"])
def test_who_may_not_read_a_repository_cannot_tell_whether_it_is_there(
    client: Client, name: str
) -> None:
    bob = as_user(client, "bob")
    for path in ("manifests/v1", "tags/list", "blobs/sha256:" + "0" * 64, "blobs/x"):
        answer = bob.call("GET", f"{name}/{path}")
        assert (answer.status, answer.code) == (403, "DENIED")
        assert answer.json() == {
            "errors": [{"code": "DENIED", "message": f"bob may not read {name}"}]
        }


@pytest.mark.parametrize(
    ("method", "path", "right"),
    [
        ("GET", "manifests/v1", "read"),
        ("HEAD", "manifests/v1", "read"),
        ("GET", "tags/list", "read"),
        ("GET", "referrers/sha256:" + "0" * 64, "read"),
        ("HEAD", "blobs/sha256:" + "0" * 64, "read"),
        ("GET", "blobs/sha256:" + "0" * 64, "read"),
        ("PUT", "manifests/v1", "write"),
        ("POST", "blobs/uploads/", "write"),
        ("GET", "blobs/uploads/" + "0" * 32, "write"),
        ("PATCH", "blobs/uploads/" + "0" * 32, "write"),
        ("PUT", "blobs/uploads/" + "0" * 32, "write"),
        ("DELETE", "blobs/uploads/" + "0" * 32, "write"),
        ("DELETE", "manifests/v1", "delete"),
        ("DELETE", "blobs/sha256:" + "0" * 64, "delete"),
    ],
)
def test_each_way_in_needs_its_right(
    root: Path, tmp_path: Path, method: str, path: str, right: str
) -> None:
    """One who has both other rights may not; one who has it gets past."""
    others = {"read", "write", "delete"} - {right} - ({"write"} if right == "read" else set())
    rule = "\n".join(f"    {each}: [ada]" for each in sorted(others))
    access = f"rules:\n  - repositories: [team/app]\n{rule}\n    {right}: [bob]\n"
    client = Client(root, policy=guarded(tmp_path / "access", access))
    assert as_user(client, "ada").call(method, f"team/app/{path}", b"{}").status == 403
    assert as_user(client, "bob").call(method, f"team/app/{path}", b"{}").status not in (401, 403)


# Users


def test_a_user_pushes_and_pulls_and_may_not_delete(client: Client) -> None:
    bob = as_user(client, "bob")
    image = bob.push_image("team/app", "v2", text="bob's")
    assert bob.call("GET", "team/app/manifests/v2").body == image.raw
    refused = bob.call("DELETE", "team/app/manifests/v2")
    assert (refused.status, refused.code) == (403, "DENIED")
    assert as_user(client, "ada").call("DELETE", "team/app/manifests/v2").status == 202


def test_a_wrong_password_is_refused_also_where_none_is_needed(client: Client) -> None:
    client.fields = {"authorization": basic("ada", "sawfish")}
    assert challenge(client.call("GET", "tools/manifests/v1")).startswith("Bearer ")


@pytest.mark.parametrize("header", ["Basic", "Basic !", "Digest x", "Bearer", "Bearer x.y.z", "x"])
def test_what_is_no_login_is_refused(client: Client, header: str) -> None:
    assert challenge(client.call("GET", "tools/manifests/v1", authorization=header))


def test_the_catalogue_has_what_may_be_read(client: Client) -> None:
    def listed() -> object:
        return client.call("GET", "_catalog").json()

    bearing(client, "", "registry:catalog:*")
    assert listed() == {"repositories": ["tools"]}
    as_user(client, "eve")
    assert listed() == {"repositories": ["team/app", "tools"]}
    as_user(client, "ada")
    assert listed() == {"repositories": ["secret/app", "team/app", "tools"]}


def test_pages_of_the_catalogue_do_not_tell_of_the_rest(client: Client) -> None:
    eve = as_user(client, "eve")
    answer = eve.call("GET", "_catalog?n=1")
    assert answer.json() == {"repositories": ["team/app"]}
    assert answer.headers.get("link") == '</v2/_catalog?n=1&last=team%2Fapp>; rel="next"'
    last = eve.call("GET", "_catalog?n=1&last=team/app")
    assert last.json() == {"repositories": ["tools"]}
    assert last.headers.get("link") == ""


def test_a_token_for_a_repository_does_not_list_others(client: Client) -> None:
    ada = bearing(client, "ada", "repository:team/app:pull")
    asked = challenge(ada.call("GET", "_catalog"))
    assert asked.endswith('scope="registry:catalog:*",error="insufficient_scope"')
    client.fields = {}
    assert bearing(client, "ada", "registry:catalog:*").call("GET", "_catalog").status == 200


def test_the_catalogue_asks_for_a_login_as_clients_do_not_log_in_by_themselves(
    client: Client,
) -> None:
    asked = challenge(client.call("GET", "_catalog"))
    assert asked == f'Bearer realm="{TOKEN}",service="manyfest",scope="registry:catalog:*"'


@pytest.mark.parametrize(("is_open", "status"), [(True, 200), (False, 401)])
def test_where_basic_is_asked_for_the_catalogue_is_as_open_as_what_is_in_it(
    root: Path, tmp_path: Path, is_open: bool, status: int
) -> None:
    users = gate(tmp_path / "access", None, anonymous_read=is_open, challenge="basic")
    assert Client(root, policy=Policy(gate=users)).call("GET", "_catalog").status == status


def test_rules_that_change_count_at_once(client: Client, tmp_path: Path) -> None:
    bob = bearing(client, "bob", "repository:team/app:pull,push")
    assert bob.call("POST", "team/app/blobs/uploads/").status == 202
    path = tmp_path / "access/access.yaml"
    path.write_text("rules: [{repositories: ['**'], read: [bob]}]\n")
    assert client.registry.policy.gate is not None
    client.registry.policy.gate.refresh()
    assert bob.call("POST", "team/app/blobs/uploads/").status == 403


# Mounts


def mount(client: Client, into: str, digest: Digest, source: str) -> int:
    query = f"mount={digest}" + (f"&from={source}" if source else "")
    return client.call("POST", f"{into}/blobs/uploads/?{query}").status


@pytest.mark.parametrize("source", ["secret/app", ""])
def test_a_blob_is_not_mounted_from_where_it_may_not_be_read(client: Client, source: str) -> None:
    ada = as_user(client, "ada")
    secret = ada.push_blob("secret/app", b"a secret").digest
    assert mount(as_user(client, "bob"), "team/app", secret, source) == 202
    assert client.call("HEAD", f"team/app/blobs/{secret}").status == 404
    assert mount(as_user(client, "ada"), "team/app", secret, source) == 201


def test_a_token_mounts_from_what_it_is_for(client: Client) -> None:
    """For what its user may read another token is asked for; what that one may not is as good as
    not there."""
    blob = as_user(client, "ada").push_blob("tools", b"a tool").digest
    client.fields = {}
    bob = bearing(client, "bob", "repository:team/app:pull,push")
    asked = challenge(bob.call("POST", f"team/app/blobs/uploads/?mount={blob}&from=tools"))
    assert asked.endswith(
        'scope="repository:team/app:pull,push repository:tools:pull",error="insufficient_scope"'
    )
    assert mount(bob, "team/app", blob, "") == 202
    assert mount(bob, "team/app", blob, "secret/app") == 202
    bob.fields = {}
    both = bearing(client, "bob", "repository:team/app:pull,push", "repository:tools:pull")
    assert mount(both, "team/app", blob, "tools") == 201


# Tokens


def test_a_token_is_for_what_was_asked_for_and_may_be_done(client: Client) -> None:
    bob = bearing(client, "bob", "repository:team/app:pull,push,delete repository:secret/app:pull")
    assert bob.call("GET", "team/app/manifests/v1").status == 200
    assert bob.call("POST", "team/app/blobs/uploads/").status == 202
    assert bob.call("DELETE", "team/app/manifests/v1").status == 403
    assert bob.call("GET", "secret/app/manifests/v1").status == 403


def test_for_more_than_it_is_for_another_token_is_asked_for(client: Client) -> None:
    ada = bearing(client, "ada", "repository:team/app:pull")
    asked = challenge(ada.call("POST", "team/app/blobs/uploads/"))
    assert asked.endswith('scope="repository:team/app:pull,push",error="insufficient_scope"')
    asked = challenge(ada.call("GET", "secret/app/manifests/v1"))
    assert asked.endswith('scope="repository:secret/app:pull",error="insufficient_scope"')


def test_nobodys_token_is_for_what_anyone_may_do(client: Client) -> None:
    nobody = bearing(client, "", "repository:tools:pull", "repository:team/app:pull")
    assert nobody.call("GET", "/v2/").status == 200
    assert nobody.call("GET", "tools/manifests/v1").status == 200
    asked = challenge(nobody.call("GET", "team/app/manifests/v1"))
    assert asked.endswith('error="insufficient_scope"')


def test_a_token_ends_with_the_password_it_was_got_with(client: Client, tmp_path: Path) -> None:
    ada = bearing(client, "ada", "repository:secret/app:pull")
    assert ada.call("GET", "secret/app/manifests/v1").status == 200
    other = "$2b$04$" + SWORDFISH[7:]
    (tmp_path / "access/htpasswd").write_text(f"ada:{other}\nbob:{SWORDFISH}\n")
    assert client.registry.policy.gate is not None
    client.registry.policy.gate.refresh()
    assert challenge(ada.call("GET", "secret/app/manifests/v1")).endswith('error="invalid_token"')


def test_the_token_service_answers_as_clients_expect(client: Client) -> None:
    answer = client.call("GET", "/token?scope=repository:tools:pull", authorization=basic("eve"))
    document = answer.json()
    assert isinstance(document, dict)
    assert set(document) == {"token", "access_token", "expires_in", "issued_at"}
    assert document["token"] == document["access_token"]
    assert document["expires_in"] == 300
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", document["issued_at"])
    assert answer.headers.get("cache-control") == "no-store"


def test_it_refuses_a_wrong_password(client: Client) -> None:
    answer = client.call("GET", "/token", authorization=basic("ada", "sawfish"))
    assert challenge(answer) == 'Basic realm="manyfest", charset="UTF-8"'
    assert b"sawfish" not in answer.body


def test_a_token_buys_no_other_token(client: Client) -> None:
    bearer = f"Bearer {token(client, 'ada', 'repository:tools:pull')}"
    assert client.call("GET", "/token", authorization=bearer).status == 401


def test_a_password_may_come_in_a_form(client: Client) -> None:
    form = {"grant_type": "password", "username": "ada", "password": "swordfish"}
    form["scope"] = "repository:secret/app:pull"
    answer = client.call("POST", "/token", urlencode(form).encode())
    document = answer.json()
    assert isinstance(document, dict)
    bearer = f"Bearer {document['access_token']}"
    assert client.call("GET", "secret/app/manifests/v1", authorization=bearer).status == 200
    form["password"] = "sawfish"
    assert client.call("POST", "/token", urlencode(form).encode()).status == 401


def test_what_else_a_form_may_ask_for_is_not_known(client: Client) -> None:
    answer = client.call("POST", "/token", b"grant_type=refresh_token&refresh_token=x")
    assert (answer.status, json.loads(answer.body)) == (400, {"error": "unsupported_grant_type"})


@pytest.mark.parametrize(
    "scope",
    [
        "repository:../secret/app:pull",
        "repository:secret/../secret/app:pull",
        "repository:secret/app%00:pull",
        "repository:SECRET/app:pull",
        "repository::pull",
        "repository:secret/app",
        "repository:secret/app:*",
        "repository:**:pull",
        "registry:catalog:pull",
        "registry:secret/app:*",
        ":::",
        "x" * 3000,
        "",
    ],
)
def test_a_scope_that_is_odd_grants_nothing(client: Client, scope: str) -> None:
    bob = bearing(client, "bob", scope)
    assert client.registry.policy.gate is not None
    claims = client.registry.policy.gate.tokens.read(bob.fields["authorization"][7:])
    assert claims is not None
    assert claims.access == ()


def test_too_many_scopes_are_refused(client: Client) -> None:
    scopes = " ".join(["repository:tools:pull"] * 33)
    assert client.call("GET", f"/token?{urlencode({'scope': scopes})}").status == 400


def test_a_registry_without_users_gives_out_no_tokens(root: Path) -> None:
    assert Client(root).call("GET", "/token").status == 404


def test_tokens_are_to_be_had_also_where_nothing_can_be_changed(root: Path, tmp_path: Path) -> None:
    client = Client(root, read_only=True, policy=guarded(tmp_path / "access"))
    form = b"grant_type=password&username=ada&password=swordfish"
    assert client.call("POST", "/token", form).status == 200


# Browsers


@pytest.mark.parametrize("is_guarded", [True, False])
@pytest.mark.parametrize(
    "said",
    [
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
    ],
)
def test_a_page_from_elsewhere_pushes_nothing(
    client: Client, tmp_path: Path, said: dict[str, str], *, is_guarded: bool
) -> None:
    ada = as_user(client, "ada") if is_guarded else Client(tmp_path / "open")
    answer = ada.call("POST", "team/app/blobs/uploads/", b"x", **said)
    assert (answer.status, answer.code) == (403, "DENIED")


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"sec_fetch_site": "same-origin", "origin": "https://registry.test"},
        {"origin": "http://registry.test"},
    ],
)
def test_a_page_of_the_same_host_and_a_program_may(client: Client, said: dict[str, str]) -> None:
    ada = as_user(client, "ada")
    assert ada.call("POST", "team/app/blobs/uploads/", b"", **said).status == 202


# What is stored


def test_a_right_in_one_repository_opens_no_other_by_its_digest(client: Client) -> None:
    ada = as_user(client, "ada")
    secret = ada.push_image("secret/app", "v2", text="secret")
    index = index_of(secret)
    assert ada.call("GET", f"secret/app/manifests/{secret.descriptor.digest}").status == 200
    bob = as_user(client, "bob")
    assert bob.call("GET", f"team/app/manifests/{secret.descriptor.digest}").status == 404
    refused = bob.push_manifest("team/app", "stolen", index)
    assert (refused.status, refused.code) == (400, "MANIFEST_BLOB_UNKNOWN")
