"""``watch.yaml``: what it says becomes what is watched, and every fault names its line and key."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from manyfest.errors import ConfigError
from manyfest.watch.config.load import image_of, load
from manyfest.watch.config.pattern import Pattern
from manyfest.watch.config.schema import text
from manyfest.watch.config.values import Budget, RegistryRule, TagChoice, WatchConfig, WatchedImage
from manyfest.watch.values import Place, Rule

ROOT = Path(__file__).parents[2]

SMALL = """\
images:
  - in: [docker.io/gotify/server]
    platforms: [linux/amd64, linux/arm64/v8]
"""

LARGE = """\
title: Our releases
url: https://releases.example.org/
public: false
every: 10m
images:
  - name: gotify
    in: [gotify/server, ghcr.io/gotify/server]
    mirrors:
      - mirror.example.org/gotify/server
      - {in: "10.0.0.1:5000/gotify", late: 2h}
    tags: {versions: ">=2.5", match: "v?[0-9.]+", newest: 3, names: [latest]}
    platforms: [amd64, linux/arm/v7]
    late: 30m
    soak: 1h30m
    settle: 0
    every: 90
    notify: [team]
notify:
  team: {url: env:GOTIFY_URL, quiet: "22:00-07:00", zone: Europe/Berlin, events: [complete]}
  chat: "json://chat.example.org/secret-path"
registries:
  docker.io: {budget: 100/6h}
  "10.0.0.1:5000": {plain_http: true}
webhooks:
  hub: {from: docker-hub, secret: env:HUB_SECRET}
history: {database: "env:DATABASE_URL", keep: 90d}
"""

ENVIRON = {
    "GOTIFY_URL": "gotify://push.example.org/a-token",
    "HUB_SECRET": "correct-horse-battery",
    "DATABASE_URL": "postgresql://watch:password@db/watch",
}


def written(folder: Path, content: str) -> WatchConfig:
    """The configuration that a file with this content is."""
    path = folder / "watch.yaml"
    path.write_text(content)
    return load(path, ENVIRON)


def refused(folder: Path, content: str) -> str:
    """What is said of a file with this content, from its name on."""
    with pytest.raises(ConfigError) as caught:
        written(folder, content)
    return str(caught.value).replace(f"{folder}/", "")


def test_an_image_needs_a_place_and_platforms_and_no_more(tmp_path: Path) -> None:
    (image,) = written(tmp_path, SMALL).images

    assert image == WatchedImage(
        rule=Rule(
            image="gotify/server",
            places=(Place(repository="docker.io/gotify/server"),),
            platforms=("linux/amd64", "linux/arm64"),
        ),
        tags=TagChoice(versions="*", newest=10),
        every=300.0,
    )


def test_all_that_can_be_said_of_an_image(tmp_path: Path) -> None:
    (image,) = written(tmp_path, LARGE).images

    assert image == WatchedImage(
        rule=Rule(
            image="gotify",
            places=(
                Place(repository="docker.io/gotify/server"),
                Place(repository="ghcr.io/gotify/server"),
                Place(repository="mirror.example.org/gotify/server", mirror=True),
                Place(repository="10.0.0.1:5000/gotify", mirror=True, late=7200.0),
            ),
            platforms=("linux/amd64", "linux/arm/v7"),
            late=1800.0,
            soak=5400.0,
            settle=0.0,
        ),
        tags=TagChoice(
            names=("latest",), versions=">=2.5", match=Pattern.parse("v?[0-9.]+"), newest=3
        ),
        every=90.0,
        notify=("team",),
    )


def test_all_that_can_be_said_besides(tmp_path: Path) -> None:
    config = written(tmp_path, LARGE)

    assert (config.title, config.url) == ("Our releases", "https://releases.example.org")
    assert (config.public, config.every, config.keep) == (False, 600.0, 7776000.0)
    assert config.database.reveal() == "postgresql://watch:password@db/watch"
    assert config.registries == {
        "docker.io": RegistryRule(host="docker.io", budget=Budget(requests=100, seconds=21600.0)),
        "10.0.0.1:5000": RegistryRule(host="10.0.0.1:5000", plain_http=True),
    }
    assert (config.hooks["hub"].form, config.hooks["hub"].secret.reveal()) == (
        "docker-hub",
        "correct-horse-battery",
    )
    team, chat = config.recipients["team"], config.recipients["chat"]
    assert (team.zone, team.kinds) == ("Europe/Berlin", frozenset({"complete"}))
    assert (team.where, team.address.label) == (f"{tmp_path}/watch.yaml:19", "env:GOTIFY_URL")
    assert chat.address.url.reveal() == "json://chat.example.org/secret-path"


def test_who_is_not_named_is_told_of_every_image(tmp_path: Path) -> None:
    config = written(tmp_path, SMALL + 'notify: {team: "json://a.example.org", b: "env:B"}\n')

    assert config.images[0].notify == ("team", "b")


def test_what_is_secret_is_not_shown(tmp_path: Path) -> None:
    shown = repr(written(tmp_path, LARGE))

    assert "a-token" not in shown
    assert "secret-path" not in shown
    assert "password" not in shown
    assert "correct-horse-battery" not in shown


IN = "images:\n  - in: [a.example.org/b]\n    platforms: [linux/amd64]\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "watch.yaml: the file is empty; `manyfest watch --help` shows one"),
        (
            "image: []\n",
            "watch.yaml:1: unknown key 'image'; did you mean 'images'?",
        ),
        (
            "images:\n  - in: [a/b]\n",
            "watch.yaml:2: no key 'platforms' under 'images[0]'; add it, for example"
            " platforms: [linux/amd64, linux/arm64]",
        ),
        (
            "images:\n  - {in: [], platforms: [linux/amd64]}\n",
            "watch.yaml:2: 'images[0].in' is empty; name at least one",
        ),
        (
            "images:\n  - {in: [a/b:c], platforms: [linux/amd64]}\n",
            "watch.yaml:2: 'images[0].in[0]': 'a/b:c' names one image; write docker.io/a/b;"
            " 'tags' has the tags",
        ),
        (
            IN.replace("linux/amd64", "linux/amd46"),
            "watch.yaml:3: 'images[0].platforms[0]': ",
        ),
        (
            IN + "    mirrors: [a.example.org/b]\n",
            "watch.yaml:2: 'images[0].in': two name a.example.org/b; take one out",
        ),
        (
            IN + "    name: a b\n",
            "watch.yaml:4: 'images[0].name': 'a b' is not a name; use letters, digits, '.', '_',"
            " '-' and '/'",
        ),
        (
            IN + "    tags: {versions: '>>1'}\n",
            "watch.yaml:4: 'images[0].tags.versions': '>1' is no version in the range '>>1'",
        ),
        (
            IN + "    tags: {match: '(a'}\n",
            "watch.yaml:4: 'images[0].tags.match': '(a' is no expression: a '(' has no ')' (at 3)",
        ),
        (
            IN + "    tags: {newest: 3}\n",
            "watch.yaml:4: 'images[0].tags': no tag is chosen; say 'versions', 'match' or 'names'",
        ),
        (
            IN + "    tags: {names: [.a]}\n",
            "watch.yaml:4: 'images[0].tags.names[0]': '.a' is not a tag",
        ),
        (
            IN + "    late: soon\n",
            "watch.yaml:4: 'images[0].late': 'soon' is not a time; write seconds, or 30m",
        ),
        (
            IN + "    every: 0\n",
            "watch.yaml:4: 'images[0].every': less than a second; write 5m",
        ),
        (
            IN + "    notify: [me]\n",
            "watch.yaml:4: 'images[0].notify[0]': nobody is called 'me'; there is none",
        ),
        (
            IN + "  - in: [c.example.org/b]\n    platforms: [linux/amd64]\n",
            "watch.yaml:1: 'images': two are called b; take one out",
        ),
        (
            IN + "url: releases.example.org\n",
            "watch.yaml:4: 'url': no http or https address; write https://HOST",
        ),
        (
            IN + "notify: {me: nonsense}\n",
            "watch.yaml:4: 'notify.me.url': no Apprise URL; write gotify://HOST/TOKEN, or env:NAME"
            " for a variable that holds it",
        ),
        (
            IN + "notify: {me: {url: 'json://a.example.org', zone: Mars/Base}}\n",
            "watch.yaml:4: 'notify.me.zone': no time zone 'Mars/Base' is known here; write one"
            " such as Europe/Berlin",
        ),
        (
            IN + "notify: {me: {url: 'json://a.example.org', events: [everything]}}\n",
            "watch.yaml:4: 'notify.me.events[0]' cannot be 'everything'; use one of ",
        ),
        (
            IN + "registries: {a/b: {budget: 1/h}}\n",
            "watch.yaml:4: 'registries.a/b': no host of a registry",
        ),
        (
            IN + "registries: {a.example.org: {budget: lots}}\n",
            "watch.yaml:4: 'registries.a.example.org.budget': 'lots' is no number of requests in a"
            " time; write 100/h, or 100/6h",
        ),
        (
            IN + "webhooks: {hub: {from: quay, secret: short}}\n",
            "watch.yaml:4: 'webhooks.hub.secret': shorter than 16 characters",
        ),
        (
            IN + "webhooks: {hub: {from: quay, secret: env:MISSING}}\n",
            "watch.yaml:4: 'webhooks.hub.secret': the variable MISSING is not set",
        ),
        (
            IN + "webhooks: {hub: {from: docker-hub, secret: a/secret/with/slashes}}\n",
            "watch.yaml:4: 'webhooks.hub.secret': it stands in an address; use up to 64 letters,"
            " digits, '.', '_' and '-'",
        ),
        (
            IN + "webhooks: {hub: {from: gitea, secret: correct-horse-battery}}\n",
            "watch.yaml:4: 'webhooks.hub.from' cannot be 'gitea'; use one of ",
        ),
    ],
)
def test_a_fault_names_its_line_and_key(tmp_path: Path, content: str, said: str) -> None:
    found = refused(tmp_path, content)
    assert found[: len(said)] == said


def test_a_missing_file_says_what_one_looks_like(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "watch.yaml")
    assert caught.value.mend == "`manyfest watch --help` shows one"


def test_what_the_page_adds_is_read_as_the_file_is() -> None:
    image = image_of(
        {"in": ["docker.io/gotify/server"], "platforms": ["linux/arm64"], "soak": "1h"},
        60.0,
        ("team",),
    )

    assert (image.name, image.every, image.origin) == ("gotify/server", 60.0, "page")
    assert (image.rule.soak, image.notify) == (3600.0, ("team",))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "no key 'in'; add it, for example in:"),
        ({"in": "a/b", "platforms": []}, "'in' must be a list, not text"),
        ({"in": ["a/b"], "platforms": ["x"], "more": 1}, "unknown key 'more'"),
        ({"in": ["a/\ud800"], "platforms": ["amd64"]}, ""),
    ],
)
def test_what_the_page_adds_wrongly_names_the_key(asked: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        image_of(asked, 60.0, ())
    assert caught.value.what.startswith(said.partition(";")[0])
    assert not caught.value.where


def test_the_schema_in_the_documentation_is_what_the_file_may_have() -> None:
    assert (ROOT / "docs/reference/watch.schema.json").read_text() == text()


def test_the_schema_knows_every_key() -> None:
    schema = json.loads(text())

    assert schema["$defs"]["ImageKey"]["required"] == ["in", "platforms"]
    assert schema["$defs"]["MirrorKey"]["anyOf"][0] == {"$ref": "#/$defs/Repository"}
    assert set(schema["$defs"]["WatchFile"]["properties"]) == {
        "images", "title", "url", "public", "every", "notify", "registries", "webhooks", "history",
    }  # fmt: skip
