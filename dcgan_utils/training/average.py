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

    @torch.no_grad()
    def update(self, generator: nn.Module, updates: int) -> None:
        """Move on after a step: copy the weights the first time, then average.

        Parameters
        ----------
        generator
            The network as it is after the step.
        updates
            How many updates there were before.
        """
        pairs = list(zip(self.network.state_dict().values(), generator.state_dict().values()))
        averaged = [pair for pair in pairs if updates and pair[0].is_floating_point()]
        for average, current in pairs:
            if not updates or not average.is_floating_point():  # counters are copied
                average.copy_(current)
        if averaged:
            move = get_ema_multi_avg_fn(average_decay(self._decay, updates))
            move(*map(list, zip(*averaged)), None)

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
