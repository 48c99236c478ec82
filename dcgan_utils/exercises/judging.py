"""Checkers of notebook 06, judging the samples."""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .. import judging
from ..data import load_source
from ..judging import frechet_distance
from .common import Wrong, judge, require_answer, require_equal, require_tensor


def check_frechet_predictions(function: Callable[[], Sequence[float]]) -> bool:
    """Check exercise 6.1: five Frechet distances, worked out by hand."""

    def check() -> None:
        got = function()
        require_answer(got, (list, tuple), "a list of five numbers")
        if len(got) != 5:
            raise Wrong(f"Expected five numbers, got {len(got)}.")
        spread = (
            "Are these standard deviations or variances? The first formula of section 6 says which "
            "of them it takes."
        )
        squared = "Is it a distance or its square? See the first formula of section 6."
        both = "The distance has two parts, of the means and of the spreads. Are both there?"
        usual: list[dict[float, str]] = [
            {3: squared},
            {64: spread, 8: spread, 2: squared, 0: both},
            {23: spread, 5: both, 2: both, 11: spread},
            {0.25: "How many features are off?", 4: squared, 32: squared, 0.5: squared, 8: squared},
            {0: both, 625: spread, 5: squared, 50: both, 100: "How far is 0 from the mean?"},
        ]
        look = "Work it out feature by feature, with the first formula of section 6."
        for number, (mine, right, hints) in enumerate(zip(got, _distances(), usual), start=1):
            mine = float(mine)
            if not math.isclose(mine, right, abs_tol=0.01):
                near = [hint for value, hint in hints.items() if math.isclose(mine, value)]
                raise Wrong(
                    f"For distance {number} you expect {mine:g}; the formula gives another value. "
                    f"{near[0] if near else look}"
                )

    return judge("6.1", check, function)


def _distances() -> list[float]:
    """Return the distances of exercise 6.1 by the formula with SciPy's matrix root."""
    from scipy import linalg

    def distance(mean: list, variances: list, other_mean: list, other_variances: list) -> float:
        shift = np.subtract(mean, other_mean)
        a, b = np.diag(np.array(variances, float)), np.diag(np.array(other_variances, float))
        return shift @ shift + np.trace(a + b - 2 * linalg.sqrtm(a @ b).real)

    two_points = [np.mean([25.0, 25.0])]  # (0 - 5)^2 and (10 - 5)^2
    return [
        distance([0], [1], [3], [1]),
        distance([0], [1], [0], [9]),
        distance([0, 0], [1, 4], [1, 2], [4, 1]),
        distance([0] * 64, [1] * 64, [0.5] * 64, [1] * 64),
        distance([5], two_points, [5], [0]),
    ]


def check_divergence(function: Callable[[np.ndarray, np.ndarray], float]) -> bool:
    """Check exercise 6.2: the Kullback-Leibler divergence of class shares."""

    def check() -> None:
        from scipy import stats

        p, q = np.array([0.5, 0.3, 0.2]), np.array([0.25, 0.25, 0.5])
        right = float(stats.entropy(p, q))
        mistakes = {
            float(stats.entropy(q, p)): "That is the other direction. Which of the two comes first "
            "in the formula of section 5?",
            right / math.log(2): "That is in bits. Which logarithm gives nats?",
            -right: "The sign is lost. What is on top in the fraction?",
            float(np.log(p / q).sum()): "Each class counts with its share (section 5).",
            right / 3: "Is it a sum over the classes, or a mean?",
        }
        _require_number(function(p.copy(), q.copy()), right, "[0.25, 0.25, 0.5]", p, mistakes)
        p, q = np.array([0.5, 0.5, 0.0]), np.array([0.5, 0.25, 0.25])
        missing = "What does a class that the samples never show add? See section 5."
        got = function(p.copy(), q.copy())
        _require_number(got, float(stats.entropy(p, q)), "[0.5, 0.25, 0.25]", p, {}, missing)
        got = function(np.array([0.4, 0.3, 0.3]), np.array([0.5, 0.5, 0.0]))
        require_answer(got, (int, float, np.generic), "a number")
        if got != math.inf:
            raise Wrong(
                f"Expected infinity for samples [0.4, 0.3, 0.3] and data [0.5, 0.5, 0], got "
                f"{got:.4g}. The samples show a class that the data do not have."
            )

    return judge("6.2", check, function)


def _require_number(
    got: Any, right: float, data: str, p: np.ndarray, mistakes: dict, otherwise: str = ""
) -> None:
    require_answer(got, (int, float, np.generic), "a number")
    if not math.isclose(got, right, abs_tol=1e-6):
        near = [hint for value, hint in mistakes.items() if math.isclose(got, value, abs_tol=1e-6)]
        hint = near[0] if near else otherwise or "Compare with the formula of section 5."
        raise Wrong(
            f"Expected {right:.4f} for samples {p.tolist()} and data {data}, got {got:.4f}. {hint}"
        )


def check_nearest_moved(function: Callable[[Tensor, Tensor], Tensor]) -> bool:
    """Check exercise 6.3: the nearest distance that forgives moves of up to two pixels."""

    def check() -> None:
        random = torch.Generator().manual_seed(0)
        known = torch.zeros(3, 1, 9, 9, dtype=torch.uint8)
        known[..., 2:7, 2:7] = torch.randint(0, 256, (3, 1, 5, 5), generator=random)
        moves = [(0, 0), (2, -2), (-2, 2), (1, 0), (0, -1), (-2, -1)]
        images = torch.cat([torch.roll(known[i % 3][None], m, (2, 3)) for i, m in enumerate(moves)])
        images = torch.cat([images, torch.roll(known[:1], (0, 4), (2, 3))])  # moved too far
        images[:, 0, 4, 4] ^= 64  # and one pixel is changed
        ways = {
            "right": (range(-2, 3), range(-2, 3)),
            "That is what moves to the left and right alone give. What about up and down?": (
                [0],
                range(-2, 3),
            ),
            "That is what moves up and down alone give.": (range(-2, 3), [0]),
            "A move of +2 is not tried. Where does your range end?": (range(-2, 2), range(-2, 2)),
            "Only moves in one direction are tried. What of negative ones?": (range(3), range(3)),
            "That is what the images give where they are. Are the moves tried?": (
                [0],
                [0],
            ),
            "Moves of more than two pixels are tried.": (range(-4, 5), range(-4, 5)),
        }
        values = {hint: _nearest_moved(images, known, *way) for hint, way in ways.items()}
        right = values.pop("right")
        mistakes = [(value, hint) for hint, value in values.items()]
        mistakes += [
            (right**2, "That is the squared distance."),
            (right * 255, "Gray levels go from 0 to 1 here."),
        ]
        images_before = images.clone()
        got = require_tensor(function(images, known), (7,), "One distance for each of 7 images.")
        look = "Compare with `nearest` in section 8, then add the moves."
        require_equal(got, right, "for digits that were moved", mistakes, look, tolerance=2e-3)
        if not torch.equal(images, images_before):
            raise Wrong("Your function changed the images it was given. Work on a new tensor.")

    return judge("6.3", check, function)


def _nearest_moved(images: Tensor, known: Tensor, down: Sequence, across: Sequence) -> Tensor:
    """Return the nearest distances over all moves, one pair of images at a time."""
    return torch.tensor(
        [
            min(
                (torch.roll(image, move, (1, 2)).double() / 255 - digit.double() / 255)
                .norm()
                .item()
                for move in itertools.product(down, across)
                for digit in known
            )
            for image in images
        ]
    )


def check_comparison(function: Callable[..., tuple[float, float]]) -> bool:
    """Check exercise 6.4: the mended comparison of two recipes."""

    def check() -> None:
        random = np.random.default_rng(0)
        data = random.standard_normal((400, 4)) * np.linspace(1, 2, 400)[:, None]

        def runs(counts: list[int], shift: float) -> list[np.ndarray]:
            return [random.standard_normal((n, 4)) + shift + i for i, n in enumerate(counts)]

        ours, theirs = runs([90, 300, 150], 0.2), runs([200, 60, 140, 250], 0.1)
        half = len(data) // 2

        def judged(recipe: list, n: int | None, reference: np.ndarray) -> list[float]:
            return [frechet_distance(run[:n], reference) for run in recipe]

        both = {n: [judged(r, n, data) for r in (ours, theirs)] for n in (60, 90, 100, None)}
        right = [np.mean(distances) for distances in both[60]]
        got = function(ours, theirs, data)
        require_answer(got, (tuple, list), "two numbers")
        if len(got) != 2:
            raise Wrong(f"Expected two numbers, got {len(got)} results.")
        seeds = "Which seeds enter, and what is done with their distances? See section 12."
        number = "Are all runs judged on the same number of samples? See section 11."
        reference = "Are both recipes compared with the same real digits, and with all of them?"
        for which, (mine, expected, recipe) in enumerate(zip(got, right, (ours, theirs))):
            mistakes: list[tuple[Any, str]] = [(min(both[n][which]), seeds) for n in both]
            mistakes += [(both[n][which][0], seeds) for n in both]
            mistakes += [(np.median(both[n][which]), seeds) for n in both]
            mistakes += [(np.mean(both[n][which]), number) for n in (90, 100, None)]
            mistakes += [(np.mean(judged(recipe, len(min(recipe, key=len)), data)), number)]
            for part in (data[:half], data[half:]):
                mistakes += [(np.mean(judged(recipe, n, part)), reference) for n in both]
                mistakes += [(judged(recipe, n, part)[0], reference) for n in both]
            if not math.isclose(mine, expected, rel_tol=1e-4):
                near = [hint for value, hint in mistakes if math.isclose(mine, value, rel_tol=1e-4)]
                raise Wrong(
                    f"Expected {expected:.3f} for {('our', 'their')[which]} recipe, got {mine:.3f}."
                    f" {near[0] if near else 'Compare the two lines word by word.'}"
                )

    return judge("6.4", check, function)


APART, ALIKE, CHEATED = 4.5, 1.0, 100  # pixel distance at least, Frechet distance at most, images


def check_cheat(function: Callable[[Tensor, nn.Module, torch.Generator], Tensor]) -> bool:
    """Check exercise 6.5: images far from what they copy, which the classifier takes for them."""

    def check() -> None:
        copies = load_source("embedded").pixels[:: 5000 // CHEATED]
        before = copies.clone()
        random = torch.Generator().manual_seed(0)
        got = function(copies, judging.load_classifier(), random)
        got = require_tensor(got, copies.shape, "One image for each copy.")
        if got.dtype != torch.uint8:
            raise Wrong(f"Expected dtype torch.uint8, got {got.dtype}.")
        if not torch.equal(copies, before):
            raise Wrong("Your function changed the images it was given. Work on a new tensor.")
        apart = float((got.float() - copies.float()).div(255).flatten(1).norm(dim=1).mean())
        if apart < APART:
            raise Wrong(
                f"The images are {apart:.2f} from what they copy, on average; {APART} or more was "
                f"asked for. A memorizer is found out by the distance to training digits."
            )
        features = [judging.classify(pixels).features for pixels in (got, copies)]
        distance = frechet_distance(*features)
        if distance > ALIKE:
            raise Wrong(
                f"The Fréchet distance to the copies is {distance:.1f}; at most {ALIKE:.0f} was "
                f"asked for. In which directions may pixels move so that features stay?"
            )

    return judge("6.5", check, function)
