"""Checkers of notebook 07, what each rule is worth."""

import copy
import math

import numpy as np
import torch
from torch import nn

from dcgan_utils import exercises as ex

from ..networks import Discriminator


@ex.exercise("7.1")
def check_luck(function: ex.Function) -> None:
    """Check exercise 7.1: what luck does in 45 comparisons, worked out by hand."""
    pairs = {"one_seed": 1 / 2, "nine_cases": 1 / 9, "not_independent": 0.5**9}
    rows = [
        (1 / math.comb(6, 3), "orders", pairs | {"either_direction": 1 / 10}),
        (45 / math.comb(6, 3), "each_adds", {"one_seed": 22.5, "either_direction": 4.5}),
        (1 - 0.95**45, "not_so", {"none_of_them": 0.95**45, "either_direction": 1 - 0.9**45}),
        (1 / math.comb(23, 3), "of_23", {"either_direction": 2 / math.comb(23, 3)}),
    ]
    ex.require_predictions(function(), rows)


@ex.exercise("7.2")
def check_misses(function: ex.Function) -> None:
    """Check exercise 7.2: what few runs can miss, worked out by hand."""
    rows = [
        ((2 / 3) ** 3, "nothing", {"something": 1 - (2 / 3) ** 3, "other_share": (1 / 3) ** 3}),
        (8, "how_many", {"whole": math.log(0.05) / math.log(2 / 3), "too_few": 7}),
        (1 - 0.05 ** (1 / 20), "largest", {"something": 1 - 0.95 ** (1 / 20), "rule": 3 / 20}),
    ]
    ex.require_predictions(function(), rows)


@ex.exercise("7.3")
def check_instance_norm(function: ex.Function) -> None:
    """Check exercise 7.3: a discriminator whose batch norms have become instance norms."""
    random = torch.Generator().manual_seed(0)
    for size, channels, width in ((32, 1, 4), (16, 3, 2), (64, 1, 2)):
        given = Discriminator(size, channels, width).main
        for parameter in given.parameters():
            parameter.data.normal_(0, 0.3, generator=random)
        layers, before = list(given), copy.deepcopy(given)
        got = ex.require_type(function(given), nn.Sequential, "sequential")
        if list(given) != layers or not _same_state(given, before):
            raise ex.Wrong("changed")
        if len(got) != len(before):
            raise ex.Wrong("layer_count", expected=len(before), got=len(got))
        for number, (mine, theirs) in enumerate(zip(got, before)):
            if isinstance(theirs, nn.BatchNorm2d):
                _require_instance_norm(number, mine, theirs)
            elif repr(mine) != repr(theirs) or not _same_state(mine, theirs):
                raise ex.Wrong("other_layer", number=number, expected=theirs)


def _same_state(network: nn.Module, other: nn.Module) -> bool:
    """Say whether two modules hold tensors of the same names and values."""
    mine, theirs = network.state_dict(), other.state_dict()
    return mine.keys() == theirs.keys() and all(torch.equal(mine[k], theirs[k]) for k in mine)


def _require_instance_norm(number: int, mine: nn.Module, theirs: nn.BatchNorm2d) -> None:
    """Refuse a layer that is not the instance norm in a batch norm's place."""
    if not isinstance(mine, nn.InstanceNorm2d):
        raise ex.Wrong("not_instance_norm", number=number, kind=type(mine).__name__)
    for setting, value in (("affine", True), ("track_running_stats", False), ("eps", 1e-5)):
        if getattr(mine, setting) != value:
            raise ex.Wrong(setting, number=number)
    if not (torch.equal(mine.weight, theirs.weight) and torch.equal(mine.bias, theirs.bias)):
        raise ex.Wrong("other_values", number=number)


@ex.exercise("7.4")
def check_permutation(function: ex.Function) -> None:
    """Check exercise 7.4: the exact two-sided permutation test of a difference of means."""
    from scipy import stats

    def apart(a: np.ndarray, b: np.ndarray) -> float:
        return abs(np.mean(a) - np.mean(b))

    for ours, theirs, hint in (
        ([4.1, 5.9, 4.8, 5.2], [5.6, 6.9, 4.9, 7.3], "how_many"),
        ([7.5, 6.1], [4.0, 5.3, 6.4, 4.7, 5.1], "sizes"),
        ([5.2, 4.0, 6.3, 4.9, 4.4], [5.9, 6.6, 7.1], "sizes"),
        ([6.3, 7.3, 5.2], [6.6, 4.2, 4.6, 5.0], "rounding"),
    ):
        got, case = function(ours, theirs), ex.text("against", ours=ours, theirs=theirs)
        data, deals = (ours, theirs), math.comb(len(ours) + len(theirs), len(ours))
        right = stats.permutation_test(data, apart, n_resamples=deals, alternative="greater").pvalue
        mistakes = {
            "own_deal": (right * deals - 1) / (deals - 1),
            "other_test": stats.ttest_ind(ours, theirs).pvalue,
        }
        ex.require_close(got, right, case, mistakes, hint, tolerance=1e-6)
