"""Chromium over a page on the disk: what it logs and asks for is kept, so that a test
can say that it was nothing.
"""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

SERIOUS = ("serious", "critical")


@dataclass
class Seen:
    """What a page logged as a warning or an error, what it asked of other machines."""

    logged: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


@contextmanager
def chromium() -> Iterator[Any]:
    """Debian's browser; the test is skipped where there is none."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("there is no chromium: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Without a sandbox: in a container root may not make one.
        options = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
        browser = playwright.chromium.launch(executable_path=program, args=options)
        yield browser
        browser.close()


@contextmanager
def opened(
    browser: Any, path: Path, hash: str = "", width: int = 1280, **look: Any
) -> Iterator[Any]:
    """A page of the disk, which may neither log anything nor ask another machine."""
    context = browser.new_context(
        viewport={"width": width, "height": 900}, reduced_motion="reduce", **look
    )
    page, seen = context.new_page(), Seen()
    page.on("console", lambda said: seen.logged.append(f"{said.type}: {said.text}"))
    page.on("pageerror", lambda error: seen.logged.append(str(error)))
    page.on("request", lambda asked: seen.asked.append(asked.url))
    page.goto(path.as_uri() + hash)
    yield page
    context.close()
    assert seen.logged == []
    assert [url for url in seen.asked if not url.startswith(("file:", "data:"))] == []


def until(page: Any, expression: str, seconds: float = 10.0) -> None:
    """Waits until an expression is true in the page, whose policy forbids Playwright's
    own way of waiting.
    """
    end = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < end, f"{expression} is not true after {seconds} s"
        page.wait_for_timeout(30)


def faults(page: Any) -> list[str]:
    """What axe-core finds that keeps people out."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [
        f"{item['id']}: {item['nodes'][0]['html']}" for item in found if item["impact"] in SERIOUS
    ]


def column(page: Any, name: str) -> list[str]:
    """The cells of a column of the table of utterances."""
    heads = page.locator("#utterances thead th").all_inner_texts()
    place = heads.index(name) + 1
    return page.locator(f"#utterances tbody td:nth-child({place})").all_inner_texts()
