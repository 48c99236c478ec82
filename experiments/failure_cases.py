"""Runs that fail on purpose, runs that do not, and what is tried against failing.

Each is the fast recipe of `experiments.variants` with a setting, an objective or an edit. The study
`failures` records them and `cures` treats them.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn

from dcgan_utils.config import Config
from dcgan_utils.data import Images, load_source, scale

from .network_edits import noise, seen_through, shift
from .variants import BASES, BY_NAME, Variant, config_of

STEPS = 1500
SHOWN = 500  # training and held-out digits that D is asked about


@dataclass(frozen=True)
class Case:
    """One run: what is changed, how it is treated, and what it learns from."""

    name: str
    change: str = "as it is"  # one of `variants.VARIANTS`
    settings: Mapping[str, Any] = field(default_factory=dict)  # on top of the change's
    images: int | None = None  # how many it learns from, the first ones; None: all
    seed: int = 0
    base: str = "fast"
    treatment: str = "nothing"  # one of `CURES`

    @property
    def config(self) -> Config:
        """Its settings: nothing is averaged, so that all is of G itself."""
        recipe = replace(BASES[self.base], average=0.0, steps=STEPS)
        changed = replace(config_of(BY_NAME[self.change], recipe, self.seed), **self.settings)
        return config_of(CURES[self.treatment], changed, self.seed)

    @property
    def picture(self) -> str:
        """The name of the file that has its samples."""
        return "".join(c if c.isascii() and c.isalnum() else "_" for c in self.name) + ".png"

    @property
    def variant(self) -> Variant:
        """Its change and its treatment in one."""
        two = BY_NAME[self.change], CURES[self.treatment]
        return replace(two[0], edit=lambda g, d, random: [v.edit(g, d, random) for v in two])


def fewer(images: Images, count: int | None) -> Images:
    """Return the first images of a set, shown as often in an epoch as all of them are."""
    count = count or len(images)
    return replace(
        images,
        pixels=images.pixels[:count],
        labels=images.labels[:count],
        repeats=images.repeats * len(images) // count,
    )


def held_out_for(config: Config) -> Images:
    """Return the digits that no run trains on, at a run's size."""
    return load_source(config.data).split()[1].fitted(config.image_size, config.fit)


@torch.no_grad()
def logits_of(discriminator: nn.Module, shown: Mapping[str, Images]) -> dict[str, float]:
    """Return D's mean logits for the first images of some sets, by the sets' names."""
    aside = copy.deepcopy(discriminator)  # its running statistics stay what they are
    device = next(aside.parameters()).device
    means = {name: aside(scale(x.pixels[:SHOWN]).to(device)).mean() for name, x in shown.items()}
    return {f"logit_{name}": float(mean) for name, mean in means.items()}


AT_64 = {"image_size": 64, "fit": "resize", "batch_size": 100, "steps": 300}
SLOW_AT_64 = AT_64 | {"learning_rate": 0.0002, "first_bias": False}
SICK = [
    Case("D wins early", settings=SLOW_AT_64),
    Case("vanishing gradient", settings=SLOW_AT_64 | {"objective": "saturating"}),
    Case("D wins late", images=100),
    Case("one image", "β₁ 0.9"),
    Case("few digits", "hidden layer in G"),
    Case("NaN", "no batch norm", {"objective": "naive logarithm"}),
    Case("wrong range", "mean 0.1307, std 0.3081"),
    Case("detach missing", "detach missing", {"objective": "saturating"}),
    Case("eval() too early", "eval() from step 200"),
    Case("batch norm at D's input", "batch norm at D's input", seed=2),
    Case("too little data", images=500),
    Case("too high a rate", settings={"learning_rate": 0.2}),
]
HEALTHY = [
    *(Case("healthy", seed=seed) for seed in range(10, 16)),
    Case("healthy, rate × 10", settings={"learning_rate": 0.05}, seed=10),
    Case("healthy, logarithm of a sigmoid", settings={"objective": "naive logarithm"}, seed=10),
    *(Case("healthy, published", base="published", seed=seed) for seed in (10, 11, 12)),
    *(Case("healthy, embedded", settings={"data": "embedded"}, seed=s) for s in (10, 11, 12)),
    *(Case("healthy, 64×64", settings=AT_64 | {"learning_rate": 0.0008}, seed=s) for s in (10, 11)),
    *(Case("healthy, slow", "rate ÷ 4", seed=seed) for seed in (10, 11)),
    *(Case(f"healthy, {name}", name, seed=10) for name in ("max pooling in D", "ReLU in D")),
]
CLINIC = [  # notebook 08 asks what they have: do not read on before you have answered
    Case("A", "hidden layer in G", seed=31),
    Case("B", "eval() from step 200", seed=32),
    Case("C", images=300, seed=33),
    Case("D", "mean 0.1307, std 0.3081", seed=34),
    Case("E", seed=35),
    Case("F", images=80, seed=36),
    Case("G", "detach missing", {"objective": "saturating"}, seed=37),
    Case("H", settings={"learning_rate": 0.15}, seed=38),
]
CURES = {
    cure.name: cure
    for cure in (
        Variant("nothing", ""),
        Variant("rate ÷ 10", "", {"learning_rate": 0.1}),  # a factor
        Variant("rate × 4", "", {"learning_rate": 4.0}),
        Variant("label smoothing", "", {"real_label": 0.9}),
        Variant("noise on D's input", "", edit=seen_through(noise)),
        Variant("augmentation", "", edit=seen_through(shift)),
        Variant("augmentation, longer", "", {"steps": 3 * STEPS}, edit=seen_through(shift)),
        Variant("R1", "", {"objective": "R1"}),
        Variant("spectral norm in D", "", {"spectral_norm": True}),  # in place of batch norm
        Variant("end sooner", "", {"steps": 400}),
        Variant("more data", ""),  # five times as many images
    )
}
COMMON = ("nothing", "rate ÷ 10", "label smoothing", "noise on D's input", "augmentation")
TREATED = [
    replace(case, treatment=treatment, seed=seed)
    for seed in (20, 21, 22)
    for case, treatments in (
        (Case("healthy"), (*COMMON, "R1", "spectral norm in D", "augmentation, longer")),
        (Case("D wins early", settings=SLOW_AT_64), ("nothing", "rate × 4", *COMMON[2:], "R1")),
        (Case("D wins late", images=100), (*COMMON, "R1", "end sooner")),
        (Case("D wins late", images=500), ("more data",)),
        (Case("few digits", "hidden layer in G"), COMMON),
        (Case("one image", "β₁ 0.9"), (*COMMON, "R1")),
        (Case("too high a rate", settings={"learning_rate": 0.2}), ("nothing", "rate ÷ 10")),
    )
    for treatment in treatments
]
