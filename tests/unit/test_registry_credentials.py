from __future__ import annotations

import base64
import json
import pickle
import stat
import traceback
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyfest.errors import ConfigError
from manyfest.stores.registry.auth.credential_files import read_credential_file
from manyfest.stores.registry.auth.credential_helpers import CredentialHelper
from manyfest.stores.registry.auth.credentials import CredentialStore, default_credential_store
from manyfest.stores.registry.auth.secret import Credential, Secret


def packed(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def store(path: Path, document: object, environ: dict[str, str] | None = None) -> CredentialStore:
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return CredentialStore((path,), environ or {})


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "config.json"


def test_a_secret_shows_itself_only_when_asked() -> None:
    secret = Secret("hunter2")
    credential = Credential(username="jane", password=secret, identity_token=secret)
    for shown in (repr(secret), str(secret), f"{secret}", repr([secret]), repr(credential)):
        assert "hunter2" not in shown
    assert secret.reveal() == "hunter2"
    assert secret == Secret("hunter2")
    assert secret != Secret("hunter3")
    assert not Secret("")
    with pytest.raises(TypeError):
        pickle.dumps(secret)


def test_name_and_password_come_from_auth(config: Path) -> None:
    found = store(config, {"auths": {"ghcr.io": {"auth": packed("jane:a:b")}}}).find("ghcr.io")
    assert found == Credential(username="jane", password=Secret("a:b"), source=str(config))


def test_name_and_password_may_stand_in_plain_keys(config: Path) -> None:
    entry = {"username": "jane", "password": "p"}
    found = store(config, {"auths": {"ghcr.io": entry}}).find("ghcr.io")
    assert found == Credential(username="jane", password=Secret("p"), source=str(config))


def test_tokens_come_along(config: Path) -> None:
    entry = {"auth": packed("00000000:"), "identitytoken": "id", "registrytoken": "reg"}
    found = store(config, {"auths": {"a.azurecr.io": entry}}).find("a.azurecr.io")
    assert found == Credential(
        username="00000000",
        identity_token=Secret("id"),
        registry_token=Secret("reg"),
        source=str(config),
    )


@pytest.mark.parametrize(
    ("key", "host", "repository"),
    [
        ("ghcr.io", "ghcr.io", ""),
        ("ghcr.io", "ghcr.io", "org/app"),
        ("https://ghcr.io", "ghcr.io", "org/app"),
        ("https://ghcr.io/v2/", "ghcr.io", "org/app"),
        ("http://localhost:5000/v1/", "localhost:5000", "a"),
        ("ghcr.io/v2/", "ghcr.io", "a"),
        ("GHCR.io", "ghcr.io", "a"),
        ("ghcr.io/org", "ghcr.io", "org/app"),
        ("ghcr.io/org/app", "ghcr.io", "org/app"),
        ("https://index.docker.io/v1/", "docker.io", "library/alpine"),
        ("docker.io", "docker.io", "library/alpine"),
        ("index.docker.io", "registry-1.docker.io", ""),
        ("docker.io/library", "docker.io", "library/alpine"),
    ],
)
def test_keys_that_are_for_a_registry(config: Path, key: str, host: str, repository: str) -> None:
    credentials = store(config, {"auths": {key: {"auth": packed("jane:p")}}})
    assert credentials.find(host, repository) is not None


@pytest.mark.parametrize(
    ("key", "host", "repository"),
    [
        ("ghcr.io", "ghcr.io.evil.example", "a"),
        ("ghcr.io", "evil.ghcr.io", "a"),
        ("ghcr.io", "ghcr.io:8443", "a"),
        ("localhost:5000", "localhost:5001", "a"),
        ("ghcr.io/org", "ghcr.io", "org2/app"),
        ("ghcr.io/org", "ghcr.io", ""),
        ("https://index.docker.io/v1/", "ghcr.io", "a"),
    ],
)
def test_keys_that_are_not(config: Path, key: str, host: str, repository: str) -> None:
    credentials = store(config, {"auths": {key: {"auth": packed("jane:p")}}})
    assert credentials.find(host, repository) is None


def test_the_most_specific_key_wins(config: Path) -> None:
    names = ["quay.io/org", "quay.io/org/app", "quay.io"]
    credentials = store(config, {"auths": {name: {"auth": packed(f"{name}:p")} for name in names}})
    found = {
        repository: credential.username
        for repository in ("org/app", "org/app/sub", "org/other", "org2/app", "")
        if (credential := credentials.find("quay.io", repository))
    }
    assert found == {
        "org/app": "quay.io/org/app",
        "org/app/sub": "quay.io/org/app",
        "org/other": "quay.io/org",
        "org2/app": "quay.io",
        "": "quay.io",
    }


def test_the_first_file_with_a_credential_decides(tmp_path: Path) -> None:
    first, second = tmp_path / "1.json", tmp_path / "2.json"
    store(first, {"auths": {"a.example": {"auth": packed("first:p")}, "b.example": {}}})
    store(second, {"auths": {n: {"auth": packed("second:p")} for n in ("a.example", "b.example")}})
    credentials = CredentialStore((first, tmp_path / "missing.json", second), {})
    found = [credentials.find(host) for host in ("a.example", "b.example", "c.example")]
    assert [each and each.username for each in found] == ["first", "second", None]


def test_where_the_files_are() -> None:
    home = Path("/home/jane")
    assert default_credential_store({}, home).files == (
        Path("/home/jane/.docker/config.json"),
        Path("/home/jane/.config/containers/auth.json"),
    )
    environ = {
        "REGISTRY_AUTH_FILE": "/etc/auth.json",
        "DOCKER_CONFIG": "/ci",
        "XDG_RUNTIME_DIR": "/run/user/1000",
        "XDG_CONFIG_HOME": "/cfg",
    }
    assert default_credential_store(environ, home).files == (
        Path("/etc/auth.json"),
        Path("/ci/config.json"),
        Path("/run/user/1000/containers/auth.json"),
        Path("/cfg/containers/auth.json"),
    )


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ('{\n"auths": {\n', ":3", "it is not JSON: "),
        ("[]", ":1", "it is not a JSON object"),
        ('{\n\n"auths": 5}', ":3", "'auths' is not an object"),
        ('{"auths": {\n"a.example": 5}}', ":2", "'a.example' in 'auths' is not an object"),
        ('{"auths": {\n"a.example": {"auth": 5}}}', ":2", "'a.example' has a 'auth'"),
        ('{"auths": {\n\n"a.example": {"auth": "hunter2"}}}', ":3", "'a.example' has an 'auth'"),
        ('{"auths": {"a.example": {"auth": "aHVudGVyMg=="}}}', ":1", "not USER:PASSWORD"),
        ('{"credsStore": ["x"]}', ":1", "'credsStore' is not a name"),
        ('{"credHelpers": {"a.example": {}}}', ":1", "'a.example' in 'credHelpers'"),
        ("[" * 100_000, "", "it is nested too deeply"),
    ],
)
def test_a_damaged_file_is_named_with_its_line(
    config: Path, text: str, where: str, what: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        store(config, text).find("a.example")
    assert str(caught.value).startswith(f"{config}{where}: ")
    assert what in str(caught.value)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_a_broken_entry_of_another_registry_does_no_harm(config: Path) -> None:
    entries = {"b.example": {"auth": "broken"}, "a.example": {"auth": packed("jane:p")}}
    assert store(config, {"auths": entries}).find("a.example") is not None


def test_a_file_that_is_empty_or_not_there_holds_nothing(config: Path) -> None:
    assert CredentialStore((config,), {}).find("a.example") is None
    assert store(config, "\n").find("a.example") is None


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["a.example", "a.example/b", "auth", "username", "identitytoken"])
            | st.text(max_size=10),
            inner,
            max_size=3,
        )
    ),
)


@settings(deadline=None)
@given(st.text(max_size=50) | ANY_JSON.map(lambda value: json.dumps({"auths": value})))
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_text(text, encoding="utf-8", errors="replace")
    with suppress(ConfigError):
        found = CredentialStore((path,), {}).find("a.example", "b")
        assert found is None or isinstance(found.username, str)


def test_login_writes_what_docker_writes_and_keeps_the_rest(config: Path) -> None:
    credentials = store(config, {"HttpHeaders": {"A": "ö"}, "auths": {"b.example": {"x": 1}}})
    assert credentials.login("a.example", "jane", Secret("p:w")) == str(config)
    assert config.read_text() == (
        '{\n\t"HttpHeaders": {\n\t\t"A": "ö"\n\t},\n\t"auths": {\n\t\t"b.example": {\n'
        '\t\t\t"x": 1\n\t\t},\n\t\t"a.example": {\n\t\t\t"auth": "amFuZTpwOnc="\n\t\t}\n\t}\n}\n'
    )
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    assert credentials.find("a.example") == Credential(
        username="jane", password=Secret("p:w"), source=str(config)
    )


def test_login_makes_the_folder_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "docker" / "config.json"
    CredentialStore((path,), {}).login("docker.io", "jane", Secret("p"))
    assert json.loads(path.read_text()) == {
        "auths": {"https://index.docker.io/v1/": {"auth": "amFuZTpw"}}
    }
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_link_to_the_file_stays_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real.json", tmp_path / "config.json"
    real.write_text("{}")
    link.symlink_to(real)
    CredentialStore((link,), {}).login("a.example", "jane", Secret("p"))
    assert link.is_symlink()
    assert "a.example" in real.read_text()


def test_logout_forgets_every_form_of_the_key(config: Path) -> None:
    entry = {"auth": packed("jane:p")}
    keys = ["https://index.docker.io/v1/", "docker.io", "a.example", "docker.io/library"]
    credentials = store(config, {"auths": dict.fromkeys(keys, entry), "psFormat": "x"})
    assert credentials.logout("docker.io")
    assert json.loads(config.read_text()) == {
        "auths": {"a.example": entry, "docker.io/library": entry},
        "psFormat": "x",
    }
    assert not credentials.logout("c.example")


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "config.json"
    with pytest.raises(ConfigError) as caught:
        CredentialStore((path,), {}).login("a.example", "jane", Secret("hunter2"))
    assert str(caught.value).startswith(f"{path}: it cannot be written: ")


HELPER = """#!/bin/sh
# Keeps what it is told in files named for its server.
cd "$KEPT" || exit 1
input=$(cat)
case "$1" in
store)
    server=$(printf %s "$input" | sed 's/.*"ServerURL": "\\([^"]*\\)".*/\\1/' | tr / _)
    printf %s "$input" > "$server" ;;
get)
    file=$(printf %s "$input" | tr / _)
    if test -f "$file"; then cat "$file"; else
        echo "credentials not found in native keychain"; exit 1; fi ;;
erase)
    rm "$(printf %s "$input" | tr / _)" ;;
esac
"""


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An environment with the helper ``test`` in its path."""
    (tmp_path / "kept").mkdir()
    (tmp_path / "bin").mkdir()
    write_helper(tmp_path / "bin", "test", HELPER)
    return {"PATH": f"{tmp_path}/bin:/usr/bin:/bin", "KEPT": str(tmp_path / "kept")}


def write_helper(folder: Path, name: str, script: str) -> None:
    path = folder / f"docker-credential-{name}"
    path.write_text(script)
    path.chmod(0o755)


@pytest.mark.parametrize(
    "kept_by", [{"credsStore": "test"}, {"credHelpers": {"docker.io": "test"}}]
)
def test_a_helper_keeps_what_login_tells_it(
    config: Path, environ: dict[str, str], kept_by: dict[str, object]
) -> None:
    credentials = store(config, kept_by, environ)
    assert credentials.find("docker.io") is None
    assert credentials.login("docker.io", "jane", Secret("hunter2")) == "docker-credential-test"
    assert json.loads(config.read_text())["auths"] == {"https://index.docker.io/v1/": {}}
    assert "hunter2" not in config.read_text()
    found = credentials.find("docker.io")
    assert found is not None
    assert (found.username, found.password.reveal()) == ("jane", "hunter2")
    assert credentials.logout("docker.io")
    assert credentials.find("docker.io") is None
    assert not credentials.logout("docker.io")


def test_the_user_name_token_marks_an_identity_token(config: Path, environ: dict[str, str]) -> None:
    credentials = store(config, {"credsStore": "test"}, environ)
    credentials.login("a.example", "<token>", Secret("id"))
    found = credentials.find("a.example")
    assert found == Credential(identity_token=Secret("id"), source="docker-credential-test")


def test_a_helper_for_one_host_is_not_asked_for_another(
    config: Path, environ: dict[str, str]
) -> None:
    document = {
        "credHelpers": {"a.example": "missing"},
        "auths": {"b.example": {"auth": packed("j:p")}},
    }
    credentials = store(config, document, environ)
    assert credentials.find("b.example") is not None
    with pytest.raises(ConfigError, match="docker-credential-missing is not installed"):
        credentials.find("a.example")


def test_what_the_helper_does_not_know_may_stand_in_the_file(
    config: Path, environ: dict[str, str]
) -> None:
    document = {"credsStore": "test", "auths": {"b.example": {"auth": packed("jane:p")}}}
    found = store(config, document, environ).find("b.example")
    assert found is not None
    assert found.username == "jane"


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("#!/bin/sh\necho no keychain; exit 1", "could not get: no keychain"),
        ("#!/bin/sh\nexit 3", "could not get: it gives no reason"),
        ("#!/bin/sh\nprintf '\\033[31mred\\n'; exit 1", "could not get: ?[31mred"),
        ("#!/bin/sh\necho hunter2", "did not answer with Username and Secret"),
        ('#!/bin/sh\necho \'{"Username": 5, "Secret": "hunter2"}\'', "did not answer"),
        ("#!/bin/sh\necho '[\"hunter2\"]'", "did not answer"),
        ("no program", "cannot be run"),
    ],
)
def test_a_helper_that_fails_is_named_and_its_secret_is_not(
    tmp_path: Path, environ: dict[str, str], script: str, says: str
) -> None:
    write_helper(tmp_path / "bin", "odd", script)
    with pytest.raises(ConfigError) as caught:
        CredentialHelper("odd", named_in="config.json", environ=environ).get("a.example")
    assert str(caught.value).startswith("config.json: the credential helper docker-credential-odd ")
    assert says in str(caught.value)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_a_helper_that_repeats_the_secret_in_its_complaint_is_not_quoted(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    write_helper(tmp_path / "bin", "odd", "#!/bin/sh\ncat; exit 1")
    helper = CredentialHelper("odd", named_in="config.json", environ=environ)
    with pytest.raises(ConfigError) as caught:
        helper.store("a.example", "jane", Secret('hun"ter2'))
    assert "ter2" not in str(caught.value)
    assert '"Secret": "***"' in str(caught.value)


@pytest.mark.parametrize("name", ["../evil", "a b", "", "-x", "/bin/sh"])
def test_a_helper_is_a_name_and_not_a_path(name: str) -> None:
    with pytest.raises(ConfigError, match="is not the name of a credential helper"):
        CredentialHelper(name, named_in="config.json", environ={}).get("a.example")


def test_the_content_of_a_file_is_not_in_its_repr(config: Path) -> None:
    store(config, {"auths": {"a.example": {"password": "hunter2"}}})
    assert "hunter2" not in repr(read_credential_file(config))
