from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyfest.errors import InvalidReference
from manyfest.oci.digest import Digest
from manyfest.oci.reference import (
    Name,
    Reference,
    check_registry,
    check_tag,
    is_repository,
    is_tag,
    parse_repository,
    registry_of,
)

HEX = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
DIGEST = f"sha256:{HEX}"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        # Docker Hub's short names
        ("alpine", "docker.io/library/alpine"),
        ("alpine:3.20", "docker.io/library/alpine:3.20"),
        ("gotify/server", "docker.io/gotify/server"),
        ("gotify/server:2.6.1", "docker.io/gotify/server:2.6.1"),
        ("library/alpine", "docker.io/library/alpine"),
        ("library/foo/bar", "docker.io/library/foo/bar"),
        ("docker.io/alpine", "docker.io/library/alpine"),
        ("docker.io/gotify/server", "docker.io/gotify/server"),
        ("index.docker.io/alpine", "docker.io/library/alpine"),
        ("index.docker.io/gotify/server", "docker.io/gotify/server"),
        ("registry-1.docker.io/library/alpine", "docker.io/library/alpine"),
        (f"docker.io/{HEX}", f"docker.io/library/{HEX}"),
        # a part without a slash behind it is no registry
        ("test.com", "docker.io/library/test.com"),
        ("test.com:tag", "docker.io/library/test.com:tag"),
        ("test.com:5000", "docker.io/library/test.com:5000"),
        ("192.168.1.1:5000", "docker.io/library/192.168.1.1:5000"),
        ("localhost", "docker.io/library/localhost"),
        ("localhost:5000", "docker.io/library/localhost:5000"),
        ("foo/foo_bar.com:8080", "docker.io/foo/foo_bar.com:8080"),
        # hosts and ports
        ("localhost/app", "localhost/app"),
        ("localhost:5000/app:1", "localhost:5000/app:1"),
        ("ghcr.io/gotify/server:2.6", "ghcr.io/gotify/server:2.6"),
        ("test:5000/repo", "test:5000/repo"),
        ("test:5000/repo:tag", "test:5000/repo:tag"),
        ("192.168.1.1/repo", "192.168.1.1/repo"),
        ("192.168.1.1:5000/repo:5050", "192.168.1.1:5000/repo:5050"),
        ("xn--n3h.com/myimage:xn--n3h.com", "xn--n3h.com/myimage:xn--n3h.com"),
        ("sub-dom1.foo.com/bar/baz/quux", "sub-dom1.foo.com/bar/baz/quux"),
        ("Registry.Example.com/app", "registry.example.com/app"),
        ("LOCALDOMAIN/app", "localdomain/app"),
        ("docker.io:443/app", "docker.io:443/app"),
        # IPv6
        ("[::1]/repo", "[::1]/repo"),
        ("[::1]:5000/repo", "[::1]:5000/repo"),
        ("[2001:db8::1]:5000/repo:tag", "[2001:db8::1]:5000/repo:tag"),
        ("[2001:db8:1:2:3:4:5:6]/repo:tag", "[2001:db8:1:2:3:4:5:6]/repo:tag"),
        ("[2001:DB8::]:5000/repo", "[2001:db8::]:5000/repo"),
        # digests
        (f"alpine@{DIGEST}", f"docker.io/library/alpine@{DIGEST}"),
        (f"alpine:3.20@{DIGEST}", f"docker.io/library/alpine:3.20@{DIGEST}"),
        (f"test:5000/repo:tag@{DIGEST}", f"test:5000/repo:tag@{DIGEST}"),
        (f"[::1]:5000/repo@{DIGEST}", f"[::1]:5000/repo@{DIGEST}"),
        (f"ghcr.io/a/b@sha512:{HEX}{HEX}", f"ghcr.io/a/b@sha512:{HEX}{HEX}"),
        # separators
        ("dock__er/docker---rules/a.b_c", "docker.io/dock__er/docker---rules/a.b_c"),
        ("d/docker:_x", "docker.io/d/docker:_x"),
    ],
)
def test_name_as_docker_means_it(written: str, expected: str) -> None:
    assert str(Name.parse(written)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":tag",
        f"@{DIGEST}",
        "alpine:",
        "alpine@",
        "alpine@sha256:abc",
        f"alpine@md5:{HEX}",
        f"alpine@{DIGEST.upper()}",
        f"alpine@{DIGEST}\n",
        f"alpine:@{DIGEST}",
        f"alpine@{DIGEST}:tag",
        HEX,
        "Alpine",
        "gotify/Server",
        "test:5000/Upper/lower:tag",
        "docker.io/",
        "docker///docker",
        "/alpine",
        "alpine/",
        "-docker/docker",
        "docker-/docker",
        "_docker/_docker",
        "dock..er/docker",
        "dock___er/docker",
        "dock_.er/docker",
        "aa/asdf$$^/aa",
        "a b",
        "alpine:ta g",
        "alpine:.tag",
        "alpine:-tag",
        "a:b:c",
        "a/b:c/d",
        "alpine\n",
        "alpine:3\n",
        "ghcr.io\n/alpine",
        "ghcr.io/alpine\n",
        "ghcr.io./alpine",
        "-ghcr.io/alpine",
        "gh_cr.io/alpine",
        "https://ghcr.io/alpine",
        "user:password@ghcr.io/alpine",
        "[::1]",
        "[::1]:5000",
        "[::1/alpine",
        "[::1]x/alpine",
        "[]/alpine",
        "[fe80::1%eth0]:5000/alpine",
        "[::1%\r\nHost: x]/alpine",
        "[2001:db8:3:4::192.0.2.33]:5000/alpine",
        "fc00::1:5000/alpine",
        "localhost:/alpine",
        "localhost:0/alpine",
        "localhost:05000/alpine",
        "localhost:65536/alpine",
        "localhost:000000080/alpine",
        "localhost:٣/alpine",
        "ghcr.io/" + "a" * 256,
        "alpine:" + "a" * 129,
    ],
)
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(InvalidReference):
        Name.parse(text)


def test_longest_names_and_tags() -> None:
    assert Name.parse("ghcr.io/" + "a" * 255).repository == "a" * 255
    assert Name.parse("alpine:" + "a" * 128).tag == "a" * 128


def test_capital_letters_are_mended_in_the_message() -> None:
    with pytest.raises(InvalidReference, match="write gotify/server"):
        Name.parse("ghcr.io/Gotify/Server")


def test_a_name_is_taken_apart() -> None:
    name = Name.parse(f"ghcr.io:443/gotify/server:2.6@{DIGEST}")
    assert name == Name("ghcr.io:443", "gotify/server", "2.6", Digest.parse(DIGEST))
    assert name.place == "ghcr.io:443/gotify/server"


@pytest.mark.parametrize(
    ("written", "target"),
    [
        ("alpine", "latest"),
        ("alpine:3.20", "3.20"),
        (f"alpine@{DIGEST}", DIGEST),
        (f"alpine:3.20@{DIGEST}", DIGEST),
    ],
)
def test_the_digest_counts_more_than_the_tag(written: str, target: str) -> None:
    assert Name.parse(written).target == target


def test_only_a_name_without_tag_and_digest_is_a_repository() -> None:
    assert Name.parse("alpine").is_repository
    assert not Name.parse("alpine:3.20").is_repository
    assert not Name.parse(f"alpine@{DIGEST}").is_repository


def test_another_tag_takes_the_digest_away() -> None:
    name = Name.parse(f"alpine:3.20@{DIGEST}")
    assert str(name.with_tag("edge")) == "docker.io/library/alpine:edge"


@pytest.mark.parametrize("tag", ["", ".x", "a b", "a/b", "a" * 129, "x\n"])
def test_no_name_gets_a_tag_that_is_none(tag: str) -> None:
    with pytest.raises(InvalidReference):
        Name.parse("alpine").with_tag(tag)


def test_tag_and_repository_grammar() -> None:
    assert is_tag("2.6.1-rc.1_x")
    assert not is_tag("2.6.1+build")
    assert is_repository("gotify/server")
    assert not is_repository("gotify//server")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("Docker.io", "docker.io"),
        ("index.docker.io", "docker.io"),
        ("GHCR.io:443", "ghcr.io:443"),
        ("[::1]:5000", "[::1]:5000"),
    ],
)
def test_registry_as_used_in_urls(written: str, expected: str) -> None:
    assert check_registry(written) == expected


@pytest.mark.parametrize("text", ["", "a b", "a/b", "host:", "host:x", "a" * 254, "[::g]"])
def test_what_is_no_registry_is_refused(text: str) -> None:
    with pytest.raises(InvalidReference):
        check_registry(text)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("alpine", Reference("docker", image=Name("docker.io", "library/alpine"))),
        ("docker://ghcr.io/a/b:1", Reference("docker", image=Name("ghcr.io", "a/b", "1"))),
        ("docker:24", Reference("docker", image=Name("docker.io", "library/docker", "24"))),
        ("oci:dist", Reference("oci", path="dist")),
        ("oci:/srv/images:2.6", Reference("oci", path="/srv/images", name="2.6")),
        ("oci:../a:b/c:1", Reference("oci", path="../a", name="b/c:1")),
        ("oci:/srv/me@home:1", Reference("oci", path="/srv/me@home", name="1")),
        ("oci:/srv/a@shared:1", Reference("oci", path="/srv/a@shared", name="1")),
        (f"oci:/srv/images@{DIGEST}", Reference("oci", path="/srv/images", name=DIGEST)),
        ("oci-archive:image.tar", Reference("oci-archive", path="image.tar")),
        ("oci-archive:/a/b.tar:v1", Reference("oci-archive", path="/a/b.tar", name="v1")),
    ],
)
def test_reference_with_its_transport(written: str, expected: Reference) -> None:
    assert Reference.parse(written) == expected


@pytest.mark.parametrize(
    "text",
    [
        "oci:",
        "oci::tag",
        "oci-archive:",
        "oci:dist@sha256:abc",
        f"oci:dist:tag@{DIGEST}",
        "docker://",
        "docker://https://ghcr.io/a",
        "https://ghcr.io/a",
        "containers-storage://alpine",
        "docker-daemon:",
        "docker-archive::alpine:3",
        "docker-archive:app.tar:@",
        "docker-archive:app.tar:@-1",
        "docker-archive:app.tar:@01",
        "docker-archive:app.tar:@99999999999",
        "docker-daemon:@0",
        "containers-storage:alpine:3",
        "dir:/tmp/x",
    ],
)
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(InvalidReference):
        Reference.parse(text)


@pytest.mark.parametrize(
    "text",
    ["../a.tar", "./a.tar", "/srv/a", "..", "~/a", "My App.tgz", "A.tar.zst"],
)
def test_a_path_is_refused_with_the_two_ways_to_write_it(text: str) -> None:
    with pytest.raises(InvalidReference) as refused:
        Reference.parse(text)
    assert str(refused.value) == (
        f"{text!r} is a path, and no name in a registry;"
        f" write oci-archive:{text} for a file, oci:{text} for a layout's folder"
    )


def test_what_may_be_an_image_and_looks_like_a_path_is_an_image() -> None:
    assert Reference.parse("dist/a.tar") == Reference(
        "docker", image=Name("docker.io", "dist/a.tar")
    )


@pytest.mark.parametrize(
    "text", ["ghcr.io/team/app", "docker://ghcr.io/team/app", "ghcr.io:443/team/app"]
)
def test_a_repository_is_named_without_a_tag(text: str) -> None:
    assert parse_repository(text).repository == "team/app"
    assert parse_repository("gotify/server") == Name("docker.io", "gotify/server")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("127.0.0.1:5000", "names a registry, and no repository in it; write 127.0.0.1:5000/NAME"),
        ("localhost:5000", "names a registry, and no repository in it; write localhost:5000/NAME"),
        ("ghcr.io/", "names a registry, and no repository in it; write ghcr.io/NAME"),
        ("[::1]", "names a registry, and no repository in it; write [::1]/NAME"),
        ("oci:foo", "is no repository in a registry; write HOST/NAME"),
        ("https://ghcr.io/a/b", "is a web address; leave out https://"),
        ("app:2.6", "names one image; write docker.io/library/app; 'tags' has the tags"),
        ("my.app:v1", "names one image; write docker.io/library/my.app; 'tags' has the tags"),
    ],
)
def test_what_is_no_repository_is_told_what_it_is(text: str, line: str) -> None:
    with pytest.raises(InvalidReference) as refused:
        parse_repository(text)
    assert str(refused.value) == f"{text!r} {line}"


@pytest.mark.parametrize("parse", [Reference.parse, Name.parse, check_registry])
def test_a_web_address_is_refused_with_what_to_leave_out(parse: Callable[[str], object]) -> None:
    with pytest.raises(InvalidReference) as refused:
        parse("https://ghcr.io")
    assert str(refused.value) == "'https://ghcr.io' is a web address; leave out https://"


@pytest.mark.parametrize(
    ("written", "location", "target"),
    [
        ("ghcr.io/a/b:1", "ghcr.io/a/b", "1"),
        ("ghcr.io/a/b", "ghcr.io/a/b", "latest"),
        ("oci:dist:1", "oci:dist", "1"),
        ("oci-archive:a.tar", "oci-archive:a.tar", ""),
    ],
)
def test_place_and_target_of_a_reference(written: str, location: str, target: str) -> None:
    reference = Reference.parse(written)
    assert (reference.location, reference.target) == (location, target)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("ghcr.io/a/b:1", "ghcr.io/a/b:2"),
        (f"ghcr.io/a/b@{DIGEST}", "ghcr.io/a/b:2"),
        ("oci:dist", "oci:dist:2"),
        ("oci-archive:a.tar:1", "oci-archive:a.tar:2"),
    ],
)
def test_the_same_place_under_another_tag(written: str, expected: str) -> None:
    assert str(Reference.parse(written).with_name("2")) == expected


_parts = st.from_regex(r"[a-z0-9]{1,5}((\.|_|__|-{1,3})[a-z0-9]{1,5}){0,2}", fullmatch=True)
_hosts = st.sampled_from(["ghcr.io", "localhost", "10.0.0.1", "[::1]", "a-b.example.org"])
_ports = st.just("") | st.integers(1, 65535).map(lambda port: f":{port}")
_tags = st.just("") | st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,20}", fullmatch=True)
_digests = st.none() | st.binary(max_size=4).map(Digest.of)
_repositories = st.lists(_parts, min_size=1, max_size=4).map("/".join)
_names = st.builds(
    Name,
    st.builds(str.__add__, _hosts, _ports) | st.just("docker.io"),
    _repositories.map(lambda repository: f"library/{repository}"),
    _tags,
    _digests,
)


@given(_names)
def test_a_name_reads_back_as_written(name: Name) -> None:
    assert Name.parse(str(name)) == name


@given(st.text() | st.text(alphabet="aA0.:/@[]-_%\n", max_size=30))
def test_any_text_is_a_reference_or_refused(text: str) -> None:
    try:
        reference = Reference.parse(text)
    except InvalidReference:
        return
    assert Reference.parse(str(reference)) == reference


@pytest.mark.parametrize(
    ("text", "path", "name", "shown"),
    [
        ("docker-archive:app.tar", "app.tar", "", "docker-archive:app.tar"),
        (
            "docker-archive:app.tar:app",
            "app.tar",
            "app:latest",
            "docker-archive:app.tar:app:latest",
        ),
        (
            "docker-archive:/x/app.tar:docker.io/library/app:1",
            "/x/app.tar",
            "app:1",
            "docker-archive:/x/app.tar:app:1",
        ),
        ("docker-archive:-", "-", "", "docker-archive:-"),
        ("docker-archive:app.tar:@0", "app.tar", "@0", "docker-archive:app.tar:@0"),
        (
            f"docker-archive:app.tar:sha256:{'a' * 64}",
            "app.tar",
            f"sha256:{'a' * 64}",
            f"docker-archive:app.tar:sha256:{'a' * 64}",
        ),
        ("docker-daemon:app:1", "", "app:1", "docker-daemon:app:1"),
        (
            "docker-daemon:ghcr.io/t/app",
            "",
            "ghcr.io/t/app:latest",
            "docker-daemon:ghcr.io/t/app:latest",
        ),
        (
            f"docker-daemon:sha256:{'a' * 64}",
            "",
            f"sha256:{'a' * 64}",
            f"docker-daemon:sha256:{'a' * 64}",
        ),
    ],
)
def test_what_docker_names_is_written_as_docker_shows_it(
    text: str, path: str, name: str, shown: str
) -> None:
    reference = Reference.parse(text)

    assert (reference.image, reference.path, reference.name) == (None, path, name)
    assert str(reference) == shown


@pytest.mark.parametrize(
    ("text", "registry"),
    [
        ("localhost", "localhost"),
        ("localhost:5000", "localhost:5000"),
        ("docker://localhost:5000", "localhost:5000"),
        ("Registry.Example", "registry.example"),
        ("registry.example:443/", "registry.example:443"),
        ("registry/", "registry"),
        ("registry:5000", "registry:5000"),
        ("docker:2375", "docker:2375"),
        ("[::1]", "[::1]"),
        ("[::1]:5000", "[::1]:5000"),
        ("index.docker.io", "docker.io"),
        ("alpine", None),
        ("alpine:latest", None),
        ("alpine:3.19", None),
        ("registry.example:v1", None),
        ("localhost:5000/app", None),
        ("localhost/team/", None),
        ("oci:5000", None),
        ("docker-daemon:5000", None),
        ("oci:a.b", None),
        ("-", None),
        ("", None),
    ],
)
def test_a_registry_is_told_from_an_image(text: str, registry: str | None) -> None:
    assert registry_of(text) == registry


@pytest.mark.parametrize("text", ["-/", "localhost:0", "a..b", "localhost:99999/", "[::x]"])
def test_a_registry_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidReference):
        registry_of(text)


@pytest.mark.parametrize(
    ("text", "is_place"),
    [
        ("app", True),
        ("app:v1", False),
        (f"app@sha256:{'0' * 64}", False),
        ("oci:dir", True),
        ("oci:dir:v1", False),
        ("docker-archive:a.tar", True),
    ],
)
def test_a_place_has_no_name_in_it(text: str, is_place: bool) -> None:
    assert Reference.parse(text).is_place is is_place


def test_a_tag_is_checked_by_one_rule() -> None:
    assert check_tag("v1.2_3-x") == "v1.2_3-x"
    with pytest.raises(InvalidReference, match=r"'\.v1' is not a tag; use up to 128 letters"):
        check_tag(".v1")
