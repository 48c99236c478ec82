"""Animations and their player."""

import base64
import io
import json
import re

import numpy as np
import pytest
import torch
from PIL import Image

from dcgan_utils import animations


@pytest.fixture
def frames():
    """Return five frames of nine images; in each, every image has a gray level of its own."""
    levels = torch.arange(45, dtype=torch.uint8).reshape(5, 9, 1, 1, 1) * 5
    pixels = levels.expand(-1, -1, 1, 8, 8)
    return {10 * number: frame for number, frame in enumerate(pixels)}


def test_animation_frames_durations_and_still(frames):
    with Image.open(io.BytesIO(animations.animated_png(frames, seconds=8.0))) as animation:
        assert animation.format == "PNG" and animation.n_frames == 6
        still = np.asarray(animation)
        shown, durations = [], []
        for number in range(1, 6):
            animation.seek(number)
            shown.append(np.asarray(animation))
            durations.append(animation.info["duration"])
    assert (still == shown[-1]).all()  # a viewer without animation shows the end
    assert all((a != b).any() for a, b in zip(shown, shown[1:]))
    assert sum(durations) == pytest.approx(8000, rel=0.01)
    assert durations[-1] == pytest.approx(6 * durations[0], rel=0.01)


def test_animation_in_color(frames):
    colored = {step: frame.expand(-1, 3, -1, -1) for step, frame in frames.items()}
    with Image.open(io.BytesIO(animations.animated_png(colored))) as animation:
        assert animation.mode == "RGB"


def test_player_has_a_picture_for_each_moment(frames):
    player = animations.Player(animations.animated_png(frames), "gray & gray", start=-1)
    html = player.html()
    pictures = json.loads(re.search(r"frames = (\[.*?\])", html)[1])
    with Image.open(io.BytesIO(player.animated)) as animation:
        for number, picture in enumerate(pictures):
            animation.seek(number + 1)  # 0 is the still
            shown = Image.open(io.BytesIO(base64.b64decode(picture)))
            assert (np.asarray(shown) == np.asarray(animation)).all()
    assert len(pictures) == len(frames) and "let now = 4" in html
    assert 'alt="gray &amp; gray"' in html


def test_player_is_an_animated_png_where_nobody_can_press_it(frames, monkeypatch):
    player = animations.Player(animations.animated_png(frames), "gray", width=300)
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    data, facts = player._repr_mimebundle_()
    assert base64.b64decode(data["image/png"]) == player.animated and "text/html" not in data
    assert facts == {"image/png": {"alt": "gray", "width": 300}}
    monkeypatch.setenv("JPY_SESSION_NAME", "notebook.ipynb")
    data, _ = player._repr_mimebundle_()
    assert "image/png" not in data and "Back</button>" in data["text/html"]
