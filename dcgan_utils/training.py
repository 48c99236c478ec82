"""Training: the two steps, which notebook 05 takes by hand, what they record, and the loop."""

import contextlib
import copy
import dataclasses
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer
from torch.optim.swa_utils import get_ema_multi_avg_fn

from . import device as devices
from .config import Config, UserError
from .data import Batches, Images
from .device import autocast
from .health import DIVERGED, BatchStatistics, Diverged, Monitor, Report, batch_statistics
from .language import say
from .losses import Objective, non_saturating, objective_for
from .networks import new_networks
from .sampling import draw_latents, sample

NON_SATURATING = non_saturating(Config())
REPORT_EVERY = 25  # steps between two reports; each makes the device wait once


def discriminator_step(
    discriminator: nn.Module,
    optimizer: Optimizer,
    real: Tensor,
    fake: Tensor,
    labels: Tensor | None = None,
    objective: Objective = NON_SATURATING,
    precision: str = "float32",
    penalized: bool = True,
    random: torch.Generator | None = None,
    twin: nn.Module | None = None,
    second: Executor | None = None,
    wrong: Sequence[Tensor] = (),
) -> dict[str, Tensor]:
    """Make the discriminator better at telling real images from fake ones, once.

    Goodfellow et al. (2014), algorithm 1. `real` and `fake`, (B, C, S, S) in [-1, 1], are separate
    batches, so that batch norm never mixes their statistics; no gradient reaches what made `fake`.
    `labels`, (B,) int64, are of both; with others, `wrong`, the real images count as fake, too:
    Reed et al. (2016), arXiv:1605.05396, algorithm 1. The penalty counts where `penalized`, and its
    random numbers come from `random`. A second thread, if there is one, takes the generated
    images at the same time, with the `twin` of D (see `twin_of`), and with the same result. Returns
    scalars, still on the device: the loss without the penalty, D's mean score of real images and of
    generated ones before the step (usually D(x) and D(G(z))), and what else the objective reports.
    """

    def outputs_for(images: Tensor, network: nn.Module = discriminator, y: Any = labels) -> Tensor:
        with autocast(real.device, precision):
            return network(images, *(() if y is None else (y,))).float()

    def outputs_for_real() -> Tensor:  # (1, B), or (2, B) with wrong pairs
        return torch.stack([outputs_for(real, y=y) for y in (labels, *wrong)])

    def both(of_real: Callable[[], Any], of_fake: Callable[[], Any]) -> tuple[Any, Any]:
        if second is None or twin is None:
            return of_real(), of_fake()
        later = second.submit(of_fake)
        return of_real(), later.result()

    fake = fake.detach()
    other = discriminator if twin is None else twin.train(discriminator.training)
    on_first, on_fake = outputs = both(outputs_for_real, lambda: outputs_for(fake, other))
    if twin is not None:  # the way back has two parts as well, from the outputs on
        on_first, on_fake = (output.detach().requires_grad_() for output in outputs)
    on_real, *on_wrong = on_first
    losses = [objective.discriminator_loss(on_real, fakes) for fakes in (on_fake, *on_wrong)]
    loss = torch.stack(losses).mean()
    reported = {
        "loss_d": loss.detach(),
        "d_real": objective.score(on_real.detach()).mean(),
        "d_fake_before": objective.score(on_fake.detach()).mean(),
    }
    for name, number in objective.reports.items():
        reported[name] = number(on_real.detach(), on_fake.detach())
    if objective.penalty is not None and penalized:
        with autocast(real.device, precision):
            penalty = objective.penalty(outputs_for, real, fake, random)
        reported["penalty"] = penalty.detach()
        loss = loss + objective.penalty_every * penalty
    optimizer.zero_grad()
    loss.backward()
    if twin is not None:
        both(lambda: outputs[0].backward(on_first.grad), lambda: outputs[1].backward(on_fake.grad))
        follow_twin(discriminator, twin)
    optimizer.step()
    objective.constrain(discriminator)
    return reported


def twin_of(discriminator: nn.Module) -> nn.Module:
    """Return a network of the same parameters, whose running statistics are its last batch's."""
    shared: Any = {id(parameter): parameter for parameter in discriminator.parameters()}
    twin = copy.deepcopy(discriminator, shared)
    for layer in twin.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 1.0
    return twin


def follow_twin(discriminator: nn.Module, twin: nn.Module) -> None:
    """Let running statistics take in the twin's batch, as if D had seen it itself."""
    pairs: Any = zip(discriminator.modules(), twin.modules())
    for own, other in (pair for pair in pairs if isinstance(pair[0], nn.BatchNorm2d)):
        if own.training:
            own.running_mean.lerp_(other.running_mean, own.momentum)
            own.running_var.lerp_(other.running_var, own.momentum)
            own.num_batches_tracked += 1


def generator_step(
    generator: nn.Module,
    discriminator: nn.Module,
    optimizer: Optimizer,
    fake: Tensor,
    labels: Tensor | None = None,
    objective: Objective = NON_SATURATING,
    precision: str = "float32",
    real: Tensor | None = None,
) -> dict[str, Tensor]:
    """Make the generator better at what the discriminator takes for real, once.

    Goodfellow et al. (2014), algorithm 1. `fake`, (B, C, S, S) in [-1, 1], comes with its graph;
    `real`, as large, is for a relativistic objective. Returns scalars, still on the device: the
    loss, and D's mean score of the generated images after its own step.
    """
    inputs = () if labels is None else (labels,)
    with autocast(fake.device, precision):
        outputs = [discriminator(fake, *inputs).float()]
        if objective.relativistic:
            outputs.append(discriminator(real, *inputs).float())
    loss = objective.generator_loss(*outputs)
    optimizer.zero_grad()
    loss.backward(inputs=[p for p in generator.parameters() if p.requires_grad])  # none for D's
    optimizer.step()
    score = objective.score(outputs[0].detach()).mean()
    return {"loss_g": loss.detach(), "d_fake_after": score}


class History:
    """The recorded numbers, by column.

    `step` counts finished steps, `seconds` the training time until then. The others are what the
    steps report: usually `loss_d` and `loss_g` in nats, `d_real` the mean of D(x), `d_fake_before`
    and `d_fake_after` that of D(G(z)) before and after D's own step. What a step does not report is
    NaN. Values stay on the device until `flush`, so that recording does not make it wait.
    """

    def __init__(
        self,
        probability: bool = False,
        columns: Sequence[str] = ("step", "seconds"),
        rows: Tensor | None = None,
    ):
        self.probability, self.columns = probability, tuple(columns)
        self.rows = torch.empty(0, len(self.columns), dtype=torch.float64) if rows is None else rows
        self._waiting: list[tuple[int, float, Tensor]] = []

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, column: str) -> Tensor:
        """Return one column, (rows,) float64."""
        return self.rows[:, self.columns.index(column)]

    @property
    def names(self) -> tuple[str, ...]:
        """What the steps reported."""
        return self.columns[2:]

    def add(self, step: int, seconds: float, values: Mapping[str, Tensor]) -> None:
        """Keep a step's numbers, scalars that are still on the device."""
        if new := [name for name in values if name not in self.columns]:
            self.flush()
            self.columns += tuple(new)
            self.rows = torch.nn.functional.pad(self.rows, (0, len(new)), value=torch.nan)
        missing = torch.full_like(next(iter(values.values())), torch.nan)
        row = torch.stack([values.get(name, missing) for name in self.names])
        self._waiting.append((step, seconds, row))

    def flush(self) -> None:
        """Read all waiting values from the device at once."""
        if not self._waiting:
            return
        steps, seconds, values = zip(*self._waiting)
        times = torch.tensor([steps, seconds], dtype=torch.float64).T  # (new rows, 2)
        read = torch.stack(values).cpu().double()  # (new rows, names); MPS has no float64
        self.rows = torch.cat([self.rows, torch.cat([times, read], dim=1)])
        self._waiting.clear()

    def to_csv(self) -> bytes:
        """Return the table as CSV with a header line."""
        lines = [",".join(self.columns)]
        for step, seconds, *values in self.rows.tolist():
            cells = [f"{step:.0f}", f"{seconds:.3f}", *(f"{value:.6g}" for value in values)]
            lines.append(",".join(cells))
        return ("\n".join(lines) + "\n").encode()


class Training:
    """One run in memory: networks, optimizers, random state, and what was recorded.

    Networks of your own are taken as they are: initialize them yourself; whether they are given
    labels, `config.conditional` says. `self.config` has the device, precision and channels in use
    (else `UserError`); `self.average` is the moving average (EMA) of G's weights, or None.
    """

    def __init__(
        self,
        config: Config,
        images: Images,
        generator: nn.Module | None = None,
        discriminator: nn.Module | None = None,
    ):
        channels, size = images.pixels.shape[1:3]
        if size != config.image_size or config.channels not in (None, channels):
            said = f"image_size is {config.image_size} and channels {config.channels}"
            wrong = f"The images are {size}x{size} with {channels} channels, but {said}"
            raise UserError(f"{wrong}. Get them by load_images(config).")
        if config.wrong_pairs and len(images.classes) == 1:
            raise UserError("wrong_pairs is True; allowed: False, as all images are of one class.")
        config = devices.decide_device(dataclasses.replace(config, channels=channels))
        self.config, self.images = config, images
        self.objective = objective_for(config)
        self.device, self.precision = torch.device(config.device), config.precision
        self.batches = Batches(images, config.batch_size, config.seed, self.device)
        batches, steps_of_d = self.batches.per_epoch, self.objective.steps_of_d
        self.total = config.steps or max(config.epochs * batches // steps_of_d, 1)
        self.epochs = self.total * steps_of_d / batches
        self.step, self.seconds = 0, 0.0
        self.history = History(self.objective.probability)
        self.frames: dict[int, Tensor] = {}  # finished steps: (samples, C, S, S) uint8
        self.random = torch.Generator(self.device).manual_seed(config.seed)

        self.own_networks = generator is not None or discriminator is not None
        layout = devices.memory_format(self.device)
        if generator is None or discriminator is None:
            made = new_networks(config, channels, len(images.classes), self.random, layout)
            generator = made[0] if generator is None else generator
            discriminator = made[1] if discriminator is None else discriminator
        self.generator = generator.to(self.device).to(memory_format=layout)
        self.discriminator = discriminator.to(self.device).to(memory_format=layout)
        betas = config.beta1, config.beta2
        self.optimizers = {
            name: Adam(network.parameters(), config.learning_rate, betas, fused=True)
            for name, network in (("generator", generator), ("discriminator", discriminator))
        }
        self.average = copy.deepcopy(self.generator) if config.average else None
        states = [self.sampler.state_dict().values(), self.generator.state_dict().values()]
        self._followed = list(zip(*states)) if config.average else []  # pairs, changed in place
        own = config.batch_size // devices.world_size()  # this process's part of a batch
        self._share = slice(devices.rank() * own, (devices.rank() + 1) * own)
        self._averaging_g = devices.averaging(self.generator)  # of gradients, over the processes
        self._averaging_d = devices.averaging(self.discriminator)
        alone = not (self.own_networks or config.spectral_norm or devices.world_size() > 1)
        self._twin = twin_of(self.discriminator) if alone else None
        self._second: Executor | None = None  # a thread, while there is one: see `run`

        classes = len(images.classes) if config.conditional else 0
        self.columns, self.fixed_labels = round(config.samples**0.5), None  # of the pictures
        if classes:  # a row for each, and in it the same latent vectors
            self.columns = max(1, config.samples // classes)
            self.fixed_labels = torch.arange(classes).repeat_interleave(self.columns)  # (samples,)
        latents = self._draw_latents(self.columns if classes else config.samples)
        self.fixed_latents = latents.repeat(classes or 1, 1)  # (samples, latent_size)

    @property
    def sampler(self) -> nn.Module:
        """The generator that draws samples: the average of the trained one, if there is one."""
        return self.generator if self.average is None else self.average

    def _draw_latents(self, count: int) -> Tensor:
        return draw_latents(count, self.config.latent_size, self.config.latent, self.random)

    def train_step(self) -> tuple[dict[str, Tensor], Tensor, Tensor]:
        """Take a step of D, or more, and of G; return what they report, and their last batches."""
        config, objective, classes = self.config, self.objective, len(self.images.classes)
        of_d: dict[str, Tensor] = {}
        how: dict[str, Any] = {"objective": objective, "precision": self.precision}
        for optimizer in self.optimizers.values():
            set_learning_rate(optimizer, config, self.step / self.total)
        for turn in range(objective.steps_of_d):
            number = self.step * objective.steps_of_d + turn
            real, known = self.batches.batch(number)
            z = self._draw_latents(config.batch_size)
            if config.wrong_pairs:
                off = torch.empty_like(known).random_(1, classes, generator=self.random)
                how["wrong"] = [((known + off) % classes)[self._share]]
            real, known, z = (part[self._share] for part in (real, known, z))
            labels = known if config.conditional else None
            with autocast(self.device, self.precision):
                fake = self._averaging_g(z, *(() if labels is None else (labels,)))
            how |= {"labels": labels, "random": self.random}
            how |= {"twin": self._twin, "second": self._second}
            how["penalized"] = number % objective.penalty_every == 0
            optimizer = self.optimizers["discriminator"]
            of_d |= discriminator_step(self._averaging_d, optimizer, real, fake, **how)
        # Not with the D that averages over processes: its gradients are not computed here.
        networks, optimizer = (self.generator, self.discriminator), self.optimizers["generator"]
        of_g = generator_step(*networks, optimizer, fake, labels, objective, self.precision, real)
        self.update_average()
        self.step += 1
        return {"loss_d": of_d["loss_d"], "loss_g": of_g["loss_g"]} | of_d | of_g, real, fake

    @torch.no_grad()
    def update_average(self) -> None:
        """Let the average of G's weights and statistics follow, without making the device wait."""
        floats = [pair for pair in self._followed if self.step and pair[0].is_floating_point()]
        for average, current in self._followed:
            if not (self.step and average.is_floating_point()):  # at first all, then counters
                average.copy_(current)
        if floats:
            # It grows, as TensorFlow's: a constant decay would show the first weights for long.
            decay = min(self.config.average, (1 + self.step) / (10 + self.step))
            get_ema_multi_avg_fn(decay)(*map(list, zip(*floats)), None)

    def run(
        self,
        on_report: Callable[[Report], object] = lambda report: None,
        on_checkpoint: Callable[[], object] = lambda: None,
        steps: int | None = None,
    ) -> bool:
        """Train from the current step to the last, or until `on_report` answers True.

        `on_report` is called every `REPORT_EVERY` steps, `on_checkpoint` every `checkpoint_every`,
        which is the time to save, and both after the last one. `steps` limits how many are taken,
        also beyond the last. Returns whether the last step is reached; if not, `run` goes on from
        there. Raises `Diverged` before a NaN is saved, and `StoppedBetweenSteps` after a signal.
        """
        config, stop = self.config, False
        end = self.total if steps is None else self.step + steps
        schedule = sample_steps(self.total, config.frames)
        monitor = Monitor(self.objective.healthy, len(self.images))
        began = time.perf_counter() - self.seconds
        tf32 = torch.backends.cudnn.allow_tf32  # stays what the user has set
        exact = torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=tf32)

        def is_due(every: int) -> bool:
            return self.step % every == 0 or self.step in (self.total, max(self.total, end))

        with exact, _signals_noted() as signals, self._threads():
            self._keep_frame(schedule)
            while self.step < end and not devices.on_any_process(stop or bool(signals)):
                values, real, fake = self.train_step()
                values = devices.mean_over_processes(values)
                self.seconds = time.perf_counter() - began
                if is_due(config.record_every):
                    self.history.add(self.step, self.seconds, values)
                self._keep_frame(schedule)
                if is_due(REPORT_EVERY):
                    self.history.flush()
                    read = torch.stack([*values.values()]).tolist()  # the device catches up
                    self.seconds = time.perf_counter() - began
                    report = self._report(monitor, dict(zip(values, read)), real, fake, end)
                    stop = on_report(report) is True
                if is_due(config.checkpoint_every):
                    self._require_finite()
                    on_checkpoint()
            self.history.flush()
            if devices.on_any_process(bool(signals)):
                self._require_finite()
                raise StoppedBetweenSteps(self.step, self.total)
        return self.step >= self.total

    @contextlib.contextmanager
    def _threads(self) -> Iterator[None]:
        """Compute with the settings' threads, and one more if it is one and a core is left."""
        before, count = torch.get_num_threads(), self.config.threads or 1
        torch.set_num_threads(count)
        if count == 1 < before and self.device.type == "cpu":
            self._second = ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(1,))
        try:
            yield
        finally:
            self._second = None
            torch.set_num_threads(before)

    def _keep_frame(self, schedule: list[int]) -> None:
        if self.step in schedule and self.step not in self.frames:
            self.frames[self.step] = sample(self.sampler, self.fixed_latents, self.fixed_labels)

    def _report(
        self, monitor: Monitor, values: dict[str, float], real: Tensor, fake: Tensor, end: int
    ) -> Report:
        seen = [BatchStatistics(*batch_statistics(images).tolist()) for images in (real, fake)]
        in_training = self.generator.training and self.discriminator.training
        warnings = monitor.check(values, seen[0], seen[1], in_training)
        total = max(self.total, end)
        left = self.seconds / self.step * (total - self.step)
        return Report(self.step, total, self.seconds, left, values, seen[0], seen[1], warnings)

    def _require_finite(self) -> None:
        states = (network.state_dict() for network in (self.generator, self.discriminator))
        finite = [value.isfinite().all() for state in states for value in state.values()]
        if devices.on_any_process(not torch.stack(finite).all()):  # read once
            raise Diverged(say(DIVERGED))

    def state_dict(self) -> dict:
        """Return all that the rest of the run depends on, as tensors and plain values."""
        self.history.flush()
        return {
            "config": dataclasses.asdict(self.config),
            "data": self.images.identity,
            "own networks": self.own_networks,
            "environment": devices.environment(self.config),
            "step": self.step,
            "seconds": self.seconds,
            "generator": self.generator.state_dict(),
            "discriminator": self.discriminator.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
            "optimizers": {name: o.state_dict() for name, o in self.optimizers.items()},
            "random": self.random.get_state(),
            "fixed_latents": self.fixed_latents,
            "columns": list(self.history.columns),
            "history": self.history.rows,
            "frames": self.frames,
        }

    def load_state_dict(self, state: dict) -> None:
        """Go back to where `state_dict` was taken; the run then ends as if never interrupted.

        `UserError` if the data, the device, the precision or the kind of networks are others.
        """
        if state["own networks"] and not self.own_networks:
            raise UserError("This run had networks of its own. Make the same ones for Training.")
        then = state["data"], state["config"]["device"], state["config"]["precision"]
        now = self.images.identity, self.config.device, self.precision
        if then != now:
            raise UserError(f"This run was trained on {', '.join(then)}, not on {', '.join(now)}.")
        self.step, self.seconds = state["step"], state["seconds"]
        self.generator.load_state_dict(state["generator"])
        self.discriminator.load_state_dict(state["discriminator"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
            for group in optimizer.param_groups:
                group["lr"] = self.config.learning_rate  # which a run that goes on may change
        self.random.set_state(state["random"].cpu())
        self.fixed_latents = state["fixed_latents"].to(self.device)
        self.history = History(self.objective.probability, state["columns"], state["history"])
        self.frames = dict(state["frames"])


def sample_steps(total: int, frames: int) -> list[int]:
    """Return after which steps to draw the fixed latent vectors: 0 and `total`, dense at first."""
    places = torch.linspace(0, 1, frames, dtype=torch.float64) ** 2.5
    return sorted({round(place * total) for place in places.tolist()})


def set_learning_rate(optimizer: Optimizer, config: Config, done: float) -> None:
    """Lower the rate to 0 in the last part of a run, as the authors' program for MNIST does."""
    if config.decay:
        left = max(0.0, 1 - done) / config.decay
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * min(1.0, left)


class StoppedBetweenSteps(KeyboardInterrupt):
    """A signal asked the run to stop; its state is that after a whole step, and can be saved."""

    def __init__(self, step: int, total: int):
        super().__init__(f"Stopped after step {step:,} of {total:,}, between two steps.")

    def _render_traceback_(self) -> list[str]:
        """Return what IPython shows in place of a traceback; the cells below are not run."""
        return [
            str(self),
            "To go on from there, run this cell again. To begin anew, first run the cell with",
            "`Training(...)` and the cells between. The cells below have not been run.",
        ]


@contextlib.contextmanager
def _signals_noted() -> Iterator[list[int]]:
    """Let the first Ctrl-C, SIGTERM or SIGHUP only be noted, if Python handles it here."""
    noted: list[int] = []
    main = threading.current_thread() is threading.main_thread()
    hang_up = getattr(signal, "SIGHUP", signal.SIGTERM)  # which Windows does not have
    usual = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, hang_up) if main}
    usual = {n: handler for n, handler in usual.items() if handler not in (signal.SIG_IGN, None)}

    def restore() -> None:
        for number, handler in usual.items():
            signal.signal(number, handler)

    def note(number: int, frame: object) -> None:
        noted.append(number)
        restore()

    for number in usual:
        signal.signal(number, note)
    try:
        yield noted
    finally:
        restore()
