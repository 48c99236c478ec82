"""The batches that training draws, in an order that needs no state to be resumed."""

import hashlib

import torch
from torch import Tensor

from ..config import UserError
from .images import Images, scale


class Batches:
    """Batches in an order that is a pure function of (seed, step), so resuming needs no state.

    One epoch shows every image `images.repeats` times, each time in a new order; what is left
    when the last whole batch is full is dropped.

    Parameters
    ----------
    images
        What to draw from; kept on the device as uint8.
    batch_size
        Images in a batch.
    seed
        What the order follows from, and nothing else; the global random state is not used.
    device
        Where the batches are wanted.

    Attributes
    ----------
    per_epoch : int
        Batches in one epoch.

    Raises
    ------
    UserError
        If there are fewer images than one batch needs.
    """

    def __init__(self, images: Images, batch_size: int, seed: int, device: torch.device):
        count = len(images)
        if batch_size > count:
            raise UserError(
                f"batch_size is {batch_size}, but {images.source} has {count} images; allowed: "
                f"1 to {count}. Choose a smaller batch_size or more images."
            )
        self.per_epoch = count * images.repeats // batch_size
        self._pixels, self._labels = images.pixels.to(device), images.labels.to(device)
        self._batch_size, self._repeats, self._seed = batch_size, images.repeats, seed
        self._epoch = -1  # the epoch that `_order` belongs to

    def batch(self, number: int) -> tuple[Tensor, Tensor]:
        """Return a batch, counted from 0 over all epochs.

        Returns
        -------
        images, labels
            (B, C, S, S) in [-1, 1], and (B,) int64.
        """
        epoch, place = divmod(number, self.per_epoch)
        if epoch != self._epoch:
            self._order = self._epoch_order(epoch).to(self._pixels.device)
            self._epoch = epoch
        chosen = self._order[place * self._batch_size : (place + 1) * self._batch_size]
        return scale(self._pixels[chosen]), self._labels[chosen]

    def _epoch_order(self, epoch: int) -> Tensor:
        # PyTorch's CPU generator uses 32 bits of its seed; hashing spreads both numbers over them.
        digest = hashlib.sha256(f"{self._seed} {epoch}".encode()).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(digest[:4], "big"))
        count = len(self._pixels)
        orders = [torch.randperm(count, generator=generator) for _ in range(self._repeats)]
        return torch.cat(orders)  # (N * repeats,)
