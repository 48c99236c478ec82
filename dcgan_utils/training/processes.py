"""Several processes that train one run together, started by PyTorch's `torchrun`.

Each holds both networks, takes its share of every batch, and steps with the mean of all gradients,
which PyTorch's `DistributedDataParallel` (DDP) computes while it goes backward. All draw the same
random numbers, for whole batches, so that what they see together is what one process would see.
Batch norm normalizes within each share, unless it is told otherwise. The first process alone keeps
the average, draws, writes and speaks. Where nobody started several, nothing here does anything.
"""

import contextlib
import dataclasses
import datetime
import gc
import importlib
import os
import socket
import warnings
from collections.abc import Callable, Iterator

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from ..config import UserError
from ..losses import Objective
from .interrupt import StoppedBetweenSteps

_STORES: list[dist.Store] = []  # where the processes that this one has joined leave words
_WRAPPED: dict[nn.Module, DistributedDataParallel] = {}  # by network; each holds the group
TIMEOUT = datetime.timedelta(minutes=5)  # of silence: a machine or a cable is dead


class ProcessLost(UserError):
    """Another process of the run has ended, or can't be reached any more.

    Attributes
    ----------
    told_here : bool
        Whether this process noticed it first, and so is the one to say it.
    """

    told_here = False


class Processes:
    """This process among those that train a run together; the only one if there are no others.

    Parameters
    ----------
    batch_size
        Images in a whole batch, which the processes share as evenly as it goes.

    Attributes
    ----------
    count, rank
        How many there are, and which of them this is, from 0.
    share : slice
        This process's part of a whole batch.

    Raises
    ------
    UserError
        If there are more processes than images in a batch.
    """

    def __init__(self, batch_size: int):
        self.count, self.rank = count_processes(), dist.get_rank() if are_several() else 0
        if batch_size < self.count:
            raise UserError(
                f"batch_size is {batch_size}, but there are {self.count} processes; allowed: one "
                f"for each image at most. Start fewer, or choose a larger batch_size."
            )
        ends = [rank * batch_size // self.count for rank in (self.rank, self.rank + 1)]
        self.share = slice(*ends)
        self._batch_size, self._weight = batch_size, (ends[1] - ends[0]) * self.count / batch_size

    @property
    def first(self) -> bool:
        """Whether this is the process that keeps the average, draws, writes and speaks."""
        return self.rank == 0

    def weighing(self, objective: Objective) -> Objective:
        """Return an objective in which this process counts as much as its share is large.

        Means over the processes, of gradients as of metrics, then are those over the whole batch.
        The losses themselves are weighted, not their gradients: with batch norm over all processes,
        the others' losses depend on this one's images too.
        """
        if self._weight == 1:
            return objective
        return dataclasses.replace(
            objective,
            discriminator_loss=lambda *outputs: (
                self._weight * objective.discriminator_loss(*outputs)
            ),
            generator_loss=lambda outputs: self._weight * objective.generator_loss(outputs),
            score=lambda outputs: self._weight * objective.score(outputs),
        )

    def averaging(self, network: nn.Module) -> nn.Module:
        """Return a network whose gradients become the mean over the processes as it goes backward.

        Parameters
        ----------
        network
            On its device; the same one must come in the same order on all processes. It stays
            usable as it is: its gradients then are those of this process's share.
        """
        if self.count == 1:
            return network
        if network not in _WRAPPED:
            # By default DDP copies the first process's running statistics to all before each
            # forward pass. Training never reads them, and D makes two passes before it goes
            # backward, which PyTorch long refused then (its issues 22095, 66504, 175024).
            wrapped = DistributedDataParallel(network, forward_sync_buffers=False)
            _WRAPPED[network] = wrapped
            # Of a layer with one channel, whose layout is two layouts at once; nothing is slower.
            warnings.filterwarnings("ignore", "Grad strides do not match bucket view strides")
        return _WRAPPED[network]

    def mean(self, values: Tensor) -> Tensor:
        """Return the mean of each of some values over the processes."""
        if self.count == 1:
            return values
        dist.all_reduce(values)
        return values / self.count

    def whole(self, images: Tensor) -> Tensor:
        """Return a whole batch (B, ...), from each process's share of it, without a graph."""
        if self.count == 1:
            return images
        batch = images.new_zeros(self._batch_size, *images.shape[1:], dtype=torch.float32)
        batch[self.share] = images.detach()
        dist.all_reduce(batch)  # a sum; the other shares are zero
        return batch

    def any(self, here: bool) -> bool:
        """Return whether something is so on one process at least; all get the same answer.

        It is asked on the CPU, so that no GPU is waited for.
        """
        if self.count == 1:
            return here
        flag = torch.tensor([float(here)])
        dist.all_reduce(flag)
        return bool(flag)


def are_several() -> bool:
    """Return whether this process has joined others."""
    return dist.is_available() and dist.is_initialized()


def count_processes() -> int:
    """Return how many processes train together; 1 if this one has joined no others."""
    return dist.get_world_size() if are_several() else 1


def with_synced_batch_norm(network: nn.Module, device: torch.device) -> nn.Module:
    """Return a network whose batch norm takes the statistics of the whole batch.

    Raises
    ------
    UserError
        If the device is not CUDA: PyTorch's `SyncBatchNorm` works on nothing else.
    """
    if device.type != "cuda":
        raise UserError(
            f"sync_batch_norm is True, but PyTorch's SyncBatchNorm needs CUDA, and the device is "
            f"{device}. Leave it out: each process then normalizes over its own share."
        )
    return nn.SyncBatchNorm.convert_sync_batchnorm(network) if are_several() else network


@contextlib.contextmanager
def joined() -> Iterator[None]:
    """Join the processes that `torchrun` has started, if it has, until the block ends.

    Raises
    ------
    UserError
        If the processes can't be connected.
    """
    environment = os.environ
    if int(environment.get("WORLD_SIZE", "1")) == 1:
        yield
        return
    # DDP imports it, and its functions' defaults would hold a group that was there before it.
    importlib.import_module("torch.distributed.nn.functional")
    local = int(environment.get("LOCAL_RANK", "0"))
    if torch.cuda.is_available() and local < torch.cuda.device_count():
        torch.cuda.set_device(local)  # what "cuda" then means here
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    try:
        store, rank, count = next(dist.rendezvous("env://", timeout=TIMEOUT))
        _STORES[:] = [dist.PrefixStore("run", store)]
        dist.init_process_group(
            backend, timeout=TIMEOUT, store=_STORES[0], rank=rank, world_size=count
        )
    except (RuntimeError, ValueError) as error:
        place = f"{environment.get('MASTER_ADDR')}, port {environment.get('MASTER_PORT')}"
        raise UserError(
            f"The processes can't be connected at {place} ({_first_line(error)}). Start them with "
            f"torchrun; if another program uses the port, choose one with --master-port."
        ) from error
    try:
        yield
        with contextlib.suppress(RuntimeError):  # if one has ended, so be it
            dist.all_reduce(torch.zeros(1))  # none leaves while the first one still writes
    except ProcessLost:  # the group can't be taken down together any more
        raise
    except (UserError, StoppedBetweenSteps):
        _leave()
        raise
    except BaseException:  # perhaps in the middle of an exchange, whose thread may wait for long
        dist.destroy_process_group()
        raise
    _leave()


def _leave() -> None:
    """Take the group down to its threads: one that outlives Python can abort the process."""
    _WRAPPED.clear()
    dist.destroy_process_group()
    gc.collect()  # what is left of DDP refers to itself


def require_own_device(device: torch.device) -> None:
    """Refuse a device that several processes can't compute on, or that this one has not got.

    Raises
    ------
    UserError
        If it is neither the CPU nor CUDA, or a GPU is named or missing.
    """
    if not are_several() or device.type == "cpu":
        return
    if device.type != "cuda" or device.index is not None:
        raise UserError(
            f"device is {str(device)!r}, which several processes can't share; allowed: cuda, where "
            f"each takes a GPU of its own, or cpu."
        )
    local, there = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
    if local >= there:
        raise UserError(
            f"There is no GPU for process {local + 1} of this machine: it has {there}. Start "
            f"--nproc-per-node={there}, or add --device cpu."
        )


def raise_together(act: Callable[[], object]) -> None:
    """Act on each process; if that fails on one of them, raise its error on all.

    Raises
    ------
    UserError
        That of the first process that has one; if it is another machine's, with its name.
    """
    failure = None
    try:
        act()
    except UserError as error:
        failure = (socket.gethostname(), str(error))
    failures: list[tuple[str, str] | None] = [None] * dist.get_world_size()
    dist.all_gather_object(failures, failure)
    for rank, found in enumerate(failures):
        if found is not None:
            raise UserError(found[1] if rank == 0 else f"Process {rank} on {found[0]}: {found[1]}")


@contextlib.contextmanager
def losses_noticed() -> Iterator[None]:
    """Turn what PyTorch raises when another process is gone into one line, said by one process.

    Raises
    ------
    ProcessLost
        If another process has ended, or has not been heard of for `TIMEOUT`.
    """
    try:
        yield
    except RuntimeError as error:
        about_others = isinstance(error, dist.DistError) or "gloo" in str(error).lower()
        if not are_several() or not about_others:
            raise
        lost = ProcessLost(
            f"One of the {dist.get_world_size()} processes has ended or can't be reached, so all "
            f"end. The last checkpoint is intact."
        )
        lost.told_here = _noticed_first()
        raise lost from error


def _noticed_first() -> bool:
    """Return whether no other process has asked this before."""
    try:
        return _STORES[0].add("lost", 1) == 1
    except RuntimeError:  # the machine that counts is the one that is gone
        return True


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
