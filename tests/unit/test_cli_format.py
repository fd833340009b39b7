from __future__ import annotations

import pytest

from manyfest.cli.format import rendered
from manyfest.errors import UsageError

DOCUMENT = {
    "digest": "sha256:abc",
    "images": [
        {"platform": "linux/amd64", "size": 12, "command": ["/app", "--serve"], "unpacked": None},
        {"platform": "linux/arm64", "size": 34, "command": [], "unpacked": 56},
    ],
    "annotations": {"org.example.text": "hello", "org": "short", "evil": "a\x1b[31m\nb"},
    "here": {"platform": "linux/amd64", "there": True},
    "attached": [],
}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("", ""),
        ("nothing named", "nothing named"),
        ("{{digest}}", "sha256:abc"),
        ("{{ digest }}!", "sha256:abc!"),
        ("{{images.1.platform}}={{images.1.size}}", "linux/arm64=34"),
        ("{{here.there}}", "true"),
        ("{{images.0.command}}", '["/app","--serve"]'),
        ("{{images.0.command.1}}", "--serve"),
        ("{{images.0.unpacked}}", ""),
        ("{{digest}}\\t{{here.platform}}\\n", "sha256:abc\tlinux/amd64\n"),
        ("{digest} }", "{digest} }"),
    ],
)
def test_values_take_the_place_of_their_names(template: str, text: str) -> None:
    assert rendered(template, DOCUMENT) == text


def test_a_star_is_a_line_for_each() -> None:
    assert rendered("{{digest}} {{images.*.platform}} {{images.*.size}}", DOCUMENT) == (
        "sha256:abc linux/amd64 12\nsha256:abc linux/arm64 34"
    )


def test_a_star_in_an_empty_list_is_no_line() -> None:
    assert rendered("{{attached.*.digest}}", DOCUMENT) == ""


def test_a_key_may_have_dots_in_it() -> None:
    assert rendered("{{annotations.org.example.text}} {{annotations.org}}", DOCUMENT) == (
        "hello short"
    )


def test_control_characters_are_shown() -> None:
    assert rendered("{{annotations.evil}}", DOCUMENT) == "a\\x1b[31m\\nb"


def test_everything_is_json() -> None:
    assert rendered("{{}}", {"a": [1]}) == '{"a":[1]}'


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (
            "{{size}}",
            "there is no 'size'; there is digest, images, annotations, here, attached",
        ),
        ("{{images.2.size}}", "there is no '2' for 'images.2.size'; there is 0 to 1"),
        ("{{images.x}}", "there is no 'x' for 'images.x'; there is 0 to 1"),
        ("{{images.-1}}", "there is no '-1' for 'images.-1'; there is 0 to 1"),
        ("{{attached.0}}", "there is no '0' for 'attached.0'; there is an empty list"),
        ("{{digest.x}}", "there is no 'x' for 'digest.x'; there is a single value"),
        ("{{digest.__class__}}", "there is no '__class__' for 'digest.__class__'"),
        ("{{digest", "the braces in '{{digest' do not match; write a name as {{digest}}"),
        ("{{digest}} }}", "the braces in '{{digest}} }}' do not match"),
        ("{{here.*}}", "'*' stands for a number in a list, and there is none"),
        ("{{images.*.command.*}}", "a template goes through one list; use '*' in one place only"),
        ("{{images.*.size}} {{attached.*}}", "a template goes through one list"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(template: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        rendered(template, DOCUMENT)
    assert str(caught.value).startswith(message)
