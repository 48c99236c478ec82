"""Plausible wrong answers to the exercises of notebook 09, and what their hint must contain."""

import math

import torch

from dcgan_utils.exercises import check_clean_direction, check_completion, check_norms


def cleaned(remove, normalize=True):
    """Return an answer to 9.2 that takes away what `remove` makes of both."""

    def function(wanted, others):
        left = wanted - remove(wanted, others)
        return left / left.norm() if normalize else left

    return function


def projection(wanted, others):
    basis = torch.linalg.qr(others.T).Q
    return basis @ (basis.T @ wanted)


def parts(wanted, others):
    units = others / others.norm(dim=1, keepdim=True)
    return (units @ wanted) @ units


def one_by_one(wanted, others):
    left = wanted
    for other in others:
        left = left - (left @ other) / (other @ other) * other
    return left / left.norm()


def in_place(wanted, others):
    wanted -= projection(wanted, others)
    return wanted / wanted.norm()


def search(cost, begin=torch.clone, steps=300, also=lambda generator: []):
    """Return an answer to 9.3 that minimizes cost(drawn, images, visible) plus the prior."""

    def function(generator, images, visible, start):
        z = begin(start).requires_grad_()
        optimizer = torch.optim.Adam([z, *also(generator)], lr=0.1)
        for _ in range(steps):
            optimizer.zero_grad()
            cost(generator(z), images, visible, z).backward()
            optimizer.step()
        return z.detach()

    return function


def squares(drawn, images, visible, z):
    return ((drawn - images)[:, 0, visible] ** 2).sum() + 0.02 * (z**2).sum()


ROOT = math.sqrt(300), 10 * math.cos(math.pi / 6)
WRONG = [
    (check_norms, lambda: [0.4, ROOT[0], 3, ROOT[1]], "do not add up where"),
    (check_norms, lambda: [10, ROOT[0], 3, ROOT[1]], "all 25 were the same"),
    (check_norms, lambda: [50, ROOT[0], 3, ROOT[1]], "norm of the sum"),
    (check_norms, lambda: [7, ROOT[0], 3, ROOT[1]], "variance of the mean"),
    (check_norms, lambda: [2, 10, 3, ROOT[1]], "do not cancel"),
    (check_norms, lambda: [2, 30, 3, ROOT[1]], "directions agree"),
    (check_norms, lambda: [2, 14.1, 3, ROOT[1]], "three vectors"),
    (check_norms, lambda: [2, ROOT[0], 1, ROOT[1]], r"That is \(b\)"),
    (check_norms, lambda: [2, ROOT[0], 9, ROOT[1]], "is its root"),
    (check_norms, lambda: [2, ROOT[0], 3, 7.07], "right angle"),
    (check_norms, lambda: [2, ROOT[0], 3, 10], "cuts through"),
    (check_norms, lambda: [2, ROOT[0], 3, 5], "120 degrees"),
    (check_norms, lambda: [2, ROOT[0], 3], "four numbers, got 3"),
    (check_clean_direction, cleaned(projection, normalize=False), "length is not 1"),
    (check_clean_direction, lambda wanted, others: projection(wanted, others), "the other part"),
    (check_clean_direction, one_by_one, "bring back"),
    (check_clean_direction, cleaned(parts), "bring back"),
    (check_clean_direction, cleaned(lambda w, o: parts(w, o[:1])), "And the others"),
    (check_clean_direction, cleaned(lambda w, o: 0 * w), "Nothing has been"),
    (check_clean_direction, cleaned(lambda w, o: w + w - projection(w, o)), "other way"),
    (check_clean_direction, cleaned(lambda w, o: (o @ w) @ o), "right angles to all"),
    (check_clean_direction, in_place, "changed what it was given"),
    (
        check_completion,
        search(lambda d, x, v, z: squares(d, x, v | True, z)),
        "hidden pixels count",
    ),
    (check_completion, search(lambda d, x, v, z: squares(d, x * v, v | True, z)), "ask for zeros"),
    (check_completion, search(lambda d, x, v, z: squares(d, x, ~v, z)), "that are hidden"),
    (check_completion, search(lambda d, x, v, z: squares(d, x, v, 0 * z)), "nothing.*prior"),
    (
        check_completion,
        search(lambda d, x, v, z: ((d - x)[:, 0, v] ** 2).mean() + 0.02 * (z**2).sum()),
        "The sum",
    ),
    (check_completion, search(squares, begin=lambda start: start), "start has changed"),
    (
        check_completion,
        search(squares, also=lambda generator: [generator.weight]),
        "weights have changed",
    ),
    (check_completion, search(squares, steps=20), "number of steps"),
    (check_completion, lambda g, images, v, start: images, "One z for each image"),
    (check_completion, lambda g, images, v, start: start, "the search began"),
]

SECRETS = ["8.66", "17.3", "linalg", "lstsq", "visible]", "requires_grad"]
