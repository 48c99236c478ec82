"""Checkers for notebook 08."""

import csv
import functools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import logsigmoid

from .common import Wrong, judge, require_answer

Chart = Mapping[str, np.ndarray]  # a recorded run's columns, a value for each report
STORED = Path(__file__).with_name("clinic.csv")
WON = 0.03  # Loss_D below which D has won [nats]


@dataclass(frozen=True)
class Sign:
    """What a run with some illness must show."""

    columns: tuple[str, ...]  # where it is seen
    shown: Callable[[Chart], bool]
    against: str  # what to say where it is not shown


def ratio(chart: Chart, what: str) -> np.ndarray:
    """Return a number of the generated images as a share of the real ones'."""
    return chart[f"fake_{what}"] / chart[f"real_{what}"]


def later(values: np.ndarray) -> float:
    """Return the median of the last quarter."""
    return float(np.median(values[-max(1, len(values) // 4) :]))


def won_from(chart: Chart) -> float:
    """Return the step from which D has won for good: Loss_D stays low but for single reports."""
    low = chart["loss_d"] < WON
    for place in range(len(low) - 3):  # a few low values at the very end say nothing
        if low[place] and low[place:].mean() > 0.8:
            return float(chart["step"][place])
    return math.inf


def gap(chart: Chart) -> float:
    """Return how much higher D's logit is for training digits than for held-out ones, late."""
    return later(chart["logit_known"] - chart["logit_held_out"])


def sudden(chart: Chart) -> bool:
    """Return whether D's logit leaps between two reports, once the run is under way, and D wins."""
    leaps = np.abs(np.diff(chart["logit_known"]))[3:]
    return bool(leaps.max(initial=0) > 40) and later(chart["loss_d"]) < WON


D_HAS_WON = Sign(("loss_d", "d_real"), lambda c: won_from(c) < math.inf, "Loss_D does not stay low")
D_HAS_NOT = Sign(
    ("loss_d", "d_real", "d_fake_before"),
    lambda c: won_from(c) == math.inf,
    "Loss_D stays below 0.03: whatever else is wrong, D has won",
)
VARIED = Sign(
    ("fake_variety", "fake_nearest"),
    lambda c: later(ratio(c, "nearest")) > 0.6,
    "the generated images are much closer to one another than real ones",
)
FULL_RANGE = Sign(
    ("fake_darkest", "fake_brightest"),
    lambda c: later(c["fake_darkest"]) < -0.9 and later(c["fake_brightest"]) > 0.9,
    "the generated images never reach black, or never reach white",
)
NO_GAP = Sign(
    ("logit_known", "logit_held_out"),
    lambda c: gap(c) < 1.5,
    "D tells training digits from digits that it never saw",
)
GAP = Sign(
    ("logit_known", "logit_held_out"),
    lambda c: gap(c) > 2,
    "D says the same of digits that it never saw as of those that it learned from",
)
ILLNESSES: dict[str, list[Sign]] = {
    "healthy": [
        Sign(("step",), lambda c: c["step"][-1] > 1000, "the run stopped long before its end"),
        D_HAS_NOT,
        Sign(("loss_d",), lambda c: later(c["loss_d"]) > 0.3, "D is far surer than it should be"),
        VARIED,
        FULL_RANGE,
        NO_GAP,
    ],
    "D wins late": [
        D_HAS_WON,
        GAP,
        Sign(("loss_d",), lambda c: won_from(c) > 400, "D has won long before the middle"),
    ],
    "few digits": [
        D_HAS_NOT,
        FULL_RANGE,
        Sign(
            ("fake_nearest", "most_frequent"),
            lambda c: later(ratio(c, "nearest")) < 0.6,
            "the generated images differ from one another about as much as real ones",
        ),
    ],
    "too little data": [D_HAS_NOT, VARIED, GAP],
    "batch norm at D's input": [
        D_HAS_NOT,
        Sign(
            ("fake_darkest",),
            lambda c: later(c["fake_darkest"]) > -0.9,
            "the ground of the generated images is as black as it should be",
        ),
    ],
    "wrong range": [
        D_HAS_WON,
        Sign(
            ("fake_brightest",),
            lambda c: c["fake_brightest"].max() < 0.5,
            "the generated images reach the same white as the real ones",
        ),
    ],
    "eval() too early": [
        D_HAS_WON,
        Sign(
            ("loss_d", "fake_variety", "logit_known"), sudden, "nothing breaks off at a single step"
        ),
    ],
    "too high a rate": [
        D_HAS_WON,
        Sign(
            ("logit_known", "loss_g", "loss_d"),
            lambda c: max(abs(c["logit_known"][0]), c["loss_g"][0]) > 20,
            "logits and losses are of the usual size at the first report",
        ),
    ],
    "detach missing": [
        D_HAS_WON,
        Sign(
            ("gradient_g",),
            lambda c: np.median(c["gradient_g"][:10]) < 1e-3,
            "G gets a gradient of the usual size from the start",
        ),
    ],
    "NaN": [Sign(("step",), lambda c: c["step"][-1] < 1000, "the run went on to its last step")],
}
DIAGNOSES = tuple(ILLNESSES)


def against(diagnosis: str, chart: Chart) -> list[str]:
    """Return what in a chart speaks against a diagnosis; nothing if it may be right."""
    return [sign.against for sign in ILLNESSES[diagnosis] if not sign.shown(chart)]


def charts(
    rows: Iterable[Mapping[str, str]], by: Sequence[str], without: Sequence[str] = ()
) -> dict[tuple[str, ...], Chart]:
    """Return each run's columns of numbers, by the cells that name it."""
    runs: dict[tuple[str, ...], list[Mapping[str, str]]] = {}
    for row in rows:
        runs.setdefault(tuple(row[key] for key in by), []).append(row)
    words = {*by, *without}
    return {
        run: {key: np.array([float(row[key]) for row in own]) for key in own[0] if key not in words}
        for run, own in runs.items()
    }


@functools.cache
def clinic() -> dict[str, Chart]:
    """Return the charts of the eight anonymous runs, by their letters.

    `python -m experiments.failures` made them: columns of numbers, a value every 25 steps.
    """
    with STORED.open(encoding="utf-8", newline="") as file:
        return {name: chart for (name,), chart in charts(csv.DictReader(file), ["name"]).items()}


def check_clinic(diagnose: Callable[[], Any]) -> bool:
    """Check exercise 8.1: a diagnosis of `DIAGNOSES`, and a column, for each run of `clinic`."""

    def check() -> None:
        found = diagnose()
        require_answer(found, dict, "a dictionary with a pair for each run")
        for name, chart in clinic().items():
            if name not in found:
                raise Wrong(f"Run {name} is missing.")
            require_answer(found[name], (tuple, list), f"a pair for run {name}")
            if len(found[name]) != 2:
                raise Wrong(f"Run {name} needs two things: a diagnosis and a column.")
            diagnosis, column = found[name]
            _check_one(name, diagnosis, column, chart)

    return judge("8.1", check, diagnose)


def _check_one(name: str, diagnosis: object, column: object, chart: Chart) -> None:
    if diagnosis not in ILLNESSES:
        raise Wrong(f"{diagnosis!r} for run {name} is not on the list: {', '.join(DIAGNOSES)}.")
    if reasons := against(str(diagnosis), chart):
        raise Wrong(f"Against {diagnosis!r} for run {name} speaks: {'; '.join(reasons)}.")
    columns = [column for sign in ILLNESSES[str(diagnosis)] for column in sign.columns]
    if column not in columns:
        raise Wrong(
            f"Nothing speaks against {diagnosis!r} for run {name}, but {column!r} does not show "
            f"it: a healthy run may look the same there."
        )


def check_alarm(alarm: Callable[[list[float], float, int], Any]) -> bool:
    """Check exercise 8.2: when an alarm with patience goes off."""
    low, fine = 0.01, 0.5
    cases: list[tuple[list[float], int, int | None, str]] = [
        ([fine, low, low, low], 3, 3, "with the last of three low values"),
        ([low, low, fine, low, low, low, low], 3, 5, "where a fine value comes in between"),
        ([low, fine] * 5, 2, None, "where no two low values follow each other"),
        ([fine, low, fine], 1, 1, "with a patience of 1"),
        ([0.03, 0.03], 2, None, "where the values are exactly at the limit"),
        ([low, low], 3, None, "where the list ends too early"),
        ([], 1, None, "with nothing in the list"),
    ]

    def check() -> None:
        for values, patience, expected, case in cases:
            got = alarm(list(values), WON, patience)
            if expected is None and got is not None:
                raise Wrong(f"Expected None {case}, got {got}.")
            if expected is not None:
                require_answer(got, (int, np.integer), "a place in the list, from 0,")
                if got != expected:
                    raise Wrong(f"Expected {expected} {case}, got {got}.")

    return judge("8.2", check, alarm)


def check_leftover(leftover: Callable[[float], Any]) -> bool:
    """Check exercise 8.3: G's gradient at its image's logit where `detach` is missing."""

    def check() -> None:
        for d in (0.1, 0.5, 0.8):
            got = leftover(d)
            require_answer(got, (tuple, list), "a pair of numbers")
            if len(got) != 2:
                raise Wrong(f"Expected two numbers, got {len(got)}.")
            for name, value, right in zip(("saturating", "non-saturating"), got, _left(d)):
                if not math.isclose(float(value), right, abs_tol=1e-6):
                    raise Wrong(
                        f"At D(G(z)) = {d} with the {name} loss, got {float(value):.3g}. Let "
                        f"autograd tell: the sum of both losses, as a function of the logit."
                    )

    return judge("8.3", check, leftover)


def _left(d: float) -> tuple[float, float]:
    """Return the gradient of the sum of both losses, found by autograd."""
    logit = torch.tensor(d, dtype=torch.float64).logit().requires_grad_()
    of_d = -logsigmoid(-logit)
    sums = (of_d + logsigmoid(-logit), of_d - logsigmoid(logit))
    saturating, usual = (float(torch.autograd.grad(s, logit, retain_graph=True)[0]) for s in sums)
    return saturating, usual
