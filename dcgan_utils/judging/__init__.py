"""How good samples are: metrics in the features of a small classifier of real digits.

Real and generated images go the same way to 28x28 pixels. Only digits can be judged.
"""

from .classifier import (
    LEARNED,
    SIDE,
    Classified,
    classify,
    load_classifier,
    stored_facts,
    to_judged_size,
)
from .metrics import (
    METRICS,
    SampleMetric,
    class_shares,
    frechet_distance,
    measure,
    measure_with_spread,
    nearest_distances,
    nearest_neighbor_error,
    precision_and_recall,
    share_as_asked,
)
from .references import (
    COMPARED,
    KnownDigits,
    Reference,
    known_digits,
    make_reference,
    reference_for,
    stored_reference,
)
from .report import FEWEST, ONLY_DIGITS, judge_samples, one_line, require_enough, table

__all__ = [
    "COMPARED",
    "FEWEST",
    "LEARNED",
    "METRICS",
    "ONLY_DIGITS",
    "SIDE",
    "Classified",
    "KnownDigits",
    "Reference",
    "SampleMetric",
    "class_shares",
    "classify",
    "frechet_distance",
    "judge_samples",
    "known_digits",
    "load_classifier",
    "make_reference",
    "measure",
    "measure_with_spread",
    "nearest_distances",
    "nearest_neighbor_error",
    "one_line",
    "precision_and_recall",
    "reference_for",
    "require_enough",
    "share_as_asked",
    "stored_facts",
    "stored_reference",
    "table",
    "to_judged_size",
]
