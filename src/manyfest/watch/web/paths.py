"""Parts of a path that are names: of images, tags and registries, whatever is in them."""

from __future__ import annotations

from starlette.convertors import Convertor, register_url_convertor


class _Anything(Convertor[str]):
    """A part of a path that has slashes, line ends, whatever was sent."""

    regex = r"[\s\S]+"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


def anything(name: str) -> str:
    """What stands in a route for a part that is had as the path parameter ``name``."""
    return f"{{{name}:anything}}"


register_url_convertor("anything", _Anything())
