"""Ways between latent vectors, the search for one, and sums of them."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation, Slerp
from torch import nn

from dcgan_utils.data import unscale
from dcgan_utils.sampling import draw_latents
from dcgan_utils.weights import trained_generator
from experiments import arithmetic, latent, tables
from experiments.latent_paths import find_latents, great_circle, straight_line


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# Ways


def test_a_line_is_numpys_interpolation():
    start, end, places = normal(3, 5), normal(3, 5, seed=1), torch.linspace(0, 1, 7)
    expected = np.linspace(start.numpy(), end.numpy(), 7)
    np.testing.assert_allclose(straight_line(start, end, places), expected, atol=1e-6)


def test_a_great_circle_is_scipys_slerp():
    """Of rotations: of their quaternions, which are vectors of four numbers of length 1."""
    start, end = (nn.functional.normalize(normal(6, 4, seed=seed)) for seed in (2, 3))
    end = end * (start * end).sum(1, keepdim=True).sign()  # SciPy takes the shorter way
    places = torch.linspace(0, 1, 9)
    found = great_circle(start, end, places).numpy()
    for k in range(6):
        ends = Rotation.from_quat(np.stack([start[k], end[k]]))
        expected = Slerp([0, 1], ends)(places.numpy()).as_quat()
        expected *= np.sign((expected * found[:, k]).sum(1, keepdims=True))  # q and -q are one
        np.testing.assert_allclose(found[:, k], expected, atol=1e-5)


def test_a_great_circle_turns_evenly_and_its_norm_goes_evenly():
    start, end = normal(4, 100).double(), 3 * normal(4, 100, seed=1).double()
    way = great_circle(start, end, torch.linspace(0, 1, 11, dtype=torch.float64))
    torch.testing.assert_close(way[[0, -1]], torch.stack([start, end]))
    norms = way.norm(dim=2)
    torch.testing.assert_close(norms.diff(dim=0), norms.diff(dim=0)[:1].expand(10, -1))
    units = way / norms[..., None]
    angles = (units[1:] * units[:-1]).sum(2).acos()
    torch.testing.assert_close(angles, angles[:1].expand(10, -1), atol=1e-4, rtol=0)


def test_a_great_circle_from_a_vector_to_itself_stays():
    start = normal(2, 100)
    way = great_circle(start, start.clone(), torch.linspace(0, 1, 5))
    torch.testing.assert_close(way, start.expand(5, -1, -1), atol=1e-3, rtol=0)


# The search


class Linear(nn.Module):
    """A generator whose images are linear in z."""

    def __init__(self, size=6, side=5):
        super().__init__()
        self.side = side
        self.weight = nn.Parameter(normal(size, side * side) / 12)

    def forward(self, z):
        return (z @ self.weight).reshape(-1, 1, self.side, self.side).clamp(-1, 1)


def test_the_search_finds_ridge_regression():
    generator = Linear()
    images = unscale((normal(3, 6, seed=4) @ generator.weight).reshape(3, 1, 5, 5)).detach()
    before = generator.weight.detach().clone()
    found, errors = find_latents(generator, images, normal(8, 6, seed=5), steps=600, prior=0.05)
    weight, wanted = generator.weight.detach().double(), images.flatten(1).double() / 127.5 - 1
    square = weight @ weight.T / 4 + 0.05 * torch.eye(6).double()
    best = torch.linalg.solve(square, weight @ wanted.T / 4).T
    torch.testing.assert_close(found.double(), best, atol=0.01, rtol=0)
    expected = ((best @ weight - wanted) / 2).norm(dim=1)
    torch.testing.assert_close(errors.double(), expected, atol=0.01, rtol=0)
    assert torch.equal(generator.weight, before)


def test_the_search_begins_at_the_best_candidate_and_leaves_it_as_it_is():
    generator, candidates = Linear(), normal(20, 6, seed=6)
    kept = candidates.clone()
    images = unscale(generator(candidates[[7, 2]]).detach())
    found, errors = find_latents(generator, images, candidates, steps=0)
    assert torch.equal(found, candidates[[7, 2]]) and errors.max() < 0.02
    find_latents(generator, images, candidates, steps=3)
    assert torch.equal(candidates, kept)


def test_the_trained_generator_finds_its_own_images():
    generator = trained_generator()
    z = draw_latents(6, 100, "normal", torch.Generator().manual_seed(0))
    images = unscale(generator(z).detach())
    candidates = draw_latents(200, 100, "normal", torch.Generator().manual_seed(1))
    begun = find_latents(generator, images, candidates, steps=0)[1]
    _, errors = find_latents(generator, images, candidates, steps=60)
    assert errors.median() < 0.4 * begun.median()


# What is measured of walks and sums


@pytest.mark.parametrize(("order", "share"), [(np.arange(9), 1 / 8), (np.arange(9) // 5, 1.0)])
def test_the_largest_step_of_an_even_walk_and_of_a_jump(order, share):
    walk = order[:, None, None] * np.ones((1, 2, 3))
    still = np.zeros((9, 1, 3))  # left out
    assert latent.largest_step(np.concatenate([walk, still], 1)) == pytest.approx(share)


def test_what_is_linear_in_z():
    z, noise = normal(4000, 10), normal(4000, seed=1)
    linear = 2 * z[:, 0] - z[:, 3] + 1
    assert latent.explained(z, linear) == pytest.approx(1, abs=1e-6)
    assert latent.explained(z, linear + 5**0.5 * noise) == pytest.approx(0.5, abs=0.06)
    assert latent.explained(z, noise) == pytest.approx(0, abs=0.03)


@pytest.fixture(scope="module")
def pool():
    z = draw_latents(1500, 100, "normal", torch.Generator().manual_seed(0))
    return arithmetic.new_pool(trained_generator(), z)


@pytest.mark.parametrize("name", arithmetic.KINDS)
def test_the_terms_of_a_sum_are_of_the_right_kinds(pool, name):
    kind = arithmetic.KINDS[name]
    for seed in range(8):
        random = torch.Generator().manual_seed(seed)
        (a, b, c), digit = arithmetic.terms(pool, kind, 10, random)
        values = kind.measure(pool.pixels)
        assert (values[a] >= kind.least).all()
        for places in (b, c):
            assert ((values[places] >= kind.lacks[0]) & (values[places] <= kind.lacks[1])).all()
        assert len({*b.tolist(), *c.tolist()}) == len(b) + len(c)
        assert pool.sure[torch.cat([a, b, c])].all()
        assert (pool.digits[c] == digit).all()
        one = pool.digits[a[0]]
        assert (pool.digits[torch.cat([a, b])] == one).all()
        assert (one == digit) == (kind.digit is not None)


def test_sums_and_their_control_differ_in_direction_only(pool):
    kind = arithmetic.KINDS["leaning"]
    found, digits = arithmetic.sums(pool, kind, 1, trials=5, seed=3)
    again, _ = arithmetic.sums(pool, kind, 1, trials=5, seed=3)
    assert torch.equal(found["sum"], again["sum"]) and len(digits) == 5
    random = torch.Generator().manual_seed(3)
    (a, b, c), digit = arithmetic.terms(pool, kind, 1, random)
    a, b, c = (pool.latents[part][0] for part in (a, b, c))
    torch.testing.assert_close(found["sum"][0], a - b + c)
    torch.testing.assert_close((found["control"][0] - c).norm(), (a - b).norm())
    assert digits[0] == digit


def test_a_success_needs_the_digit_and_the_property(pool):
    generator, kind = trained_generator(), arithmetic.KINDS["leaning"]
    has, _ = pool.split(kind)
    places = pool.pick(has, 20, torch.Generator().manual_seed(0))
    z, digits = pool.latents[places], pool.digits[places]
    all_right = arithmetic.successes(generator, z, digits, kind)
    assert all_right == {"digit": 1, "property": 1, "both": 1}
    wrong_digit = arithmetic.successes(generator, z, (digits + 1) % 10, kind)
    assert wrong_digit == {"digit": 0, "property": 1, "both": 0}


def test_the_stored_rows_are_complete():
    rows = tables.read(tables.RESULTS / "latent.csv")
    assert [(row["digits"], row["seed"]) for row in rows] == [
        ("all" if count is None else str(count), str(seed)) for count, seed in latent.SUBJECTS
    ]
    assert len({(row["device"], row["torch"]) for row in rows}) == 1  # one machine, one table
    errors = tables.read(tables.RESULTS / "latent_errors.csv")
    assert len(errors) == len(rows) * 2 * latent.SEARCHED
    for row in rows:
        values = [
            float(e["error"])
            for e in errors
            if (e["digits"], e["seed"], e["kind"]) == (row["digits"], row["seed"], "held-out")
        ]
        assert float(row["error_held-out"]) == pytest.approx(np.median(values), abs=0.01)
