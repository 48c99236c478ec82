"""Ways between latent vectors, the search for one, sums of them, shapes, and the study of all."""

import math

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from scipy.spatial.transform import Rotation, Slerp
from torch import nn

from dcgan_utils.data import load_source, unscale
from dcgan_utils.sampling import draw_latents
from dcgan_utils.weights import trained_generator
from experiments import latent_sums, store
from experiments.latent_paths import find_latents, great_circle, straight_line
from experiments.shapes import holes, slant, thickness
from experiments.studies import latent


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_a_line_is_numpys_interpolation_and_a_great_circle_is_scipys_slerp():
    """Of rotations: of their quaternions, which are vectors of four numbers of length 1."""
    start, end = (nn.functional.normalize(normal(6, 4, seed=seed)) for seed in (2, 3))
    end = end * (start * end).sum(1, keepdim=True).sign()  # SciPy takes the shorter way
    places, norms = torch.linspace(0, 1, 9), torch.linspace(2, 3, 9)
    line = np.linspace(start.numpy(), end.numpy(), 9)
    np.testing.assert_allclose(straight_line(start, end, places), line, atol=1e-6)
    found = (great_circle(2 * start, 3 * end, places) / norms[:, None, None]).numpy()
    for k in range(6):
        ends = Rotation.from_quat(np.stack([start[k], end[k]]))
        expected = Slerp([0, 1], ends)(places.numpy()).as_quat()
        expected *= np.sign((expected * found[:, k]).sum(1, keepdims=True))  # q and -q are one
        np.testing.assert_allclose(found[:, k], expected, atol=1e-5)
    still = great_circle(start, start.clone(), places)
    torch.testing.assert_close(still, start.expand(9, -1, -1), atol=1e-3, rtol=0)


class Linear(nn.Module):
    """A generator whose images are linear in z."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(normal(6, 25) / 12)

    def forward(self, z):
        return (z @ self.weight).reshape(-1, 1, 5, 5).clamp(-1, 1)


def test_the_search_begins_at_the_best_candidate_and_finds_ridge_regression():
    generator, candidates = Linear(), normal(20, 6, seed=5)
    images = unscale((normal(3, 6, seed=4) @ generator.weight).reshape(3, 1, 5, 5)).detach()
    found, errors = find_latents(generator, images, candidates, steps=600, prior=0.05)
    assert torch.equal(generator.weight, Linear().weight), "weights stay as they are"
    weight, wanted = generator.weight.detach().double(), images.flatten(1).double() / 127.5 - 1
    square = weight @ weight.T / 4 + 0.05 * torch.eye(6).double()
    best = torch.linalg.solve(square, weight @ wanted.T / 4).T
    torch.testing.assert_close(found.double(), best, atol=0.01, rtol=0)
    expected = ((best @ weight - wanted) / 2).norm(dim=1)
    torch.testing.assert_close(errors.double(), expected, atol=0.01, rtol=0)
    of_candidates = unscale(generator(candidates[[7, 2]]).detach())
    found, errors = find_latents(generator, of_candidates, candidates, steps=0)
    assert torch.equal(found, candidates[[7, 2]]) and errors.max() < 0.02


def test_the_largest_step_of_an_even_walk_and_of_a_jump():
    for order, share in ((np.arange(9), 1 / 8), (np.arange(9) // 5, 1.0)):
        walk = order[:, None, None] * np.ones((1, 2, 3))
        still = np.zeros((9, 1, 3))  # left out
        assert latent.largest_step(np.concatenate([walk, still], 1)) == pytest.approx(share)


def test_half_of_a_variance_is_linear_in_z():
    z, noise = normal(4000, 10), normal(4000, seed=1)
    values = 2 * z[:, 0] - z[:, 3] + 5**0.5 * noise
    assert latent.explained(z, values) == pytest.approx(0.5, abs=0.06)


@pytest.fixture(scope="module")
def pool():
    z = draw_latents(1500, 100, "normal", torch.Generator().manual_seed(0))
    return latent_sums.new_pool(trained_generator(), z)


@pytest.mark.parametrize("kind", latent_sums.KINDS.values(), ids=latent_sums.KINDS)
def test_the_terms_of_a_sum_are_of_the_right_kinds(pool, kind):
    values, (low, high) = kind.measure(pool.pixels), kind.lacks
    for seed in range(8):
        random = torch.Generator().manual_seed(seed)
        (a, b, c), digit = latent_sums.terms(pool, kind, 10, random)
        lacking = values[torch.cat([b, c])]
        assert (values[a] >= kind.least).all() and ((lacking >= low) & (lacking <= high)).all()
        assert len({*b.tolist(), *c.tolist()}) == len(b) + len(c)
        assert pool.sure[torch.cat([a, b, c])].all() and (pool.digits[c] == digit).all()
        one = pool.digits[a[0]]
        assert (pool.digits[torch.cat([a, b])] == one).all()
        assert (one == digit) == (kind.digit is not None)


def test_sums_and_their_control_differ_in_direction_only(pool):
    kind = latent_sums.KINDS["leaning"]
    found, digits = latent_sums.sums(pool, kind, 1, trials=5)
    places, digit = latent_sums.terms(pool, kind, 1, torch.Generator().manual_seed(0))
    a, b, c = (pool.latents[part][0] for part in places)
    torch.testing.assert_close(found["sum"][0], a - b + c)
    torch.testing.assert_close((found["control"][0] - c).norm(), (a - b).norm())
    assert digits[0] == digit and len(digits) == 5


@pytest.mark.parametrize(("there", "right"), [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_a_success_needs_the_digit_and_the_property(pool, there, right):
    kind = latent_sums.KINDS["leaning"]
    places = pool.pick(pool.split(kind)[1 - there], 20, torch.Generator().manual_seed(0))
    digits = (pool.digits[places] + 1 - right) % 10
    found = latent_sums.successes(trained_generator(), pool.latents[places], digits, kind)
    assert found == {"digit": right, "both": right * there}


def drawn(*lines, width=3):
    """Return an image (1, 1, 28, 28) with straight strokes, drawn large for gray borders."""
    picture = Image.new("L", (8 * 28, 8 * 28))
    for line in lines:
        ImageDraw.Draw(picture).line([8 * place for place in line], fill=255, width=8 * width)
    return torch.from_numpy(np.array(picture.resize((28, 28), Image.Resampling.BOX)))[None, None]


@pytest.mark.parametrize("degrees", [-40, 0, 20, 45])
def test_a_stroke_of_known_slant_and_thickness(degrees):
    x, y = (10 * f(math.radians(degrees)) for f in (math.sin, math.cos))
    strokes = torch.cat([drawn((14 - x, 14 + y, 14 + x, 14 - y), width=w) for w in (2, 3, 4, 5)])
    assert slant(strokes[0:1]).item() == pytest.approx(math.tan(math.radians(degrees)), abs=0.05)
    assert thickness(strokes).tolist() == pytest.approx([2, 3, 4, 5], rel=0.2)


def test_holes_of_drawings_and_of_an_image_without_ink():
    """A spot of one pixel in a stroke is no hole, and neither is what the border closes."""
    box = [(6, 6, 22, 6), (6, 22, 22, 22), (6, 6, 6, 22), (22, 6, 22, 22)]
    images = [drawn(*box), drawn(*box, (6, 14, 22, 14)), drawn(*box[:3]), drawn((0, 14, 28, 14))]
    spot = torch.zeros(3, 1, 28, 28, dtype=torch.uint8)
    spot[:2, ..., 10:18, 10:18] = 255
    spot[..., 13, 13] = spot[1, ..., 13, 14] = 0
    assert holes(torch.cat([*images, spot])).tolist() == [1, 2, 0, 0, 0, 1, 0]
    assert slant(spot[2:]).isnan().all() and thickness(spot[2:]).isnan().all()


@pytest.mark.slow
def test_the_study(run, monkeypatch):
    monkeypatch.setattr(latent, "load_source", lambda name: load_source("embedded"))
    for name in ("FEW_STEPS", "WALKS", "STEPS", "SEARCHED"):
        monkeypatch.setattr(latent, name, 2)
    for name in ("JUDGED", "POOL"):
        monkeypatch.setattr(latent, name, 500)
    (row,) = run("latent", "--only", "500", "--seeds", "0")
    assert "leaning_sum_1" not in row  # too few digits
    kinds = [row["kind"] for row in store.read("latent_errors")]
    assert kinds == 2 * ["training"] + 2 * ["held-out"] and float(row["error_training"]) > 0
    assert (store.RESULTS / "latent/500-0.png").exists()
    assert latent.STUDY.tables()["latent"].count("| 500 digits, seed 0 |") == 1
