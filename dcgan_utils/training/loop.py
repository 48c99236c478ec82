"""One run in memory: its networks, its random numbers, and the loop around the two steps.

Nothing here draws, prints or writes files: whoever calls the loop is told how it goes.
"""

import dataclasses
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..config import Config, UserError
from ..data import Batches, Images
from ..losses import objective_for
from ..networks import new_networks
from ..sampling import draw_latents, sample
from .average import Average
from .frames import layout, sample_steps
from .hardware import (
    autocast,
    choose_device,
    choose_precision,
    environment,
    memory_format,
    require_compiler,
)
from .health import DIVERGED, Diverged, Look, Monitor, Report, look
from .history import History
from .interrupt import StoppedBetweenSteps, signals_wait
from .memory import require_memory
from .processes import Processes, losses_noticed, require_own_device, with_synced_batch_norm
from .steps import discriminator_step, generator_step, set_learning_rate

REPORT_EVERY = 25  # steps between two reports; each makes the device wait once


class Training:
    """One run in memory: networks, optimizers, random state, and what was recorded.

    Parameters
    ----------
    config
        The settings. What "auto" and None stand for is in `device`, `precision` and the networks.
    images
        The data, at the size that the settings name.
    generator, discriminator
        Networks of your own, taken as they are: initialize them yourself. By default both are made
        from the settings. Whether they are given labels, `config.conditional` says.

    Raises
    ------
    UserError
        If the objective or the device is not there, a batch is larger than the data or has fewer
        images than there are processes, or nothing can be compiled.
    """

    def __init__(
        self,
        config: Config,
        images: Images,
        generator: nn.Module | None = None,
        discriminator: nn.Module | None = None,
    ):
        self.config, self.images = config, images
        self.processes = Processes(config.batch_size)
        self.objective = self.processes.weighing(objective_for(config))
        self.device = choose_device(config.device)
        require_own_device(self.device)
        self.precision = choose_precision(config.precision, self.device)
        self.batches = Batches(images, config.batch_size, config.seed, self.device)
        by_epochs = config.epochs * self.batches.per_epoch // self.objective.steps_of_d
        self.total = by_epochs if config.steps is None else config.steps
        self.random = torch.Generator(self.device).manual_seed(config.seed)
        self._own_networks = generator is not None or discriminator is not None
        self._make_networks(generator, discriminator)
        told = len(images.classes) if config.conditional else 0
        self.columns, self.fixed_labels = layout(config.samples, told)  # (samples,), or None
        latents = self._draw_latents(self.columns if told else config.samples)
        self.fixed_latents = latents.repeat(told or 1, 1)  # (samples, latent_size)
        self.history, self.step, self.seconds = History(self.objective.metrics), 0, 0.0
        self.frames: dict[int, Tensor] = {}  # finished steps: (samples, C, S, S) uint8

    def _make_networks(self, generator: nn.Module | None, discriminator: nn.Module | None) -> None:
        config, layout = self.config, memory_format(self.device)
        if generator is None or discriminator is None:
            channels, classes = self.images.pixels.shape[1], len(self.images.classes)
            require_memory(config, channels, classes, self.device)
            made = new_networks(config, channels, classes, self.random, layout)
            generator = made[0] if generator is None else generator
            discriminator = made[1] if discriminator is None else discriminator
        if config.sync_batch_norm:
            generator = with_synced_batch_norm(generator, self.device)
            discriminator = with_synced_batch_norm(discriminator, self.device)
        self.generator = generator.to(self.device).to(memory_format=layout)
        self.discriminator = discriminator.to(self.device).to(memory_format=layout)
        self.optimizers = {
            name: torch.optim.Adam(
                network.parameters(), config.learning_rate, (config.beta1, config.beta2), fused=True
            )
            for name, network in (("generator", generator), ("discriminator", discriminator))
        }
        kept = config.average and self.processes.first
        self._average = Average(self.generator, config.average) if kept else None
        if config.compile:
            require_compiler(self.device)
            # In place: names stay. By default, PyTorch compiles for all batch sizes when
            # it meets a second one. A resumed run meets it elsewhere: last bits would differ.
            self.generator.compile(dynamic=False)
            self.discriminator.compile(dynamic=False)

    @property
    def sampler(self) -> nn.Module:
        """The generator that draws samples: the average of the trained one, if there is one."""
        return self.generator if self._average is None else self._average.network

    def _draw_latents(self, count: int) -> Tensor:
        return draw_latents(count, self.config.latent_size, self.config.latent, self.random)

    def train_step(self) -> tuple[Tensor, Tensor, Tensor]:
        """Take one step of both networks; some objectives let D take several for one of G's.

        Returns
        -------
        values, real, fake
            The objective's metrics in their order, and the last two batches (B, C, S, S); of
            several processes, each has its share of them.
        """
        generator = self.processes.averaging(self.generator)
        discriminator = self.processes.averaging(self.discriminator)
        for optimizer in self.optimizers.values():
            set_learning_rate(optimizer, self.config, self.step / self.total)
        for turn in range(self.objective.steps_of_d):
            batch = self.batches.batch(self.step * self.objective.steps_of_d + turn)
            real, known = (part[self.processes.share] for part in batch)
            labels = known if self.config.conditional else None
            given = () if labels is None else (labels,)
            with autocast(self.device, self.precision):
                z = self._draw_latents(self.config.batch_size)[self.processes.share]
                fake = generator(z, *given)
            loss_d, d_real, d_before = discriminator_step(
                discriminator,
                self.optimizers["discriminator"],
                real,
                fake,
                labels,
                self.objective,
                self.precision,
            )
        loss_g, d_after = generator_step(
            generator,
            self.discriminator,  # not the averaging one: its gradients are not computed here
            self.optimizers["generator"],
            fake,
            labels,
            self.objective,
            self.precision,
        )
        if self._average is not None:
            self._average.update(self.step)
        self.step += 1
        values = torch.stack([loss_d, loss_g, d_real, d_before, d_after])
        return self.processes.mean(values), real, fake

    def run(
        self,
        on_report: Callable[[Report], object] = lambda report: None,
        on_checkpoint: Callable[[], object] = lambda: None,
        steps: int | None = None,
    ) -> bool:
        """Train from the current step to the last, or until a callback answers True.

        Parameters
        ----------
        on_report
            Called with a `Report` every `REPORT_EVERY` steps and after the last; it stops the run
            by returning True.
        on_checkpoint
            Called every `checkpoint_every` steps and after the last: the time to save. It stops
            the run by returning True.
        steps
            How many steps to take at most before returning, also beyond the last.

        Returns
        -------
        bool
            Whether the run has reached its last step. A run that was stopped goes on where it
            stands when `run` is called again.

        Raises
        ------
        Diverged
            When a metric or a weight becomes NaN or infinite, before anything of it is saved.
        StoppedBetweenSteps
            After Ctrl-C or SIGTERM, once the step under way is done; it is a KeyboardInterrupt.
        ProcessLost
            If another of several processes is gone.
        """
        schedule = sample_steps(self.total, self.config.frames) if self.processes.first else []
        monitor = Monitor(self.objective.metrics, len(self.images))
        began = time.perf_counter() - self.seconds
        end, told_to_stop = self.total if steps is None else self.step + steps, False
        self._keep_frame(schedule)
        tf32 = torch.backends.cudnn.allow_tf32  # stays what the user has set
        exact = torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=tf32)
        with exact, losses_noticed(), signals_wait() as interrupted:
            while self.step < end and not self.processes.any(told_to_stop or interrupted()):
                values, real, fake = self.train_step()
                self.seconds = time.perf_counter() - began
                if self._is_due(self.config.record_every):
                    self.history.add(self.step, self.seconds, values)
                self._keep_frame(schedule)
                if self._is_due(REPORT_EVERY):
                    read = self._read(values, real, fake)
                    self.seconds = time.perf_counter() - began  # the device has caught up
                    told_to_stop = on_report(self._report(monitor, read)) is True
                if self._is_due(self.config.checkpoint_every):
                    self.history.flush()
                    self._require_finite()
                    told_to_stop = on_checkpoint() is True or told_to_stop
            self.history.flush()
            if self.processes.any(interrupted()):
                raise StoppedBetweenSteps(self.step, self.total)
        return self.step >= self.total

    def _is_due(self, every: int) -> bool:
        return self.step % every == 0 or self.step == self.total

    def _keep_frame(self, schedule: list[int]) -> None:
        if self.step in schedule and self.step not in self.frames:
            self.frames[self.step] = sample(self.sampler, self.fixed_latents, self.fixed_labels)

    def _read(self, values: Tensor, real: Tensor, fake: Tensor) -> list[float]:
        """Return a step's metrics, and a look at its real and at its generated images."""
        self.history.flush()
        looks = (look(self.processes.whole(images)) for images in (real, fake))
        return torch.cat([values, *looks]).tolist()

    def _report(self, monitor: Monitor, read: list[float]) -> Report:
        named = dict(zip((metric.key for metric in self.objective.metrics), read))
        real, fake = Look(*read[-8:-4]), Look(*read[-4:])
        in_training = self.generator.training and self.discriminator.training
        warnings = monitor.check(named, real, fake, in_training)
        left = self.seconds / self.step * (self.total - self.step)
        return Report(self.step, self.total, self.seconds, left, named, real, fake, warnings)

    def _require_finite(self) -> None:
        states = (network.state_dict() for network in (self.generator, self.discriminator))
        finite = [value.isfinite().all() for state in states for value in state.values()]
        if self.processes.any(not torch.stack(finite).all()):  # read once
            raise Diverged(DIVERGED)

    def state_dict(self) -> dict:
        """Return all that the rest of the run depends on, as tensors and plain values."""
        self.history.flush()
        return {
            "config": dataclasses.asdict(self.config),
            "data": self.images.identity,
            "device": self.device.type,
            "precision": self.precision,
            "own networks": self._own_networks,
            "environment": environment(self.device),
            "step": self.step,
            "seconds": self.seconds,
            "generator": self.generator.state_dict(),
            "discriminator": self.discriminator.state_dict(),
            "averaged": None if self._average is None else self._average.state_dict(),
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
            If the data, the kind of device or the precision are not those of the state, or if it
            had networks of its own and this training has not.
        """
        if state["own networks"] and not self._own_networks:
            raise UserError(
                "This run had networks of its own, which the settings do not describe. Make the "
                "same ones and give them to Training before its state."
            )
        here = {
            "data": self.images.identity,
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
        if self._average is not None:
            self._average.load_state_dict(state["averaged"])
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
        self.random.set_state(state["random"].cpu())
        self.fixed_latents = state["fixed_latents"].to(self.device)
        self.history = History(self.objective.metrics, state["history"])
        self.frames = dict(state["frames"])
