"""The page fits its screens, says every state in words, and can be read."""

from __future__ import annotations

import re

import numpy as np
import pytest
from desk import COMPLAINTS, eventually, open_browser, open_desk, open_page

SCREENS = {"desk": (1280, 720), "phone": (390, 844)}
STATES = {
    "ready": "Press Enter to begin",
    "countdown": "Get ready",
    "recording": "Recording",
    "paused": "The page lost the focus",
    "rewinding": "Let go where it should go on",
    "saved": "demo_2",
    "discarded": "Nothing of it was kept",
}


@pytest.fixture(scope="module")
def browser():
    with open_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def desk():
    with open_desk() as desk:
        yield desk


def visit(browser, desk, screen: str, scheme: str = "light", path: str = "/"):
    width, height = SCREENS[screen]
    return open_page(
        browser,
        desk.url.replace("/?", f"{path}?"),
        viewport={"width": width, "height": height},
        color_scheme=scheme,
        has_touch=screen == "phone",
        is_mobile=screen == "phone",
    )


def luminance(colour: str) -> float:
    rgb = np.array([float(value) for value in re.findall(r"[\d.]+", colour)[:3]]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("screen", SCREENS)
def test_every_state_fits_reads_and_complains_of_nothing(browser, desk, screen, scheme):
    desk.show("ready")
    page = visit(browser, desk, screen, scheme)
    for state, says in STATES.items():
        desk.show(state)
        page.wait_for_selector(f'body[data-state="{state}"]')
        wide, high = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
        assert wide <= SCREENS[screen][0], f"{state} scrolls sideways"
        if screen == "desk":
            assert high <= SCREENS[screen][1], f"{state} scrolls"
        text = page.inner_text("#banner")
        if screen == "desk":
            assert says.lower() in " ".join(text.lower().split())
        box = page.locator("#banner").bounding_box()
        assert box and box["y"] >= 0 and box["y"] + box["height"] <= SCREENS[screen][1]
        ink, ground = page.evaluate("""() => {
            const style = getComputedStyle(document.getElementById('banner'));
            return [style.color, style.backgroundColor];
        }""")
        assert contrast(ink, ground) >= 4.5, f"{state}: {ink} on {ground}"
        assert page.evaluate(
            "document.getElementById('banner').scrollWidth <= document.getElementById('banner').clientWidth"
        )
    assert COMPLAINTS[page] == []
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_small_print_can_be_read(browser, desk, scheme):
    desk.show("recording")
    page = visit(browser, desk, "desk", scheme)
    page.wait_for_selector('body[data-state="recording"]')
    colours = page.evaluate("""() => {
        const ground = (node) => {
            for (let at = node; at; at = at.parentElement) {
                const colour = getComputedStyle(at).backgroundColor;
                if (!colour.endsWith(', 0)') && colour !== 'transparent') return colour;
            }
        };
        return [...document.querySelectorAll('.note, dt, dd, .list span, kbd, h2, .commands button:enabled span, .who')]
            .filter((node) => node.checkVisibility() && node.textContent.trim())
            .map((node) => [node.textContent, getComputedStyle(node).color, ground(node)]);
    }""")
    assert len(colours) > 40
    for text, ink, ground in colours:
        assert contrast(ink, ground) >= 4.5, f"{text!r}: {ink} on {ground}"
    page.context.close()


def test_a_newcomer_reads_what_to_press_on_one_screen(browser, desk):
    desk.show("ready")
    page = visit(browser, desk, "desk")
    page.wait_for_selector('body[data-state="ready"]')
    shown = page.evaluate("""() => [...document.querySelectorAll('kbd')]
        .filter((key) => key.checkVisibility() && key.getBoundingClientRect().bottom <= innerHeight)
        .map((key) => key.textContent)""")
    assert {"Enter", "Space", "Backspace", "N", "L", "U", "M", "W", "A", "S", "D", "Q", "E", "K"} <= set(shown)
    page.context.close()


def test_the_countdown_is_a_number_and_success_counts_up(browser, desk):
    desk.show("countdown")
    page = visit(browser, desk, "desk")
    eventually(lambda: page.inner_text("#clock") == "3", page)
    size = page.evaluate("parseFloat(getComputedStyle(document.getElementById('clock')).fontSize)")
    assert size >= 48
    desk.show("recording", success=True, held=4)
    eventually(lambda: "4 of 10" in page.inner_text("#success"), page)
    page.context.close()


def test_subtasks_devices_and_demos_are_told_in_words(browser, desk):
    desk.show("recording")
    page = visit(browser, desk, "desk")
    eventually(lambda: "marked by hand, step 96" in page.inner_text("#subtasks"), page)
    assert "not connected, press any button of the gamepad" in page.inner_text("#devices")
    assert "3 of 10 saved" in page.inner_text("#tally")
    assert "demo_2, 8.2 s" in page.inner_text("#demos")
    assert "20.0 of 20 Hz" in page.inner_text("#pace")
    page.context.close()


def test_cameras_are_drawn_and_one_can_be_made_large(browser, desk):
    page = visit(browser, desk, "desk")
    shade = """name => {
        const canvas = document.querySelector(`[data-look=${name}] canvas`);
        return [...canvas.getContext('2d').getImageData(9, 9, 1, 1).data];
    }"""
    eventually(lambda: page.evaluate(shade, "wrist")[:3] == [160, 160, 160], page)
    assert page.evaluate(shade, "table")[:3] == [90, 90, 90]
    page.click("#cameras [data-look=wrist]")
    assert page.is_hidden("#view")
    large = "[...document.getElementById('large').getContext('2d').getImageData(9, 9, 1, 1).data]"
    eventually(lambda: page.evaluate(large)[:3] == [160, 160, 160], page)
    page.click("#tabs [data-look='3D view']")
    assert page.is_visible("#view")
    page.context.close()


def test_what_happens_is_announced_to_screen_readers(browser, desk):
    page = visit(browser, desk, "desk")
    assert page.get_attribute("#say", "aria-live") == "polite"
    unnamed = page.evaluate("""() => [...document.querySelectorAll('button, input, select, iframe, canvas')]
        .filter((node) => node.checkVisibility() && !node.closest('[data-look]'))
        .filter((node) => !(node.innerText || node.title || node.labels?.length || node.ariaLabel))
        .map((node) => node.outerHTML)""")
    assert unnamed == []
    page.context.close()


def test_the_page_of_the_headset_fits_too(browser, desk):
    for screen in SCREENS:
        page = visit(browser, desk, screen, path="/xr")
        assert page.evaluate("document.documentElement.scrollWidth") <= SCREENS[screen][0]
        assert COMPLAINTS[page] == []
        page.context.close()
