"""Settings: what is allowed, and what the error says of what is not."""

import dataclasses
import subprocess
import sys

import pytest

from dcgan_utils.config import PRESETS, Config, UserError, meanings, preset

WRONG = [
    ("image_size", 28),
    ("image_size", 48),
    ("image_size", 512),
    ("image_size", 32.0),
    ("batch_size", 0),
    ("batch_size", -1),
    ("width", 0),
    ("width", -8),
    ("width", 3.5),
    ("epochs", 0),
    ("epochs", -2),
    ("steps", 0),
    ("compile", 1),
    ("real_label", 0.5),
    ("real_label", 1.1),
    ("learning_rate", 0.0),
    ("learning_rate", -0.1),
    ("learning_rate", float("nan")),
    ("learning_rate", float("inf")),
    ("learning_rate", "fast"),
    ("initial_std", 0),
    ("beta1", 1.0),
    ("beta2", -0.1),
    ("leak", 1.5),
    ("decay", 1.5),
    ("decay", -0.1),
    ("channels", 2),
    ("latent", "gaussian"),
    ("latent_size", 0),
    ("fit", "crop"),
    ("precision", "fp16"),
    ("frames", 1),
    ("frames", 1001),
    ("samples", 0),
    ("seed", -1),
    ("seed", True),
    ("data", " "),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_wrong_value_is_refused_by_name_and_value(name, value):
    with pytest.raises(UserError) as caught:
        preset("classroom", **{name: value})
    assert name in str(caught.value)
    assert repr(value) in str(caught.value)
    assert "allowed" in str(caught.value)


def test_unknown_preset_and_field_are_named_with_what_there_is():
    with pytest.raises(
        UserError, match="'clasroom'.*classroom, conditional, mnist64, paper, smoke"
    ):
        preset("clasroom")
    with pytest.raises(UserError, match="'lr'.*learning_rate"):
        preset("classroom", lr=0.1)


def test_the_later_word_on_the_length_wins():
    assert preset("classroom").steps == 4200
    assert (preset("classroom", epochs=10).steps, preset("classroom", epochs=10).epochs) == (
        None,
        10,
    )
    assert preset("classroom", epochs=10, steps=7).steps == 7


def test_integers_serve_where_floats_are_meant():
    assert preset("classroom", learning_rate=1).learning_rate == 1


def test_paper_preset_holds_the_papers_figures():
    """Radford et al. (2015), section 4 and figure 1, typed from the paper."""
    paper = PRESETS["paper"]
    assert (paper.batch_size, paper.learning_rate, paper.beta1) == (128, 0.0002, 0.5)
    assert (paper.initial_std, paper.leak, paper.latent) == (0.02, 0.2, "uniform")
    assert (paper.image_size, paper.width, paper.latent_size) == (64, 128, 100)


def test_mnist64_preset_is_the_tutorials_programme():
    mnist64 = PRESETS["mnist64"]
    assert (mnist64.image_size, mnist64.width, mnist64.batch_size) == (64, 64, 100)
    assert (mnist64.epochs, mnist64.samples, mnist64.latent) == (5, 100, "normal")


def test_every_setting_has_a_meaning():
    assert list(meanings()) == [field.name for field in dataclasses.fields(Config)]


def test_settings_are_checked_without_importing_torch():
    code = "import sys, dcgan_utils.config; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
