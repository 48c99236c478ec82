"""JupyterLab as a reader meets it: the start page, the player's buttons, a run that is stopped."""

import re
from functools import partial

import nbformat
import pytest
from conftest import PATIENCE, ROOT

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def run_all(page):
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()


def test_make_lab_opens_the_map_and_reaches_the_readme(page, lab):
    page.goto(lab[0])
    start = page.locator(".jp-MarkdownViewer:visible")
    start.get_by_text("Click on a notebook to open it.").wait_for()
    assert start.locator("tr").count() >= 12 and "40 min" in start.inner_text()
    page.wait_for_timeout(3000)  # for the question about news, which should not come
    assert page.locator(".Toastify__toast").count() == 0
    start.get_by_role("link", name="03 Activations").click()
    page.locator(".jp-NotebookPanel:visible").get_by_role("strong").get_by_text(
        "You will"
    ).wait_for()
    page.locator(".jp-BreadCrumbs-home").click()
    page.locator(".jp-DirListing-item").get_by_text("README.md").dblclick()
    page.locator(".jp-MarkdownViewer:visible").get_by_text("Two commands").wait_for()


PLAYER = """
import matplotlib.pyplot as plt
from dcgan_utils import animations, diagrams, plots

def draw(moment):
    ax = plots.new_axes(6, 7)
    ax.bar(range(5), [place == moment for place in range(5)])
    return ax

animations.Player(diagrams.animate(draw, 5, seconds=0.2), "a bar that moves", start=1)
"""


def test_player_is_pressed_and_the_picture_changes(page, open_notebook):
    first, second = open_notebook("player", PLAYER, "2").all()
    run_all(page)
    player = page.locator(".dcgan-player")
    picture, slider = player.locator("img"), player.locator("input")
    player.get_by_text("2 / 5").wait_for()
    seen = {}

    def now(place):
        """Wait for a moment, and say whether its picture is shown and no other's."""
        player.get_by_text(f"{place} / 5", exact=True).wait_for()
        source = picture.get_attribute("src")
        assert seen.setdefault(place, source) == source
        assert len(set(seen.values())) == len(seen)
        assert picture.evaluate("image => image.naturalWidth") > 100

    now(2)
    player.get_by_text("Step").click()
    now(3)
    player.get_by_text("Back").click()
    player.get_by_text("Back").click()
    now(1)
    picture.click()
    for key, place in (("ArrowRight", 2), ("ArrowRight", 3), ("ArrowLeft", 2)):
        page.keyboard.press(key)
        now(place)
    slider.focus()
    page.keyboard.press("ArrowRight")  # one moment, not two
    now(3)
    slider.fill("4")
    now(5)
    player.get_by_text("Play").click()  # at the end: from the beginning
    now(5)  # after it has run to the end again
    player.get_by_text("Play").wait_for()
    picture.click()
    page.keyboard.press("Space")
    player.get_by_text("Pause").click()
    player.get_by_text("Play").wait_for()
    place = player.locator("output").inner_text()
    page.wait_for_timeout(1000)
    assert player.locator("output").inner_text() == place
    assert "jp-mod-collapsed" not in first.get_attribute("class")  # no key reached the notebook
    player.scroll_into_view_if_needed()
    box = player.bounding_box()
    assert box["height"] < 0.75 * 768 and box["y"] + box["height"] <= 768


TRAINING = """
from dcgan_utils.config import preset
from dcgan_utils.data import load_images
from dcgan_utils.progress import NotebookProgress
from dcgan_utils.training import Training

config = preset("smoke", data="embedded", steps=20_000)
training = Training(config, load_images(config))
progress = NotebookProgress(training, redraws=400)
"""
RUN = """
with progress:
    finished = training.run(on_report=progress)
"""
WATCH = """cell => {
    window.heights = new Set();
    const look = () => {
        const area = cell.querySelector(".jp-OutputArea-output img");
        if (area) window.heights.add(Math.round(area.getBoundingClientRect().height));
        requestAnimationFrame(look);
    };
    look();
}"""


def test_a_run_is_stopped_goes_on_and_is_drawn_again_when_it_is_over(page, open_notebook):
    code = open_notebook(
        "training", TRAINING, RUN, "print('past', 'it')", "training.total = training.step"
    )
    run, after = code.nth(1), code.nth(2)
    picture = run.locator(".jp-OutputArea-output img")
    run_all(page)
    picture.wait_for()
    run.evaluate(WATCH)
    first = picture.get_attribute("src")
    page.wait_for_function("src => ![...document.images].some((i) => i.src === src)", arg=first)
    page.wait_for_timeout(3000)
    assert picture.count() == 1  # the pictures do not pile up
    assert len(page.evaluate("[...window.heights]")) == 1  # nor does the page jump
    stop = page.locator("[data-command='notebook:interrupt-kernel']:visible")

    def stopped_at():
        stop.click()
        message = run.locator(".jp-OutputArea-output", has_text="run this cell again")
        message.wait_for()
        assert message.bounding_box()["height"] < 150 and picture.count() == 1
        return int(re.search(r"after step ([\d,]+)", message.inner_text())[1].replace(",", ""))

    step = stopped_at()
    page.wait_for_timeout(1000)
    assert "past it" not in after.inner_text()  # "Run All" has not run on
    run.locator(".jp-InputArea-editor").click()
    page.keyboard.press("Control+Enter")
    picture.wait_for()
    page.wait_for_timeout(2000)
    assert stopped_at() > step  # from where it stood
    code.nth(3).locator(".jp-InputArea-editor").click()  # no step is left
    page.keyboard.press("Control+Enter")
    run.locator(".jp-InputArea-editor").click()
    page.keyboard.press("Control+Enter")
    run.get_by_text("run this cell again").wait_for(state="detached")
    picture.wait_for()
    assert picture.count() == 1


EXERCISE = """
from dcgan_utils.exercises.convolution import check_sizes

def sizes():
    return [28, 13]
"""


def test_a_verdict_is_large_and_names_the_cell(page, open_notebook):
    code = open_notebook("exercise", EXERCISE, "_ = check_sizes(sizes)")
    run_all(page)
    verdict = code.nth(1).locator(".jp-RenderedHTML")
    verdict.get_by_text("✗ Exercise 1.1: not yet").wait_for()
    assert verdict.get_by_text("as cell [1] defined it").is_visible()
    verdict.get_by_text("The definition judged").click()
    assert verdict.locator("pre").get_by_text("return [28, 13]").is_visible()


SLIDERS = """
from dcgan_utils import diagrams
from dcgan_utils.diagrams import sliders

names = ["size", "kernel", "stride", "padding", "window"]
ends, start = [(3, 8), (1, 6), (1, 4), (0, 2), (0, 63)], [6, 3, 2, 0, 0]
sliders(lambda v: diagrams.draw_reads(*v), names, ends, 1, start)
"""


def test_a_slider_is_moved_and_the_picture_changes(page, open_notebook):
    code = open_notebook("sliders", SLIDERS)
    run_all(page)
    picture = code.first.locator("img")
    picture.wait_for()
    code.first.scroll_into_view_if_needed()
    handles = code.first.get_by_role("slider")
    readouts = code.first.locator(".widget-readout")
    assert readouts.all_inner_texts() == ["6", "3", "2", "0", "0"]
    seen = [picture.get_attribute("src")]

    def press(number, key, value):
        """Press a key on a slider's handle, and wait for a picture that was not there before."""
        handles.nth(number).focus()
        page.keyboard.press(key)
        readouts.nth(number).get_by_text(value, exact=True).wait_for()
        page.wait_for_function(  # each picture is an element of its own
            "([cell, old]) => ![old, undefined].includes(cell.querySelector('img')?.src)",
            arg=[code.first.element_handle(), seen[-1]],
        )
        assert picture.get_attribute("src") not in seen
        assert picture.evaluate("image => image.naturalWidth") > 100
        seen.append(picture.get_attribute("src"))

    press(3, "ArrowRight", "1")  # padding
    press(0, "Home", "3")  # a small image, and a kernel that does not fit into it:
    press(1, "End", "6")
    assert code.first.get_by_text("Traceback").count() == 0
    press(3, "End", "2")  # with more padding it fits again


PICTURES = """
from IPython.display import Image, display
from dcgan_utils import plots

ax = plots.new_axes()
ax.set(xlabel="step", ylabel="loss", title="The loss falls")
display(Image(plots.to_png(plots.new_axes()), alt="An empty plot"))
"""


def test_pictures_have_alt_texts(page, lab, open_notebook):
    """Those just drawn, and those stored with the course, which nobody trusts."""
    cell = open_notebook("pictures", PICTURES).first
    run_all(page)
    cell.get_by_alt_text("An empty plot", exact=True).wait_for()
    plot = "The loss falls. Horizontal axis: step. Vertical axis: loss."
    cell.get_by_alt_text(plot, exact=True).wait_for()
    page.goto(f"{lab[0]}/lab/tree/notebooks/00_the_game.ipynb?reset")
    shown = page.locator(".jp-NotebookPanel:visible .jp-RenderedImage img")
    shown.first.wait_for()
    assert all(len(alt.split()) > 3 for alt in shown.evaluate_all("all => all.map((i) => i.alt)"))


def until_controls(number):
    """Return the code of a notebook before its controls, and their cell without the # signs."""
    (path,) = (ROOT / "notebooks").glob(f"{number}_*.ipynb")
    code = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    place = next(k for k, c in enumerate(code) if "# from dcgan_utils.anim" in c.source)
    before = "\n".join(cell.source for cell in code[:place])
    return before, re.sub("^# ", "", code[place].source, flags=re.MULTILINE)


@pytest.mark.parametrize(
    "number, named", [("00", "Your game"), ("02", "mean"), ("03", "sums"), ("09", "moved by")]
)
def test_controls_are_pressed_and_the_picture_changes(page, open_notebook, number, named):
    _, cell = open_notebook(f"controls_{number}", *until_controls(number)).all()
    run_all(page)
    picture = cell.locator(".widget-html img")
    picture.wait_for(timeout=4 * PATIENCE)
    assert named in picture.get_attribute("alt")
    buttons, handles = cell.locator(".widget-button").all(), cell.get_by_role("slider").all()
    presses = [button.click for button in buttons]  # beside buttons, sliders tell the next steps
    presses += [partial(handle.press, "ArrowRight") for handle in handles if not buttons]
    assert len(presses) >= 2
    for press in presses:
        before = picture.get_attribute("src")
        press()
        page.wait_for_function(
            "([cell, before]) => cell.querySelector('.widget-html img')?.src !== before",
            arg=[cell.element_handle(), before],
        )
