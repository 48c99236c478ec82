"""Decks of slides: each slide fits on a projector's screen, without a network."""

from importlib.util import find_spec

import pytest
from conftest import PATIENCE, ROOT

from notebooks import slides

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not find_spec("sphinx_revealjs"), reason="no reveal.js: make slides"),
]

TOO_TALL = """() => {
    const found = [];
    for (const slide of document.querySelectorAll(".slides section section")) {
        const parents = [slide, slide.parentElement];
        for (const part of parents) part.style.cssText += "; display: block !important";
        const scale = Reveal.getScale(), screen = document.documentElement;
        const boxes = [...slide.querySelectorAll("img, p, li, pre, h1, h2, h3, table")]
            .filter((part) => !part.closest("aside") && part.getClientRects().length)
            .map((part) => part.getBoundingClientRect());
        const top = slide.getBoundingClientRect().top;
        const height = Math.max(0, ...boxes.map((box) => box.bottom - top)) / scale;
        const width = Math.max(0, ...boxes.map((box) => box.width)) / scale;
        // the deck is laid out for 1600 by 900, and enlarged to the screen
        if (height > 900 || width > 1600) {
            found.push([Math.round(height), Math.round(width), slide.innerText.slice(0, 80)]);
        }
        for (const part of parents) part.style.display = "";
    }
    return found;
}"""


@pytest.mark.parametrize("number", ["04", "05", "07"])
def test_every_slide_fits_on_the_screen(browser, tmp_path, number):
    (path,) = (ROOT / "notebooks").glob(f"{number}_*.ipynb")
    target = slides.export(path, tmp_path)
    context = browser.new_context(viewport={"width": 1920, "height": 1080})
    context.route(lambda url: not url.startswith("file:"), lambda route: route.abort())
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(target.as_uri())
    page.wait_for_function("window.Reveal && Reveal.isReady()")
    assert page.locator(".slides section section").count() > 20
    assert page.evaluate(TOO_TALL) == []
    alts = page.locator(".slides img").evaluate_all("all => all.map((image) => image.alt)")
    assert len(alts) >= 10 and all(len(alt.split()) >= 6 for alt in alts)
    context.close()
