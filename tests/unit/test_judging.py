"""The judge against closed forms, known orderings, and frauds that it must catch."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import linalg, spatial
from sklearn.neighbors import NearestNeighbors

from dcgan_utils import judging
from dcgan_utils.data import fit_images, load_source
from dcgan_utils.judging import Metric, classify, measure

RANDOM = np.random.default_rng(0)


def exactly(mean, covariance, count=500):
    """Return points (count, F) with exactly this mean and covariance."""
    points = RANDOM.standard_normal((count, len(mean)))
    points -= points.mean(0)
    points @= np.linalg.inv(np.linalg.cholesky(np.cov(points.T))).T  # now the covariance is 1
    return points @ np.linalg.cholesky(covariance).T + mean


@pytest.fixture(scope="module")
def digits():
    """Return 2,000 embedded digits, their labels, and the reference that padded runs get."""
    images = load_source("embedded")
    return images.pixels[:2000], images.labels[:2000], judging.reference_for("embedded", 32, "pad")


def test_frechet_distance_equals_the_formula_with_scipys_matrix_root():
    factors = RANDOM.standard_normal((2, 6, 6))
    first, second = (factor @ factor.T + np.eye(6) for factor in factors)
    shift = RANDOM.standard_normal(6)
    expected = shift @ shift + np.trace(first + second - 2 * linalg.sqrtm(first @ second).real)
    points = exactly(np.zeros(6), first), exactly(shift, second)
    assert judging.frechet_distance(*points) == pytest.approx(expected, rel=1e-6)
    of_moments = judging.frechet_distance(points[0], (shift, second))
    assert of_moments == pytest.approx(expected, rel=1e-6)
    with_zeros = [np.pad(those, ((0, 0), (0, 1))) for those in points]  # a feature without change
    assert judging.frechet_distance(*with_zeros) == pytest.approx(expected, rel=1e-6)


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


def test_the_spread_of_a_mean_is_its_standard_error(digits):
    pixels, _, reference = digits
    seen = classify(pixels[:500])
    metrics = {"top": judging.METRICS["top_probability"]}
    spread = judging.measure_with_spread(seen, reference, metrics)["top"]["spread"]
    expected = seen.probabilities.max(1).std() / len(seen) ** 0.5
    assert 0.5 * expected < spread < 1.7 * expected


def test_another_metric_is_a_function_and_a_row(digits, monkeypatch):
    """It is measured of all columns, each of equally many images, and the others as before."""
    pixels, labels, reference = digits
    threes = Metric("share of threes", lambda seen, _: np.float32(seen.shares[3]))
    monkeypatch.setitem(judging.METRICS, "threes", threes)
    monkeypatch.setitem(judging.METRICS, "count", Metric("images", lambda seen, _: len(seen)))
    few = replace(reference, others=reference.others.part(slice(400)))
    verdict = judging.judge_samples(pixels[:500], "pad", few)
    share = (labels[:400] == 3).double().mean().item()
    assert verdict["samples"]["threes"]["value"] == pytest.approx(share, abs=0.01)
    stored = reference.facts["rows"]["real digits"]["distance"]
    assert verdict["real digits"]["distance"] == stored, "the others are not measured again"
    assert judging.table(verdict, few).count("| share of threes |") == 1
    json.dumps(verdict)  # as a run's folder keeps it


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


@pytest.mark.slow
def test_worse_images_are_judged_worse(digits):
    pixels, labels, reference = digits
    frauds = {
        "real": pixels[:1000],
        "blurred": fit_images(fit_images(pixels[:1000], 14, "resize"), 28, "resize"),
        "noise": torch.randint(0, 256, (1000, 1, 28, 28), dtype=torch.uint8),
        "no twos": pixels[labels != 2][:1000],
        "one copied": pixels[:1].expand(1000, -1, -1, -1),
    }
    found = {name: measure(classify(images), reference) for name, images in frauds.items()}
    distance, recall = ({n: row[key] for n, row in found.items()} for key in ("distance", "recall"))
    assert 2 * distance["real"] < distance["blurred"] < distance["noise"]
    assert recall["real"] > recall["blurred"] > recall["noise"] == 0
    assert distance["no twos"] > distance["real"]
    assert found["no twos"]["divergence"] > found["real"]["divergence"]
    assert recall["one copied"] < 0.05 and found["one copied"]["most_frequent"] == 1
    assert distance["one copied"] > 20 * distance["real"]


@pytest.mark.slow
@pytest.mark.parametrize(("size", "fit"), [(32, "pad"), (16, "resize")])
def test_a_memorizer_is_caught_and_held_out_digits_are_not(digits, size, fit):
    known = judging.known_digits("embedded", size, fit)
    assert [len(pixels) for pixels in known.values()] == [4000, 500, 500]
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
