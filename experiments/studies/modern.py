"""What came after DCGAN: what does it buy, and which of the DCGAN's rules does it need?

Each idea changes the fast recipe in one thing, and takes the rate that was best with another seed
for another judge: see `chosen_rate`. Two ideas are then tried on the changes that ruin the recipe.

modern_course.csv has the first judge's metrics on the way, results/modern/ 32 samples of each run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dcgan_utils import judging
from dcgan_utils.config import Config, UserError
from dcgan_utils.data import load_images
from dcgan_utils.losses import OBJECTIVES
from dcgan_utils.training import Training

from .. import store
from ..failure_cases import held_out_for, logits_of
from ..harness import Key, Result, Study
from ..network_edits import edited, without_norm
from ..training_variants import one_centered, zero_centered
from ..variants import BY_NAME, FAST, Variant, config_of, new_training
from .rules import picture_of, train_and_judge

RATES = ("1/20", "1/5", "1/2", "1", "2")  # factors of the recipe's
COMPONENTS, FITTED = 50, 10_000  # of gray levels, for the search's judge; real digits it knows
JUDGE_EVERY = 525  # steps
TIMED, TURNS = 32, 6  # steps in a turn, a multiple of 16, and turns of each run, for its cost
IDEAS: dict[str, Variant] = {}  # an idea's rule is the idea whose rate it takes


def idea(
    name: str,
    rate_of: str = "",
    bare: bool = False,
    loss: str = "non-saturating",
    settings: Mapping[str, Any] | None = None,
    **changes: Any,
) -> str:
    """Add a loss with a penalty or so as an idea, and return its name; if `bare`, D has no norm."""
    entry = OBJECTIVES[loss]
    OBJECTIVES[name] = lambda config: replace(entry(config), **({"penalty_every": 4} | changes))
    edit = edited("D", without_norm, True) if bare else BY_NAME["as it is"].edit
    IDEAS[name] = Variant(name, rate_of or name, {"objective": name, **(settings or {})}, edit)
    return name


R1, R1_R2 = zero_centered(0.1), zero_centered(0.1, fake=True)
RECIPE = idea("as it is")
MAIN = (
    idea("R1", loss="R1"),  # as the package has it
    idea("relativistic + R1 + R2", loss="relativistic", penalty=R1_R2),
)
STRONG = zero_centered(1.0, fake=True)
OF_R3GAN: dict[str, Any] = {"settings": {"beta1": 0.0, "beta2": 0.99}, "penalty_every": 1}
BARE = (
    idea("R1, no norm in D", bare=True, penalty=zero_centered(1.0)),
    idea(f"{MAIN[1]}, no norm in D", bare=True, loss="relativistic", penalty=STRONG),
    idea("R3GAN's steps, no norm in D", "", True, "relativistic", penalty=STRONG, **OF_R3GAN),
)
WGAN = idea("WGAN-GP", bare=True, loss="Wasserstein", penalty=one_centered, penalty_every=1)
SPECTRAL = idea("spectral norm in D", settings={"spectral_norm": True})
TWO_RATES = idea("D's rate × 4")
SEARCHED = (
    *(RECIPE, *MAIN, *BARE, idea("R1 + R2", penalty=R1_R2), idea("pairing", loss="relativistic")),
    *(idea("hinge loss", loss="hinge"), idea("least squares loss", loss="least squares")),
    *(SPECTRAL, WGAN, TWO_RATES),
)
WHY = (  # what R1's gain is due to
    *(idea(f"R1, γ {x}", "R1", penalty=zero_centered(x)) for x in (0.03, 0.3, 1.0)),
    idea("R1, every step", "R1", penalty=R1, penalty_every=1),
    EVERY_16 := idea("R1, every 16 steps", "R1", loss="lazy R1", penalty_every=16),
    idea("R2 alone", "R1", penalty=zero_centered(0.1, real=False, fake=True)),
)
SATURATING = idea("R1, saturating loss", "R1", loss="saturating", penalty=R1)
FIVE = idea("WGAN-GP, 5 steps of D", WGAN, True, WGAN, penalty_every=1, steps_of_d=5)
RUINS = (  # changes that ruin the recipe
    *("no batch norm in G, He", "no batch norm in D, He", "hidden layer in G", "β₁ 0.9"),
    *("no batch norm, He", "mean 0.1307, std 0.3081"),
)
MILDER = ("repeated pixels in G", "LeakyReLU in G")  # that cost it less
LONG = ("long", "equal time", "embedded long")  # parts whose runs take as long as `classroom`:
STEPS = {"R1": 3450, EVERY_16: 3990, "R1 + R2": 2985}  # in place of 4,200 steps
PLAIN, CHOSEN = ("as it is",), ("chosen",)
FRESH = "5 6 7 8 9"  # seeds by which nothing was chosen
PARTS: list[tuple[str, tuple[str, ...], str, tuple[str, ...], tuple[str, ...]]] = [
    ("rates", SEARCHED, "100", PLAIN, RATES),  # what matters most comes first
    ("cost", (*SEARCHED, *WHY, FIVE), "0", PLAIN, ("1",)),
    ("ideas", SEARCHED, "0 1 2 3 4", PLAIN, CHOSEN),
    ("crutches", MAIN, "0 1 2", (*RUINS, *MILDER), CHOSEN),
    ("crutches", (RECIPE, "R1"), "0 1 2", RUINS, ("1/5",)),  # is it the objective, or its rate?
    ("crutches", (SATURATING,), "0 1 2", PLAIN, CHOSEN),
    ("equal time", ("R1", EVERY_16), "0 1 2 3 4", PLAIN, CHOSEN),
    ("equal time", ("R1 + R2",), "0 1 2", PLAIN, CHOSEN),
    ("long", (RECIPE,), "0 1 2 3 4", PLAIN, (*CHOSEN, "1")),  # 1 is the rate of `classroom`
    ("equal time", (EVERY_16,), FRESH, PLAIN, CHOSEN),
    ("long", (RECIPE,), FRESH, PLAIN, (*CHOSEN, "1")),
    ("embedded", ("R1", RECIPE), "0 1 2", PLAIN, CHOSEN),
    ("embedded long", (EVERY_16,), "0 1 2 3 4", PLAIN, CHOSEN),
    ("embedded long", (RECIPE,), "0 1 2 3 4", PLAIN, ("1",)),
    ("why", WHY, "0 1 2", PLAIN, CHOSEN),
    ("rates", BARE[2:], "100", RUINS[:1], RATES[:3]),
    ("crutches", BARE[1:], "0 1 2", RUINS[:1], CHOSEN),
    ("crutches", BARE[2:], "0 1 2", RUINS[:1], ("1/20",)),  # its own rate without any norm,
    ("long", BARE[2:], "0 1 2", RUINS[:1], ("1/20",)),  # in case it is late
]
PLAN = [
    {"part": part, "idea": name, "change": change, "rate": rate, "seed": seed}
    for part, ideas, seeds, changes, rates in PARTS
    for seed in seeds.split()
    for change in changes
    for name in ideas
    for rate in rates
]


def pixel_distance(pixels: Tensor, real: Tensor) -> float:
    """Return the Fréchet distance of images (N, 1, S, S) uint8 in real ones' principal components.

    It needs no network, as the other judges do; of a stroke's edge it sees little.
    """
    points, known = (images.flatten(1).double() / 255 for images in (pixels, real))
    axes = torch.linalg.eigh(torch.cov(known.T)).eigenvectors[:, -COMPONENTS:]
    return judging.frechet_distance((points @ axes).numpy(), (known @ axes).numpy())


def copying(pixels: Tensor, known: Tensor, held_out: Tensor) -> float:
    """Return how far the nearest held-out digit is on average, by the nearest of as many known.

    Of 1,000 samples: about 1 if G copies nothing.
    """
    count = min(len(known), len(held_out))
    near = [judging.nearest_distances(pixels[:1000], x[:count]) for x in (held_out, known)]
    return float(near[0].mean() / near[1].mean())


def chosen_rate(name: str) -> str:
    """Return the rate's factor at which an idea's search came closest for the search's judge."""
    rows = store.largest(store.read("modern"))
    rows = store.select(rows, part="rates", idea=IDEAS[name].rule, change="as it is")
    found = {row["rate"]: float(row["pixel_distance"]) for row in rows if not row["note"]}
    if len(rows) < len(RATES) or not found:
        raise UserError(f"{name} has no rate: python -m experiments run modern --only part=rates")
    return min(found, key=lambda rate: found[rate])


def training_of(key: Key, recipe: Config | None = None) -> Training:
    """Return a run of the plan, not yet begun: an idea and a change of the recipe in one."""
    recipe = recipe or FAST
    name, part = key["idea"], key["part"]
    rate = float(Fraction(chosen_rate(name) if key["rate"] == "chosen" else key["rate"]))
    base = replace(recipe, learning_rate=recipe.learning_rate * rate)
    if part in LONG:
        base = replace(base, steps=STEPS.get(name, 4200))
    if "embedded" in part:
        base = replace(base, data="embedded")
    own, change = IDEAS[name], BY_NAME[key["change"]]
    both = replace(
        change,
        settings={**change.settings, **own.settings},
        edit=lambda g, d, random: [v.edit(g, d, random) for v in (change, own)],
    )
    config = config_of(both, base, int(key["seed"]))
    training = new_training(both, config, load_images(config))
    if name == TWO_RATES:  # Zhang et al. (2018), arXiv:1805.08318
        training.optimizers["discriminator"].param_groups[0]["lr"] *= 4
    return training


def cost_of(key: Key) -> float:
    """Return how many times the recipe's time a step takes, measured in turns with it."""
    runs = [training_of(key | {"idea": name}) for name in (RECIPE, key["idea"])]
    seconds: list[list[float]] = [[], []]
    for _ in range(TURNS):
        for own, training in zip(seconds, runs):
            training.run(steps=TIMED)
            own.append(training.seconds)
    plain, with_it = (np.median(np.diff(own)) for own in seconds)  # the first warms up
    return float(with_it / plain)


def execute(key: Key) -> Result:
    """Train and judge one run, or measure the cost of its steps."""
    if key["part"] == "cost":
        return Result({"modern": [{"cost": cost_of(key)}]})
    training = training_of(key)
    config, images = training.config, training.images
    shown = {"known": images, "held_out": held_out_for(config)}
    real, unseen = (judging.to_judged_size(x.pixels[:FITTED], config.fit) for x in shown.values())
    more = {
        "pixel_distance": lambda pixels: pixel_distance(pixels, real),
        "copying": lambda pixels: copying(pixels, real, unseen),
    }
    every = JUDGE_EVERY if key["part"] in ("ideas", "why") else training.total
    measured, on_the_way, picture = train_and_judge(training, every, more=more)
    row: dict[str, Any] = {"learning_rate": config.learning_rate, **measured}
    row |= logits_of(training.discriminator, shown)
    return Result({"modern": [row], "modern_course": [*on_the_way]}, {file_of(key): picture})


def file_of(key: store.Row) -> str:
    """Return where a run's samples are kept, below results/."""
    run = f"{key['idea']}, {key['change']}, {key['rate']}"
    return picture_of(run, key["part"], key["seed"], "modern")


def at_equal_cost(row: store.Row) -> float:
    """Return a run's distance, on its way, after the time that the recipe takes."""
    rows = store.largest(store.read("modern"))
    (cost,) = store.numbers(store.select(rows, part="cost", idea=row["idea"]), "cost")
    same = {column: row[column] for column in ("part", "idea", "change", "rate", "seed")}
    way = store.select(store.largest(store.read("modern_course")), **same)
    steps, far = (np.array(store.numbers(way, column)) for column in ("step", "distance"))
    return float(np.exp(np.interp(float(row["steps"]) / cost, steps, np.log(far))))


def lines_of(rows: Sequence[store.Row]) -> list[list[str]]:
    """Return the cells of the table, a line for each idea and change of a part."""
    judged = ("distance", "raw_distance", "second_distance", "pixel_distance", "recall")
    head = ["part", "idea", "change", "rate", "seeds", "distance", "G itself", "second judge"]
    lines = [[*head, "pixels", "recall", "D's gap", "cost", "at equal cost", "collapsed"]]
    runs = [row for row in rows if row["part"] not in ("rates", "cost")]
    for key, own in store.groups(runs, "part", "idea", "change", "learning_rate").items():
        trained = [row for row in own if not row["note"]]
        line = [*key, str(len(own))] + [store.spread(store.numbers(own, c)) for c in judged]
        logits = (store.numbers(own, f"logit_{kind}") for kind in ("known", "held_out"))
        gaps = [known - held_out for known, held_out in zip(*logits)]
        cost = store.numbers(store.select(rows, part="cost", idea=key[1]), "cost")
        equal = [at_equal_cost(row) for row in trained if row["part"] in ("ideas", "why")]
        line += [store.spread(gaps, ".2f"), store.spread(cost), store.spread(equal)]
        lines.append([*line, f"{sum(store.numbers(own, 'collapsed')):.0f}"])
    return lines


def tables() -> dict[str, str]:
    """Return the table of all ideas."""
    return {"modern": store.table(store.read("modern"), lines_of)}


STUDY = Study("13", PLAN, execute, tables, minutes=1.4, files=("modern", "modern_course"))
