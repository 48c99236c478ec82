"""A run of several processes: the first one makes or reopens it, and the others copy it."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from ..config import Config
from ..data import load_images
from ..training import (
    Training,
    are_several,
    choose_device,
    losses_noticed,
    raise_together,
    require_own_device,
)


def together(
    make: Callable[[], tuple[Training, Path]], device: str | None = None
) -> tuple[Training, Path]:
    """Make a run on the first process and copy it on all others; alone, just make it.

    So one process reads and writes the run folder, which the others' machines need not have. What
    they do need are the data.

    Parameters
    ----------
    make
        Returns a training and its folder; called by the first process only.
    device
        What the settings name, if they are known: refused on any process before anything is made.

    Returns
    -------
    training, folder
        The same run on all processes.

    Raises
    ------
    UserError
        That of the first process to fail, on all of them.
    ProcessLost
        If one of them is gone.
    """
    if not are_several():
        return make()
    with losses_noticed():
        if device is not None:
            raise_together(lambda: require_own_device(choose_device(device)))
        made: list[tuple[Training, Path]] = []
        sent: list[Any] = [None]

        def make_and_pack() -> None:
            if dist.get_rank() == 0:
                made.append(make())
                buffer = io.BytesIO()
                torch.save(made[0][0].state_dict(), buffer)
                sent[0] = str(made[0][1]), buffer.getvalue()

        def copy() -> None:
            if dist.get_rank() > 0:
                folder, state = sent[0]
                made.append((_copy(state), Path(folder)))

        raise_together(make_and_pack)
        dist.broadcast_object_list(sent)
        raise_together(copy)
    return made[0]


def _copy(packed: bytes) -> Training:
    """Return a training in the state of the first process's."""
    state = torch.load(io.BytesIO(packed), map_location="cpu", weights_only=True)
    config = Config(**state["config"])
    training = Training(config, load_images(config, notice=lambda message: None))
    training.load_state_dict(state)
    return training
