"""The page, driven in a real browser."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from playwright import sync_api as playwright

from anytoany.hostile import HTML, picture, silence
from anytoany.scripted import Scripted, serving
from sulan.anytoany.delivery import Delivery
from sulan.anytoany.page import mounted

PROGRAM = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.mark.skipif(PROGRAM is None, reason="no chromium")
@pytest.mark.xdist_group("browser")
def test_a_browser_uploads_reads_sees_progress_cancels_and_is_told_of_a_bad_file(tmp_path: Path):
    assistant = Scripted()
    (tmp_path / "red.png").write_bytes(picture(np.full((40, 40, 3), (255, 0, 0), np.uint8)))
    (tmp_path / "beep.flac").write_bytes(silence(1))
    (tmp_path / "page.png").write_bytes(HTML)
    made = tmp_path / "made"
    made.mkdir()
    api = mounted(assistant, name="small", delivery=Delivery(), folder=made)
    with serving(api) as address, playwright.sync_playwright() as started:
        browser = started.chromium.launch(
            executable_path=PROGRAM, args=["--headless", "--no-sandbox", "--disable-dev-shm-usage"]
        )
        page = browser.new_page()
        foreign: list[str] = []
        page.on("request", lambda asked: foreign.append(asked.url))
        playwright.expect.set_options(timeout=15_000)
        page.goto(address)
        box = page.locator("textarea").first

        def say(text: str, *names: str) -> None:
            if names:
                page.locator("input[type=file]").first.set_input_files([tmp_path / name for name in names])
                playwright.expect(page.locator(".thumbnail-item")).to_have_count(len(names))
            box.fill(text)
            box.press("Enter")

        say("draw", "red.png", "beep.flac")
        playwright.expect(page.get_by_text("I got Text Image Audio")).to_be_visible()
        playwright.expect(page.locator(".bot img")).to_have_count(1)
        say("slowly")
        playwright.expect(page.get_by_text("Making image: step 0 of 100")).to_be_visible()
        page.locator(".stop-button").first.click()
        assert assistant.stopped.wait(10)
        say("what is this", "page.png")
        playwright.expect(page.get_by_text("in no format that is read").first).to_be_visible()
        if shots := os.environ.get("SULAN_SCREENSHOTS"):
            page.screenshot(path=Path(shots) / "anytoany.png", full_page=True)
        browser.close()
    assert [asked for asked in foreign if not asked.startswith((address, "data:", "blob:"))] == []
    assert assistant.loaded == ["image", "audio", "video"]
    assert len(list(made.iterdir())) == 3
