"""The judge against closed forms, known orderings, and frauds that it must catch."""

import os

import numpy as np
import pytest
import torch
from scipy import linalg

from dcgan_utils import judging
from dcgan_utils.config import UserError
from dcgan_utils.data import SOURCES, fit_images, load_source, unscale
from dcgan_utils.judging import classify, measure
from dcgan_utils.judging.classifier import STORED
from dcgan_utils.judging.references import CROPPED
from dcgan_utils.judging.report import NEIGHBORS, NOT_HERE, PIXEL_BY_PIXEL
from dcgan_utils.networks import Generator, initialize_weights
from dcgan_utils.sampling import draw_latents, sample_new

RANDOM = np.random.default_rng(0)


def exactly(mean, covariance, count=500):
    """Return points (count, F) with exactly this mean and covariance."""
    points = RANDOM.standard_normal((count, len(mean)))
    points -= points.mean(0)
    points @= np.linalg.inv(np.linalg.cholesky(np.cov(points.T))).T  # now the covariance is 1
    return points @ np.linalg.cholesky(covariance).T + mean


# Metrics, one by one


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
    assert (STORED / "classifier.pt").stat().st_size < 1_000_000
    assert sum(file.stat().st_size for file in STORED.iterdir()) < 2_500_000


@pytest.fixture(scope="module")
def mnist():
    """Return MNIST's test digits, if MNIST is here."""
    if not os.environ.get("DCGAN_DATA") or not SOURCES["mnist"].is_here():
        pytest.skip("DCGAN_DATA names no data root with MNIST")
    return load_source("mnist").split()[1]


@pytest.mark.slow
@pytest.mark.data
def test_the_stored_accuracy_and_rows_are_true(mnist):
    seen = classify(mnist.pixels)
    right = (seen.probabilities.argmax(1) == mnist.labels.numpy()).mean()
    assert right == pytest.approx(judging.stored_facts()["accuracy"], abs=2e-4)
    stored = judging.stored_reference().rows()["real digits"]
    got = measure(seen, judging.stored_reference())
    assert got["distance"] == pytest.approx(stored["distance"]["value"], rel=0.02)
    assert got["recall"] == pytest.approx(stored["recall"]["value"], abs=0.01)


def blurred(pixels):
    return fit_images(fit_images(pixels, 14, "resize"), 28, "resize")


@pytest.mark.data
def test_the_reference_orders_real_blurred_and_noise(mnist):
    reference, some = judging.stored_reference(), mnist.pixels[::4]
    real, blur = (measure(classify(pixels), reference) for pixels in (some, blurred(some)))
    noise = {name: row["value"] for name, row in reference.rows()["noise"].items()}
    assert real["distance"] < 10 < 30 < blur["distance"] < noise["distance"]
    assert real["recall"] > 0.8 > blur["recall"] > noise["recall"] == 0


# The embedded digits, which every machine has


@pytest.fixture(scope="module")
def digits():
    """Return 2,000 embedded digits, their labels, and the reference that padded runs get."""
    images = load_source("embedded")
    return images.pixels[:2000], images.labels[:2000], judging.reference_for("embedded", 32, "pad")


def test_stored_rows_are_those_of_the_stored_features():
    """What the package says of real digits can be measured again from the package alone."""
    reference = judging.stored_reference()
    assert len(reference.others) == 10_000
    stored = judging.stored_facts()["rows"]["real digits"]
    for key, value in measure(reference.others, reference).items():
        assert value == pytest.approx(stored[key]["value"], abs=1e-2), key


@pytest.mark.slow
def test_real_is_better_than_blurred_is_better_than_noise(digits):
    pixels, _, reference = digits
    kinds = pixels, blurred(pixels), torch.randint(0, 256, (1000, 1, 28, 28), dtype=torch.uint8)
    distances = [measure(classify(kind), reference)["distance"] for kind in kinds]
    assert distances == sorted(distances) and distances[1] > 2 * distances[0]


@pytest.mark.slow
def test_ten_digits_are_better_than_nine(digits):
    pixels, labels, reference = digits
    ten = pixels[torch.randperm(2000, generator=torch.Generator().manual_seed(0))[:1700]]
    nine = pixels[labels != 4][:1700]
    all_ten, only_nine = measure(classify(ten), reference), measure(classify(nine), reference)
    assert all_ten["distance"] < only_nine["distance"]
    assert all_ten["divergence"] < only_nine["divergence"]


@pytest.mark.slow
def test_one_digit_copied_is_caught(digits):
    pixels, _, reference = digits
    verdict = judging.judge_samples(pixels[:1].expand(2000, -1, -1, -1), "pad", reference)[
        "samples"
    ]
    assert verdict["recall"]["value"] < 0.05
    assert verdict["most_frequent"]["value"] == 1
    assert verdict["distance"]["value"] > 20 * reference.rows()["real digits"]["distance"]["value"]


def test_the_spread_is_that_of_the_mean(digits):
    """For a mean it is the standard error; a tenth of the samples' spread for 100 times as many."""
    pixels, _, reference = digits
    seen = classify(pixels)
    spread = judging.measure_with_spread(seen, reference)["top_probability"]["spread"]
    expected = seen.probabilities.max(1).std() / len(seen) ** 0.5
    assert 0.5 * expected < spread < 1.7 * expected


@pytest.mark.slow
def test_the_same_samples_get_the_same_verdict(digits):
    pixels, _, reference = digits
    first, second = (judging.judge_samples(pixels, "pad", reference) for _ in range(2))
    assert first == second


# Memorized digits


def test_nearest_distances_equal_a_hand_worked_number():
    """One pixel of 255 and one of 51: distances 1 and 0.2 from black, so 0.8 from each other."""
    one = torch.zeros(3, 1, 2, 2, dtype=torch.uint8)
    one[1, 0, 0, 0], one[2, 0, 0, 0] = 255, 51
    assert judging.nearest_distances(one[1:], one[:1]) == pytest.approx([1, 0.2])
    assert judging.nearest_distances(one[1:2], one[::2]) == pytest.approx([0.8])


@pytest.mark.slow
def test_a_memorizer_is_caught_and_held_out_digits_are_not(digits):
    known = judging.known_digits("embedded", 32, "pad")
    pixels, _, reference = digits
    assert len(known.training) == 4000 and len(known.held_out) == len(known.others) == 500
    verdict = judging.judge_samples(known.training[:1000], "pad", reference, known)
    copied, real, noise = (verdict[name] for name in ("samples", "real digits", "noise"))
    assert copied["to_training"]["value"] < 0.05 < 1 < real["to_training"]["value"]
    assert copied["to_held_out"]["value"] > 1, "the two sets are not the same"
    assert real["to_held_out"]["value"] > real["to_training"]["value"], "there are fewer of them"
    assert noise["to_training"]["value"] > 2 * real["to_training"]["value"]
    text = judging.table(verdict, reference)
    assert "nearest training digit" in text and PIXEL_BY_PIXEL in text


def test_digits_that_went_another_way_are_still_known():
    """A copy of a training digit as a resized run would draw it: distance 0 after its way back."""
    known = judging.known_digits("embedded", 16, "resize")
    drawn = fit_images(load_source("embedded").pixels[:50], 16, "resize")
    back = judging.to_judged_size(drawn, "resize")
    assert judging.nearest_distances(back, known.training).max() < 0.05


def test_without_mnist_nothing_is_downloaded(tmp_path, monkeypatch):
    monkeypatch.setenv("DCGAN_DATA", str(tmp_path))
    assert judging.known_digits("mnist", 32, "pad") is None
    assert list(tmp_path.iterdir()) == []


def test_labeled_samples_teach_a_nearest_neighbor_classifier(digits):
    pixels, labels, _ = digits
    flat, labels = pixels.flatten(1).numpy(), labels.numpy()
    first, last = slice(0, 1600), slice(1600, None)
    error = judging.nearest_neighbor_error(flat[first], labels[first], flat[last], labels[last])
    assert error < 0.15
    wrong = (labels[first] + 1) % 10
    assert judging.nearest_neighbor_error(flat[first], wrong, flat[last], labels[last]) > 0.9


@pytest.mark.slow
def test_too_few_samples_are_refused(digits):
    with pytest.raises(UserError, match="count is 999; allowed: 1000 or more"):
        judging.judge_samples(digits[0][:999], "pad", digits[2])


@pytest.mark.slow
def test_no_more_samples_are_judged_than_real_digits(digits):
    """Fewer images have a larger distance, so the columns of a table have equally many."""
    pixels, _, reference = digits
    some = judging.make_reference("MNIST", CROPPED, reference.others, classify(pixels[:1500]))
    verdict = judging.judge_samples(pixels, "pad", some)["samples"]
    few = measure(classify(pixels[:1500]), some)
    assert verdict["distance"]["value"] == pytest.approx(few["distance"], rel=1e-9)
    assert few["distance"] != pytest.approx(measure(classify(pixels), some)["distance"], rel=0.01)


def test_samples_are_drawn_in_evaluation_mode_in_batches():
    generator = Generator(16, 1, 10, 8)
    initialize_weights(generator, torch.Generator().manual_seed(0))
    generator(torch.randn(32, 10, generator=torch.Generator().manual_seed(1)))  # moves batch norm's
    pixels = sample_new(generator, 502, "uniform", seed=3)
    assert pixels.shape == (502, 1, 16, 16) and generator.training
    z = draw_latents(502, 10, "uniform", torch.Generator().manual_seed(3))
    with torch.no_grad():
        alone = unscale(generator.eval()(z[501:]))
    assert (pixels[501:].int() - alone.int()).abs().max() <= 1, "an image depends on its own z only"


@pytest.mark.slow
def test_tables_say_what_they_are(digits):
    pixels, _, reference = digits
    verdict = judging.judge_samples(pixels, "pad", reference)
    text = judging.table(verdict, reference)
    assert "published FID" in text and CROPPED in text and NOT_HERE in text
    assert text.count("\n| ") == len(judging.METRICS)
    assert "learned from these digits" not in text
    known = judging.known_digits("embedded", 32, "pad")
    both = judging.table(judging.judge_samples(pixels, "pad", reference, known), reference)
    assert both.count("\n| ") == len(judging.METRICS) + len(NEIGHBORS) and PIXEL_BY_PIXEL in both


@pytest.mark.slow
def test_resized_embedded_digits_are_judged_against_their_own_kind():
    reference = judging.reference_for("embedded", 16, "resize")
    assert "resized to 16 and back" in reference.route and len(reference.others) == 1000
    drawn = load_source("embedded").split()[1].fitted(16, "resize").pixels
    verdict = judging.judge_samples(drawn, "resize", reference)
    assert verdict["samples"]["distance"] == verdict["real digits"]["distance"]
    assert "learned from these digits" in judging.table(verdict, reference)
