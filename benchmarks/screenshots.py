"""Pictures of the pages for the docs: ``python -m benchmarks.screenshots docs/images``.

The pages are those of a watch that saw the release of gotify 2.6.1 (tests/gotify_story.py), in
Chromium, which also writes the pictures as WebP. Needs chromium.
"""

from __future__ import annotations

import argparse
import tempfile
from base64 import b64decode, b64encode
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from msgspec import Struct
from playwright.sync_api import Browser, sync_playwright
from tests import gotify_story
from tests.serving_pages import served

from manyfest.watch.history.history import History

CHROMIUM = "/usr/bin/chromium"

_TO_WEBP = """async png => {
    const image = new Image();
    image.src = "data:image/png;base64," + png;
    await image.decode();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [image.width, image.height];
    canvas.getContext("2d").drawImage(image, 0, 0);
    return canvas.toDataURL("image/webp", 0.7).split(",")[1];
}"""


class Picture(Struct, frozen=True):
    """What is to be seen: the page at ``path``, in a window of that size; all of it, if no height
    is named."""

    name: str
    path: str
    width: int = 1180
    height: int = 0
    scheme: Literal["light", "dark"] = "light"


_VERSION = "/images/gotify/server/2.6.1"
ON_THE_WAY = (
    Picture("status", "/"),
    Picture("status-dark", "/", scheme="dark"),
    Picture("status-phone", "/", width=390, height=1400),
    Picture("version-phone", _VERSION, width=390, height=1400, scheme="dark"),
    Picture("registry", "/registries/mirror.example.org", height=760),
    Picture("history", "/history", height=760),
)
"""While platforms of 2.6.1 are missing."""
COMPLETE = (
    Picture("version", _VERSION, height=1080),
    Picture("version-dark", _VERSION, height=1080, scheme="dark"),
    Picture("image", "/images/gotify/server"),
)
"""Half an hour after all of them came."""


def main() -> None:
    """Take them all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.screenshots", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="*", metavar="NAME", help="those alone")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)

    def wanted(pictures: Iterable[Picture]) -> list[Picture]:
        return [each for each in pictures if not options.only or each.name in options.only]

    with (
        tempfile.TemporaryDirectory() as scratch,
        History.open(f"{scratch}/history.db") as history,
        sync_playwright() as playwright,
    ):
        watch = gotify_story.tell(history)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        with served(watch) as address:
            for each in wanted(ON_THE_WAY):
                _take(browser, address, each, options.folder)
            gotify_story.finish(watch)
            watch.now += 1800
            for each in wanted(COMPLETE):
                _take(browser, address, each, options.folder)
        browser.close()


def _take(browser: Browser, address: str, picture: Picture, folder: Path) -> None:
    page = browser.new_page(
        viewport={"width": picture.width, "height": picture.height or 900},
        color_scheme=picture.scheme,
        reduced_motion="reduce",
    )
    page.goto(address + picture.path)
    page.locator("#link.on").wait_for()
    png = page.screenshot(full_page=not picture.height)
    page.goto("about:blank")
    path = folder / f"{picture.name}.webp"
    path.write_bytes(b64decode(page.evaluate(_TO_WEBP, b64encode(png).decode())))
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")
    page.close()


if __name__ == "__main__":
    main()
