"""Answers, held against the description of the interface."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Protocol

import msgspec
from openapi_schema_validator import OAS31Validator, oas31_format_checker

from manyfest.watch.web.api import all_operations
from manyfest.watch.web.api.openapi import described


class Answered(Protocol):
    status: int
    body: bytes

    def header(self, name: str) -> str: ...


@cache
def document() -> Any:
    """The description, as it is published."""
    return msgspec.json.decode(msgspec.json.encode(described(all_operations())))


def described_answer(method: str, path: str, answer: Answered) -> None:
    """See that the description has this answer: its status, its type, and all of its document."""
    operation = document()["paths"][template_of(method, path)][method.lower()]
    assert str(answer.status) in operation["responses"], answer.body
    response = operation["responses"][str(answer.status)]
    content = response.get("content", {})
    if not content:
        assert answer.body == b""
        return
    media = answer.header("content-type").partition(";")[0]
    assert media in content
    if media.endswith("json"):
        schema = {**content[media]["schema"], "components": document()["components"]}
        check = OAS31Validator(schema, format_checker=oas31_format_checker)
        check.validate(msgspec.json.decode(answer.body))


def template_of(method: str, path: str) -> str:
    """The path of the description that a request's path is one of."""
    plain = path.partition("?")[0]
    for template, operations_there in sorted(
        document()["paths"].items(), key=lambda each: -len(each[0])
    ):
        pattern = re.sub(r"\\\{image\\\}", ".+", re.escape(template))
        pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", pattern)
        if re.fullmatch(pattern, plain) and method.lower() in operations_there:
            return str(template)
    raise AssertionError(f"{method} {path} is not described")
