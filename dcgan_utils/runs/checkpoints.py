"""Whole runs in a file: everything that the rest of a run depends on."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

from torch import Tensor, nn

from ..config import Config, UserError
from ..data import load_images
from ..files import load, save
from ..losses import objective_for
from ..training import Training, environment

VERSION = 3  # of the checkpoint's layout


def save_training(path: Path, training: Training) -> None:
    """Write everything that the rest of a run depends on; see `files.save`."""
    save(path, {"version": VERSION, **training.state_dict()})


def load_training(
    path: Path,
    notice: Callable[[str], None] = print,
    generator: nn.Module | None = None,
    discriminator: nn.Module | None = None,
    steps: int | None = None,
) -> Training:
    """Read a checkpoint and its data, ready to go on.

    Parameters
    ----------
    path
        What `save_training` wrote.
    notice
        Told where the data come from, where that is not as expected, and if the conditions under
        which a run is reproduced bit by bit have changed.
    generator, discriminator
        For a run with networks of its own: the same ones, made anew.
    steps
        A new length of the run, in steps from its beginning; None leaves it.

    Raises
    ------
    UserError
        If the file can't be read safely, is no checkpoint of this version, or does not fit the
        data or the device that are here.
    """
    state = load(path)
    if not isinstance(state, Mapping) or state.get("version") != VERSION:
        raise UserError(
            f"{path} is not a checkpoint of this version. Choose a run's checkpoint.pt."
        )
    config = _config_of(path, state, steps)
    objective_for(config)  # refused before the data are loaded
    images = load_images(config, notice)
    training = Training(config, images, generator, discriminator)
    try:
        training.load_state_dict(state)
    except (AttributeError, KeyError, TypeError, RuntimeError, ValueError) as error:
        raise UserError(f"{path} does not fit this version's networks: {error}") from error
    _compare_environments(state["environment"], environment(training.device), config, notice)
    return training


def _config_of(path: Path, state: Mapping, steps: int | None) -> Config:
    """Return a checkpoint's settings, with a new length if one is wanted.

    Raises
    ------
    UserError
        If what is in the checkpoint is not what `save_training` writes.
    """
    kinds = {
        "config": Mapping,
        "step": int,
        "seconds": float,
        "history": Tensor,
        "frames": Mapping,
        "fixed_latents": Tensor,
        "environment": Mapping,
    }
    for name, kind in kinds.items():
        if not isinstance(state.get(name), kind):
            raise UserError(f"{path} is spoiled: its {name} is no {kind.__name__}.")
    try:
        config = Config(**state["config"])
    except (UserError, TypeError) as error:
        raise UserError(f"{path} has settings that are not allowed here: {error}") from error
    step, history = state["step"], state["history"]
    recorded = int(history[-1, 0]) if history.ndim == 2 and len(history) else 0
    if history.ndim != 2 or not recorded <= step < recorded + config.record_every:
        raise UserError(f"{path} is spoiled: it is at step {step}, but has recorded {recorded}.")
    if steps is None:
        return config
    if steps < step:
        raise UserError(
            f"steps is {steps}, but the run has taken {step} already; allowed: that many or more."
        )
    if config.decay:
        raise UserError(
            f"decay is {config.decay}: this run's learning rate falls towards its end as planned, "
            f"so a longer one is another run. Start it anew with --steps {steps}."
        )
    return dataclasses.replace(config, steps=steps)


def _compare_environments(
    before: Mapping[str, str],
    here: Mapping[str, str],
    config: Config,
    notice: Callable[[str], None],
) -> None:
    """Say what differs from where the checkpoint was written, if anything does, and what follows.

    Checkpoints from before there could be several processes do not name their number.
    """
    before = {"processes": "1", **before}
    changed = [
        f"{name} {before.get(name)} then, {value} now"
        for name, value in here.items()
        if before.get(name) != value
    ]
    if not changed:
        return
    follows = "its numbers may differ in the last bits from those of a run that was not interrupted"
    then, now = (config.batch_size / int(where["processes"]) for where in (before, here))
    if then != now and not config.sync_batch_norm:
        follows = (
            f"it takes another course than without the interruption: batch norm now normalizes "
            f"over {now:.4g} images at a time, before over {then:.4g}"
        )
    notice(f"The run continues under other conditions ({'; '.join(changed)}), so that {follows}.")
