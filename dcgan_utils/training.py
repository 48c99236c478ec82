"""The discriminator's step, the generator's step, and the loop around them.

Nothing here draws, prints or writes files: whoever calls the loop is told how it goes.
"""

import dataclasses
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from .config import Config, UserError
from .data import Batches, Images, unscale
from .hardware import (
    autocast,
    choose_device,
    choose_precision,
    memory_format,
    require_compiler,
)
from .health import DIVERGED, Diverged, Monitor
from .history import COLUMNS, History
from .networks import Discriminator, Generator, draw_latents, initialize_weights

REPORT_EVERY = 25  # steps between two reports; each makes the device wait once


def bce(logits: Tensor, label: float) -> Tensor:
    """Return the mean binary cross-entropy of logits (B,) against one label, in nats."""
    logits = logits.float()
    return binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))


def discriminator_step(
    discriminator: nn.Module,
    optimizer: Optimizer,
    real: Tensor,
    fake: Tensor,
    precision: str = "float32",
    real_label: float = 1.0,
) -> tuple[Tensor, Tensor, Tensor]:
    """Make the discriminator better at telling real images from fake ones, once.

    Real and fake are separate batches, so that batch norm never mixes their statistics.

    Parameters
    ----------
    discriminator, optimizer
        The network, and the optimizer of its parameters; both are changed.
    real, fake
        (B, C, S, S), in [-1, 1]. No gradient reaches whatever made `fake`.
    precision
        "float32", or "bf16" to compute the convolutions in it.
    real_label
        What D is to say of real images; below 1 it is never asked to be sure of one.

    Returns
    -------
    loss_d, d_real, d_fake
        Scalars, still on the device: the loss in nats, the means of D(x) and of D(G(z)) before
        the step.

    References
    ----------
    Goodfellow et al. (2014), algorithm 1; the loss is -log D(x) - log(1 - D(G(z))). One-sided label
    smoothing: Salimans et al. (2016), arXiv:1606.03498, section 3.4.
    """
    with autocast(real.device, precision):
        logits_real = discriminator(real)
        logits_fake = discriminator(fake.detach())
    loss = bce(logits_real, real_label) + bce(logits_fake, 0.0)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach(), mean_score(logits_real), mean_score(logits_fake)


def generator_step(
    generator: nn.Module,
    discriminator: nn.Module,
    optimizer: Optimizer,
    fake: Tensor,
    precision: str = "float32",
) -> tuple[Tensor, Tensor]:
    """Make the generator better at what the discriminator takes for real, once.

    Parameters
    ----------
    generator, optimizer
        The network that made `fake`, and the optimizer of its parameters; both are changed.
    discriminator
        Judges `fake`; its parameters are not changed, nor are their gradients computed.
    fake
        (B, C, S, S), in [-1, 1], with the graph that leads back to the generator.
    precision
        "float32", or "bf16" to compute the convolutions in it.

    Returns
    -------
    loss_g, d_fake
        Scalars, still on the device: the loss in nats, the mean of D(G(z)) after the
        discriminator's step.

    References
    ----------
    Goodfellow et al. (2014), section 3: the non-saturating loss, -log D(G(z)).
    """
    with autocast(fake.device, precision):
        logits = discriminator(fake)
    loss = bce(logits, 1.0)
    optimizer.zero_grad()
    loss.backward(inputs=list(generator.parameters()))
    optimizer.step()
    return loss.detach(), mean_score(logits)


def mean_score(logits: Tensor) -> Tensor:
    """Return the mean of D, the sigmoid of its logits (B,), as a scalar without a graph."""
    return torch.sigmoid(logits.detach().float()).mean()


def average_decay(decay: float, updates: int) -> float:
    """Return the decay of the running average of G's weights at one of its updates.

    It grows to `decay`: a constant one would show the first weights, which draw gray, for hundreds
    of steps. TensorFlow's `ExponentialMovingAverage` has the same rule.

    Examples
    --------
    >>> [round(average_decay(0.998, updates), 3) for updates in (1, 100, 10_000)]
    [0.182, 0.918, 0.998]
    """
    return min(decay, (1 + updates) / (10 + updates))


def sample_steps(total: int, frames: int) -> list[int]:
    """Return the numbers of finished steps after which to draw the fixed latent vectors.

    Dense while pictures change fast, sparser later: they grow as the power 2.5. 0 and `total` are
    always among them.

    Examples
    --------
    >>> sample_steps(1000, 5)
    [0, 31, 177, 487, 1000]
    """
    places = torch.linspace(0, 1, frames, dtype=torch.float64) ** 2.5
    return sorted({round(place * total) for place in places.tolist()})


def spread(images: Tensor) -> Tensor:
    """Return how much images (B, C, S, S) differ: standard deviation, averaged over pixels."""
    return images.detach().float().std(dim=0, correction=0).mean()


@dataclass(frozen=True)
class Report:
    """How a run stands, given to `on_report` every `REPORT_EVERY` steps and at the end."""

    step: int  # finished steps
    total: int  # steps when the run is done
    seconds: float  # training time so far
    seconds_left: float  # estimated from the pace so far
    figures: dict[str, float]  # this step's figures, by their `history.COLUMNS` names
    warnings: list[str]  # what has begun to go wrong, in words


class Training:
    """One run in memory: networks, optimizers, random state, and what was recorded.

    Parameters
    ----------
    config
        The settings. What "auto" and None stand for is in `device`, `precision` and the networks.
    images
        The data, at the size that the settings name.

    Raises
    ------
    UserError
        If the device is not there, a batch is larger than the data, or nothing can be compiled.
    """

    def __init__(self, config: Config, images: Images):
        self.config, self.images = config, images
        self.device = choose_device(config.device)
        self.precision = choose_precision(config.precision, self.device)
        self.batches = Batches(images, config.batch_size, config.seed, self.device)
        every = config.epochs * self.batches.steps_per_epoch
        self.total = every if config.steps is None else min(config.steps, every)
        self.random = torch.Generator(self.device).manual_seed(config.seed)
        self._build_networks(images.pixels.shape[1])
        self.fixed_latents = self._draw(config.samples)  # (samples, latent_size)
        self.history, self.step, self.seconds = History(), 0, 0.0
        self.frames: dict[int, Tensor] = {}  # finished steps: (samples, C, S, S) uint8

    def _build_networks(self, channels: int) -> None:
        config, size = self.config, self.config.image_size
        self.generator = Generator(size, channels, config.latent_size, config.width)
        self.discriminator = Discriminator(
            size, channels, config.width, config.leak, config.first_bias
        )
        self.optimizers = {}
        for name in ("generator", "discriminator"):
            network = getattr(self, name).to(self.device, memory_format=memory_format(self.device))
            initialize_weights(network, self.random, config.initial_std)
            self.optimizers[name] = torch.optim.Adam(
                network.parameters(), config.learning_rate, (config.beta1, config.beta2), fused=True
            )
        self._averaged = None
        if config.average:
            self._averaged = AveragedModel(
                self.generator, multi_avg_fn=self._average, use_buffers=True
            )
        if config.compile:
            require_compiler(self.device)
            self.generator.compile()  # in place: names and weights stay as they are
            self.discriminator.compile()

    @property
    def sampler(self) -> nn.Module:
        """The generator that draws samples: the average of the trained one, if there is one."""
        return self.generator if self._averaged is None else self._averaged.module

    def _average(self, averaged: list[Tensor], current: list[Tensor], updates: Tensor) -> None:
        """Move the averages on: `AveragedModel` calls this after its first update, which copies.

        `updates` is on the device, and to read it would make the host wait; `step` is the same.
        """
        decay = average_decay(self.config.average, self.step)
        get_ema_multi_avg_fn(decay)(averaged, current, updates)

    def _draw(self, count: int) -> Tensor:
        return draw_latents(count, self.config.latent_size, self.config.latent, self.random)

    def train_step(self) -> tuple[Tensor, Tensor, Tensor]:
        """Take one step of both networks.

        Returns
        -------
        figures, real, fake
            (5,) in the order of `history.COLUMNS`, and the two batches (B, C, S, S).
        """
        real = self.batches.batch(self.step)
        with autocast(self.device, self.precision):
            fake = self.generator(self._draw(len(real)))
        loss_d, d_real, d_before = discriminator_step(
            self.discriminator, self.optimizers["discriminator"], real, fake,
            self.precision, self.config.real_label,
        )  # fmt: skip
        loss_g, d_after = generator_step(
            self.generator, self.discriminator, self.optimizers["generator"], fake, self.precision
        )
        if self._averaged is not None:
            self._averaged.update_parameters(self.generator)
        self.step += 1
        return torch.stack([loss_d, loss_g, d_real, d_before, d_after]), real, fake

    def sample(self, latents: Tensor) -> Tensor:
        """Draw latent vectors (B, latent_size) as images, (B, C, S, S) uint8 on the CPU.

        In evaluation mode: an image depends on its own latent vector, not on the batch.
        """
        self.sampler.eval()
        with torch.no_grad():
            images = self.sampler(latents)
        self.sampler.train()
        return unscale(images).cpu()

    def run(
        self,
        on_report: Callable[[Report], None] = lambda report: None,
        on_checkpoint: Callable[[], None] = lambda: None,
    ) -> None:
        """Train from the current step to the last.

        Parameters
        ----------
        on_report
            Called with a `Report` every `REPORT_EVERY` steps and after the last.
        on_checkpoint
            Called every `checkpoint_every` steps and after the last: the time to save.

        Raises
        ------
        Diverged
            When a figure or a weight becomes NaN or infinite, before anything of it is saved.
        """
        schedule = set(sample_steps(self.total, self.config.frames))
        monitor, began = Monitor(self.config.real_label), time.perf_counter() - self.seconds
        self._keep_frame(schedule)
        tf32 = torch.backends.cudnn.allow_tf32  # stays what the user has set
        with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=tf32):
            while self.step < self.total:
                figures, real, fake = self.train_step()
                self.seconds = time.perf_counter() - began
                if self._is_due(self.config.record_every):
                    self.history.add(self.step, self.seconds, figures)
                self._keep_frame(schedule)
                if self._is_due(REPORT_EVERY):
                    values = self._read(figures, real, fake)
                    self.seconds = time.perf_counter() - began  # the device has caught up
                    on_report(self._report(monitor, *values))
                if self._is_due(self.config.checkpoint_every):
                    self.history.flush()
                    self._require_finite()
                    on_checkpoint()

    def _is_due(self, every: int) -> bool:
        return self.step % every == 0 or self.step == self.total

    def _keep_frame(self, schedule: set[int]) -> None:
        if self.step in schedule and self.step not in self.frames:
            self.frames[self.step] = self.sample(self.fixed_latents)

    def _read(self, figures: Tensor, real: Tensor, fake: Tensor) -> list[float]:
        """Return a step's five figures, and how much real and generated images differ."""
        self.history.flush()
        return torch.cat([figures, torch.stack([spread(real), spread(fake)])]).tolist()

    def _report(self, monitor: Monitor, *values: float) -> Report:
        *five, spread_real, spread_fake = values
        named = dict(zip(COLUMNS[2:], five))
        warnings = monitor.check(named["loss_d"], named["loss_g"], spread_real, spread_fake)
        left = self.seconds / self.step * (self.total - self.step)
        return Report(self.step, self.total, self.seconds, left, named, warnings)

    def _require_finite(self) -> None:
        states = (network.state_dict() for network in (self.generator, self.discriminator))
        finite = [value.isfinite().all() for state in states for value in state.values()]
        if not torch.stack(finite).all():  # read once
            raise Diverged(DIVERGED)

    def state_dict(self) -> dict:
        """Return all that the rest of the run depends on, as tensors and plain values."""
        self.history.flush()
        return {
            "config": dataclasses.asdict(self.config),
            "data": self._data_identity(),
            "device": self.device.type,
            "precision": self.precision,
            "step": self.step,
            "seconds": self.seconds,
            "generator": self.generator.state_dict(),
            "discriminator": self.discriminator.state_dict(),
            "averaged": None if self._averaged is None else self._averaged.state_dict(),
            "optimizers": {name: o.state_dict() for name, o in self.optimizers.items()},
            "random": self.random.get_state(),
            "fixed_latents": self.fixed_latents,
            "history": self.history.rows,
            "frames": self.frames,
        }

    def load_state_dict(self, state: dict) -> None:
        """Go back to where `state_dict` was taken; the run then ends as if never interrupted.

        Raises
        ------
        UserError
            If the data, the kind of device or the precision are not those of the state.
        """
        here = {
            "data": self._data_identity(),
            "device": self.device.type,
            "precision": self.precision,
        }
        for name, value in here.items():
            if state[name] != value:
                raise UserError(
                    f"This run was trained with {name} {state[name]!r}, but here it is {value!r}. "
                    f"Resume it where it began, or start a new run."
                )
        self.step, self.seconds = state["step"], state["seconds"]
        self.generator.load_state_dict(state["generator"])
        self.discriminator.load_state_dict(state["discriminator"])
        if self._averaged is not None:
            self._averaged.load_state_dict(state["averaged"])
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
        self.random.set_state(state["random"].cpu())
        self.fixed_latents = state["fixed_latents"].to(self.device)
        self.history, self.frames = History(state["history"]), dict(state["frames"])

    def _data_identity(self) -> str:
        checksum = zlib.crc32(self.images.pixels.numpy())
        return f"{self.images.source}, {len(self.images.pixels)} images, CRC-32 {checksum:08x}"
