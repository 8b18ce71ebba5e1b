"""A real Chromium, the one of the system: Playwright drives it and downloads none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")


def executable() -> str | None:
    """Where Chromium is: ``LADING_CHROMIUM``, the path, or a Mac's applications."""
    found = os.environ.get("LADING_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    return found or (str(MAC) if MAC.exists() else None)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    path = executable()
    if path is None:
        pytest.skip("no Chromium on this computer: `make browser` installs it where apt-get may")
    with sync_playwright() as playwright:
        # A container's root may not make the sandbox; the pages are ours and load nothing.
        started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield started
        started.close()


class Seen:
    """A page that is open, and all that it said or asked for."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.said: list[str] = []
        self.asked: list[str] = []
        page.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (self.said.append("dialog"), dialog.dismiss()))
        page.on("request", lambda request: self.asked.append(request.url))


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Seen]]:
    """`opened(html, scheme=..., width=...)`: the page from ``file://``."""
    contexts = []

    def show(html: str, scheme: str = "light", width: int = 1280) -> Seen:
        path = tmp_path / "report.html"
        path.write_text(html, encoding="utf-8")
        context = browser.new_context(
            color_scheme=scheme, viewport={"width": width, "height": 900}, reduced_motion="reduce"
        )
        contexts.append(context)
        seen = Seen(context.new_page())
        seen.page.goto(path.as_uri())
        return seen

    yield show
    for context in contexts:
        context.close()


@contextmanager
def printed(page: Any) -> Iterator[None]:
    """Within it the page is as a printer gets it."""
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    yield
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    page.emulate_media(media="screen")
