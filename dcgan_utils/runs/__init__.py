"""Runs in folders: created, reopened, completed; what they leave there; progress displays."""

from .checkpoints import load_training, save_training
from .folder import CHECKPOINT, complete, create, next_folder, reopen
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

__all__ = [
    "CHECKPOINT",
    "can_judge",
    "complete",
    "create",
    "judge_run",
    "last_line",
    "load_run",
    "load_training",
    "next_folder",
    "reopen",
    "require_numbers",
    "save_training",
    "store_judgment",
    "summarize",
    "write_results",
    "write_samples",
]
