"""Checkers of notebook 08: a run's chart, what it must show for each illness, and the clinic."""

import csv
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from dcgan_utils import exercises as ex

Chart = Mapping[str, np.ndarray]  # a recorded run's columns, a value for each report
STORED = Path(__file__).with_name("clinic.csv")
WON = 0.03  # Loss_D below which D has won [nats]


def later(values: np.ndarray) -> float:
    """Return the median of the last quarter."""
    return float(np.median(values[-max(1, len(values) // 4) :]))


def nearest(chart: Chart) -> float:
    """Return how near generated images are to one another, as a share of the real ones', late."""
    return later(chart["fake_nearest"] / chart["real_nearest"])


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


# What a run may show: the columns where it is seen, and whether a chart shows it. The message of
# that name says what speaks against an illness where its sign is not shown.
SIGNS: dict[str, tuple[str, Callable[[Chart], bool]]] = {
    "whole_run": ("step", lambda c: c["step"][-1] > 1000),
    "cut_off": ("step", lambda c: c["step"][-1] < 1000),
    "d_has_won": ("loss_d d_real", lambda c: won_from(c) < math.inf),
    "d_has_not_won": ("loss_d d_real d_fake_before", lambda c: won_from(c) == math.inf),
    "d_unsure": ("loss_d", lambda c: later(c["loss_d"]) > 0.3),
    "won_late": ("loss_d", lambda c: won_from(c) > 400),
    "varied": ("fake_variety fake_nearest", lambda c: nearest(c) > 0.6),
    "alike": ("fake_nearest most_frequent", lambda c: nearest(c) < 0.6),
    "black": ("fake_darkest", lambda c: later(c["fake_darkest"]) < -0.9),
    "gray": ("fake_darkest", lambda c: later(c["fake_darkest"]) > -0.9),
    "white": ("fake_brightest", lambda c: later(c["fake_brightest"]) > 0.9),
    "no_white": ("fake_brightest", lambda c: c["fake_brightest"].max() < 0.5),
    "gap": ("logit_known logit_held_out", lambda c: gap(c) > 2),
    "no_gap": ("logit_known logit_held_out", lambda c: gap(c) < 1.5),
    "sudden": ("loss_d fake_variety logit_known", sudden),
    "huge": ("logit_known loss_g", lambda c: max(abs(c["logit_known"][0]), c["loss_g"][0]) > 20),
    "no_gradient": ("gradient_g", lambda c: np.median(c["gradient_g"][:10]) < 1e-3),
}
ILLNESSES: dict[str, tuple[str, ...]] = {  # the signs that a run with an illness must show
    "healthy": ("whole_run", "d_has_not_won", "d_unsure", "varied", "black", "white", "no_gap"),
    "D wins late": ("d_has_won", "gap", "won_late"),
    "few digits": ("d_has_not_won", "black", "white", "alike"),
    "too little data": ("d_has_not_won", "varied", "gap"),
    "batch norm at D's input": ("d_has_not_won", "gray"),
    "wrong range": ("d_has_won", "no_white"),
    "eval() too early": ("d_has_won", "sudden"),
    "too high a rate": ("d_has_won", "huge"),
    "detach missing": ("d_has_won", "no_gradient"),
    "NaN": ("cut_off",),
}


def against(diagnosis: str, chart: Chart) -> list[str]:
    """Return the signs that a chart lacks for a diagnosis; nothing if it may be right."""
    return [sign for sign in ILLNESSES[diagnosis] if not SIGNS[sign][1](chart)]


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


def clinic() -> dict[str, Chart]:
    """Return the charts of the study's eight anonymous runs, by their letters."""
    with STORED.open(encoding="utf-8", newline="") as file:
        return {name: chart for (name,), chart in charts(csv.DictReader(file), ["name"]).items()}


@ex.exercise("8.1")
def check_clinic(function: ex.Function) -> None:
    """Check exercise 8.1: a diagnosis of `ILLNESSES`, and a column, for each run of `clinic`."""
    found = ex.require_type(function(), dict, "dictionary")
    for run, chart in clinic().items():
        if not isinstance(found.get(run), (tuple, list)) or len(found[run]) != 2:
            raise ex.Wrong("no_pair", run=run)
        diagnosis, column = map(str, found[run])
        said = {"diagnosis": diagnosis, "run": run}
        if diagnosis not in ILLNESSES:
            raise ex.Wrong("not_listed", listed=", ".join(ILLNESSES), **said)
        if signs := against(diagnosis, chart):
            raise ex.Wrong("against", reasons="; ".join(map(ex.text, signs)), **said)
        if not any(column in SIGNS[sign][0].split() for sign in ILLNESSES[diagnosis]):
            raise ex.Wrong("not_shown", column=column, **said)


@ex.exercise("8.2")
def check_alarm(function: ex.Function) -> None:
    """Check exercise 8.2: when an alarm with patience goes off."""
    low, fine = 0.01, 0.5
    for values, patience, expected in (
        ([fine, low, low, low], 3, 3),
        ([low, low, fine, low, low, low, low], 3, 5),
        ([fine, low, fine], 1, 1),
        ([WON, WON], 2, None),  # exactly at the limit
    ):
        got = function(values, WON, patience)
        case = ex.text("values", values=values, least=WON, patience=patience)
        if expected is not None:
            ex.require_close(got, expected, case)
        elif got is not None:
            raise ex.Wrong("not_none", case, got=got)


@ex.exercise("8.3")
def check_pulls(function: ex.Function) -> None:
    """Check exercise 8.3: what each loss asks of G's logit where `detach` is missing."""
    for before, after in ((0.4, 0.01), (0.5, 0.8)):
        rows = [(number, "pull") for number in (before, -after, after - 1)]
        case = ex.text("case", before=before, after=after)
        ex.require_predictions(function(before, after), rows, case)


@ex.exercise("8.4")
def check_best_slope(function: ex.Function) -> None:
    """Check exercise 8.4: where 2 log(1 + exp(-w)) + γ w² / 2 is least."""
    for gamma, right, twice in ((0.1, 2.128, 1.634), (1.0, 0.6748, 0.4011)):
        rows = [(right, "slope", {"halves": twice})]
        ex.require_predictions([function(gamma)], rows, ex.text("case", gamma=gamma))
