"""Every setting of a run, in one place: the dataclass, its checks and the named presets."""

import dataclasses
import inspect
import math
import re
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin


class UserError(ValueError):
    """A mistake that its reader can mend; the message says what is wrong and what to do."""


@dataclass(frozen=True)
class Config:
    """All settings of one training run; `UserError` names one that is not allowed.

    A comment beside a field is its only description: `--help` and the notebooks' tables show it.
    """

    data: str = "auto"  # auto (MNIST, else embedded), a named source, or an image folder
    image_size: int = 32  # side of the square images, in pixels; a power of two from 16 to 256
    fit: Literal["pad", "resize"] = "pad"  # how smaller images reach that size
    channels: int | None = None  # 1 for gray, 3 for color; None takes what the data have
    conditional: bool = False  # give both networks each image's label
    wrong_pairs: bool = False  # show D each real image with a wrong label, too, to be called fake
    latent_size: int = 100  # numbers in one latent vector z
    latent: Literal["normal", "uniform"] = "normal"  # z from N(0, 1), or uniform on [-1, 1]
    width: int = 32  # feature maps beside the image; twice as many with each halving
    leak: float = 0.2  # slope of LeakyReLU below zero, in the discriminator
    first_bias: bool = False  # a bias in D's first layer; without one D is blind to contrast
    spectral_norm: bool = False  # in D, spectral norm of the weights in place of batch norm
    initial_std: float = 0.02  # standard deviation of the initial weights
    objective: str = "non-saturating"  # what D and G minimize; losses.py lists them
    batch_size: int = 64  # images in one batch
    epochs: int = 5  # length of the run, in passes over the data
    steps: int | None = None  # length in steps, in place of epochs; None counts epochs
    learning_rate: float = 0.0002  # Adam's learning rate, for both networks
    decay: float = 0.0  # last part of the run in which the rate falls to 0; 0.5 is its second half
    beta1: float = 0.5  # Adam's decay rate of the gradient's running mean
    beta2: float = 0.999  # Adam's decay rate of the squared gradient's running mean
    real_label: float = 1.0  # D's target for real images; below 1 is one-sided label smoothing
    average: float = 0.0  # decay of the average of G's weights that draws the samples; 0 for none
    seed: int = 0  # everything random follows from it
    device: str = "auto"  # auto (CUDA, else MPS, else CPU), or a PyTorch device such as cuda:1
    precision: Literal["auto", "float32", "bf16"] = "auto"  # auto: bf16 where the hardware gains
    threads: int | None = None  # that a CPU computes with; None: 1 up to 32x32, else all
    record_every: int = 1  # steps between two recorded rows of metrics
    frames: int = 24  # pictures in the animation, dense at first, then sparser
    samples: int = 64  # images in each picture; with labels, a row of them for each class
    checkpoint_every: int = 250  # steps between two checkpoints, of which the last one stays
    keep_checkpoints: int = 3  # earlier checkpoints that stay as well, spread over the run

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            _require_type(field.name, getattr(self, field.name), field.type)
        sizes = [2**power for power in range(4, 9)]
        _require(self.image_size in sizes, "image_size", self.image_size, f"one of {sizes}")
        allowed = self.conditional or not self.wrong_pairs
        _require(allowed, "wrong_pairs", True, "False, unless conditional is True")
        _require(self.channels in (None, 1, 3), "channels", self.channels, "1, 3 or None")
        counts = "latent_size width batch_size epochs samples record_every checkpoint_every"
        for name in counts.split():
            _require(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")
        for name in ("steps", "threads"):
            value = getattr(self, name)
            _require(value is None or value >= 1, name, value, "1 or more, or None")
        for name, least in (("frames", 2), ("keep_checkpoints", 0)):
            value = getattr(self, name)
            _require(least <= value <= 1000, name, value, f"{least} to 1000")
        _require(0 <= self.seed < 2**31, "seed", self.seed, "0 to 2147483647")
        for name in ("learning_rate", "initial_std"):
            value = getattr(self, name)
            _require(0 < value < math.inf, name, value, "a number above 0")
        for name in ("beta1", "beta2", "leak", "average"):
            value = getattr(self, name)
            _require(0 <= value < 1, name, value, "at least 0 and below 1")
        _require(0 <= self.decay <= 1, "decay", self.decay, "0 to 1")
        _require(0.5 < self.real_label <= 1, "real_label", self.real_label, "above 0.5, at most 1")
        _require(self.data.strip() != "", "data", self.data, "auto, a named source or a folder")


def _require(holds: bool, name: str, value: object, allowed: str) -> None:
    if not holds:
        raise UserError(f"{name} is {value!r}; allowed: {allowed}. Change {name} and start again.")


def _require_type(name: str, value: object, expected: Any) -> None:
    """Refuse a value whose type cannot be what the field's annotation says."""
    options: tuple[Any, ...] = get_args(expected) or (expected,)
    if get_origin(expected) is Literal:
        return _require(value in options, name, value, " or ".join(options))
    accepted = (*options, int) if float in options else options
    kinds = " or ".join("None" if kind is type(None) else kind.__name__ for kind in options)
    fits = isinstance(value, accepted) and (bool in options or not isinstance(value, bool))
    _require(fits, name, value, kinds)


PRESETS: dict[str, Config] = {
    # Readable digits after 1 to 3 minutes on 2 CPU cores; chosen with the judge, on MNIST.
    "classroom": Config(
        batch_size=32, learning_rate=0.005, first_bias=True, average=0.998, epochs=3, steps=4200
    ),
    # What most tutorials run on MNIST (64x64, 512-256-128-64), at a rate four times theirs.
    "mnist64": Config(
        image_size=64,
        fit="resize",
        width=64,
        batch_size=100,
        samples=100,
        learning_rate=0.0008,
        first_bias=True,
        average=0.998,
    ),
    # The numbers of Radford et al. (2015), section 4; 1024-512-256-128 needs a GPU.
    "paper": Config(image_size=64, fit="resize", latent="uniform", width=128, batch_size=128),
    "smoke": Config(
        image_size=16,
        fit="resize",
        width=8,
        batch_size=32,
        steps=20,
        frames=4,
        samples=16,
        checkpoint_every=5,
        precision="float32",
    ),
}
# As classroom, in the same time, with the penalty R1 on D; notebook 13 tries it.
PRESETS["classroom-r1"] = dataclasses.replace(
    PRESETS["classroom"], objective="lazy R1", learning_rate=0.01, steps=3990
)
# As classroom, with labels, longer and with a rate that falls: it is asked for a digit.
PRESETS["conditional"] = dataclasses.replace(
    PRESETS["classroom"], conditional=True, wrong_pairs=True, samples=100, decay=0.5, steps=6600
)


def preset(name: str, **changes: Any) -> Config:
    """Return a named preset's settings, with any of them changed by the field's name.

    `epochs` without `steps` sets the length also where the preset gives it in steps. Raises
    `UserError` if there is no such preset or field, or a value is not allowed.
    """
    known = [field.name for field in dataclasses.fields(Config)]
    if name not in PRESETS:
        raise UserError(f"There is no preset {name!r}; there are: {', '.join(PRESETS)}.")
    if wrong := [change for change in changes if change not in known]:
        raise UserError(f"There is no setting {wrong[0]!r}; there are: {', '.join(known)}.")
    if "epochs" in changes:  # the preset may count in steps: the later word on the length wins
        changes = {"steps": None} | changes
    return dataclasses.replace(PRESETS[name], **changes)


def meanings() -> dict[str, str]:
    """Return each setting's meaning: the comment beside its field in `Config`."""
    pattern = re.compile(r"^    (\w+): [^#]+#\s*(.+)$", re.MULTILINE)
    return dict(pattern.findall(inspect.getsource(Config)))
