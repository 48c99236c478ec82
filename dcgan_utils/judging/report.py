"""The judge's verdict on a set of samples, and how it is told: as a table, and as one line."""

from collections.abc import Mapping

from torch import Tensor

from ..config import UserError
from .classifier import classify, stored_facts, to_judged_size
from .metrics import METRICS, measure_with_spread
from .references import COMPARED, KnownDigits, Reference, measure_neighbors, noise

FEWEST = 1000  # samples; with fewer, the covariance of 64 features is mostly noise
NEIGHBORS = {
    "to_training": "distance to the nearest training digit",
    "to_held_out": "distance to the nearest held-out digit",
}
PIXEL_BY_PIXEL = (
    "The last two rows compare images pixel by pixel, with gray levels from 0 to 1; no run trains "
    "on a held-out digit."
)
NOT_HERE = "MNIST is not on this machine, so samples could not be compared with training digits."
ONLY_DIGITS = (
    "The judge knows digits only, and this run trained on {}. Look at its real_beside_fake.png "
    "instead."
)
RESIZED_EMBEDDED = (
    "The classifier learned from these digits too, so the real ones look a little better than new "
    "ones would; compare the columns, do not read one alone."
)


def require_enough(count: int) -> None:
    """Refuse to judge too few samples.

    Raises
    ------
    UserError
        If there are fewer than `FEWEST`.
    """
    if count < FEWEST:
        raise UserError(
            f"count is {count}; allowed: {FEWEST} or more. With fewer samples the distance is "
            f"mostly noise."
        )


def judge_samples(
    pixels: Tensor, fit: str, reference: Reference, known: KnownDigits | None = None
) -> dict[str, dict]:
    """Judge samples.

    A distance falls as the number of images grows. So no more of the samples are judged than there
    are real digits in the next column.

    Parameters
    ----------
    pixels
        (N, 1, S, S) uint8, 1,000 or more.
    fit
        The run's setting: how its images come back to 28 pixels.
    reference
        From `reference_for`, with the run's settings.
    known
        From `known_digits`; without it, nearest neighbors are left out.

    Returns
    -------
    dict
        "samples", "real digits" and "noise": what `measure_with_spread` and `measure_neighbors`
        return of each.

    Raises
    ------
    UserError
        If there are too few samples.
    """
    require_enough(len(pixels))
    images = to_judged_size(pixels[: len(reference.others)], fit)
    verdict = {"samples": measure_with_spread(classify(images), reference), **reference.rows()}
    if known is None:
        return verdict
    compared = {"samples": images, "real digits": known.others, "noise": noise(COMPARED)}
    return {name: verdict[name] | measure_neighbors(compared[name], known) for name in verdict}


def table(verdict: Mapping[str, Mapping], reference: Reference) -> str:
    """Return a verdict as a Markdown table, with what must be known to read it."""
    lines = ["| | " + " | ".join(verdict) + " |", "|---" * (len(verdict) + 1) + "|"]
    rows = {key: (metric.title, metric.decimals) for key, metric in METRICS.items()}
    rows |= {key: (title, 2) for key, title in NEIGHBORS.items()}
    for key, (title, decimals) in rows.items():
        if key in verdict["samples"]:
            cells = (
                f"{row[key]['value']:.{decimals}f} ± {row[key]['spread']:.{decimals}f}"
                for row in verdict.values()
            )
            lines.append(f"| {title} | {' | '.join(cells)} |")
    lines += [
        "",
        f"Real digits: {reference.source}; real and generated images: {reference.route}. The "
        f"features are those of a classifier that finds {stored_facts()['accuracy']:.1%} of "
        f"MNIST's test digits. The Fréchet distance can't be compared with a published FID, nor "
        f"with another classifier's.",
        PIXEL_BY_PIXEL if "to_training" in verdict["samples"] else NOT_HERE,
    ]
    if reference.source == "embedded digits":
        lines.append(RESIZED_EMBEDDED)
    return "\n".join(lines) + "\n"


def one_line(verdict: Mapping[str, Mapping]) -> str:
    """Return a verdict as one line: distance, top probability and the shares of the classes."""
    row, real = (
        {key: metric["value"] for key, metric in verdict[name].items()}
        for name in ("samples", "real digits")
    )
    return (
        f"Judged: distance {row['distance']:.1f} (real digits {real['distance']:.1f}; not "
        f"comparable with a published FID), mean top probability {row['top_probability']:.2f}, "
        f"classes from {row['rarest']:.1%} to {row['most_frequent']:.1%}"
    )
