"""JupyterLab as a reader meets it: the start page, the player's buttons, a run that is stopped."""

import re

import nbformat
import pytest
from conftest import PATIENCE, ROOT

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def run_all(page, item="Run All Cells"):
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name=item, exact=True).click()


def test_make_lab_opens_the_map_and_leads_to_the_readers_copies(page, lab):
    page.goto(lab[0])
    start = page.locator(".jp-MarkdownViewer:visible")
    start.get_by_text("Click on a notebook to open it.").wait_for()
    assert start.locator("tr").count() == 1 + len(list((ROOT / "notebooks").glob("*.ipynb")))
    page.wait_for_timeout(3000)  # for the question about news, which should not come
    assert page.locator(".Toastify__toast").count() == 0
    start.get_by_role("link", name="03 Activations").click()
    page.locator(".jp-NotebookPanel:visible h1", has_text="Activations").wait_for()
    assert "/my_notebooks/03_activations.ipynb" in page.url  # the reader's copy


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
    first = open_notebook("player", PLAYER).first
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
    now(2)
    picture.click()
    page.keyboard.press("ArrowLeft")
    now(1)
    slider.fill("4")
    now(5)
    player.get_by_text("Play").click()  # at the end: from the beginning
    now(1)
    player.get_by_text("Pause").click()
    place = player.locator("output").inner_text()
    page.wait_for_timeout(1000)
    assert player.locator("output").inner_text() == place
    assert "jp-mod-collapsed" not in first.get_attribute("class")  # no key reached the notebook


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


def test_a_run_is_stopped_and_goes_on(page, open_notebook):
    code = open_notebook("training", TRAINING, RUN, "print('past', 'it')")
    run, picture = code.nth(1), code.nth(1).locator(".jp-OutputArea-output img")
    run_all(page)

    def stopped_at():
        picture.wait_for()
        first, place = picture.get_attribute("src"), picture.bounding_box()
        page.wait_for_function("src => ![...document.images].some((i) => i.src === src)", arg=first)
        assert picture.bounding_box() == place  # it stays, and there is no second one
        page.locator("[data-command='notebook:interrupt-kernel']:visible").click()
        message = run.locator(".jp-OutputArea-output", has_text="run this cell again")
        message.wait_for()
        run.locator("img[alt*='stopped; drawn']").wait_for()  # no longer how much is left
        return int(re.search(r"after step ([\d,]+)", message.inner_text())[1].replace(",", ""))

    step = stopped_at()
    page.wait_for_timeout(1000)
    assert "past it" not in code.nth(2).inner_text()  # "Run All" has not run on
    run.locator(".jp-InputArea-editor").click()
    page.keyboard.press("Control+Enter")
    run.get_by_text("run this cell again").wait_for(state="detached")
    assert stopped_at() > step  # from where it stood


def controls(number, name):
    """Return the code of a notebook before its controls, and their cell, without # signs."""
    (path,) = (ROOT / "notebooks").glob(f"{number}_*.ipynb")
    code = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    marks = [f"from dcgan_utils.diagrams import {name}" in cell.source for cell in code]
    before = "\n".join(cell.source for cell in code[: marks.index(True)])
    return before, re.sub("^# ", "", code[marks.index(True)].source, flags=re.MULTILINE)


@pytest.mark.parametrize("number, name", [("00", "buttons"), ("01", "sliders")])
def test_controls_are_moved_and_the_picture_changes(page, open_notebook, number, name):
    cell = open_notebook(f"controls_{number}", *controls(number, name)).nth(1)
    run_all(page)
    picture = cell.locator(".widget-html img")
    picture.wait_for(timeout=4 * PATIENCE)
    assert picture.get_attribute("alt")
    for control in cell.locator(".widget-button" if name == "buttons" else "[role=slider]").all():
        before = picture.get_attribute("src")
        control.click() if name == "buttons" else control.press("ArrowRight")
        page.wait_for_function(
            "([cell, before]) => cell.querySelector('.widget-html img')?.src !== before",
            arg=[cell.element_handle(), before],
        )


def test_05_restarts_and_runs_to_its_end_with_a_live_figure(page, lab):
    """With a seventh of its run's steps: whole it takes four minutes, and nbval runs it whole."""
    path = lab[1] / "my_notebooks/05_training_on_mnist.ipynb"
    whole = path.read_text("utf-8")
    assert whole.count("preset(PRESET)") == 1
    path.write_text(whole.replace("preset(PRESET)", "preset(PRESET, steps=600)"), "utf-8")
    page.goto(f"{lab[0]}/lab/tree/my_notebooks/{path.name}?reset")
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
    run_all(page, "Restart Kernel and Run All Cells…")
    page.get_by_role("button", name="Confirm Kernel Restart").click()
    code = page.locator(".jp-NotebookPanel:visible .jp-CodeCell")
    figure = page.locator("img[alt^='Losses, what D says']")
    last, seen = code.last, set()
    last.get_by_text("[*]:").wait_for()
    while last.get_by_text("[*]:").count():
        page.wait_for_timeout(300)
        seen |= {picture.get_attribute("src") for picture in figure.all()}
    assert last.get_by_text(f"[{code.count()}]:").count()  # after an error it would have no number
    assert len(seen) > 10
