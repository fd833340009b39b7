from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from manyfest.errors import (
    AccessDenied,
    BuildError,
    ConfigError,
    ConnectionFailed,
    DockerfileError,
    NotFound,
    ReleaseError,
    Unsupported,
    UsageError,
)
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.reference import Reference
from manyfest.release.project.config import Build, Layers, Sign
from manyfest.release.run import run
from manyfest.release.steps.check import CHECK
from manyfest.release.steps.preflight import PREFLIGHT, PREFLIGHT_WITHOUT_BUILD
from manyfest.release.steps.step import Release
from manyfest.release.tags.rule import TagRule
from manyfest.stores.layout import LayoutStore
from tests import images
from tests.unit.releases import (
    ONE,
    TWO,
    VERSION,
    FakeRegistry,
    FakeStores,
    Trouble,
    hold_former_release,
    make_config,
    make_project,
    make_release,
    parsed,
    with_image,
)

THREE = "three.example/app"


def test_it_names_the_repositories_that_answer(tmp_path: Path) -> None:
    make_project(tmp_path)
    release = make_release(tmp_path, to=(ONE, TWO))
    assert PREFLIGHT.run(release) == "one.example/app, two.example/app in reach"


def test_it_is_never_skipped(tmp_path: Path) -> None:
    assert PREFLIGHT.check(make_release(tmp_path)) == ""


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"sign": Sign(key="env:KEY")}, "sign"),
        ({"layers": Layers(optimize=True)}, "layers.optimize"),
    ],
)
def test_what_would_be_left_out_is_refused(
    tmp_path: Path, change: dict[str, object], key: str
) -> None:
    release = make_release(tmp_path, config=make_config(tmp_path, **change))
    with pytest.raises(ConfigError, match=rf"does not do '{key}'; take it out"):
        PREFLIGHT.run(release)


def test_a_dirty_work_tree_is_refused(tmp_path: Path) -> None:
    release = make_release(tmp_path, version=msgspec.structs.replace(VERSION, dirty=True))
    with pytest.raises(ReleaseError) as refused:
        PREFLIGHT.run(release)
    assert str(refused.value) == (
        f"{tmp_path}: the work tree differs from commit 0123456;"
        " commit or stash the changes, or release them with --allow-dirty"
    )


def test_what_makes_the_work_tree_dirty_is_named(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    for name in ("app.py", "notes.txt", "old.py"):
        (tmp_path / name).touch()
    release = make_release(tmp_path, version=msgspec.structs.replace(VERSION, dirty=True))
    with pytest.raises(ReleaseError, match=r"differs from commit 0123456: app\.py and 2 more; "):
        PREFLIGHT.run(release)


@pytest.mark.parametrize("told", ["--allow-dirty", "--from"])
def test_a_dirty_work_tree_may_not_matter(tmp_path: Path, told: str) -> None:
    make_project(tmp_path)
    root = images.platforms(layout := LayoutStore(tmp_path / "layout"))
    layout.tag("v1", images.content_of(root))
    release = make_release(tmp_path, version=msgspec.structs.replace(VERSION, dirty=True))
    release.allow_dirty = told == "--allow-dirty"
    release.taken_from = Reference.parse(f"oci:{tmp_path}/layout:v1") if told == "--from" else None
    assert PREFLIGHT.run(release) == "one.example/app in reach"


def test_nowhere_to_publish_to_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        PREFLIGHT.run(make_release(tmp_path, to=()))
    assert str(refused.value) == (
        f"{tmp_path}/manyfest.yaml: 'publish' names no repository;"
        " name one there or with --to; `manyfest build` only builds"
    )


def test_a_registry_that_does_not_answer_is_named(tmp_path: Path) -> None:
    make_project(tmp_path)
    trouble = Trouble(lambda _number, call: TWO in call)
    with pytest.raises(ConnectionFailed, match=r"^two.example/app: the connection broke"):
        PREFLIGHT.run(make_release(tmp_path, FakeStores(trouble), to=(ONE, TWO)))
    assert trouble.count("put") == trouble.count("tag") == 0


def denied(place: str) -> AccessDenied:
    return AccessDenied(
        "the registry refuses an upload (401 UNAUTHORIZED)",
        where=place,
        mend=f"log in with: manyfest login {place.partition('/')[0]}",
        status=401,
    )


class Closed(FakeRegistry):
    """A repository that may be read and not written to."""

    def require_push(self) -> None:
        raise denied(self.label)


def test_the_third_registrys_wrong_credentials_are_found_before_anything_is_built(
    tmp_path: Path,
) -> None:
    make_project(tmp_path)
    stores = FakeStores()
    stores.fakes[THREE] = Closed(THREE, stores.trouble)
    with pytest.raises(AccessDenied) as refused:
        list(run(make_release(tmp_path, stores, to=(ONE, TWO, THREE))))
    assert str(refused.value) == (
        "three.example/app: the registry refuses an upload (401 UNAUTHORIZED);"
        " log in with: manyfest login three.example"
    )
    assert {call.split()[0] for call in stores.trouble.calls} == {"resolve", "admit", "list"}
    assert not (tmp_path / "dist").exists()


def test_a_registry_that_lists_no_tags_is_found_before_anything_is_built(tmp_path: Path) -> None:
    class Silent(FakeRegistry):
        def tags(self) -> Iterator[str]:
            raise Unsupported("the registry lists no tags", where=self.label)

    make_project(tmp_path)
    stores = FakeStores()
    stores.fakes[TWO] = Silent(TWO, stores.trouble)
    with pytest.raises(ReleaseError, match=r"^two.example/app: the tags that are there decide"):
        list(run(make_release(tmp_path, stores, to=(ONE, TWO))))
    assert not (tmp_path / "dist").exists()


def test_all_that_stands_in_the_way_is_told_at_once(tmp_path: Path) -> None:
    make_project(tmp_path)
    (tmp_path / "Dockerfile").write_text("FROM base.example/gone:1\nCOPY bin/ /\n")
    stores = FakeStores(Trouble(lambda _number, call: call == f"admit {TWO}"))
    stores.fakes[ONE] = Closed(ONE, stores.trouble)
    config = make_config(
        tmp_path, build=Build(platforms=parsed("linux/amd64"), before="make (", timeout=None)
    )
    with pytest.raises(ReleaseError) as refused:
        PREFLIGHT.run(make_release(tmp_path, stores, to=(ONE, TWO), config=config))
    told = str(refused.value).split("; (")
    assert told[0] == (
        "4 things stand in the way, and nothing was changed:"
        " (1) one.example/app: the registry refuses an upload (401 UNAUTHORIZED);"
        " log in with: manyfest login one.example"
    )
    assert told[1] == "2) two.example/app: the connection broke"
    assert told[2].startswith(f"3) {tmp_path}/manyfest.yaml: the shell cannot read 'build.before'")
    assert told[3] == f"4) {tmp_path}/Dockerfile:1: FROM: base.example/gone: '1' is not in it"


def test_of_an_image_that_is_known_all_is_told_at_once_too(tmp_path: Path) -> None:
    broken = {f"list {ONE}", f"admit {TWO}", f"admit {THREE}"}
    stores = FakeStores(Trouble(lambda _number, call: call in broken))
    release = with_image(make_release(tmp_path, stores, to=(ONE, TWO, THREE)))
    with pytest.raises(ReleaseError) as refused:
        PREFLIGHT_WITHOUT_BUILD.run(release)
    assert str(refused.value) == (
        "3 things stand in the way, and nothing was changed:"
        " (1) one.example/app: the connection broke; (2) two.example/app: the connection broke;"
        " (3) three.example/app: the connection broke"
    )


class Denies(FakeRegistry):
    """A repository that takes what is pushed, and says of no tag that it is not there."""

    def resolve(self, name: str) -> Descriptor:
        try:
            return super().resolve(name)
        except NotFound:
            raise AccessDenied("the registry refuses the manifest", where=self.label) from None


def of_one_tag(folder: Path, registry: type[FakeRegistry]) -> Release:
    """A release whose one tag names it alone, to such a registry."""
    make_project(folder)
    stores = FakeStores()
    stores.fakes[ONE] = registry(ONE, stores.trouble)
    config = make_config(folder, tags=(TagRule.parse("{{version}}"),), arch_tags=False)
    return make_release(folder, stores, config=config)


def test_where_nobody_may_see_what_a_tag_holds_that_is_told_before_anything_is_built(
    tmp_path: Path,
) -> None:
    class Silent(Denies):
        def tags(self) -> Iterator[str]:
            raise AccessDenied("the registry refuses a list", where=self.label)

    with pytest.raises(ReleaseError) as refused:
        PREFLIGHT.run(of_one_tag(tmp_path, Silent))
    assert str(refused.value) == (
        "one.example/app:2.6.1: whether the tag is there, which must not be overwritten, cannot be"
        " told: the registry refuses the manifest; use a login that may read, and list tags"
    )


def test_a_list_of_tags_tells_that_a_denied_one_is_not_there(tmp_path: Path) -> None:
    assert PREFLIGHT.run(of_one_tag(tmp_path, Denies)) == "one.example/app in reach"


def test_who_may_do_nothing_is_told_that_alone(tmp_path: Path) -> None:
    class Shut(Denies):
        def tags(self) -> Iterator[str]:
            raise AccessDenied("the registry refuses a list", where=self.label)

        def require_push(self) -> None:
            raise denied(self.label)

    with pytest.raises(AccessDenied, match=r"^one.example/app: the registry refuses an upload"):
        PREFLIGHT.run(of_one_tag(tmp_path, Shut))


def test_what_only_the_configuration_has_wrong_is_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPPY bin/ /\n")
    with pytest.raises(DockerfileError, match=r"Dockerfile:2: .*COPPY"):
        PREFLIGHT.run(make_release(tmp_path))


def test_a_dockerfile_that_the_command_before_makes_is_not_asked_for(tmp_path: Path) -> None:
    config = make_config(
        tmp_path, build=Build(platforms=parsed("linux/amd64"), before="make Dockerfile")
    )
    assert PREFLIGHT.run(make_release(tmp_path, config=config)) == "one.example/app in reach"


def test_a_version_that_is_two_images_already_cannot_be_released(tmp_path: Path) -> None:
    make_project(tmp_path)
    stores = FakeStores()
    one = hold_former_release(stores.at(ONE), "2.6.1")
    other = images.platforms(stores.at(TWO), text="other").descriptor
    stores.at(TWO).names["2.6.1"] = other
    with pytest.raises(ReleaseError) as refused:
        PREFLIGHT.run(make_release(tmp_path, stores, to=(ONE, TWO)))
    assert str(refused.value) == (
        f"two.example/app:2.6.1: the tag holds {other.digest}, and one.example/app:2.6.1 holds"
        f" {one}: no release can be both; release a new version"
    )


def test_an_image_that_was_named_and_is_not_there(tmp_path: Path) -> None:
    release = make_release(tmp_path)
    release.taken_from = Reference.parse(f"oci:{tmp_path}/nowhere:v1")
    with pytest.raises(NotFound):
        PREFLIGHT.run(release)


def test_nothing_is_uploaded_to_find_out(tmp_path: Path) -> None:
    make_project(tmp_path)
    stores = FakeStores()
    PREFLIGHT.run(make_release(tmp_path, stores))
    assert stores.trouble.calls == [f"resolve {ONE} 2.6.1", f"admit {ONE}", f"list {ONE}"]


def test_an_image_that_a_builder_may_have_itself_need_not_be_in_a_registry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_project(tmp_path)
    (tmp_path / "Dockerfile").write_text("FROM base.example/ours:1\nRUN make\n")
    monkeypatch.setattr(
        "manyfest.build.builder.assign", lambda plans, *_: [SimpleNamespace(name="it")] * len(plans)
    )
    assert PREFLIGHT.run(make_release(tmp_path)) == "one.example/app in reach"


def test_a_builders_image_in_a_registry_that_does_not_answer_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_project(tmp_path)
    (tmp_path / "Dockerfile").write_text("FROM base.example/ours:1\nRUN make\n")
    monkeypatch.setattr(
        "manyfest.build.builder.assign", lambda plans, *_: [SimpleNamespace(name="it")] * len(plans)
    )
    stores = FakeStores(Trouble(lambda _number, call: "base.example" in call))
    message = "Dockerfile:1: FROM: base.example/ours: the connection broke"
    with pytest.raises(BuildError, match=f"/{message}$"):
        PREFLIGHT.run(make_release(tmp_path, stores))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "FROM base.example/nope:1\n",
            "Dockerfile:1: FROM: base.example/nope: '1' is not in it$",
        ),
        (
            "FROM scratch AS build\nCOPY app /\nFROM scratch\nCOPY --from=biuld /app /\n",
            "Dockerfile:4: COPY: docker.io/library/biuld: 'latest' is not in it;"
            r" there is no stage 'biuld' either; did you mean build\?$",
        ),
        (
            "FROM scratch AS build\nCOPY app /\nFROM biuld\n",
            "Dockerfile:3: FROM: docker.io/library/biuld: 'latest' is not in it;"
            r" there is no stage 'biuld' either; did you mean build\?$",
        ),
        (
            "FROM scratch AS build\nCOPY app /\nFROM alpine\nCOPY --from=build /app /\n",
            "Dockerfile:3: FROM: docker.io/library/alpine: 'latest' is not in it$",
        ),
    ],
)
def test_an_image_that_is_not_there_is_told_with_its_line(
    tmp_path: Path, text: str, message: str
) -> None:
    make_project(tmp_path)
    (tmp_path / "app").write_text("")
    (tmp_path / "Dockerfile").write_text(text)
    with pytest.raises(BuildError, match=f"^{tmp_path}/{message}"):
        PREFLIGHT.run(make_release(tmp_path))


def test_of_an_image_that_is_known_each_list_of_tags_is_read_once(tmp_path: Path) -> None:
    root = images.platforms(layout := LayoutStore(tmp_path / "layout"))
    layout.tag("v1", images.content_of(root))
    stores = FakeStores()
    release = make_release(tmp_path, stores, to=(ONE, TWO))
    release.taken_from = Reference.parse(f"oci:{tmp_path}/layout:v1")
    PREFLIGHT.run(release)
    assert CHECK.check(release) == ""
    assert sorted(call for call in stores.trouble.calls if call.startswith("list")) == [
        f"list {ONE}",
        f"list {TWO}",
    ]
