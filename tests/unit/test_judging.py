"""The judge against closed forms, known orderings, and frauds that it must catch."""

import json
import os
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import linalg, spatial
from sklearn.neighbors import NearestNeighbors

from dcgan_utils import judging
from dcgan_utils.data import SOURCES, fit_images, load_source
from dcgan_utils.judging import Classified, Metric, classify, measure

RANDOM = np.random.default_rng(0)


def exactly(mean, covariance, count=500):
    """Return points (count, F) with exactly this mean and covariance."""
    points = RANDOM.standard_normal((count, len(mean)))
    points -= points.mean(0)
    points @= np.linalg.inv(np.linalg.cholesky(np.cov(points.T))).T  # now the covariance is 1
    return points @ np.linalg.cholesky(covariance).T + mean


def blurred(pixels):
    return fit_images(fit_images(pixels, 14, "resize"), 28, "resize")


@pytest.fixture(scope="module")
def digits():
    """Return 2,000 embedded digits, their labels, and the reference that padded runs get."""
    images = load_source("embedded")
    return images.pixels[:2000], images.labels[:2000], judging.reference_for("embedded", 32, "pad")


# Metrics, one by one


def test_frechet_distance_of_two_gaussians_by_hand():
    """|(3, 4)|^2 = 25, and for variances 1, 4 against 9, 16: (1 - 3)^2 + (2 - 4)^2 = 8."""
    a = exactly(np.zeros(2), np.diag([1.0, 4.0]))
    b = exactly(np.array([3.0, 4.0]), np.diag([9.0, 16.0]))
    assert judging.frechet_distance(a, b) == pytest.approx(33, abs=1e-6)
    a[:, 1] = b[:, 1] = 0.0  # a feature that never changes
    assert judging.frechet_distance(a, b) == pytest.approx(9 + 4, abs=1e-6)


def test_frechet_distance_equals_the_formula_with_scipys_matrix_root():
    factors = RANDOM.standard_normal((2, 6, 6))
    first, second = (factor @ factor.T + np.eye(6) for factor in factors)
    shift = RANDOM.standard_normal(6)
    expected = shift @ shift + np.trace(first + second - 2 * linalg.sqrtm(first @ second).real)
    points = exactly(np.zeros(6), first), exactly(shift, second)
    assert judging.frechet_distance(*points) == pytest.approx(expected, rel=1e-6)
    of_moments = judging.frechet_distance(points[0], (shift, second))
    assert of_moments == pytest.approx(expected, rel=1e-6)


def test_precision_and_recall_by_hand():
    """Real points at 0, 1, 2, 3 with radius 1 each (k = 1); fakes at 0.5, 0.6 and 9."""
    real, fake = np.array([[0.0], [1], [2], [3]]), np.array([[0.5], [0.6], [9.0]])
    # 9 is nobody's neighbor. Radii of the fakes: 0.1, 0.1, 8.4; the last one's reaches down to 0.6.
    assert judging.share_among(fake, real, k=1) == pytest.approx(2 / 3)
    assert judging.share_among(real, fake, k=1) == pytest.approx(3 / 4)


def test_the_share_among_others_equals_scikit_learns():
    """And more than the first 3,000 of each are not compared."""
    points, others = RANDOM.standard_normal((2, 4000, 64))
    known = NearestNeighbors(n_neighbors=4).fit(others[:3000])
    radii = known.kneighbors(others[:3000])[0][:, -1]
    apart = spatial.distance.cdist(points[:3000], others[:3000])
    assert judging.share_among(points, others) == (apart <= radii).any(1).mean()


def test_nearest_neighbors_equal_scipys(digits):
    images, known = digits[0][::10], digits[0][1::2]
    tree = spatial.KDTree(known.flatten(1).double().numpy() / 255)
    expected = tree.query(images.flatten(1).double().numpy() / 255)[0]
    np.testing.assert_allclose(judging.nearest_distances(images, known), expected, atol=2e-3)


def test_shares_by_hand():
    seen = Classified(np.zeros((4, 64)), np.eye(10)[[3, 3, 7, 0]])
    assert seen.shares.tolist() == [0.25, 0, 0, 0.5, 0, 0, 0, 0.25, 0, 0]


def test_the_spread_of_a_mean_is_its_standard_error(digits):
    pixels, _, reference = digits
    seen = classify(pixels)
    spread = judging.measure_with_spread(seen, reference)["top_probability"]["spread"]
    expected = seen.probabilities.max(1).std() / len(seen) ** 0.5
    assert 0.5 * expected < spread < 1.7 * expected


def test_another_metric_is_a_function_and_a_row(digits, monkeypatch):
    """Added or in place of another, it is measured of all columns, and the others as before."""
    pixels, labels, reference = digits
    threes = Metric("share of threes", lambda seen, _: np.float32(seen.shares[3]))
    for key in ("threes", "recall"):
        monkeypatch.setitem(judging.METRICS, key, threes)
    verdict = judging.judge_samples(pixels[:1000], "pad", reference)
    share = (labels[:1000] == 3).double().mean().item()
    for key in ("threes", "recall"):
        assert verdict["samples"][key]["value"] == pytest.approx(share, abs=0.005)
        # of MNIST's 10,000 test digits, 1,010 are threes
        assert verdict["real digits"][key]["value"] == pytest.approx(0.101, abs=0.002)
        assert verdict["noise"][key]["value"] == 0
    stored = reference.facts["rows"]["real digits"]["distance"]
    assert verdict["real digits"]["distance"] == stored, "the others are not measured again"
    assert judging.table(verdict, reference).count("| share of threes |") == 2
    json.dumps(verdict)  # as a run's folder keeps it


# The package's classifier and reference


def test_stored_rows_are_those_of_the_stored_features():
    """What the package says of real digits can be measured again from the package alone."""
    reference = judging.stored_reference()
    assert len(reference.others) == 10_000 and reference.facts["accuracy"] >= 0.99
    stored = reference.facts["rows"]["real digits"]
    for key, value in measure(reference.others, reference).items():
        assert value == pytest.approx(stored[key]["value"], abs=1e-2), key


@pytest.mark.slow
@pytest.mark.data
def test_the_stored_accuracy_and_rows_are_true():
    if not os.environ.get("DCGAN_DATA") or not SOURCES["mnist"].is_here():
        pytest.skip("DCGAN_DATA names no data root with MNIST")
    mnist = load_source("mnist").split()[1]
    seen, reference = classify(mnist.pixels), judging.stored_reference()
    right = (seen.probabilities.argmax(1) == mnist.labels.numpy()).mean()
    assert right == pytest.approx(reference.facts["accuracy"], abs=2e-4)
    found, stored = measure(seen, reference), reference.facts["rows"]["real digits"]
    assert found["distance"] == pytest.approx(stored["distance"]["value"], rel=0.02)
    assert found["recall"] == pytest.approx(stored["recall"]["value"], abs=0.01)


def test_samples_come_back_to_28_pixels():
    pixels = load_source("embedded").pixels[:50]
    padded, large = fit_images(pixels, 32, "pad"), fit_images(pixels, 64, "resize")
    assert torch.equal(judging.to_judged_size(padded, "pad"), pixels)
    error = judging.to_judged_size(large, "resize").float() - pixels
    assert error.abs().mean() < 10  # gray levels


# Frauds


@pytest.mark.slow
def test_worse_images_are_judged_worse(digits):
    pixels, labels, reference = digits
    noise = torch.randint(0, 256, (1000, 1, 28, 28), dtype=torch.uint8)
    real, blur, random = (
        measure(classify(kind), reference) for kind in (pixels, blurred(pixels), noise)
    )
    assert 2 * real["distance"] < blur["distance"] < random["distance"]
    assert real["recall"] > blur["recall"] > random["recall"] == 0
    nine = measure(classify(pixels[labels != 2]), reference)
    assert nine["distance"] > real["distance"] and nine["divergence"] > real["divergence"]


@pytest.mark.slow
def test_one_digit_copied_is_caught(digits):
    pixels, _, reference = digits
    verdict = judging.judge_samples(pixels[:1].expand(2000, -1, -1, -1), "pad", reference)
    copied, real = verdict["samples"], verdict["real digits"]
    assert copied["recall"]["value"] < 0.05 and copied["most_frequent"]["value"] == 1
    assert copied["distance"]["value"] > 20 * real["distance"]["value"]


@pytest.mark.slow
@pytest.mark.parametrize(("size", "fit"), [(32, "pad"), (16, "resize")])
def test_a_memorizer_is_caught_and_held_out_digits_are_not(digits, size, fit):
    known = judging.known_digits("embedded", size, fit)
    counts = {name: len(pixels) for name, pixels in known.items()}
    assert counts == {"training": 4000, "held_out": 500, "others": 500}
    drawn = fit_images(load_source("embedded").pixels[:1000], size, fit)  # all of them training's
    verdict = judging.judge_samples(drawn, fit, digits[2], known)
    copied, real, noise = (verdict[name] for name in ("samples", "real digits", "noise"))
    assert copied["to_training"]["value"] < 0.05 < 1 < real["to_training"]["value"]
    assert copied["to_held_out"]["value"] > 1, "the two sets are not the same"
    assert real["to_held_out"]["value"] > real["to_training"]["value"], "there are fewer of them"
    assert noise["to_training"]["value"] > 2 * real["to_training"]["value"]
    assert "nearest training digit" in judging.table(verdict, digits[2])


def test_without_mnist_nothing_is_downloaded(root):
    assert judging.known_digits("mnist", 32, "pad") is None
    assert not root.exists()


# The report


@pytest.mark.slow
def test_no_more_samples_are_judged_than_real_digits(digits):
    """Fewer images have a larger distance, so the columns of a table have equally many."""
    pixels, _, reference = digits
    few = replace(reference, others=classify(pixels[:1500]))
    verdict = judging.judge_samples(pixels, "pad", few)["samples"]
    distance = measure(few.others, few)["distance"]
    assert verdict["distance"]["value"] == pytest.approx(distance, rel=1e-9)
    assert distance != pytest.approx(measure(classify(pixels), few)["distance"], rel=0.01)


@pytest.mark.slow
def test_resized_embedded_digits_are_judged_against_their_own_kind():
    reference = judging.reference_for("embedded", 16, "resize")
    assert "resized to 16 and back" in reference.route and len(reference.others) == 1000
    drawn = load_source("embedded").split()[1].fitted(16, "resize").pixels
    verdict = judging.judge_samples(drawn, "resize", reference)
    assert verdict["samples"]["distance"] == verdict["real digits"]["distance"]
    text = judging.table(verdict, reference)
    assert text.count("\n| ") == len(judging.METRICS) and "published FID" in text
    assert "learned from these digits" in text
