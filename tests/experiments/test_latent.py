"""Shapes of digits, sums of latent vectors, the search for one, and the study of all."""

import math

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from torch import nn

from dcgan_utils.data import load_source, unscale
from dcgan_utils.weights import trained_generator
from experiments.studies import latent


class Linear(nn.Module):
    """A generator whose images are linear in z."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(latent.normal(6, 0)[:, :25] / 12)

    def forward(self, z):
        return (z @ self.weight).reshape(-1, 1, 5, 5).clamp(-1, 1)


def test_the_search_begins_at_the_best_candidate_and_finds_ridge_regression():
    generator, candidates = Linear(), latent.normal(20, 5)[:, :6]
    z = latent.normal(3, 4)[:, :6]
    images = unscale((z @ generator.weight).reshape(3, 1, 5, 5)).detach()
    found, errors = latent.find_latents(generator, images, candidates, steps=600, prior=0.05)
    assert torch.equal(generator.weight, Linear().weight), "weights stay as they are"
    weight, wanted = generator.weight.detach().double(), images.flatten(1).double() / 127.5 - 1
    square = weight @ weight.T / 4 + 0.05 * torch.eye(6).double()
    best = torch.linalg.solve(square, weight @ wanted.T / 4).T
    torch.testing.assert_close(found.double(), best, atol=0.01, rtol=0)
    expected = ((best @ weight - wanted) / 2).norm(dim=1)
    torch.testing.assert_close(errors.double(), expected, atol=0.01, rtol=0)
    of_candidates = unscale(generator(candidates[[7, 2]]).detach())
    found, errors = latent.find_latents(generator, of_candidates, candidates, steps=0)
    assert torch.equal(found, candidates[[7, 2]]) and errors.max() < 0.02


@pytest.fixture(scope="module")
def pool():
    return latent.new_pool(trained_generator(), latent.normal(2500, 0))


def test_the_terms_of_a_sum_are_of_the_right_kinds(pool):
    for seed in range(8):
        random = torch.Generator().manual_seed(seed)
        found, digit = latent.terms(pool, 10, random)
        a, b, c = ((part[:, None] == pool.latents).all(2).nonzero()[:, 1] for part in found)
        assert {len(set(places.tolist())) for places in (a, b, c)} == {10}
        assert pool.slants[a].min() >= 0.35 and pool.slants[torch.cat([b, c])].abs().max() <= 0.1
        (one,) = set(pool.digits[torch.cat([a, b])].tolist())
        assert set(pool.digits[c].tolist()) == {digit} != {one}


@pytest.mark.parametrize("count", [1, 3])
def test_sums_and_their_controls_differ_in_direction_only(pool, count):
    found, digits = latent.sums(pool, count, trials=5)
    (many_a, many_b, many_c), digit = latent.terms(pool, count, torch.Generator().manual_seed(0))
    a, b, c = (many.mean(0) for many in (many_a, many_b, many_c))
    torch.testing.assert_close(found["sum"][0], a - b + c)
    steps = {how: z[0] - c for how, z in found.items()}
    for step in steps.values():
        torch.testing.assert_close(step.norm(), (a - b).norm())
    assert torch.cosine_similarity(steps["single"], many_a[0] - many_b[0], 0) > 0.999
    assert abs(torch.cosine_similarity(steps["random"], a - b, 0)) < 0.4
    assert digits[0] == digit and len(digits) == 5


@pytest.mark.parametrize(("leans", "right"), [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_a_success_needs_the_digit_and_the_slant(pool, leans, right):
    places = (pool.slants >= 0.35 if leans else pool.slants < 0.34).nonzero()[:20, 0]
    digits = (pool.digits[places] + 1 - right) % 10
    found = latent.successes(trained_generator(), pool.latents[places], digits)
    assert found == (right, right * leans)


@pytest.mark.parametrize("degrees", [-40, 0, 20, 45])
def test_a_stroke_of_known_slant(degrees):
    """It is drawn large, so that its borders are gray; an image without ink has no slant."""
    x, y = (80 * f(math.radians(degrees)) for f in (math.sin, math.cos))
    picture = Image.new("L", (224, 224))
    ImageDraw.Draw(picture).line((112 - x, 112 + y, 112 + x, 112 - y), fill=255, width=16)
    stroke = torch.from_numpy(np.array(picture.resize((28, 28), Image.Resampling.BOX)))
    found = latent.slant(torch.stack([stroke, 0 * stroke])[:, None])
    assert found[0].item() == pytest.approx(math.tan(math.radians(degrees)), abs=0.05)
    assert found[1].isnan()


@pytest.mark.slow
def test_the_study(run, monkeypatch):
    monkeypatch.setattr(latent, "load_source", lambda name: load_source("embedded"))
    sizes = {"JUDGED": 500, "POOL": 2500, "TRIALS": 10, "SEEN_FROM": 2, "SEARCHED": 2}
    for name, size in sizes.items():
        monkeypatch.setattr(latent, name, size)
    (row,) = run("latent", "--only", "4200", "--seeds", "0")
    assert 0 < float(row["ratio_low"]) <= float(row["ratio"]) <= float(row["ratio_high"])
    assert float(row["same_1.0"]) == 1 and float(row["mean_inside"]) > float(row["mean_outside"])
    assert {f"{how}_{n}" for how in ("sum", "single", "rescaled") for n in (1, 10)} <= row.keys()
