"""The exponential moving average (EMA) of G's weights, which draws the samples."""

import copy

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn


class Average:
    """A copy of G that follows it slowly, its batch norm's running statistics included.

    PyTorch's `AveragedModel` does the same, but reads its counter from the device in each step,
    which makes the device wait.

    Parameters
    ----------
    generator
        The network to follow.
    decay
        Share of the old average that stays, once training is well under way.
    """

    def __init__(self, generator: nn.Module, decay: float):
        self.network, self._decay = copy.deepcopy(generator), decay
        states = (network.state_dict().values() for network in (self.network, generator))
        pairs = list(zip(*states))  # the tensors themselves, which training changes in place
        self._weights = [pair for pair in pairs if pair[0].is_floating_point()]
        self._counters = [pair for pair in pairs if not pair[0].is_floating_point()]

    @torch.no_grad()
    def update(self, updates: int) -> None:
        """Move on after a step: copy the weights the first time, then average.

        Parameters
        ----------
        updates
            How many updates there were before.
        """
        for average, current in self._counters if updates else self._counters + self._weights:
            average.copy_(current)
        if updates:
            move = get_ema_multi_avg_fn(average_decay(self._decay, updates))
            move(*map(list, zip(*self._weights)), None)

    def state_dict(self) -> dict[str, Tensor]:
        """Return the averaged network's state."""
        return self.network.state_dict()

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go back to a state."""
        self.network.load_state_dict(state)


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
