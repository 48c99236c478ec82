"""Settings: what is allowed, and what the error says of what is not."""

import dataclasses
import subprocess
import sys

import pytest

from dcgan_utils.config import PRESETS, Config, UserError, meanings, preset

NAN, INFINITE = float("nan"), float("inf")
WRONG = {
    **dict.fromkeys(("batch_size", "width", "latent_size", "epochs"), (0, -8, 3.5)),
    **dict.fromkeys(("steps", "samples", "record_every", "checkpoint_every"), (0, -1)),
    **dict.fromkeys(("learning_rate", "initial_std"), (0.0, -0.1, NAN, INFINITE, "fast")),
    **dict.fromkeys(("beta1", "beta2", "leak", "average"), (1.0, -0.1, NAN)),
    **dict.fromkeys(("conditional", "spectral_norm"), (1, "yes", None)),
    "image_size": (28, 48, 512, 32.0),
    "real_label": (0.5, 1.1),
    "decay": (-0.1, 1.5),
    "channels": (2, True),
    "latent": ("gaussian",),
    "fit": ("crop",),
    "precision": ("fp16",),
    "frames": (1, 1001),
    "seed": (-1, 2**31, True),
    "data": (" ",),
}


@pytest.mark.parametrize(("name", "value"), [(name, v) for name in WRONG for v in WRONG[name]])
def test_a_wrong_value_is_refused_by_name_and_value(name, value):
    with pytest.raises(UserError) as caught:
        preset("classroom", **{name: value})
    assert all(word in str(caught.value) for word in (name, repr(value), "allowed"))


def test_an_unknown_preset_or_setting_is_named_with_what_there_is():
    with pytest.raises(UserError) as caught:
        preset("clasroom")
    assert all(word in str(caught.value) for word in ("'clasroom'", *PRESETS))
    with pytest.raises(UserError, match="'lr'.*learning_rate"):
        preset("classroom", lr=0.1)


def test_the_later_word_on_the_length_wins():
    assert preset("classroom").steps is not None
    assert preset("classroom", epochs=10).steps is None
    assert preset("classroom", epochs=10, steps=7).steps == 7
    assert preset("classroom", learning_rate=1).learning_rate == 1, "an integer serves as well"


def test_the_paper_preset_holds_the_papers_figures():
    """Radford et al. (2015), section 4 and figure 1, typed from the paper."""
    paper = PRESETS["paper"]
    assert (paper.batch_size, paper.learning_rate, paper.beta1) == (128, 0.0002, 0.5)
    assert (paper.initial_std, paper.leak, paper.latent) == (0.02, 0.2, "uniform")
    assert (paper.image_size, paper.width, paper.latent_size) == (64, 128, 100)


def test_every_setting_has_a_meaning():
    assert list(meanings()) == [field.name for field in dataclasses.fields(Config)]


def test_settings_are_checked_without_importing_torch():
    code = "import sys, dcgan_utils.config; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
