"""Runs that fail on purpose, runs that do not, and what is tried against failing.

Each is the fast recipe of `experiments.variants` with a setting, an objective or a surgery of a
few lines. `experiments.failures` records them and `experiments.cures` treats them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from dcgan_utils.config import Config
from dcgan_utils.data import Images

from .surgery import noise, seen_through, shift
from .variants import BASES, BY_NAME, Variant, config_of

STEPS = 1500


@dataclass(frozen=True)
class Patient:
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
        change, cure = BY_NAME[self.change], CURES[self.treatment]
        return replace(
            change,
            surgery=lambda g, d, random: [v.surgery(g, d, random) for v in (change, cure)],
        )


def fewer(images: Images, count: int | None) -> Images:
    """Return the first images of a set, shown as often in an epoch as all of them are."""
    if count is None:
        return images
    return replace(
        images,
        pixels=images.pixels[:count],
        labels=images.labels[:count],
        repeats=images.repeats * len(images) // count,
    )


AT_64 = {
    "image_size": 64,
    "fit": "resize",
    "batch_size": 100,
    "learning_rate": 0.0008,
    "steps": 300,
}
SLOW_AT_64 = AT_64 | {"learning_rate": 0.0002, "first_bias": False}
SICK = [
    Patient("D wins early", settings=SLOW_AT_64),
    Patient("vanishing gradient", settings=SLOW_AT_64 | {"objective": "saturating"}),
    Patient("D wins late", images=100),
    Patient("one image", "β₁ 0.9"),
    Patient("few digits", "hidden layer in G"),
    Patient("oscillation", "β₁ 0.9", {"learning_rate": 0.00125}),
    Patient("NaN", "no batch norm", {"objective": "naive logarithm"}),
    Patient("wrong range", "mean 0.1307, std 0.3081"),
    Patient("detach missing", "detach missing", {"objective": "saturating"}),
    Patient("eval() too early", "eval() from step 200"),
    Patient("batch norm at D's input", "batch norm at D's input", seed=2),
    Patient("too little data", images=500),
    Patient("too high a rate", settings={"learning_rate": 0.2}),
]
HEALTHY = [
    *(Patient("healthy", seed=seed) for seed in range(10, 16)),
    Patient("healthy, rate × 10", settings={"learning_rate": 0.05}, seed=10),
    Patient("healthy, logarithm of a sigmoid", settings={"objective": "naive logarithm"}, seed=10),
    *(Patient("healthy, published", base="published", seed=seed) for seed in (10, 11, 12)),
    *(Patient("healthy, embedded", settings={"data": "embedded"}, seed=s) for s in (10, 11, 12)),
    *(Patient("healthy, 64×64", settings=AT_64, seed=seed) for seed in (10, 11)),
    *(Patient("healthy, slow", "rate ÷ 4", seed=seed) for seed in (10, 11)),
    *(Patient(f"healthy, {name}", name, seed=10) for name in ("max pooling in D", "ReLU in D")),
]
CLINIC = [  # notebook 08 asks what they have: do not read on before you have answered
    Patient("A", "hidden layer in G", seed=31),
    Patient("B", "eval() from step 200", seed=32),
    Patient("C", images=300, seed=33),
    Patient("D", "mean 0.1307, std 0.3081", seed=34),
    Patient("E", seed=35),
    Patient("F", images=80, seed=36),
    Patient("G", "detach missing", {"objective": "saturating"}, seed=37),
    Patient("H", settings={"learning_rate": 0.15}, seed=38),
]
CURES = {
    cure.name: cure
    for cure in (
        Variant("nothing", ""),
        Variant("rate ÷ 10", "", {"learning_rate": 0.1}),  # a factor
        Variant("rate × 4", "", {"learning_rate": 4.0}),
        Variant("label smoothing", "", {"real_label": 0.9}),
        Variant("noise on D's input", "", surgery=seen_through(noise)),
        Variant("augmentation", "", surgery=seen_through(shift)),
        Variant("end sooner", "", {"steps": 400}),
        Variant("more data", ""),  # five times as many images
    )
}
COMMON = ("nothing", "rate ÷ 10", "label smoothing", "noise on D's input", "augmentation")
TREATED = [
    replace(patient, treatment=treatment, seed=seed)
    for seed in (20, 21, 22)
    for patient, treatments in (
        (Patient("healthy"), COMMON),
        (Patient("D wins early", settings=SLOW_AT_64), ("nothing", "rate × 4", *COMMON[2:])),
        (Patient("D wins late", images=100), (*COMMON, "end sooner")),
        (Patient("D wins late", images=500), ("more data",)),
        (Patient("few digits", "hidden layer in G"), COMMON),
        (Patient("one image", "β₁ 0.9"), COMMON),
        (Patient("too high a rate", settings={"learning_rate": 0.2}), ("nothing", "rate ÷ 10")),
    )
    for treatment in treatments
]
