"""Training in memory: the two steps, the loop, what it records, and what it runs on."""

from .frames import sample_steps
from .hardware import autocast, choose_device, choose_precision, device_name, environment
from .health import Diverged, Look, Report, variety
from .history import History
from .interrupt import StoppedBetweenSteps
from .loop import REPORT_EVERY, Training
from .processes import (
    ProcessLost,
    are_several,
    count_processes,
    joined,
    losses_noticed,
    raise_together,
    require_own_device,
)
from .steps import discriminator_step, generator_step

__all__ = [
    "REPORT_EVERY",
    "Diverged",
    "History",
    "Look",
    "ProcessLost",
    "Report",
    "StoppedBetweenSteps",
    "Training",
    "are_several",
    "autocast",
    "choose_device",
    "choose_precision",
    "count_processes",
    "device_name",
    "discriminator_step",
    "environment",
    "generator_step",
    "joined",
    "losses_noticed",
    "raise_together",
    "require_own_device",
    "sample_steps",
    "variety",
]
