"""Pictures of the pages for the docs: ``python -m benchmarks.screenshots docs/images``.

The pages are those of a watch that saw the release of gotify 2.6.1 (tests/gotify_story.py), in
Chromium. Needs chromium.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Literal

from msgspec import Struct
from playwright.sync_api import Browser, sync_playwright
from tests import gotify_story
from tests.serving_pages import served

from manyfest.watch.history.history import History

CHROMIUM = "/usr/bin/chromium"


class Picture(Struct, frozen=True):
    """What is to be seen: the page at ``path``, in a window of that size, or all of it."""

    name: str
    path: str
    width: int = 1180
    height: int = 900
    scheme: Literal["light", "dark"] = "light"
    whole: bool = False


PICTURES = (
    Picture("status", "/", whole=True),
    Picture("status-dark", "/", scheme="dark"),
    Picture("status-phone", "/", width=390, height=844, scheme="light"),
    Picture("version", "/images/gotify/server/2.6.1", whole=True),
    Picture("version-phone", "/images/gotify/server/2.6.1", width=390, height=844, scheme="dark"),
    Picture("image", "/images/gotify/server", whole=True),
    Picture("registry", "/registries/mirror.example.org"),
    Picture("history", "/history"),
)


def main() -> None:
    """Take them all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.screenshots", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="", help="those whose name begins so")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as scratch,
        History.open(f"{scratch}/history.db") as history,
        served(gotify_story.tell(history)) as address,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for each in PICTURES:
            if each.name.startswith(options.only):
                _take(browser, address, each, options.folder / f"{each.name}.png")
        browser.close()


def _take(browser: Browser, address: str, picture: Picture, path: Path) -> None:
    page = browser.new_page(
        viewport={"width": picture.width, "height": picture.height},
        color_scheme=picture.scheme,
        reduced_motion="reduce",
    )
    page.goto(address + picture.path)
    page.locator("#link.on").wait_for()
    page.screenshot(path=path, full_page=picture.whole)
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")
    page.close()


if __name__ == "__main__":
    main()
