from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyfest.errors import ConfigError
from manyfest.oci.platform import Platform
from manyfest.oci.reference import Name
from manyfest.release.project import schema
from manyfest.release.project.config import Config, Smoke
from manyfest.release.project.load import load
from manyfest.release.project.template import TagTemplate, Template
from manyfest.release.tags.rule import TagRule
from manyfest.release.versions.version import find_version

SCHEMA_FILE = Path(__file__).parents[2] / "docs/reference/manyfest.schema.json"

SHORT = "name: x\nbuild: {platforms: [linux/amd64]}\n"

WHOLE = """\
name: gotify-server
build:
  context: .
  dockerfile: docker/Dockerfile
  platforms: [linux/amd64, linux/arm64, linux/arm/v7, linux/386, linux/riscv64]
  args: {APP_MODE: prod}
  before: make build-$TARGETARCH        # once per platform
tags: ["{{version}}", "{{major}}.{{minor}}", "{{major}}", latest]
arch_tags: true
publish: [docker.io/gotify/server, ghcr.io/gotify/server]
check:
  smoke: {command: ["--version"], expect: "2.6"}
sign: {key: env:MANYFEST_KEY}
layers: {optimize: false}
notify: ["gotify://push.example.org/TOKEN"]
"""


def loaded(folder: Path, text: str | bytes) -> Config:
    path = folder / "manyfest.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load(path)


def fault(folder: Path, text: str | bytes) -> str:
    with pytest.raises(ConfigError) as caught:
        loaded(folder, text)
    message = str(caught.value)
    assert message.isprintable(), "one line, no control characters"
    return message.removeprefix(f"{folder}/")


def test_the_documented_shape_is_read_whole(tmp_path: Path) -> None:
    config = loaded(tmp_path, WHOLE)
    assert config.name == "gotify-server"
    assert [str(platform) for platform in config.build.platforms] == [
        "linux/amd64",
        "linux/arm64",
        "linux/arm/v7",
        "linux/386",
        "linux/riscv64",
    ]
    assert config.build.args == {"APP_MODE": Template("prod")}
    assert config.build.before == "make build-$TARGETARCH"
    assert [str(tag) for tag in config.tags] == [
        "{{version}}",
        "{{major}}.{{minor}}",
        "{{major}}",
        "latest",
    ]
    assert config.arch_tags is True
    assert config.publish == (Name("docker.io", "gotify/server"), Name("ghcr.io", "gotify/server"))
    assert config.check.smoke == Smoke(command=("--version",), expect=Template("2.6"))
    assert config.notify == ("gotify://push.example.org/TOKEN",)


def test_only_a_name_and_platforms_are_needed(tmp_path: Path) -> None:
    config = loaded(tmp_path, SHORT)
    assert config.build.platforms == (Platform(os="linux", architecture="amd64"),)
    assert config.tags == (TagRule.parse("{{version}}"),)
    assert (config.arch_tags, config.publish, config.build.args) == (False, (), {})


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    config = loaded(tmp_path, WHOLE)
    assert config.root == tmp_path
    assert config.context == tmp_path
    assert config.dockerfile == tmp_path / "docker/Dockerfile"
    version = find_version(tmp_path, "2.6.1", {})
    assert config.archive_path(version) == tmp_path / "dist/gotify-server-2.6.1.tar"


def test_what_a_later_version_does_is_refused_with_its_line(tmp_path: Path) -> None:
    config = loaded(tmp_path, WHOLE)
    assert config.unsupported == ("sign",)
    with pytest.raises(ConfigError) as caught:
        config.require_supported()
    assert str(caught.value) == (
        f"{tmp_path}/manyfest.yaml:13: manyfest 0.1.0 does not do 'sign';"
        " take it out, or use a later version"
    )


@pytest.mark.parametrize(
    "text", ["sign:", "notify: []", "check: {}", "check: {smoke: ~}", "layers: {optimize: false}"]
)
def test_what_is_not_asked_for_needs_no_support(tmp_path: Path, text: str) -> None:
    loaded(tmp_path, SHORT + text).require_supported()


def test_layers_that_are_to_be_optimized_are_refused(tmp_path: Path) -> None:
    assert loaded(tmp_path, SHORT + "layers: {optimize: true}").unsupported == ("layers.optimize",)


def test_templates_get_scalars_as_they_are_written(tmp_path: Path) -> None:
    text = "name: x\nbuild: {platforms: [amd64], args: {A: 1.10, B: 007, C: yes, D: 2020-01-01}}\n"
    config = loaded(tmp_path, text + "tags: [2.60]")
    written = {name: template.text for name, template in config.build.args.items()}
    assert written == {"A": "1.10", "B": "007", "C": "yes", "D": "2020-01-01"}
    assert config.tags == (TagRule.parse("2.60"),)


def test_a_number_is_read_as_one(tmp_path: Path) -> None:
    smoke = loaded(tmp_path, SHORT + "check: {smoke: {command: [--help], exit: 64}}").check.smoke
    assert smoke == Smoke(command=("--help",), exit=64)


@pytest.mark.parametrize(
    ("exit_code", "message"),
    [
        ("256", "'check.smoke.exit' cannot be 256; use one from 0 to 255"),
        ("-1", "'check.smoke.exit' cannot be -1; use one from 0 to 255"),
        ("0x10", "'check.smoke.exit' cannot be 0x10; write a whole number, such as 3"),
        ("1.5", "'check.smoke.exit' cannot be 1.5; write a whole number, such as 3"),
        ("one", "'check.smoke.exit' must be a number, not text"),
    ],
)
def test_a_number_is_whole_and_within_its_bounds(
    tmp_path: Path, exit_code: str, message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, SHORT + f"check: {{smoke: {{command: [a], exit: {exit_code}}}}}")
    assert message in str(caught.value)


RULES = """\
tags:
  - "{{version}}"
  - {tag: edge, branches: [main, "release/*"]}
  - tag: nightly
    on: [schedule]
  - {tag: "{{major}}", versions: ">=1", forward: false}
arch_repositories: {linux/amd64: -x86}
"""


def test_a_tag_is_text_or_a_rule(tmp_path: Path) -> None:
    config = loaded(tmp_path, SHORT + RULES)
    assert config.tags == (
        TagRule(tag=TagTemplate("{{version}}")),
        TagRule(tag=TagTemplate("edge"), branches=("main", "release/*")),
        TagRule(tag=TagTemplate("nightly"), on=("schedule",)),
        TagRule(tag=TagTemplate("{{major}}"), versions=">=1", forward=False),
    )
    assert config.where("tags[2].on") == f"{tmp_path}/manyfest.yaml:7"
    assert config.arch_repositories == {"linux/amd64": "-x86"}
    config.require_supported()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "tags: [{tga: edge}]",
            "unknown key 'tga' under 'tags[0]'; did you mean 'tag'?",
        ),
        (
            "tags: [{on: [branch]}]",
            "no key 'tag' under 'tags[0]'; add it, for example tag: edge",
        ),
        (
            "tags: [{tag: edge, on: [push]}]",
            "'tags[0].on[0]' cannot be 'push'; use one of branch, prerelease, pull-request,"
            " release, schedule",
        ),
        (
            "tags: [{tag: edge, on: branch}]",
            "'tags[0].on' must be a list, not text; put it in brackets: [ ]",
        ),
        (
            "tags: [{tag: latest, versions: '>=a'}]",
            "'tags[0].versions': 'a' is no version in the range '>=a'; write ranges as npm does",
        ),
        (
            "tags: [{tag: latest, branches: [main], on: [release]}]",
            "'tags[0].branches': the tag is set for no branch; add branch or schedule to 'on'",
        ),
        (
            "tags: [{tag: 'pr-{{pr}}', on: [branch]}]",
            "'tags[0].on': {{pr}} is known for pull requests alone; add pull-request to it",
        ),
        (
            "tags: [latest, {tag: latest, on: [branch]}]",
            "'tags': names latest twice; take one out",
        ),
        (
            "tags: [{tag: '{{brnch}}'}]",
            "'tags[0].tag': unknown variable 'brnch'; did you mean {{branch}}?",
        ),
        (
            "arch_repositories: {linux/arm64: -arm64}",
            "'arch_repositories': the image is not built for linux/arm64;"
            " add it to 'build.platforms': linux/amd64",
        ),
        (
            "arch_repositories: {linux/amd46: -x}",
            "'arch_repositories': unknown architecture in platform 'linux/amd46'",
        ),
        (
            "arch_repositories: {linux/amd64: -x, amd64: -y}",
            "'arch_repositories': names linux/amd64 twice",
        ),
        (
            "arch_repositories: {amd64: -X}",
            "'arch_repositories': '-X' makes 'library/x-X', which is no repository's name;"
            " write lower-case letters and digits after a '-', as in -arm64",
        ),
        (
            "publish: [r.io/x, r.io/x-amd64]\narch_repositories: {amd64: -amd64}",
            "'arch_repositories': '-amd64' makes r.io/x-amd64, which is there already;"
            " write another ending",
        ),
    ],
)
def test_rules_and_repositories_that_cannot_be(tmp_path: Path, text: str, message: str) -> None:
    line = 3 + text.count("\n")
    assert fault(tmp_path, SHORT + text).startswith(f"manyfest.yaml:{line}: {message}")


def test_anchors_may_be_used_and_used_again(tmp_path: Path) -> None:
    text = "name: &n x\nbuild:\n  platforms: &p [amd64]\n  args: {A: *n, B: &n y, C: *n}\n"
    config = loaded(tmp_path, text)
    assert [str(arg) for arg in config.build.args.values()] == ["x", "y", "y"]


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    assert loaded(tmp_path, b"\xef\xbb\xbf" + SHORT.encode()).name == "x"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "name: x\nbuild:\n  platfroms:\n    - amd64\n",
            "manyfest.yaml:3: unknown key 'platfroms' under 'build'; did you mean 'platforms'?",
        ),
        ("Name: x\n", "manyfest.yaml:1: unknown key 'Name'; did you mean 'name'?"),
        (
            SHORT + "layers: {zzz: 1}",
            "manyfest.yaml:3: unknown key 'zzz' under 'layers'; the keys are optimize",
        ),
        (
            "build: {platforms: [amd64]}",
            "manyfest.yaml:1: no key 'name'; add it, for example name: gotify-server",
        ),
        (
            "name: x",
            "manyfest.yaml:1: no key 'build'; add it, for example"
            " build: {platforms: [linux/amd64, linux/arm64]}",
        ),
        (
            "name: x\nbuild:\n  context: .",
            "manyfest.yaml:2: no key 'platforms' under 'build'; add it, for example"
            " platforms: [linux/amd64, linux/arm64]",
        ),
        (
            "name: x\nbuild:\n  platforms: []",
            "manyfest.yaml:3: 'build.platforms' is empty; name at least one",
        ),
        (SHORT + "name: y", "manyfest.yaml:3: key 'name' appears twice"),
        (
            "name: x\nbuild: {platforms: [amd64], args: {A: 1, 'A': 2}}",
            "manyfest.yaml:2: key 'A' appears twice under 'build.args'",
        ),
        (SHORT + "<<: {tags: [a]}", "manyfest.yaml:3: merge keys (<<) are not read"),
        (SHORT + "? [a]\n: b", "manyfest.yaml:3: a key is not short, plain text"),
        (SHORT + "k" * 101 + ": b", "manyfest.yaml:3: a key is not short, plain text"),
        (SHORT + '"a\\x1b[31m": b', "manyfest.yaml:3: unknown key 'a\\x1b[31m'; the keys are name"),
    ],
)
def test_keys(tmp_path: Path, text: str, message: str) -> None:
    assert fault(tmp_path, text).startswith(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: 5", "'name' must be text, not a number; write \"5\""),
        ("name: true", "'name' must be text, not true or false; write \"true\""),
        ("name:", "'name' must be text, not nothing"),
        ("name: [x]", "'name' must be text, not a list"),
        ("name: !x y", "'name' must be text, not the tag '!x'"),
        ("name: !!seq y", "'name' must be text, not the tag '!seq'"),
        (
            "name: {{x}}",
            "'name' must be text, not keys and values;"
            ' put a value that starts with "{" in quotes',
        ),
        ("arch_tags: 1", "'arch_tags' must be true or false, not a number"),
        ("arch_tags: !!bool maybe", "'arch_tags' must be true or false, not 'maybe'"),
        ("publish: ghcr.io/a/b", "'publish' must be a list, not text; put it in brackets: [ ]"),
        ("publish: !!seq {a: b}", "'publish' must be a list, not the tag '!seq'"),
        ("tags:", "'tags' must be a list, not nothing"),
        (
            "tags: [{{version}}]",
            "a key is not short, plain text under 'tags[0]';"
            ' put a value that starts with "{" in quotes',
        ),
        ("tags: [[a]]", "'tags[0]' must be text, or keys and values, not a list"),
        ("archive: !!str [a]", "'archive' must be text, not the tag '!str'"),
        ("layers: !!map abc", "'layers' must be keys and values, not the tag '!map'"),
        ("check: on", "'check' must be keys and values, not text"),
    ],
)
def test_wrong_types_say_what_was_expected_and_found(
    tmp_path: Path, text: str, message: str
) -> None:
    lines = [text] if text.startswith("name") else ["name: x", text]
    whole = "\n".join(["build: {platforms: [amd64]}", *lines])
    assert fault(tmp_path, whole) == f"manyfest.yaml:{len(lines) + 1}: {message}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "name: x\nbuild:\n  platforms:\n    - amd64\n    - linux/amd46",
            "manyfest.yaml:5: 'build.platforms[1]': unknown architecture in platform 'linux/amd46'",
        ),
        (
            "name: x\nbuild:\n  platforms: [linux/arm/v9]",
            "manyfest.yaml:3: 'build.platforms[0]': unknown variant of arm in platform"
            " 'linux/arm/v9'; use v5 to v8",
        ),
        (
            "name: x\nbuild:\n  platforms:\n    - linux/arm64\n    - linux/arm64/v8",
            "manyfest.yaml:5: 'build.platforms': names linux/arm64 twice",
        ),
        ("name: X y\nbuild: {platforms: [amd64]}", "manyfest.yaml:1: 'name': 'X y' is not a name"),
        (
            SHORT + "publish: [ghcr.io/a/b:1.0]",
            "manyfest.yaml:3: 'publish[0]': 'ghcr.io/a/b:1.0' names one image; write ghcr.io/a/b",
        ),
        (
            SHORT + "publish:\n- ghcr.io/a/b\n- ghcr.io/A/b",
            "manyfest.yaml:5: 'publish[1]': repository 'A/b' has capital letters; write a/b",
        ),
        (
            SHORT + "publish: [gotify/server, docker://docker.io/gotify/server]",
            "manyfest.yaml:3: 'publish': names docker.io/gotify/server twice",
        ),
        (
            SHORT + 'tags: ["{{verison}}"]',
            "manyfest.yaml:3: 'tags[0]': unknown variable 'verison'; did you mean {{version}}?",
        ),
        (
            SHORT + 'tags: ["{{x}}"]',
            "manyfest.yaml:3: 'tags[0]': unknown variable 'x'; use one of name, version, major,",
        ),
        (
            SHORT + 'tags: ["{{version}"]',
            "manyfest.yaml:3: 'tags[0]': the braces in '{{version}' do not match",
        ),
        (
            SHORT + "tags: [a b]",
            "manyfest.yaml:3: 'tags': 'a b' cannot be an image's tag; use letters, digits,",
        ),
        (
            f"{SHORT}tags: [{'a' * 129}]",
            f"manyfest.yaml:3: 'tags': '{'a' * 80}' cannot be an image's tag;"
            " use at most 128 characters",
        ),
        (
            SHORT + 'tags: ["{{version}}", "{{major}}.{{minor}}.{{patch}}"]',
            "manyfest.yaml:3: 'tags': {{version}} and {{major}}.{{minor}}.{{patch}} are the same",
        ),
        (
            SHORT + "archive: '{{branch}}.tar'",
            "manyfest.yaml:3: 'archive': unknown variable 'branch'",
        ),
    ],
)
def test_values(tmp_path: Path, text: str, message: str) -> None:
    assert fault(tmp_path, text).startswith(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "manyfest.yaml: the file is empty; `manyfest init --dry-run` shows one"),
        ("# later\n", "manyfest.yaml: the file is empty"),
        ("- a", "manyfest.yaml:1: the file must be keys and values, not a list"),
        ("name: x\n\tbuild: y", "manyfest.yaml:2: not YAML: found character '\\t' that cannot"),
        ("name: [x", "manyfest.yaml:1: not YAML: expected ',' or ']'"),
        (SHORT + "---\nb: c", "manyfest.yaml:3: not YAML: but found another document"),
        ("name: x\nbuild: *b", "manyfest.yaml:2: not YAML: found undefined alias 'b'"),
        ("name: x\nbuild: \x1b", "manyfest.yaml:2: a control character, which YAML does not"),
        (b"name: x\nbuild: \xff", "manyfest.yaml:2: not UTF-8 text"),
        (SHORT.encode("utf-16"), "manyfest.yaml:1: not UTF-8 text"),
        ("tags:\n- {{major}}.{{minor}}", "manyfest.yaml:2: not YAML: expected <block end>"),
        ("[" * 700 + "]" * 700, "manyfest.yaml: nested too deeply"),
        ("#" * 65537, "manyfest.yaml: the file is larger than 64 KiB"),
    ],
)
def test_a_file_that_is_no_document(tmp_path: Path, text: str | bytes, message: str) -> None:
    assert fault(tmp_path, text).startswith(message)


def test_hints_for_what_is_easily_forgotten(tmp_path: Path) -> None:
    assert fault(tmp_path, "name: x\n\tbuild: y").endswith("; indent with spaces, not tabs")
    braces = fault(tmp_path, "tags:\n- {{major}}.{{minor}}")
    assert braces.endswith('; put a value that starts with "{{" in quotes')


def test_a_document_that_repeats_itself_without_end_costs_nothing(tmp_path: Path) -> None:
    laughs = "a0: &a0 [x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30)
    )
    assert "unknown key 'a0'" in fault(tmp_path, laughs)
    assert "'tags[0]' must be text" in fault(tmp_path, SHORT + "tags: &t [*t]")


def test_secrets_are_not_repeated(tmp_path: Path) -> None:
    assert "TOKEN" not in fault(tmp_path, SHORT + "notify: gotify://host/TOKEN")
    assert "TOKEN" not in fault(tmp_path, SHORT + "sign: TOKEN")


@pytest.mark.parametrize("text", ["s3cret", "env:s3-cret", "https:/s3cret", "env:", "gotify://"])
def test_what_is_no_place_to_tell_is_refused_and_not_shown(tmp_path: Path, text: str) -> None:
    assert fault(tmp_path, SHORT + f'notify:\n- json://host\n- "{text}"').endswith(
        ":5: 'notify[1]' is no Apprise URL; write gotify://HOST/TOKEN, or env:NAME for a variable"
        " that holds it"
    )


def test_a_missing_file_says_what_writes_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as here:
        load(Path("manyfest.yaml"))
    assert str(here.value) == "no manyfest.yaml here; `manyfest init` writes one"
    with pytest.raises(ConfigError) as there:
        load(Path("project/manyfest.yaml"))
    assert str(there.value) == "no manyfest.yaml in project; `manyfest init` writes one"


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load(tmp_path)


ODD_LINES = ["? :", "- [", "{ ]", "*x", "!!map", "|", ">", "'", '"', "%", "@", "\t", "~", "<<: a",
             "  - &a [*a]", "---", "...", "\u2028", "\ud7ff", "? {a: b}", "name: &n x"]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from([*WHOLE.splitlines(), *ODD_LINES]), max_size=12).map("\n".join))
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    with contextlib.suppress(ConfigError):
        loaded(tmp_path_factory.getbasetemp(), text)


def test_the_published_schema_is_that_of_the_code() -> None:
    command = [sys.executable, "-m", "manyfest.release.project.schema"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert SCHEMA_FILE.read_text(encoding="utf-8") == printed


def test_the_schema_refuses_unknown_keys_everywhere() -> None:
    definitions = schema.schema()["$defs"]
    rule = definitions.pop("TagRule")["anyOf"][1]
    objects = {name: one for name, one in definitions.items() if one["type"] == "object"}
    objects["TagRule"] = rule
    assert set(objects) == {
        "ConfigFile",
        "TagRule",
        "Build",
        "Metadata",
        "Check",
        "Smoke",
        "Sign",
        "Layers",
    }
    assert [one["additionalProperties"] for one in objects.values()] == [False] * 8


def test_the_schema_shows_text_where_the_file_has_text() -> None:
    definitions = json.loads(schema.text())["$defs"]
    assert definitions["Platform"]["type"] == "string"
    assert definitions["Name"]["type"] == "string"
    assert definitions["ConfigFile"]["properties"]["tags"]["default"] == ["{{version}}"]
    assert definitions["ConfigFile"]["required"] == ["name", "build"]


def test_the_schema_takes_a_rule_as_text_or_as_keys() -> None:
    text, keys = schema.schema()["$defs"]["TagRule"]["anyOf"]
    assert text == {"$ref": "#/$defs/TagTemplate"}
    assert sorted(keys["properties"]) == ["branches", "forward", "on", "tag", "versions"]
    assert keys["required"] == ["tag"]
