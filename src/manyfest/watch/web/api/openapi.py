"""The description of the interface (OpenAPI 3.1), made of the operations and their types: what is
not there cannot be described, and what is there cannot be left out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from msgspec import Struct

from manyfest import __version__
from manyfest.watch.web.api.operations import Operation
from manyfest.watch.web.api.replies import JSON, PROBLEM_JSON, Problem

_REFERENCE = "#/components/schemas/{name}"
_IN_SCHEMA = re.compile(r"#/\$defs/(\w+)")
_IN_PATH = re.compile(r"\{(\w+)\}")

_SCHEMES: dict[str, Any] = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API token, made on the page by whoever is signed in.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "manyfest",
        "description": "A session, of who is signed in on the page; it reads and changes nothing.",
    },
}

_SECURITY: dict[str, list[dict[str, list[str]]]] = {
    "open": [],
    "read": [{}, {"token": []}, {"session": []}],
    "signed": [{"token": []}, {"session": []}],
    "write": [{"token": []}],
}

_TAGS = [
    {"name": "read", "description": "What is known. Open to all, unless the page is closed."},
    {"name": "forms", "description": "The same in others' forms: badges, a feed, metrics."},
    {"name": "change", "description": "What a token that may write can change."},
]


def described(operations: Sequence[Operation]) -> dict[str, Any]:
    """The description of these operations."""
    schemas, components = _schemas(operations)
    paths: dict[str, dict[str, Any]] = {}
    for each in operations:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each, schemas, components)
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "manyfest watch",
            "version": __version__,
            "summary": "Which versions of which images are complete, where, and since when",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": _TAGS,
        "paths": paths,
        "components": {"schemas": _used(components, operations), "securitySchemes": _SCHEMES},
    }


def _schemas(operations: Iterable[Operation]) -> tuple[dict[Any, Any], dict[str, Any]]:
    """A schema for each type that is used, and the components that those refer to."""
    types = dict.fromkeys(_types(operations))
    made, components = msgspec.json.schema_components(list(types), ref_template=_REFERENCE)
    for component in components.values():
        if "description" in component:
            component["description"] = _on_one_line(component["description"])
    return dict(zip(types, made, strict=True)), dict(components)


def _on_one_line(docstring: str) -> str:
    return " ".join(docstring.replace("``", "").split())


def _used(components: dict[str, Any], operations: Iterable[Operation]) -> dict[str, Any]:
    """The components without the types of queries, which are written as parameters."""
    queries = {each.query.__name__ for each in operations}
    return {name: schema for name, schema in components.items() if name not in queries}


def _types(operations: Iterable[Operation]) -> Iterable[Any]:
    yield Problem
    for each in operations:
        yield each.query
        if each.body is not None:
            yield each.body
        for answer in each.answers:
            if answer.shape is not None:
                yield answer.shape


def _operation(
    operation: Operation, schemas: dict[Any, Any], components: dict[str, Any]
) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "tags": [operation.tag],
        "parameters": [*_in_path(operation.path), *_in_query(operation.query, schemas, components)],
        "responses": _responses(operation, schemas),
        "security": _SECURITY[operation.scope],
    }
    if operation.body is not None:
        schema = schemas[operation.body]
        if operation.body_schema is not None:
            name, others = operation.body_schema()
            components |= _borrowed(name, others)
            schema = {"$ref": _REFERENCE.format(name=name)}
        content = {JSON: {"schema": schema}}
        made["requestBody"] = {"required": True, "content": content}
    return made


def _borrowed(name: str, others: dict[str, Any]) -> dict[str, Any]:
    """The schema of that name and those that it refers to, as components."""
    found: dict[str, Any] = {}
    left = [name]
    while left:
        name = left.pop()
        if name not in found:
            text = json.dumps(others[name])
            left += _IN_SCHEMA.findall(text)
            found[name] = json.loads(_IN_SCHEMA.sub(r"#/components/schemas/\1", text))
    return found


def _in_path(path: str) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "integer", "minimum": 1}
            if name == "number"
            else {"type": "string", "minLength": 1},
        }
        for name in _IN_PATH.findall(path)
    ]


def _in_query(
    query: type[Struct], schemas: dict[Any, Any], components: dict[str, Any]
) -> list[dict[str, Any]]:
    """The fields of a struct, each as a parameter; its component is not needed then."""
    name = schemas[query]["$ref"].rpartition("/")[2]
    shape = components[name]
    needed = shape.get("required", ())
    found = []
    for key, declared in shape["properties"].items():
        schema = _given(declared)
        plain = {word: value for word, value in schema.items() if word != "description"}
        found.append(
            {
                "name": key,
                "in": "query",
                "required": key in needed,
                "description": schema.get("description", ""),
                "schema": plain,
            }
        )
    return found


def _given(declared: dict[str, Any]) -> dict[str, Any]:
    """What a parameter may be where it is given: nothing in a query is null."""
    choices = [each for each in declared.get("anyOf", ()) if each.get("type") != "null"]
    if len(choices) != 1:
        return declared
    return {**choices[0], **{key: declared[key] for key in ("description",) if key in declared}}


def _responses(operation: Operation, schemas: dict[Any, Any]) -> dict[str, Any]:
    problem = {PROBLEM_JSON: {"schema": schemas[Problem]}}
    responses: dict[str, Any] = {}
    for answer in operation.answers:
        response: dict[str, Any] = {"description": answer.what}
        if answer.shape is not None:
            response["content"] = {answer.media: {"schema": schemas[answer.shape]}}
        elif answer.status != HTTPStatus.NO_CONTENT:
            kind = "object" if answer.media == JSON else "string"
            response["content"] = {answer.media: {"schema": {"type": kind}}}
        responses[str(answer.status)] = response
    if operation.method == "GET":
        responses["304"] = {"description": "It is what If-None-Match names."}
    for status in sorted({*_shared(operation), *operation.faults}):
        title = HTTPStatus(status).phrase
        responses.setdefault(str(status), {"description": title, "content": problem})
    return responses


def _shared(operation: Operation) -> set[int]:
    """The statuses of problems that follow from what an operation takes."""
    statuses = {500}
    if operation.scope != "open":
        statuses |= {401, 503}
    if operation.scope == "write":
        statuses |= {403}
    if operation.query is not None:
        statuses |= {400}
    if operation.body is not None:
        statuses |= {408, 413, 415, 422}
    if "{" in operation.path:
        statuses |= {404}
    return statuses
