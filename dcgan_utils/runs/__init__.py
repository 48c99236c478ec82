"""Runs in folders: created, reopened, completed; what they leave there; progress displays."""

from .checkpoints import load_training, save_training
from .folder import CHECKPOINT, Exists, complete, create, create_next, reopen
from .lock import InUse, working_in
from .results import (
    can_judge,
    judge_run,
    last_line,
    load_run,
    require_numbers,
    store_judgment,
    summarize,
    write_results,
    write_samples,
)
from .together import together

__all__ = [
    "CHECKPOINT",
    "Exists",
    "InUse",
    "can_judge",
    "complete",
    "create",
    "create_next",
    "judge_run",
    "last_line",
    "load_run",
    "load_training",
    "reopen",
    "require_numbers",
    "save_training",
    "store_judgment",
    "summarize",
    "together",
    "write_results",
    "working_in",
    "write_samples",
]
