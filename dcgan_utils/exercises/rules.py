"""Checkers of notebook 07, what each rule is worth."""

import copy
import itertools
import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from ..networks import Discriminator
from .common import Wrong, judge, require_answer


def check_luck(function: Callable[[], Sequence[float]]) -> bool:
    """Check exercise 7.1: what luck does in 32 comparisons, worked out by hand."""

    def check() -> None:
        got = function()
        require_answer(got, (list, tuple), "a list of three numbers")
        if len(got) != 3:
            raise Wrong(f"Expected three numbers, got {len(got)}.")
        either = "Is that in either direction? Here the change must be worse."
        usual: dict[str, dict[float, str]] = {
            "a": {
                1 / 2: "That is for one seed each. Here there are three.",
                1 / 6: "That is how often one run that you name is the worst of six.",
                1 / 9: "The nine pairs are not nine cases of which one happens.",
                1 / 10: either,
                1 / 8: "That compares the runs two by two. Here each meets all three.",
                1 / 512: "The nine pairs are made of six runs: they are not independent.",
                1 / 720: "Does the order among the three runs of the change matter?",
            },
            "b": {
                16: "That is for one seed each. Here there are three.",
                3.2: either,
                2: "An expected number is a mean. It need not be whole.",
                1: "An expected number is a mean. It need not be whole.",
            },
            "c": {
                0.95**32: "That is how likely it is that none of them is so.",
                1 - 0.9**32: either,
                32 * 0.05 * 0.95**31: "That is for exactly one. What of two, or three?",
                0.05: "That is for one change that you named beforehand. Here any will do.",
                1 - math.exp(-1.6): "That is an approximation for rare events. Can you do without?",
                _any_of_32_against_the_same_recipe(): "That takes into account that all meet the "
                "same runs of the recipe. The question asks for less.",
            },
        }
        look = {
            "a": "Notebook 06, section 12, counts the orders of the runs.",
            "b": "What does each of the 32 add to the mean?",
            "c": "How likely is it that one change is not so? And that none of the 32 is?",
        }
        for (letter, hints), mine, right in zip(usual.items(), got, _luck()):
            mine = float(mine)
            if math.isclose(mine, right, rel_tol=0.006):
                continue
            said = f"For ({letter}) you expect {mine:g}; that is not it."
            if letter != "b" and not 0 <= mine <= 1:
                raise Wrong(f"{said} A probability is never below 0 or above 1.")
            near = [
                hint for value, hint in hints.items() if math.isclose(mine, value, rel_tol=0.01)
            ]
            raise Wrong(f"{said} {near[0] if near else look[letter]}")

    return judge("7.1", check, function)


def _luck() -> list[float]:
    """Return the numbers of exercise 7.1, by going through all orders of six runs."""
    deals = list(itertools.combinations(range(6), 3))  # the ranks of the change's three runs
    share = sum(set(ranks) == {3, 4, 5} for ranks in deals) / len(deals)
    return [share, 32 * share, 1 - (1 - share) ** 32]


def _any_of_32_against_the_same_recipe() -> float:
    """Return exercise 7.1's third number without taking the comparisons as independent.

    If the recipe's worst run is better than a share u of all runs, which has density 3 (1 - u)^2,
    a change that does nothing has all three of its runs among those with probability u^3.
    """
    u = (np.arange(10_000) + 0.5) / 10_000
    return 1 - float(np.mean(3 * (1 - u) ** 2 * (1 - u**3) ** 32))


def check_instance_norm(function: Callable[[nn.Sequential], nn.Sequential]) -> bool:
    """Check exercise 7.2: a discriminator whose batch norms have become instance norms."""

    def check() -> None:
        random = torch.Generator().manual_seed(0)
        for size, channels, width in ((32, 1, 4), (16, 3, 2), (64, 1, 2)):
            given = Discriminator(size, channels, width).main
            for parameter in given.parameters():
                parameter.data.normal_(0, 0.3, generator=random)
            layers, before = list(given), copy.deepcopy(given)
            got = function(given)
            require_answer(got, nn.Sequential, "an nn.Sequential")
            if list(given) != layers or not _same_state(given, before):
                raise Wrong(
                    "Your function changed the network it was given. Put the layers, old and new, "
                    "into a new nn.Sequential."
                )
            if len(got) != len(given):
                raise Wrong(
                    f"Expected {len(given)} layers as in the network given, got {len(got)}."
                )
            norms = []
            for number, (mine, theirs) in enumerate(zip(got, before)):
                if not isinstance(theirs, nn.BatchNorm2d):
                    _require_kept(number, mine, theirs)
                    continue
                norms.append((number, mine, theirs))
                maps = getattr(mine, "num_features", theirs.num_features)
                if maps != theirs.num_features:
                    raise Wrong(
                        f"Layer {number} is for {maps} maps. How many has the batch norm that it "
                        f"replaces?"
                    )
            images = torch.empty(5, channels, size, size).normal_(generator=random)
            _require_no_mates(got, images)
            for number, mine, theirs in norms:
                _require_instance_norm(number, mine, theirs)

    return judge("7.2", check, function)


def _same_state(network: nn.Module, other: nn.Module) -> bool:
    """Say whether two modules hold tensors of the same names and values."""
    mine, theirs = network.state_dict(), other.state_dict()
    return mine.keys() == theirs.keys() and all(torch.equal(mine[k], theirs[k]) for k in mine)


def _require_kept(number: int, mine: nn.Module, theirs: nn.Module) -> None:
    """Refuse a layer other than batch norm that is not what it was."""
    if repr(mine) != repr(theirs):
        raise Wrong(
            f"Layer {number}: expected {theirs} as in the network given, got {mine}. Only batch "
            f"norms are replaced."
        )
    if not _same_state(mine, theirs):
        raise Wrong(
            f"Layer {number} ({type(mine).__name__}) has other weights than in the network given. "
            f"Is it a new layer?"
        )


def _require_no_mates(network: nn.Sequential, images: Tensor) -> None:
    """Refuse a network whose answer to an image depends on the rest of the batch."""
    with torch.no_grad():
        one, other = (network(batch)[0].item() for batch in (images[:3], images[[0, 3, 4]]))
    if not math.isclose(one, other, rel_tol=1e-3, abs_tol=1e-3):
        raise Wrong(
            f"Beside two images, the network answers {one:.3f} to an image, and {other:.3f} beside "
            f"two others. Which layer still looks at the whole batch?"
        )


def _require_instance_norm(number: int, mine: nn.Module, theirs: nn.BatchNorm2d) -> None:
    """Refuse a layer that is not the instance norm in a batch norm's place."""
    kind, place = type(mine).__name__, f"Layer {number}"
    if not isinstance(mine, nn.InstanceNorm2d):
        raise Wrong(f"{place}: expected an InstanceNorm2d in the batch norm's place, got a {kind}.")
    if mine.weight is None or mine.bias is None:
        raise Wrong(
            f"{place} has no γ and β. PyTorch's instance norm has them only if asked. Which "
            f"argument asks?"
        )
    if mine.running_mean is not None:
        raise Wrong(
            f"{place} keeps running statistics: in evaluation mode, an image's answer would "
            f"depend on earlier batches. What is the default?"
        )
    if mine.eps != theirs.eps:
        raise Wrong(
            f"{place} adds {mine.eps:g} to each variance, the batch norm {theirs.eps:g}. Was that "
            f"meant? Name the arguments."
        )
    gamma, beta = theirs.weight, theirs.bias
    for name, tensor, right, swapped, fresh in (
        ("γ", mine.weight, gamma, beta, 1),
        ("β", mine.bias, beta, gamma, 0),
    ):
        if not torch.equal(tensor, right):
            hint = "Compare with the layer that it replaces."
            if torch.equal(tensor, swapped):
                hint = "It is the other of the two."
            elif (tensor == fresh).all():
                hint = "It is a new layer's. Training has moved the one that it replaces."
            raise Wrong(f"{place} has another {name} than the batch norm. {hint}")


def check_permutation(function: Callable[[list[float], list[float]], float]) -> bool:
    """Check exercise 7.3: the exact two-sided permutation test of a difference of means."""

    def check() -> None:
        cases = [
            ([4.1, 5.9, 4.8, 5.2], [5.6, 6.9, 4.9, 7.3]),
            ([6.2, 7.4, 6.9], [4.1, 5.0, 4.6]),
            ([7.5, 6.1], [4.0, 5.3, 6.4, 4.7, 5.1]),
            ([5.2, 4.0, 6.3, 4.9, 4.4], [5.9, 6.6, 7.1]),
            ([6.3, 7.3, 5.2], [6.6, 4.2, 4.6, 5.0]),  # a tie that rounding breaks
        ]
        for ours, theirs in cases:
            mine, others = list(ours), list(theirs)
            got = function(mine, others)
            require_answer(got, (int, float, np.generic), "a number")
            if (mine, others) != (ours, theirs):
                raise Wrong("Your function changed the lists it was given. Make a new one.")
            right = _permutation(ours, theirs)
            if math.isclose(got, right, abs_tol=1e-6):
                continue
            near = [hint for p, hint in _wrong_tests(ours, theirs) if math.isclose(got, p)]
            if not near and abs(got - right) < 0.025:
                near = ["Close. Do you draw deals at random? Try them all."]
            look = "How many deals are there, and how many are at least as far apart?"
            raise Wrong(
                f"Expected {right:.4f} for {ours} against {theirs}, got {got:.4f}. "
                f"{near[0] if near else look}"
            )

    return judge("7.3", check, function)


def _permutation(ours: list[float], theirs: list[float]) -> float:
    """Return the exact p by SciPy, which tries all deals and forgives rounding."""
    from scipy import stats

    def apart(a: np.ndarray, b: np.ndarray) -> float:
        return abs(np.mean(a) - np.mean(b))

    test = stats.permutation_test((ours, theirs), apart, n_resamples=np.inf, alternative="greater")
    return float(test.pvalue)


def _wrong_tests(ours: list[float], theirs: list[float]) -> Iterator[tuple[float, str]]:
    """Yield what usual mistakes give, each with its hint."""
    from scipy import stats

    pooled = np.array([*ours, *theirs])

    def shifts(n: int, of: Callable = np.mean) -> np.ndarray:
        deals = itertools.combinations(range(len(pooled)), n)
        return np.array([of(pooled[list(deal)]) - of(np.delete(pooled, deal)) for deal in deals])

    def share(values: np.ndarray, observed: float) -> float:
        return float(np.mean(values > observed - 1e-9))

    shift, all_shifts = float(np.mean(ours) - np.mean(theirs)), shifts(len(ours))
    count, right = len(all_shifts), share(np.abs(all_shifts), abs(shift))
    tails = [share(sign * all_shifts, sign * shift) for sign in (1, -1)]
    exact = float(np.mean(np.abs(all_shifts) >= abs(shift)))
    yield exact, "A deal is as far apart as the observed one, but rounding hides it."
    farther = share(np.abs(all_shifts), abs(shift) + 2e-9)
    yield farther, "Deals exactly as far apart as the observed one count, too."
    if len(ours) != len(theirs):
        sizes = "The groups differ in size. How many values are dealt to each, and what is a mean?"
        yield 2 * min(tails), "That is a tail, doubled. In groups of two sizes, tails may differ."
        yield share(np.abs(shifts(len(pooled) // 2)), abs(shift)), sizes
        sums = np.abs(shifts(len(ours), np.sum))
        yield share(sums, abs(sum(ours) - sum(theirs))), sizes
        yield share(sums / len(ours), abs(shift)), sizes
    for tail in tails:
        yield tail, "Is that in one direction? Both count here."
    for less in (count, count - 1):
        yield (right * count - 1) / less, "Does the deal that happened count, too?"
    yield (right * count + 1) / (count + 1), "Adding 1 is for deals drawn at random. Try them all."
    yield 1 - right, "That is the share of deals that are less far apart."
    medians = share(np.abs(shifts(len(ours), np.median)), abs(np.median(ours) - np.median(theirs)))
    yield medians, "Is it of the means?"
    for pairs in (np.subtract.outer(ours, theirs), np.subtract.outer(theirs, ours).T):
        yield float(np.mean(pairs > 0)), "Deal the runs; do not compare pairs."
    another = "That is another test, which assumes more or forgets more. Deal the values yourself."
    for equal in (True, False):
        yield float(stats.ttest_ind(ours, theirs, equal_var=equal).pvalue), another
    yield float(stats.mannwhitneyu(ours, theirs, method="exact").pvalue), another
