"""The judge against closed forms, known orderings, and frauds that it must catch."""

import os

import numpy as np
import pytest
import torch
from scipy import linalg
from sklearn.datasets import load_digits
from torchvision import datasets

from dcgan_utils import judging
from dcgan_utils.config import UserError
from dcgan_utils.data import base_images, fit_images, unscale
from dcgan_utils.judging import look, measure
from dcgan_utils.networks import Generator, draw_latents, initialize_weights

RANDOM = np.random.default_rng(0)


def exactly(mean, covariance, count=500):
    """Return points (count, F) with exactly this mean and covariance."""
    points = RANDOM.standard_normal((count, len(mean)))
    points -= points.mean(0)
    points @= np.linalg.inv(np.linalg.cholesky(np.cov(points.T))).T  # now the covariance is 1
    return points @ np.linalg.cholesky(covariance).T + mean


# Figures, one by one


def test_frechet_distance_of_two_gaussians_by_hand():
    """|(3, 4)|^2 = 25, and for variances 1, 4 against 9, 16: (1 - 3)^2 + (2 - 4)^2 = 8."""
    a = exactly(np.zeros(2), np.diag([1.0, 4.0]))
    b = exactly(np.array([3.0, 4.0]), np.diag([9.0, 16.0]))
    assert judging.frechet_distance(a, b) == pytest.approx(33, abs=1e-6)
    assert judging.frechet_distance(a, a) == pytest.approx(0, abs=1e-6)


def test_frechet_distance_equals_the_formula_with_scipys_matrix_root():
    factors = RANDOM.standard_normal((2, 6, 6))
    first, second = (factor @ factor.T + np.eye(6) for factor in factors)
    shift = RANDOM.standard_normal(6)
    expected = shift @ shift + np.trace(first + second - 2 * linalg.sqrtm(first @ second).real)
    points = exactly(np.zeros(6), first), exactly(shift, second)
    assert judging.frechet_distance(*points) == pytest.approx(expected, rel=1e-6)


def test_frechet_distance_survives_a_feature_that_never_changes():
    a, b = exactly(np.zeros(2), np.eye(2)), exactly(np.ones(2), np.eye(2))
    a[:, 1] = b[:, 1] = 0.0
    assert judging.frechet_distance(a, b) == pytest.approx(1, abs=1e-6)


def test_precision_and_recall_by_hand():
    """Real points at 0, 1, 2, 3 with radius 1 each (k = 1); fakes at 0.5, 0.6 and 9."""
    real, fake = np.array([[0.0], [1], [2], [3]]), np.array([[0.5], [0.6], [9.0]])
    precision, recall = judging.precision_and_recall(real, fake, k=1)
    assert precision == pytest.approx(2 / 3)  # 9 is nobody's neighbor
    # Radii of the fakes: 0.1, 0.1, 8.4; the last one's disc reaches down to 0.6.
    assert recall == pytest.approx(3 / 4)


def test_class_shares_by_hand():
    probabilities = np.eye(10)[[3, 3, 7, 0]]
    assert judging.class_shares(probabilities).tolist() == [0.25, 0, 0, 0.5, 0, 0, 0, 0.25, 0, 0]


def test_padding_is_cropped_exactly():
    pixels = torch.randint(0, 256, (3, 1, 28, 28), dtype=torch.uint8)
    padded = fit_images(pixels, 32, "pad")
    assert torch.equal(judging.to_judged_size(padded, "pad"), pixels)
    assert judging.to_judged_size(fit_images(pixels, 64, "resize"), "resize").shape == pixels.shape


# The package's classifier and reference


def test_the_classifier_is_good_and_its_files_are_small():
    facts = judging.stored_facts()
    assert facts["accuracy"] >= 0.99
    assert (judging.FOLDER / "classifier.pt").stat().st_size < 1_000_000
    assert sum(file.stat().st_size for file in judging.FOLDER.iterdir()) < 1_500_000


@pytest.fixture(scope="module")
def mnist():
    """Return MNIST's test digits (10000, 1, 28, 28) and their labels, if MNIST is here."""
    try:
        test = datasets.MNIST(os.environ["DCGAN_DATA"], train=False)
    except (KeyError, RuntimeError):
        pytest.skip("DCGAN_DATA names no data root with MNIST")
    return test.data[:, None], test.targets.numpy()


def test_the_stored_accuracy_and_rows_are_true(mnist):
    seen = look(mnist[0])
    right = (seen.probabilities.argmax(1) == mnist[1]).mean()
    assert right == pytest.approx(judging.stored_facts()["accuracy"], abs=2e-4)
    stored = judging.stored_reference().rows["real digits"]
    got = measure(seen, judging.stored_reference())
    assert got["distance"] == pytest.approx(stored["distance"]["value"], rel=0.02)
    assert got["recall"] == pytest.approx(stored["recall"]["value"], abs=0.01)


def blurred(pixels):
    return fit_images(fit_images(pixels, 14, "resize"), 28, "resize")


def test_the_reference_orders_real_blurred_and_noise(mnist):
    reference, some = judging.stored_reference(), mnist[0][::4]
    real, blur = (measure(look(pixels), reference) for pixels in (some, blurred(some)))
    noise = {name: row["value"] for name, row in reference.rows["noise"].items()}
    assert real["distance"] < 10 < 30 < blur["distance"] < noise["distance"]
    assert real["recall"] > 0.8 > blur["recall"] > noise["recall"] == 0


# The embedded digits, which every machine has


@pytest.fixture(scope="module")
def digits():
    """Return the embedded digits, their labels, and the reference that 28-pixel runs get."""
    pixels = base_images("digits").pixels
    reference = judging.reference_for("embedded digits", 32, "pad")
    return pixels, torch.from_numpy(load_digits().target), reference


def test_real_is_better_than_blurred_is_better_than_noise(digits):
    pixels, _, reference = digits
    kinds = pixels, blurred(pixels), torch.randint(0, 256, (1000, 1, 28, 28), dtype=torch.uint8)
    distances = [measure(look(kind), reference)["distance"] for kind in kinds]
    assert distances == sorted(distances) and distances[1] > 2 * distances[0]


def test_ten_digits_are_better_than_nine(digits):
    pixels, labels, reference = digits
    ten = pixels[torch.randperm(1797, generator=torch.Generator().manual_seed(0))[:1600]]
    nine = pixels[labels != 4][:1600]
    all_ten, only_nine = measure(look(ten), reference), measure(look(nine), reference)
    assert all_ten["distance"] < only_nine["distance"]
    assert all_ten["divergence"] < only_nine["divergence"]


def test_one_digit_copied_is_caught(digits):
    pixels, _, reference = digits
    verdict = judging.judge(pixels[:1].expand(2000, -1, -1, -1), "pad", reference)["samples"]
    assert verdict["recall"]["value"] < 0.05
    assert max(verdict["shares"]["value"]) == 1
    assert verdict["distance"]["value"] > 20 * reference.rows["real digits"]["distance"]["value"]


def test_the_spread_is_that_of_the_mean(digits):
    """For a mean it is the standard error; a tenth of the samples' spread for 100 times as many."""
    pixels, _, reference = digits
    seen = look(pixels)
    spread = judging.measure_with_spread(seen, reference)["top_probability"]["spread"]
    expected = seen.probabilities.max(1).std() / len(seen) ** 0.5
    assert 0.5 * expected < spread < 1.7 * expected


def test_the_same_samples_get_the_same_verdict(digits):
    pixels, _, reference = digits
    first, second = (judging.judge(pixels, "pad", reference) for _ in range(2))
    assert first == second


# Memorized digits


def test_nearest_distances_equal_a_hand_worked_number():
    """One pixel of 255 and one of 51: distances 1 and 0.2 from black, so 0.8 from each other."""
    one = torch.zeros(3, 1, 2, 2, dtype=torch.uint8)
    one[1, 0, 0, 0], one[2, 0, 0, 0] = 255, 51
    assert judging.nearest_distances(one[1:], one[:1]) == pytest.approx([1, 0.2])
    assert judging.nearest_distances(one[1:2], one[::2]) == pytest.approx([0.8])


def test_a_memorizer_is_caught_and_held_out_digits_are_not(digits):
    known = judging.known_digits("embedded digits", 32, "pad")
    pixels, _, reference = digits
    assert len(known.training) == 1498 and len(known.held_out) + len(known.others) == 299
    verdict = judging.judge(known.training[:1000], "pad", reference, known)
    copied, real, noise = (verdict[name] for name in ("samples", "real digits", "noise"))
    assert copied["to_training"]["value"] < 0.05 < 1 < real["to_training"]["value"]
    assert copied["to_held_out"]["value"] > 1, "the two sets are not the same"
    assert real["to_held_out"]["value"] > real["to_training"]["value"], "there are fewer of them"
    assert noise["to_training"]["value"] > 2 * real["to_training"]["value"]
    text = judging.table(verdict, reference)
    assert "nearest training digit" in text and judging.PIXEL_BY_PIXEL in text


def test_digits_that_went_another_way_are_still_known():
    """A copy of a training digit as a resized run would draw it: distance 0 after its way back."""
    known = judging.known_digits("embedded digits", 16, "resize")
    drawn = fit_images(base_images("digits").pixels[:50], 16, "resize")
    back = judging.to_judged_size(drawn, "resize")
    assert judging.nearest_distances(back, known.training).max() < 0.05


def test_without_mnist_nothing_is_downloaded(tmp_path, monkeypatch):
    monkeypatch.setenv("DCGAN_DATA", str(tmp_path))
    assert judging.known_digits("MNIST", 32, "pad") is None
    assert list(tmp_path.iterdir()) == []


def test_labeled_samples_teach_a_nearest_neighbor_classifier(digits):
    pixels, labels, _ = digits
    flat = pixels.flatten(1).numpy()
    first, last = slice(0, 1498), slice(1498, None)
    error = judging.nearest_neighbor_error(flat[first], labels[first], flat[last], labels[last])
    assert error < 0.1
    wrong = (labels[first] + 1) % 10
    assert judging.nearest_neighbor_error(flat[first], wrong, flat[last], labels[last]) > 0.9


def test_too_few_samples_are_refused(digits):
    with pytest.raises(UserError, match="count is 999; allowed: 1000 or more"):
        judging.judge(digits[0][:999], "pad", digits[2])


def test_no_more_samples_are_judged_than_real_digits(digits):
    """Fewer images have a larger distance, so the columns of a table have equally many."""
    pixels, _, reference = digits
    assert reference.count < len(pixels)
    verdict = judging.judge(pixels, "pad", reference)["samples"]
    few = measure(look(pixels[: reference.count]), reference)
    assert verdict["distance"]["value"] == pytest.approx(few["distance"], rel=1e-9)
    assert few["distance"] != pytest.approx(measure(look(pixels), reference)["distance"], rel=0.01)
    assert judging.stored_reference().count == 10_000


def test_samples_are_drawn_in_evaluation_mode():
    generator = Generator(16, 1, 10, 8)
    initialize_weights(generator, torch.Generator().manual_seed(0))
    generator(torch.randn(32, 10, generator=torch.Generator().manual_seed(1)))  # moves batch norm's
    pixels = judging.draw_samples(generator, 502, "uniform", seed=3)
    assert pixels.shape == (502, 1, 16, 16) and generator.training
    z = draw_latents(502, 10, "uniform", torch.Generator().manual_seed(3))
    with torch.no_grad():
        alone = unscale(generator.eval()(z[501:]))
    assert (pixels[501:].int() - alone.int()).abs().max() <= 1, "an image depends on its own z only"


def test_tables_say_what_they_are(digits):
    verdict = judging.judge(digits[0], "pad", digits[2])
    text = judging.table(verdict, digits[2])
    assert "published FID" in text and "compare the columns" in text and judging.CROPPED in text
    assert "compare the columns" not in judging.table(verdict, judging.stored_reference())
    assert text.count("\n| ") == len(judging.NAMES) - 2 and judging.NOT_HERE in text
