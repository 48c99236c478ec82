"""The site as a reader meets it, opened from a folder: its pages, the generator, the game."""

import os
import subprocess
import sys

import nbformat
import pytest
import torch
from conftest import ROOT

from dcgan_utils import judging
from dcgan_utils.weights import load_generator, trained_generator

pytestmark = [pytest.mark.browser, pytest.mark.slow]
WHITE = "rgb(255, 255, 255)"
BACKGROUND = "getComputedStyle(document.body).backgroundColor"
PICTURE = "document.querySelector('#generator canvas').toDataURL()"
SIDEWAYS = "['html', '.content'].map((name) => document.querySelector(name))"
SIDEWAYS += ".map((box) => box.scrollWidth - box.clientWidth)"
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="session")
def site(browser, tmp_path_factory):
    """Return the folder of the site, built as `make site` builds it."""
    pytest.importorskip("furo", reason="no Sphinx")
    folder = tmp_path_factory.mktemp("site") / "under" / "a path"
    command = ["-m", "sphinx", "-W", "--keep-going", "-q", "-c", "site", ".", str(folder)]
    environment = os.environ | {"GITHUB_REPOSITORY": "owner/course"}
    subprocess.run([sys.executable, *command], cwd=ROOT, env=environment, check=True)
    return folder


@pytest.fixture
def visit(browser, site):
    """Return a function that opens a page; at the end, no page may have had an error."""
    contexts, wrong, asked = [], [], []

    def opened(name, **options):
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        page.on("console", lambda said: said.type == "error" and wrong.append(said.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto((site / f"{name}.html").as_uri())
        return page

    opened.asked = asked
    yield opened
    for context in contexts:
        context.close()
    assert not wrong
    assert all(url.startswith(("file:", "data:", "blob:")) for url in asked), asked


def test_every_page_is_whole_on_a_phone_in_the_dark(visit, site):
    page = visit("index", viewport=PHONE, color_scheme="dark")
    for path in sorted(site.rglob("*.html")):
        page.goto(path.as_uri())
        page.wait_for_function("() => !window.MathJax || MathJax.startup?.promise")
        page.evaluate("() => window.MathJax?.startup.promise")
        formulas = page.locator("mjx-container")
        assert formulas.count() == page.locator(".math").count(), path
        assert formulas.filter(has=page.locator("[data-mml-node=merror]")).count() == 0, path
        assert formulas.filter(has_text="\\").count() == 0, path  # a command that is not known
        assert page.evaluate(SIDEWAYS) == [0, 0], path
        assert page.evaluate(BACKGROUND) != WHITE, path
        chinese = page.locator("html").get_attribute("lang") == "zh-CN"
        images = page.evaluate("Array.from(document.images, (i) => [i.naturalWidth, i.alt])")
        words = [(width, len(alt if chinese else alt.split())) for width, alt in images]
        assert all(width and count >= 6 for width, count in words), (path, images)
        assert page.locator("details[open]").count() == 0, path
        if path.name != "search.html":
            switch = page.locator(f"a[lang={'en' if chinese else 'zh-CN'}]").get_attribute("href")
            assert (path.parent / switch).exists(), path
        if "notebooks" in path.parts:
            solution = "参考答案" if chinese else "Solution"
            assert images and page.locator("summary", has_text=solution).count() >= 3, path
            assert page.locator(".related-pages a").count() == 2, path  # previous and next
            download = "下载笔记本" if chinese else "Download the notebook"
            here = path.parent / page.get_by_text(download).get_attribute("href")
            original = path.relative_to(site).with_suffix(".ipynb")
            cells = (nbformat.read(it, 4).cells for it in (here, ROOT / original))
            loaded, stored = ([cell.source for cell in one] for one in cells)
            assert loaded == stored, path
            colab = f"/github/owner/course/blob/main/{original.as_posix()}"
            assert page.locator(f"a[href$='{colab}']").count() == 1, path


def test_the_site_is_small_and_its_theme_and_search_work(visit, site):
    assert sum(path.stat().st_size for path in site.rglob("*") if path.is_file()) < 30e6
    page = visit("index")
    files = {site / url.partition("a%20path/")[2].split("?")[0] for url in visit.asked}
    assert len(files) > 3 and sum(path.stat().st_size for path in files) < 1e6
    assert page.evaluate(BACKGROUND) == WHITE
    page.locator(".theme-toggle-content button").click()  # from the system's to its opposite
    assert page.evaluate(BACKGROUND) != WHITE
    page.get_by_placeholder("Search").fill("checkerboard")
    page.keyboard.press("Enter")
    page.locator("#search-results a", has_text="01 Strided").first.wait_for()


def test_both_generators_draw_as_pytorch_does_thirty_times_a_second(visit):
    page = visit("site/generator")
    z = torch.randn(100, 100, generator=torch.Generator().manual_seed(0))
    asked = torch.arange(100) % 10
    told = load_generator(ROOT / "site/conditional.pth")
    for name, inputs, expected in (
        ("generator", z, trained_generator()(z)),
        ("writer", torch.cat([z, torch.eye(10)[asked]], dim=1), told(z, asked)),
    ):
        script = f"(all) => all.map((z) => [[...{name}.draw(z)], performance.now()])"
        drawn, times = zip(*page.evaluate(script, inputs.tolist()))
        assert torch.tensor(times).diff().median() < 1000 / 30  # whatever else the machine does
        assert (torch.tensor(drawn) - expected.flatten(1)).abs().max() < 0.01


def test_the_generator_answers_buttons_sliders_and_keys(visit):
    page = visit("site/generator", viewport=PHONE)
    seen = set()

    def changed():
        page.wait_for_function(f"(seen) => !seen.includes({PICTURE})", arg=list(seen))
        seen.add(page.evaluate(PICTURE))

    changed()
    page.get_by_role("button", name="draw another").press("Enter")
    changed()
    for slider in page.get_by_role("slider").all():
        slider.press("PageUp")
        changed()
    page.get_by_role("button", name="walk").press("Space")
    for _ in range(3):
        changed()


def test_the_page_writes_the_number_that_is_typed(visit):
    page = visit("site/generator")
    page.evaluate("Math.random = ((n) => () => (n = (n * 16807) % 2147483647) / 2147483647)(1)")
    page.get_by_label("number").fill("0123456789")
    pixels = page.evaluate(
        "Array.from(document.querySelectorAll('.word canvas'), (canvas) => Array.from("
        "canvas.getContext('2d').getImageData(0, 0, 32, 32).data.filter((_, i) => i % 4 === 0)))"
    )
    images = torch.tensor(pixels, dtype=torch.uint8).view(-1, 1, 32, 32)
    seen = judging.classify(judging.to_judged_size(images, "pad"))
    assert seen.probabilities.argmax(1).tolist() == [*range(10)]


def test_the_game_is_that_of_notebook_00(visit):
    page = visit("site/game")
    curve = "document.querySelector('#game path.d').getAttribute('d')"
    seen = {page.evaluate(curve)}
    for steps in range(10, 101, 10):
        page.get_by_role("button", name="ten of both").click()
        page.get_by_text(f"{steps} of D, {steps} of G").wait_for()
        seen.add(page.evaluate(curve))
    assert len(seen) == 11
    names = {"torch": torch, "nn": torch.nn, "Adam": torch.optim.Adam}
    names["logsigmoid"] = torch.nn.functional.logsigmoid
    for cell in nbformat.read(ROOT / "notebooks/00_the_game.ipynb", as_version=4).cells:
        if cell.source.startswith(("MEANS", "def curve", "def non_saturating", "class Game")):
            exec(cell.source, names)

    def assert_same(game):
        x = torch.linspace(-4, 4, 81)
        for network, name in ((game.d, "d"), (game.g, "g")):
            values = page.evaluate(f"(x) => Array.from(game.{name}.forward(x))", x.tolist())
            expected = network(x[:, None]).flatten().detach()
            assert (torch.tensor(values) - expected).abs().max() < 1e-3

    with torch.random.fork_rng():
        game = names["Game"]()
        game.play(100)
        assert_same(game)
        page.get_by_label("rate of G").fill("-1.7")
        page.get_by_role("button", name="new game").click()
        for name in ("ten of D", "half step of G", "half step of D", "ten of G", "step of both"):
            page.get_by_role("button", name=name, exact=True).click()
        page.get_by_text("12 of D, 12 of G").wait_for()
        game = names["Game"](rate_g=0.02)
        game.move_d(10), game.move_g(), game.move_d(), game.move_g(10), game.play(1)
        assert_same(game)
